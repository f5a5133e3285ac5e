"""One live publish: source → packager → muxer → the window of its live stream, with its states.

A `Broadcast` lives from an accepted publisher until the grace period after its last one; within
it publishers may come back and the same playlist goes on. What happens is reported as events.
Those of this process are held by media/broadcasts.py.

    starting ──▶ live ◀──▶ reconnecting ──▶ ended
        ├──────────────────────────────────────▲
        └─▶ held ── start() ─▶ starting

One that doesn't start automatically is *held*: it plays under its secret session URLs, and nobody
but its streamer knows of it. From `start` on it is public, and what came before is gone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import structlog

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MediaConfig
from mediaserver.kernel.events import Events
from mediaserver.kernel.ids import new_id, new_secret
from mediaserver.kernel.metrics import Metrics
from mediaserver.media import flv
from mediaserver.media.dvr import Dvr
from mediaserver.media.events import (
    BroadcastEnded,
    BroadcastInterrupted,
    BroadcastResumed,
    BroadcastWentLive,
)
from mediaserver.media.fmp4 import Muxer
from mediaserver.media.frame_meter import FrameMeter
from mediaserver.media.frames import AudioConfig, Frame, Unsupported, VideoCodec, VideoConfig
from mediaserver.media.gate import PublishGrant
from mediaserver.media.instant import InstantRoom, InstantStream
from mediaserver.media.live_stream import LiveStream
from mediaserver.media.packager import Packager
from mediaserver.media.parts import PRESETS, Epoch, Output, Part

_Change = BroadcastWentLive | BroadcastInterrupted | BroadcastResumed

_log = structlog.get_logger(__name__)


class BroadcastState(StrEnum):
    STARTING = "starting"
    HELD = "held"
    LIVE = "live"
    RECONNECTING = "reconnecting"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class BroadcastStatus:
    """One live stream as others may see it, once it `is_public`: until then `session` is secret.
    `dvr_window_s` is 0 while it can't be rewound. `warning` is a sentence for the streamer."""

    broadcast_id: str
    channel_id: str
    channel: str
    session: str
    state: BroadcastState
    is_public: bool
    started_at_ms: int
    viewers: int
    viewers_instant: int
    has_instant_room: bool
    video_codec: str | None
    audio_codec: str | None
    width: int | None
    height: int | None
    bitrate_bps: int
    dvr_window_s: int
    is_full: bool
    warning: str | None


class Publisher(Protocol):
    """The connection that feeds a broadcast."""

    def disconnect(self, reason: str) -> None:
        """Tell the encoder why, then close. Returns at once."""
        ...


class Broadcast:
    """One live publish. Made and watched by `Broadcasts`; fed by its publisher's connection."""

    def __init__(
        self,
        grant: PublishGrant,
        media: MediaConfig,
        clock: Clock,
        events: Events,
        metrics: Metrics,
        room: InstantRoom,
        dvr: Dvr | None = None,
    ) -> None:
        self.grant = grant
        self._dvr = dvr
        self._grace_ms = media.grace_s * 1000
        self._clock = clock
        self._events = events
        self._metrics = metrics
        preset = PRESETS[media.preset]

        self.id = new_id("brd")
        self.instant = InstantStream(room, clock, metrics)
        self.stream = LiveStream(new_secret(96), preset, media.window_s, clock, self.instant)
        self.state = BroadcastState.STARTING
        self.is_public = grant.starts_automatically
        self.publisher: Publisher | None = None
        self.started_at_ms = clock.wall_ms()
        self.bytes_received = 0
        self.late_parts = 0
        self.meter = FrameMeter()
        self._packager = Packager(preset)
        self._muxer: Muxer | None = None
        self._epoch: Epoch | None = None
        self._sequence = 0
        self._last_frame_ms = clock.monotonic_ms()
        self._lost_at_ms = 0
        self._rates: deque[tuple[int, int]] = deque()
        self._began_at_ms = 0
        self._refusal: str | None = None
        self._last_part_ms: int | None = None
        self._epoch_starts: deque[int] = deque()
        self._went_live = False
        self.ended_at_ms = 0
        if self.is_public:
            self._record()

    # The publisher's side -----------------------------------------------------------------------

    def attach(self, publisher: Publisher) -> None:
        assert self.publisher is None
        self.publisher = publisher
        self.meter.forget_time()
        self._began_at_ms = self._last_frame_ms = self._clock.monotonic_ms()
        self._rates.clear()
        self._refusal = None

    def detach(self, publisher: Publisher) -> None:
        """The publisher's connection is closed. One that was replaced changes nothing."""
        if self.publisher is publisher:
            self.publisher = None
            self._interrupt()
            self._take(self._packager.interrupt())

    def push_video(self, payload: bytes, timestamp_ms: int) -> None:
        """A video message's body. Raises `Unsupported` with the reason to end the publish."""
        self._push(flv.parse_video, payload, timestamp_ms)

    def push_audio(self, payload: bytes, timestamp_ms: int) -> None:
        """An audio message's body, as `push_video`."""
        self._push(flv.parse_audio, payload, timestamp_ms)

    def _push(self, parse: flv.Parse, payload: bytes, timestamp_ms: int) -> None:
        self.bytes_received += len(payload)
        if self.state is BroadcastState.ENDED:
            return
        try:
            self._push_tag(parse(payload, timestamp_ms))
        except ValueError as error:
            self._refusal = f"The encoder sent something broken: {error}."
            raise Unsupported(self._refusal) from error
        except Unsupported as error:
            self._refusal = str(error)
            raise

    def _push_tag(self, tag: VideoConfig | AudioConfig | Frame | None) -> None:
        if isinstance(tag, Frame):
            now_ms = self._clock.monotonic_ms()
            if self.state is BroadcastState.RECONNECTING and self.is_silent:
                self._began_at_ms = now_ms
            self._last_frame_ms = now_ms
            self.meter.add(tag, self._epoch.frame_rate if self._epoch else None)
            self._take(self._packager.push(tag, self._clock.wall_ms()))
            self.instant.push(self._packager.take_fresh())
        elif tag is not None:
            self._take(self._packager.configure(tag))

    # Packager → origin --------------------------------------------------------------------------

    def _take(self, outputs: list[Output]) -> None:
        """Everything that one frame finished becomes one new version of the playlist."""
        if not outputs:
            return
        made_part = False
        try:
            for output in outputs:
                if isinstance(output, Epoch):
                    self._begin_epoch(output)
                elif isinstance(output, Part):
                    self._append(output)
                    made_part = True
                else:
                    self.stream.end_segment()
        except Unsupported:
            # The rest came to nothing: the packager goes on from where the playlist is.
            self._packager.discard(self.stream.close_segment())
            raise
        finally:
            self.stream.publish()
        if made_part and self.stream.playable:
            self._go_live()

    def _begin_epoch(self, epoch: Epoch) -> None:
        now_ms = self._clock.monotonic_ms()
        self._epoch_starts.append(now_ms)
        while now_ms - self._epoch_starts[0] > 60_000:
            self._epoch_starts.popleft()
        if len(self._epoch_starts) > limits.EPOCHS_PER_MINUTE_MAX:
            raise Unsupported("The stream's clock or codecs keep changing.")
        self._close_muxer()
        self._muxer = Muxer(epoch)
        self._epoch = epoch
        self._last_part_ms = None
        self.stream.begin_epoch(epoch, self._muxer.init, (self._muxer.width, self._muxer.height))
        self.instant.begin_epoch(epoch, self._muxer)
        self._metrics.epochs.inc()

    def _close_muxer(self) -> None:
        self.instant.end_epoch()
        if self._muxer is not None:
            self._muxer.close()

    def _append(self, part: Part) -> None:
        assert self._muxer is not None
        assert self._epoch is not None
        self._sequence += 1
        with self._metrics.part_seconds.time():
            data = self._muxer.part(part, self._sequence)
        self.stream.append(part, data)
        self._metrics.parts.inc()
        now_ms = self._clock.monotonic_ms()
        late_ms = 2 * self._epoch.timing.part_target_ms
        if self._last_part_ms is not None and now_ms - self._last_part_ms > late_ms:
            self._metrics.parts_late.inc()
            self.late_parts += 1
        self._last_part_ms = now_ms

    # States -------------------------------------------------------------------------------------

    def _report(self, event: type[_Change]) -> None:
        self._events.publish(
            event(self.id, self.grant.channel_id, self.grant.channel, self._clock.wall_ms())
        )

    def start(self) -> bool:
        """Open a held stream to the public, from its next keyframe on. False if it is public
        already, over, or without its encoder."""
        if self.is_public or self.state not in (BroadcastState.STARTING, BroadcastState.HELD):
            return False
        self.is_public = True
        self.started_at_ms = self._clock.wall_ms()
        self._began_at_ms = self._clock.monotonic_ms()
        self._take(self._packager.pause())
        self.instant.end_epoch()
        self.stream.withhold_past()
        self._record()
        self.state = BroadcastState.STARTING
        return True

    def _record(self) -> None:
        """From now on viewers can rewind, where that is switched on."""
        if self._dvr is not None:
            self.stream.recording = self._dvr.open(self.grant.channel, self.stream.session)

    def _go_live(self) -> None:
        if not self.is_public:
            self.state = BroadcastState.HELD
        elif self.state is BroadcastState.STARTING:
            self.state = BroadcastState.LIVE
            self._went_live = True
            self._report(BroadcastWentLive)
        elif self.state is BroadcastState.RECONNECTING:
            self.state = BroadcastState.LIVE
            self._report(BroadcastResumed)

    def _interrupt(self) -> None:
        """No frames any more: drop what is unfinished and wait for the publisher."""
        if self.state in (BroadcastState.LIVE, BroadcastState.HELD):
            self._take(self._packager.pause())
            self.instant.end_epoch()
            self.state = BroadcastState.RECONNECTING
            self._lost_at_ms = self._clock.monotonic_ms()
            if self.is_public:
                self._report(BroadcastInterrupted)
        elif self.state is BroadcastState.STARTING and self.publisher is None:
            self.end(self._refusal or "The encoder left before it sent a picture or sound.")

    def end(self, reason: str) -> None:
        """Over, for good. Players get an ENDLIST."""
        if self.state is BroadcastState.ENDED:
            return
        self._take(self._packager.interrupt())
        self.state = BroadcastState.ENDED
        self.ended_at_ms = self._clock.monotonic_ms()
        self.stream.end()
        self._close_muxer()
        self.instant.end()
        if self.publisher is not None:
            publisher, self.publisher = self.publisher, None
            publisher.disconnect(reason)
        _log.info("broadcast ended", channel=self.grant.channel, reason=reason)
        self._events.publish(
            BroadcastEnded(
                self.id,
                self.grant.channel_id,
                self.grant.channel,
                self._clock.wall_ms(),
                reason,
                self._went_live,
            )
        )

    def is_over(self) -> bool:
        return self.state is BroadcastState.ENDED

    @property
    def is_silent(self) -> bool:
        """No frame for a while, though a connection may stand."""
        return self._clock.monotonic_ms() - self._last_frame_ms > limits.STALL_S * 1000

    def check(self) -> None:
        """What time alone decides. Called about twice a second."""
        now_ms = self._clock.monotonic_ms()
        if self.state is BroadcastState.STARTING:
            if not self._may_begin(now_ms):
                self.end(
                    f"No picture or sound that can be shown came for "
                    f"{limits.FIRST_MEDIA_TIMEOUT_S:.0f} s."
                )
        elif self.state in (BroadcastState.LIVE, BroadcastState.HELD) and self.is_silent:
            self._interrupt()
        elif self.state is BroadcastState.RECONNECTING:
            is_back = self.publisher is not None and not self.is_silent
            if now_ms - self._lost_at_ms > self._grace_ms and not (
                is_back and self._may_begin(now_ms)
            ):
                self.end(self._refusal or "The encoder did not come back in time.")
        self._rates.append((now_ms, self.bytes_received))
        while now_ms - self._rates[0][0] > limits.RTMP_BITRATE_WINDOW_S * 1000:
            self._rates.popleft()

    def _may_begin(self, now_ms: int) -> bool:
        """A publisher gets some time from its first frame to the first part."""
        return now_ms - self._began_at_ms <= limits.FIRST_MEDIA_TIMEOUT_S * 1000

    def exceeds(self, bitrate_max_bps: int) -> bool:
        """More came than the limit allows in a whole window: a burst at the start is none."""
        if not self._rates:
            return False
        received = self._rates[-1][1] - self._rates[0][1]
        return received * 8 > bitrate_max_bps * limits.RTMP_BITRATE_WINDOW_S

    @property
    def bitrate_bps(self) -> int:
        """Bits per second from the encoder, over the last seconds."""
        if len(self._rates) < 2:
            return 0
        (from_ms, from_bytes), (to_ms, to_bytes) = self._rates[0], self._rates[-1]
        return (to_bytes - from_bytes) * 8000 // max(1, to_ms - from_ms)

    @property
    def keyframe_interval_ms(self) -> int:
        return self._packager.keyframe_interval_ms

    def status(self, *, is_full: bool) -> BroadcastStatus:
        epoch, muxer, recording = self._epoch, self._muxer, self.stream.recording
        viewers = self.stream.viewers
        return BroadcastStatus(
            broadcast_id=self.id,
            channel_id=self.grant.channel_id,
            channel=self.grant.channel,
            session=self.stream.session,
            state=self.state,
            is_public=self.is_public,
            started_at_ms=self.started_at_ms,
            viewers=viewers,
            viewers_instant=min(self.instant.viewers, viewers),  # two pages may be one viewer's
            has_instant_room=self.instant.has_room,
            video_codec=epoch.video.codecs if epoch and epoch.video else None,
            audio_codec=epoch.audio.codecs if epoch and epoch.audio else None,
            width=muxer.width if muxer else None,
            height=muxer.height if muxer else None,
            bitrate_bps=self.bitrate_bps,
            dvr_window_s=recording.window_s if recording is not None else 0,
            is_full=is_full,
            warning=self._warning(),
        )

    def _warning(self) -> str | None:
        if self._refusal is not None:
            return self._refusal
        interval_ms = self._packager.keyframe_interval_ms
        if interval_ms > 4_500:
            return (
                f"Keyframes come every {interval_ms / 1000:.1f} s, so viewers wait long to join. "
                "Set the keyframe interval to 2 s (in OBS: Settings, Output, Advanced)."
            )
        if self._epoch and self._epoch.video and self._epoch.video.codec is not VideoCodec.H264:
            return f"{self._epoch.video.codec.name} does not play in every browser. H.264 does."
        return self.stream.recording.warning if self.stream.recording is not None else None

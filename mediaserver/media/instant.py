"""Instant playback: each picture of a live stream as a message of its own, pushed to its viewers.

An `InstantStream` is a second output of a broadcast, beside the parts of HLS and on the same time
line. It is handed fresh samples as their frames come and muxes one fragment a picture, with the
sound that came before it, but only while somebody watches this way. Each message is framed for
WebSocket (RFC 6455, from a server: unmasked) once, and the same bytes go to every viewer.

A viewer begins with the group of pictures since the last keyframe. One who reads too slowly misses
what comes until a keyframe finds room again, and nobody waits for them.
docs/instant-playback.md describes the messages. Nothing here knows HTTP: routes/instant.py opens
the connections and brings viewers in.
"""

from __future__ import annotations

import json
import struct
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Protocol

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MediaConfig
from mediaserver.kernel.errors import Unavailable
from mediaserver.kernel.metrics import Metrics
from mediaserver.media.fmp4 import Muxer
from mediaserver.media.frames import Kind
from mediaserver.media.parts import VIDEO_TIMESCALE, Epoch, FreshSample, Sample

EPOCH_MESSAGE = 1
FRAGMENT_MESSAGE = 2
KEYFRAME_FLAG = 1

_EPOCH_HEAD = struct.Struct(">BxHI")
_FRAGMENT_HEAD = struct.Struct(">BBHIddd")

CLOSE_ENDED = 4000
CLOSE_FULL = 4001
CLOSE_SLOW = 4002


class Viewer(Protocol):
    """A connection. `write` and `close` return at once."""

    @property
    def unsent_bytes(self) -> int:
        """Written, and not yet taken by the network."""
        ...

    def write(self, data: bytes) -> None: ...

    def close(self, code: int, reason: str) -> None: ...


class InstantRoom:
    """How many may watch this way at once, over all streams. 0: nobody may."""

    def __init__(self, media: MediaConfig) -> None:
        self._media = media

        self.viewers = 0

    @property
    def is_full(self) -> bool:
        return self.viewers >= self._media.instant_viewers_max


@dataclass(slots=True, eq=False)
class Seat:
    """A viewer's place. `epoch` is the one whose head they have; `waits` for a keyframe."""

    viewer: Viewer
    is_counted: bool = True
    epoch: int | None = None
    waits: bool = True
    slow_since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class _Moment:
    """What goes into one fragment."""

    video: tuple[Sample, ...]
    audio: tuple[Sample, ...]
    received_ms: int


@dataclass(slots=True)
class _Group:
    """What a viewer who comes now is sent first: messages, then moments that nobody needed yet."""

    messages: deque[bytes] = field(default_factory=deque)
    moments: deque[_Moment] = field(default_factory=deque)
    byte_count: int = 0
    is_open: bool = False
    """Whether it begins with a keyframe and is whole."""


class InstantStream:
    """The instant output of one broadcast."""

    def __init__(self, room: InstantRoom, clock: Clock, metrics: Metrics) -> None:
        self._room = room
        self._clock = clock
        self._metrics = metrics

        self.ended = False
        self.bytes_sent = 0
        self._seats: set[Seat] = set()
        self._epoch: Epoch | None = None
        self._muxer: Muxer | None = None
        self._head = b""
        self._sequence = 0
        self._sounds: list[Sample] = []
        self._sound_samples = 0
        self._group = _Group()

    @property
    def viewers(self) -> int:
        """Without streamers who look at their own."""
        return sum(seat.is_counted for seat in self._seats)

    @property
    def has_room(self) -> bool:
        return not self._room.is_full

    # The broadcast's side -----------------------------------------------------------------------

    def begin_epoch(self, epoch: Epoch, muxer: Muxer) -> None:
        """Other tracks or another time line: viewers get its head before its first picture."""
        self.end_epoch()
        self._epoch, self._muxer = epoch, muxer
        self._head = _websocket_frame(_epoch_message(epoch, muxer))

    def end_epoch(self) -> None:
        """Nothing more comes of this one."""
        self._epoch = self._muxer = None
        self._sounds, self._sound_samples = [], 0
        self._group = _Group()

    def push(self, fresh: list[FreshSample]) -> None:
        """Fresh samples, in the order they came; those of other epochs are left out.

        Raises `Unsupported` when one can't be muxed.
        """
        for one in fresh:
            epoch = self._epoch
            if epoch is None or one.epoch != epoch.number:
                continue
            if one.kind is Kind.VIDEO:
                self._emit(epoch, (one.sample,), one.arrival_ms)
                continue
            assert epoch.audio is not None
            self._sounds.append(one.sample)
            self._sound_samples += one.sample.duration
            if self._sound_samples * 1000 >= limits.INSTANT_SOUND_MS * epoch.audio.sample_rate:
                self._emit(epoch, (), one.arrival_ms)

    def end(self) -> None:
        """The stream is over."""
        self.end_epoch()
        self.close(CLOSE_ENDED, "The stream has ended.")

    def close(self, code: int, reason: str) -> None:
        """Send everybody away."""
        self.ended = True
        for seat in list(self._seats):
            seat.viewer.close(code, reason)

    def _emit(self, epoch: Epoch, video: tuple[Sample, ...], received_ms: int) -> None:
        sounds, self._sounds, self._sound_samples = tuple(self._sounds), [], 0
        moment = _Moment(video, sounds, received_ms)
        is_keyframe = epoch.video is None or any(sample.keyframe for sample in video)
        if is_keyframe and epoch.video is not None:
            self._group = _Group(is_open=True)
        elif epoch.video is None:
            self._keep_latest_sounds()
        if self._seats:
            message = self._message(moment, is_keyframe=is_keyframe)
            self._send(message, epoch.number, is_keyframe=is_keyframe)
            self._keep(len(message), message)
        else:
            self._keep(sum(len(sample.data) for sample in (*video, *sounds)), moment)

    def _keep(self, byte_count: int, kept: bytes | _Moment) -> None:
        group = self._group
        if not group.is_open:
            return
        group.byte_count += byte_count
        if isinstance(kept, bytes):
            group.messages.append(kept)
        else:
            group.moments.append(kept)
        if (
            group.byte_count > limits.INSTANT_GROUP_BYTES_MAX
            or len(group.messages) + len(group.moments) > limits.INSTANT_GROUP_MESSAGES_MAX
        ):
            self._group = _Group()  # whoever comes now begins at the next keyframe

    def _keep_latest_sounds(self) -> None:
        """Without pictures one may begin anywhere: a second of sound is enough."""
        group = self._group
        group.is_open = True
        while len(group.messages) + len(group.moments) > 1000 // limits.INSTANT_SOUND_MS:
            if group.messages:
                group.byte_count -= len(group.messages.popleft())
            else:
                gone = group.moments.popleft()
                group.byte_count -= sum(len(sample.data) for sample in gone.audio)

    # Viewers ------------------------------------------------------------------------------------

    def join(self, viewer: Viewer, *, is_counted: bool = True) -> Seat:
        """Begin to watch, with what is there of the current group. Raises `Unavailable`."""
        if self._room.is_full:
            raise Unavailable(
                "The server has no room for another viewer with instant playback.", code="full"
            )
        seat = Seat(viewer, is_counted)
        if self._epoch is not None and self._group.is_open:
            self._mux_moments()
            seat.epoch, seat.waits = self._epoch.number, False
            viewer.write(self._head + b"".join(self._group.messages))
        self._seats.add(seat)
        self._room.viewers += 1
        return seat

    def leave(self, seat: Seat) -> None:
        self._seats.remove(seat)
        self._room.viewers -= 1

    def _mux_moments(self) -> None:
        """What came while nobody watched, as one message."""
        group = self._group
        if not group.moments:
            return
        moments, group.moments = group.moments, deque()
        whole = _Moment(
            tuple(sample for moment in moments for sample in moment.video),
            tuple(sample for moment in moments for sample in moment.audio),
            moments[-1].received_ms,
        )
        group.messages.append(self._message(whole, is_keyframe=not group.messages))

    def _send(self, message: bytes, epoch: int, *, is_keyframe: bool) -> None:
        now_ms = self._clock.monotonic_ms()
        sent = 0
        for seat in self._seats:
            unsent = seat.viewer.unsent_bytes
            if not seat.waits:
                if unsent <= limits.INSTANT_UNSENT_BYTES_MAX:
                    if seat.epoch != epoch:
                        seat.epoch = epoch
                        seat.viewer.write(self._head)
                    seat.viewer.write(message)
                    sent += 1
                    continue
                seat.waits = True
                self._metrics.instant_skips.inc()
                if seat.slow_since_ms is None:
                    seat.slow_since_ms = now_ms
            elif is_keyframe and unsent <= limits.INSTANT_UNSENT_BYTES_MAX // 4:
                seat.waits, seat.slow_since_ms, seat.epoch = False, None, epoch
                seat.viewer.write(self._head)
                seat.viewer.write(message)
                sent += 1
            elif (
                seat.slow_since_ms is not None
                and now_ms - seat.slow_since_ms > limits.INSTANT_STUCK_S * 1000
            ):
                seat.slow_since_ms = now_ms
                seat.viewer.close(CLOSE_SLOW, "This connection is too slow for instant playback.")
        self.bytes_sent += sent * len(message)
        self._metrics.instant_bytes.inc(sent * len(message))

    def _message(self, moment: _Moment, *, is_keyframe: bool) -> bytes:
        assert self._epoch is not None
        assert self._muxer is not None
        self._sequence += 1
        video, audio = moment.video, moment.audio
        start, end = _span(self._epoch, video, audio)
        if video:
            video = (*video[:-1], _held(video[-1]))
        head = _FRAGMENT_HEAD.pack(
            FRAGMENT_MESSAGE,
            KEYFRAME_FLAG if is_keyframe else 0,
            self._epoch.number & 0xFFFF,
            self._sequence & 0xFFFFFFFF,
            moment.received_ms,
            start,
            end,
        )
        return _websocket_frame(head + self._muxer.fragment(video, audio, self._sequence))


def _held(sample: Sample) -> Sample:
    """A picture that is said to stand longer than it will. Its duration isn't known yet, and after
    a picture that comes later than twice the duration before it, browsers take nothing until a
    keyframe (Media Source Extensions, coded frame processing, step 6)."""
    held = limits.INSTANT_PICTURE_HOLD_MS * VIDEO_TIMESCALE // 1000
    return replace(sample, duration=max(held, 2 * sample.duration))


def _span(
    epoch: Epoch, video: tuple[Sample, ...], audio: tuple[Sample, ...]
) -> tuple[float, float]:
    """Seconds on the epoch's time line: from where to where there is something to show or hear."""
    if video:
        shown = [sample.dts + sample.composition for sample in video]
        last = max(video, key=lambda sample: sample.dts + sample.composition)
        return min(shown) / VIDEO_TIMESCALE, (max(shown) + last.duration) / VIDEO_TIMESCALE
    assert epoch.audio is not None
    rate = epoch.audio.sample_rate
    return audio[0].dts / rate, (audio[-1].dts + audio[-1].duration) / rate


def _epoch_message(epoch: Epoch, muxer: Muxer) -> bytes:
    codecs = [config.codecs for config in (epoch.video, epoch.audio) if config is not None]
    about = {
        "epoch": epoch.number,
        "mime": f'video/mp4; codecs="{",".join(codecs)}"',
        "codecs": ", ".join(codecs),
        "video": epoch.video is not None,
        "frame_ms": round(1000 / epoch.frame_rate, 3) if epoch.frame_rate else None,
    }
    text = json.dumps(about, separators=(",", ":")).encode()
    head = _EPOCH_HEAD.pack(EPOCH_MESSAGE, epoch.number & 0xFFFF, len(text))
    return head + text + muxer.init


def _websocket_frame(payload: bytes) -> bytes:
    """A whole binary message from a server (RFC 6455 §5.2)."""
    size = len(payload)
    if size < 126:
        head = struct.pack(">BB", 0x82, size)
    elif size < 1 << 16:
        head = struct.pack(">BBH", 0x82, 126, size)
    else:
        head = struct.pack(">BBQ", 0x82, 127, size)
    return head + payload

"""One live stream as LL-HLS players see it: what they may fetch, and when they get it.

A `LiveStream` holds the window of segments as immutable bytes, renders each version of its
playlist once, and wakes the requests that wait for the next one: all waiters share one future.
Fed by media/broadcast.py, found through media/origin.py. Nothing here knows HTTP; errors are those
of kernel/errors.py.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.errors import Invalid, NotFound, Unavailable
from mediaserver.media.dvr import FinishedSegment, Recording
from mediaserver.media.frames import Unsupported
from mediaserver.media.instant import InstantStream
from mediaserver.media.parts import Epoch, Part, Preset, Timing
from mediaserver.media.playlist import (
    ListedPart,
    ListedSegment,
    Rendered,
    Variant,
    Window,
    media_playlist,
    multivariant_playlist,
)

MULTIVARIANT_PLAYLIST = "index.m3u8"
MEDIA_PLAYLIST = "media.m3u8"


@dataclass(frozen=True, slots=True)
class PlaylistRequest:
    """The delivery directives of rfc8216bis §6.2.5; None where one is absent."""

    msn: int | None = None
    part: int | None = None
    skip: bool = False

    @classmethod
    def parse(cls, msn: str | None, part: str | None, skip: str | None) -> PlaylistRequest:
        """From query values. Raises `Invalid` (rule 36); a wrong skip value is ignored."""
        if part is not None and msn is None:
            raise Invalid("_HLS_part needs _HLS_msn", field="_HLS_part")
        return cls(
            msn=_directive(msn, "_HLS_msn"),
            part=_directive(part, "_HLS_part"),
            skip=skip in ("YES", "v2"),
        )


def _directive(value: str | None, name: str) -> int | None:
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 10):
        raise Invalid(f"{name} must be a whole number", field=name)
    return int(value)


@dataclass(slots=True)
class _Segment:
    msn: int
    epoch: int
    discontinuity: bool
    wall_ms: int
    listed: list[ListedPart] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    duration_us: int = 0
    byte_count: int = 0
    ended: bool = False

    def as_listed(self) -> ListedSegment:
        return ListedSegment(
            uri=f"{self.msn}.m4s" if self.ended else None,
            init_uri=f"init-{self.epoch}.mp4",
            discontinuity=self.discontinuity,
            wall_ms=self.wall_ms,
            duration_us=self.duration_us,
            parts=self.listed,
        )

    def as_finished(self) -> FinishedSegment:
        listed = dataclasses.replace(self.as_listed(), parts=())
        return FinishedSegment(self.msn, self.epoch, listed, tuple(self.parts))


class LiveStream:
    """One live stream as players see it. `session` is random and part of every URL, so that no
    cache ever serves an earlier stream's bytes."""

    def __init__(
        self,
        session: str,
        preset: Preset,
        window_s: int,
        clock: Clock,
        instant: InstantStream | None = None,
    ) -> None:
        self.session = session
        self.instant = instant
        self._preset = preset
        self._window_us = window_s * 1_000_000
        self._clock = clock

        self.recording: Recording | None = None
        self.ended = False
        self.version = 0
        self.byte_count = 0
        self.bytes_sent = 0
        """To viewers; counted by whoever sends."""

        self._timing: Timing | None = None
        self.has_video = False
        self._codecs = ""
        self._size: tuple[int | None, int | None] = (None, None)
        self._frame_rate: float | None = None
        self._independent_segments = True
        self._timescale = 1
        self._inits: dict[int, bytes] = {}
        self._segments: deque[_Segment] = deque()
        self._retired: deque[_Segment] = deque()
        self._longest_us = 0
        self._discontinuity_sequence = 0
        self._next_msn = 1
        self._withholds_past = False
        self._rendered: dict[bool, Rendered] = {}
        self._changed: asyncio.Future[None] | None = None
        self._waiters = 0
        self._viewers: dict[str, int] = {}

    # What the broadcast does --------------------------------------------------------------------

    def begin_epoch(self, epoch: Epoch, init: bytes, size: tuple[int | None, int | None]) -> None:
        """New codec parameters: the next part carries a DISCONTINUITY, unless it is the first."""
        self._timing = epoch.timing
        self._timescale = epoch.timescale
        self.has_video = epoch.video is not None
        self._inits[epoch.number] = init
        if self.recording is not None:
            self.recording.begin_epoch(epoch.number, init, epoch.timing)
        self._size, self._frame_rate = size, epoch.frame_rate
        self._codecs = ",".join(
            config.codecs for config in (epoch.video, epoch.audio) if config is not None
        )

    def append(self, part: Part, data: bytes) -> None:
        """A finished part, fetchable from now on. Call `publish` when all of a batch are in."""
        if not self._segments or self._segments[-1].msn != part.msn:
            last = self._segments[-1] if self._segments else None
            assert part.msn == self._next_msn, "segments come in order"
            if self._withholds_past:
                self._forget_past()
            self._segments.append(
                _Segment(
                    msn=part.msn,
                    epoch=part.epoch,
                    discontinuity=last is not None and last.epoch != part.epoch,
                    wall_ms=part.wall_ms,
                )
            )
            self._next_msn = part.msn + 1
            if not part.independent:
                self._independent_segments = False
        segment = self._segments[-1]
        assert part.index == len(segment.parts)
        duration_us = round(part.duration * 1_000_000 / self._timescale)
        segment.listed.append(
            ListedPart(f"{part.msn}.{part.index}.m4s", duration_us, part.independent)
        )
        segment.parts.append(data)
        segment.duration_us += duration_us
        segment.byte_count += len(data)
        self.byte_count += len(data)
        if segment.byte_count > limits.SEGMENT_BYTES_MAX:
            raise Unsupported(
                f"A segment exceeds {limits.SEGMENT_BYTES_MAX // limits.MIB} MiB. "
                "Lower the bitrate or set the keyframe interval to 2 s."
            )

    def end_segment(self) -> None:
        """The open segment is whole; the oldest leave the window."""
        self._finish(self._segments[-1])
        assert self._timing is not None
        # Rule 8: never below three target durations.
        kept_us = (3 * self._timing.target_duration_s + 1) * 1_000_000
        if self.byte_count <= limits.BROADCAST_BYTES_MAX:
            kept_us = max(self._window_us, kept_us)
        total_us = sum(segment.duration_us for segment in self._segments)
        self._longest_us = max(self._longest_us, total_us)
        while total_us - self._segments[0].duration_us >= kept_us:
            segment = self._segments.popleft()
            total_us -= segment.duration_us
            self._discontinuity_sequence += segment.discontinuity
            self._retired.append(segment)
        self._forget_retired()

    def close_segment(self) -> int:
        """End the open segment, if there is one, with the parts that it has. Returns the number
        of the next segment."""
        if self._segments and not self._segments[-1].ended:
            self.end_segment()
        return self._next_msn

    def withhold_past(self) -> None:
        """What was appended so far is not for the public: it goes with the next segment, and the
        multivariant playlist names the stream only then. Who knows the session plays on."""
        self.close_segment()
        self._withholds_past = True

    def _forget_past(self) -> None:
        self._withholds_past = False
        self._discontinuity_sequence += sum(one.discontinuity for one in self._segments)
        self._segments.clear()
        self._retired.clear()
        self.byte_count = 0
        self._longest_us = 0
        self._independent_segments = True
        newest = max(self._inits)
        self._inits = {newest: self._inits[newest]}

    def publish(self) -> None:
        """Make what was appended the current version and wake everybody who waits."""
        self.version += 1
        self._rendered = {}
        if self._changed is not None:
            changed, self._changed = self._changed, None
            changed.set_result(None)

    def end(self) -> None:
        """No more parts will come: ENDLIST."""
        if self._segments and not self._segments[-1].ended:
            self._finish(self._segments[-1])
        self.ended = True
        if self.recording is not None:
            self.recording.end()
        self.publish()

    def _finish(self, segment: _Segment) -> None:
        segment.ended = True
        if self.recording is not None:
            self.recording.add(segment.as_finished())

    def _forget_retired(self) -> None:
        """Rule 9: a removed segment stays fetchable for its own duration and as long again as the
        longest playlist that named it."""
        retired_us = sum(segment.duration_us for segment in self._retired)
        while self._retired and (
            retired_us - 2 * self._retired[0].duration_us > self._longest_us
            or self.byte_count > limits.BROADCAST_BYTES_MAX
        ):
            segment = self._retired.popleft()
            retired_us -= segment.duration_us
            self.byte_count -= segment.byte_count
        oldest = self._retired[0] if self._retired else self._segments[0]
        for epoch in [number for number in self._inits if number < oldest.epoch]:
            del self._inits[epoch]

    # What players ask ---------------------------------------------------------------------------

    @property
    def playable(self) -> bool:
        return bool(self._segments) and (self._preset.lists_parts or self._segments[0].ended)

    def multivariant(self, *, in_session: bool = False) -> bytes:
        """The playlist to begin with, for the channel's address or for one inside the session."""
        if not self.playable or self._withholds_past:
            raise NotFound("The stream has not begun yet")
        measured = [
            (segment.byte_count * 8_000_000 // segment.duration_us)
            for segment in self._segments
            if segment.duration_us
        ]
        width, height = self._size
        variant = Variant(
            uri=MEDIA_PLAYLIST if in_session else f"{self.session}/{MEDIA_PLAYLIST}",
            codecs=self._codecs,
            peak_bitrate=max(measured),
            average_bitrate=sum(measured) // len(measured),
            width=width,
            height=height,
            frame_rate=self._frame_rate,
            independent_segments=self._independent_segments,
        )
        return multivariant_playlist(variant).encode()

    async def playlist(self, request: PlaylistRequest) -> Rendered:
        """The media playlist, once it holds what the request names.

        A blocked request is answered with the unchanged playlist after `PLAYLIST_HOLD_S`, before
        players give up. Raises `Invalid` for a request too far ahead (rule 35).
        """
        waits = self._timing is not None and self._preset.lists_parts and not self.ended
        if request.msn is not None and waits:
            self._check_advance(request.msn, request.part)
            await self._wait_until(
                lambda: self._holds(request.msn, request.part), limits.PLAYLIST_HOLD_S
            )
        return self._render(request.skip)

    async def media(self, name: str) -> list[bytes]:
        """The bytes of an init segment, a segment or a part, in pieces that are shared by all.

        The part that the playlist hints at is waited for; anything else that is not there is
        `NotFound`.
        """
        kind, numbers = _parse_name(name)
        if kind == "init":
            init = self._inits.get(numbers[0])
            if init is None:
                raise NotFound("No such init segment")
            return [init]
        if kind == "part" and self._preset.lists_parts:
            if self._next_part() == (numbers[0], numbers[1]) and not self.ended:
                await self._wait_until(
                    lambda: self._find_part(numbers[0], numbers[1]) is not None, limits.PART_HOLD_S
                )
            data = self._find_part(numbers[0], numbers[1])
            if data is None:
                raise NotFound("No such part")
            return [data]
        segment = self._find(numbers[0])
        if kind != "segment" or segment is None or not segment.ended:
            raise NotFound("No such segment")
        return segment.parts

    def recorded(self, name: str) -> Path | bytes:
        """A segment's file or an init segment that only the recording still has. Raises
        `NotFound`."""
        kind, numbers = _parse_name(name)
        if self.recording is None or kind == "part":
            raise NotFound("No such segment")
        if kind == "init":
            return self.recording.init(numbers[0])
        return self.recording.segment(numbers[0])

    def newest_independent(self) -> tuple[bytes, bytes] | None:
        """Init segment and the latest part with a keyframe, for a thumbnail."""
        for segment in reversed(self._segments):
            for listed, data in zip(reversed(segment.listed), reversed(segment.parts), strict=True):
                if listed.independent:
                    return self._inits[segment.epoch], data
        return None

    def seen(self, viewer: str) -> None:
        """A viewer asked for the playlist; `viewer` is any stable key of theirs."""
        now_ms = self._clock.monotonic_ms()
        if viewer in self._viewers or len(self._viewers) < limits.VIEWERS_TRACKED_MAX:
            self._viewers.pop(viewer, None)  # the dict stays in order of last request
            self._viewers[viewer] = now_ms

    def holds(self, viewer: str) -> bool:
        """Whether this viewer asked lately."""
        seen_ms = self._viewers.get(viewer)
        left_ms = self._clock.monotonic_ms() - int(limits.VIEWER_TIMEOUT_S * 1000)
        return seen_ms is not None and seen_ms >= left_ms

    @property
    def bitrate_bps(self) -> int:
        """Bits per second of media, over the window."""
        duration_us = sum(segment.duration_us for segment in self._segments)
        byte_count = sum(segment.byte_count for segment in self._segments)
        return byte_count * 8_000_000 // duration_us if duration_us else 0

    @property
    def viewers(self) -> int:
        """Viewers that asked lately."""
        left_ms = self._clock.monotonic_ms() - int(limits.VIEWER_TIMEOUT_S * 1000)
        while self._viewers and (oldest := next(iter(self._viewers.items())))[1] < left_ms:
            del self._viewers[oldest[0]]
        return len(self._viewers)

    @property
    def waiters(self) -> int:
        return self._waiters

    # ---------------------------------------------------------------------------------------------

    def _next_part(self) -> tuple[int, int]:
        if self._segments and not self._segments[-1].ended:
            return self._segments[-1].msn, len(self._segments[-1].parts)
        return self._next_msn, 0

    def _check_advance(self, msn: int, part: int | None) -> None:
        assert self._timing is not None
        open_msn, open_parts = self._next_part()
        target_ms = self._timing.part_target_ms
        advance = -(-3000 // target_ms) if target_ms < 1000 else 3
        last_msn = open_msn - 1
        if msn > last_msn + 2 or (
            msn == open_msn and part is not None and part >= open_parts + advance
        ):
            raise Invalid("The requested part is too far in the future", field="_HLS_msn")

    def _holds(self, msn: int | None, part: int | None) -> bool:
        assert msn is not None
        open_msn, open_parts = self._next_part()
        if msn != open_msn:
            if part is not None and msn == open_msn - 1 and (segment := self._find(msn)):
                # Rule 33: a part past the end of its segment is the first of the next.
                return part < len(segment.parts) or open_parts > 0
            return msn < open_msn
        return part is not None and part < open_parts

    async def _wait_until(self, is_there: Callable[[], bool], hold_s: float) -> None:
        if is_there() or self.ended:
            return
        if self._waiters >= limits.WAITERS_PER_BROADCAST_MAX:
            raise Unavailable("Too many viewers wait for this stream")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + hold_s
        self._waiters += 1
        try:
            while not is_there() and not self.ended and (left := deadline - loop.time()) > 0:
                if self._changed is None:
                    self._changed = loop.create_future()
                await asyncio.wait((self._changed,), timeout=left)
        finally:
            self._waiters -= 1

    def _render(self, skip: bool) -> Rendered:
        rendered = self._rendered.get(skip)
        if rendered is None:
            if self._timing is None or not self.playable:
                raise NotFound("The stream has not begun yet")
            rendered = Rendered.of(media_playlist(self._window(self._timing), skip=skip))
            self._rendered[skip] = rendered
        return rendered

    def _window(self, timing: Timing) -> Window:
        boundary_us = 6 * timing.target_duration_s * 1_000_000
        msn, index = self._next_part()
        lists_parts = self._preset.lists_parts
        return Window(
            timing=timing,
            lists_parts=lists_parts,
            # Below two boundaries a delta update saves next to nothing.
            skip_until_us=boundary_us if self._window_us >= 2 * boundary_us else None,
            media_sequence=self._segments[0].msn,
            discontinuity_sequence=self._discontinuity_sequence,
            segments=[
                segment.as_listed() for segment in self._segments if segment.ended or lists_parts
            ],
            next_part_uri=f"{msn}.{index}.m4s" if lists_parts and not self.ended else None,
            ended=self.ended,
        )

    def _find(self, msn: int) -> _Segment | None:
        for segments in (self._segments, self._retired):
            if segments and segments[0].msn <= msn <= segments[-1].msn:
                return segments[msn - segments[0].msn]
        return None

    def _find_part(self, msn: int, index: int) -> bytes | None:
        segment = self._find(msn)
        return segment.parts[index] if segment and index < len(segment.parts) else None


def _parse_name(name: str) -> tuple[str, list[int]]:
    """`init-2.mp4`, `17.m4s` and `17.3.m4s` → what it is and its numbers. Raises `NotFound`."""
    stem, _, extension = name.rpartition(".")
    kind = "segment"
    if extension == "mp4" and stem.startswith("init-"):
        kind, stem = "init", stem.removeprefix("init-")
    elif extension != "m4s":
        raise NotFound("No such file")
    numbers = stem.split(".")
    if len(numbers) > (1 if kind == "init" else 2) or not all(
        number.isascii() and number.isdigit() and len(number) <= 10 for number in numbers
    ):
        raise NotFound("No such file")
    return ("part" if len(numbers) == 2 else kind), [int(number) for number in numbers]

"""The checker of media objects: consecutive parts (or segments) of one playlist → violations.

Fed by the LL-HLS client with every object in playback order. It asserts what the engine promises
of bytes: `moof` + `mdat` only, decode times that join to the tick within an epoch, sample durations
that sum to the declared duration, INDEPENDENT where a sync sample is, audio that reaches the end of
the video.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from tests.hls.boxes import Fragment, Init, Malformed, read_fragments
from tests.hls.playlist import OURS, Violation, half_unit


@dataclass(frozen=True, slots=True)
class MediaObject:
    """One downloaded part, or one whole segment where there are no parts."""

    msn: int
    index: int | None
    uri: str
    declared: Decimal
    independent: bool | None
    data: bytes
    fragments: tuple[Fragment, ...]

    @property
    def name(self) -> str:
        return f"{self.msn}" if self.index is None else f"{self.msn}.{self.index}"


class EpochChecker:
    """The objects between two discontinuities. One `Init`, one continuous time line."""

    def __init__(self, init: Init, *, audio_reach_frames: int = 1) -> None:
        self._init = init
        self._audio_reach_frames = audio_reach_frames

        self.violations: list[Violation] = []
        self.objects: list[MediaObject] = []
        self._next: dict[int, int] = {}
        self._sequence: int | None = None

    @property
    def init(self) -> Init:
        return self._init

    @property
    def leading_track_id(self) -> int:
        track = self._init.video or self._init.tracks[0]
        return track.track_id

    def feed(
        self,
        *,
        msn: int,
        index: int | None,
        uri: str,
        declared: Decimal,
        independent: bool | None,
        data: bytes,
    ) -> MediaObject:
        """Check one object; `independent` is None where the playlist does not say."""
        try:
            fragments = read_fragments(data, self._init)
        except Malformed as error:
            self._bad(OURS, f"{uri}: {error}")
            fragments = ()
        item = MediaObject(msn, index, uri, declared, independent, data, fragments)
        self.objects.append(item)
        for fragment in fragments:
            self._continuity(item, fragment)
        if fragments:
            self._duration(item)
            self._independence(item)
            self._reach(item)
        return item

    def missing(self) -> None:
        """Objects were skipped on purpose: the time line starts again with the next."""
        self._next.clear()
        self._sequence = None

    def _bad(self, rule: int, message: str) -> None:
        self.violations.append(Violation(rule, message))

    def _continuity(self, item: MediaObject, fragment: Fragment) -> None:
        if self._sequence is not None and fragment.sequence <= self._sequence:
            self._bad(OURS, f"{item.uri}: moof number {fragment.sequence} after {self._sequence}")
        self._sequence = fragment.sequence
        for run in fragment.tracks:
            expected = self._next.get(run.track_id)
            if expected is not None and run.tfdt != expected:
                self._bad(
                    OURS,
                    f"{item.uri}: track {run.track_id} starts at {run.tfdt}, the part before"
                    f" ended at {expected} ({run.tfdt - expected:+d} ticks)",
                )
            if any(sample.duration == 0 for sample in run.samples):
                self._bad(OURS, f"{item.uri}: track {run.track_id} has samples of duration 0")
            self._next[run.track_id] = run.end

    def _ticks(self, item: MediaObject, track_id: int) -> int:
        return sum(
            run.duration for f in item.fragments for run in f.tracks if run.track_id == track_id
        )

    def _duration(self, item: MediaObject) -> None:
        """Declared duration equals the sample table, within the rounding of the printed value."""
        track_id = self.leading_track_id
        track = next(track for track in self._init.tracks if track.track_id == track_id)
        ticks = self._ticks(item, track_id)
        if ticks == 0:
            self._bad(OURS, f"{item.uri}: the leading track has no sample")
            return
        off = abs(Fraction(ticks, track.timescale) - Fraction(item.declared))
        # what is printed is the difference of two rounded times at worst: one whole unit
        if off > 2 * Fraction(half_unit(item.declared)):
            self._bad(
                19,
                f"{item.uri}: {item.declared} s declared, samples last"
                f" {ticks}/{track.timescale} = {ticks / track.timescale:.6f} s",
            )

    def _independence(self, item: MediaObject) -> None:
        runs = [
            run
            for fragment in item.fragments
            for run in fragment.tracks
            if run.track_id == self.leading_track_id
        ]
        sync = any(sample.sync for run in runs for sample in run.samples)
        if item.independent is not None and sync != item.independent:
            self._bad(18, f"{item.uri}: INDEPENDENT={item.independent}, sync sample inside: {sync}")

    def _reach(self, item: MediaObject) -> None:
        """Where there is audio and video, audio reaches the end of the video of each part."""
        video, audio = self._init.video, self._init.audio
        if video is None or audio is None:
            return
        video_end = self._next.get(video.track_id)
        audio_end = self._next.get(audio.track_id)
        if video_end is None:
            return
        if audio_end is None:
            self._bad(OURS, f"{item.uri}: no audio yet though the init has an audio track")
            return
        durations = [
            sample.duration
            for fragment in item.fragments
            for run in fragment.tracks
            if run.track_id == audio.track_id
            for sample in run.samples
        ]
        allowed = Fraction(self._audio_reach_frames * max(durations, default=1024), audio.timescale)
        behind = Fraction(video_end, video.timescale) - Fraction(audio_end, audio.timescale)
        if behind > allowed:
            self._bad(
                OURS, f"{item.uri}: audio ends {float(behind):.3f} s before the video of the part"
            )

    def frame_rate(self) -> float | None:
        """Samples per second of the video track over everything fed."""
        video = self._init.video
        if video is None:
            return None
        runs = [
            run
            for item in self.objects
            for fragment in item.fragments
            for run in fragment.tracks
            if run.track_id == video.track_id
        ]
        ticks = sum(run.duration for run in runs)
        count = sum(len(run.samples) for run in runs)
        return count * video.timescale / ticks if ticks else None

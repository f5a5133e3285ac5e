"""Streams made by hand: frames of a steady encoder, mixed as it sends them, and what came out.

Frames carry their own number as data, so that a test can tell which ones came through.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from mediaserver.media.frames import (
    AudioCodec,
    AudioConfig,
    Frame,
    Kind,
    VideoCodec,
    VideoConfig,
)
from mediaserver.media.packager import Packager
from mediaserver.media.parts import (
    EPOCH_BASE_S,
    PRESETS,
    Epoch,
    Output,
    Part,
    Sample,
    SegmentEnd,
    Timing,
)

VIDEO = VideoConfig(VideoCodec.H264, b"avcC", "avc1.64001F")
AUDIO = AudioConfig(AudioCodec.AAC, b"ASC", "mp4a.40.2", 48_000, 2, 1024)
AUDIO_44100 = AudioConfig(AudioCodec.AAC, b"ASC", "mp4a.40.2", 44_100, 2, 1024)
AUDIO_5_1 = AudioConfig(AudioCodec.AAC, b"ASC", "mp4a.40.2", 48_000, 6, 1024)
HE_AAC = AudioConfig(AudioCodec.AAC, b"ASC", "mp4a.40.5", 24_000, 2, 1024)
OPUS = AudioConfig(AudioCodec.OPUS, b"OpusHead", "opus", 48_000, 2, 0)

WALL_MS = 1_700_000_000_000
"""Arrival time of timestamp 0."""

SILENCE = {AUDIO.silence(), OPUS.silence()}


def make_video(
    seconds: float,
    fps: Fraction | float = 30,
    *,
    gop: int = 60,
    start_ms: int = 0,
    b_frames: bool = False,
    first: int = 0,
) -> list[Frame]:
    """Frames in decoding order, a keyframe every `gop`, with RTMP's rounded milliseconds.

    With `b_frames` each P frame is sent before the two B frames that are shown before it.
    `first` is the number of the first frame: a later one than 0 makes the stream go on.
    """
    duration = 1000 / Fraction(fps)
    frames = []
    for number in range(first, first + round(Fraction(seconds) * 1000 / duration)):
        shown = number
        if b_frames:
            place = number % gop
            # decoded I P B B P B B … is shown I B B P B B P …; a rest without B frames stays
            last = (gop - 1) // 3 * 3
            shift = 0 if place == 0 or place > last else (2, -1, -1)[(place - 1) % 3]
            shown = number + shift + 1
        dts, pts = round(number * duration), round(shown * duration)
        frames.append(
            Frame(
                Kind.VIDEO,
                (start_ms + dts) & 0xFFFFFFFF,
                pts - dts,
                number % gop == 0,
                b"v%d" % number,
            )
        )
    return frames


def make_audio(
    seconds: float,
    config: AudioConfig = AUDIO,
    *,
    start_ms: int = 0,
    first: int = 0,
    data: bytes | None = None,
) -> list[Frame]:
    """Frames one after the other, Opus in packets of 20 ms. `data` makes all of them equal."""
    samples = config.frame_samples or 960
    prefix = b"\xf8" if config.codec is AudioCodec.OPUS else b""
    return [
        Frame(
            Kind.AUDIO,
            (start_ms + round(number * samples * 1000 / config.sample_rate)) & 0xFFFFFFFF,
            0,
            True,
            data or prefix + b"a%d" % number,
        )
        for number in range(first, first + round(seconds * config.sample_rate / samples))
    ]


def mixed(*tracks: Sequence[Frame], start_ms: int = 0) -> list[Frame]:
    """All frames in the order of their time after `start_ms`, earlier tracks first."""
    frames = [frame for track in tracks for frame in track]
    return sorted(frames, key=lambda frame: (frame.timestamp_ms - start_ms) & 0xFFFFFFFF)


@dataclass
class Packaged:
    """What the packager made, in order, with every invariant checked as it comes."""

    outputs: list[Output] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    segments: list[list[Part]] = field(default_factory=list)
    """Finished segments."""

    _open: list[Part] = field(default_factory=list)
    _ends: dict[Kind, int] = field(default_factory=dict)

    def add(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            self.outputs.append(output)
            if isinstance(output, Epoch):
                self._add_epoch(output)
            elif isinstance(output, Part):
                self._add_part(output)
            else:
                self._end_segment(output)

    @property
    def timing(self) -> Timing:
        return self.epochs[0].timing

    @property
    def open_parts(self) -> list[Part]:
        """Those of the segment that isn't finished."""
        return self._open

    def _add_epoch(self, epoch: Epoch) -> None:
        assert not self._open, "an epoch inside a segment"
        assert epoch.number == len(self.epochs)
        assert epoch.video is not None or epoch.audio is not None
        if self.epochs:
            assert epoch.timing == self.timing, "timing is frozen"
        self.epochs.append(epoch)
        self._ends = {}

    def _add_part(self, part: Part) -> None:
        epoch = self.epochs[-1]
        assert part.epoch == epoch.number
        assert (part.msn, part.index) == (len(self.segments) + 1, len(self._open))
        assert part.duration > 0
        assert part.duration * 1000 <= self.timing.part_target_ms * epoch.timescale
        before = self.parts[-1] if self.parts else None
        if before is not None:
            assert part.wall_ms >= before.wall_ms, "time of day goes back"
            if before.epoch == part.epoch:
                assert part.start == before.start + before.duration, "a hole between parts"
        self._check_track(part, Kind.VIDEO, part.video)
        self._check_track(part, Kind.AUDIO, part.audio)
        assert part.video or part.audio, "an empty part"
        if epoch.video is None:
            assert not part.video
            assert part.independent
        else:
            assert part.independent == any(sample.keyframe for sample in part.video)
            assert part.video or self._is_covered(part), "a part without its picture"
        self.parts.append(part)
        self._open.append(part)

    def _check_track(self, part: Part, kind: Kind, samples: tuple[Sample, ...]) -> None:
        epoch = self.epochs[-1]
        config = epoch.video if kind is Kind.VIDEO else epoch.audio
        if config is None:
            assert not samples
            return
        rate = 90_000 if kind is Kind.VIDEO else epoch.audio.sample_rate if epoch.audio else 0
        for sample in samples:
            assert sample.duration > 0
            assert sample.composition >= 0
            end = self._ends.get(kind)
            can_fill = kind is Kind.VIDEO or (epoch.audio and epoch.audio.silence())
            if end is not None:
                # Where sound can't be filled with silence there may be a hole, never an overlap.
                assert sample.dts == end if can_fill else sample.dts >= end
            # Begins before the part's end; sound may have been held back by a late picture.
            assert sample.dts * epoch.timescale < (part.start + part.duration) * rate
            self._ends[kind] = sample.dts + sample.duration

    def _is_covered(self, part: Part) -> bool:
        """One picture stands longer than a part: the parts that it spans carry sound alone."""
        return self._ends.get(Kind.VIDEO, 0) >= part.start + part.duration

    def _end_segment(self, end: SegmentEnd) -> None:
        assert end.msn == len(self.segments) + 1
        assert self._open, "a segment without a part"
        self.segments.append(self._open)
        self._open = []
        assert self.extinf(-1) < self.timing.target_duration_s + 0.5

    def extinf(self, number: int) -> float:
        segment = self.segments[number]
        ticks = sum(part.duration for part in segment)
        return ticks / self.epochs[segment[0].epoch].timescale

    def data(self, kind: Kind) -> list[bytes]:
        """What came through of a track, without the silence that was put in."""
        samples = (
            sample
            for part in self.parts
            for sample in (part.video if kind is Kind.VIDEO else part.audio)
        )
        return [sample.data for sample in samples if sample.data not in SILENCE]

    def silences(self) -> int:
        samples = (sample for part in self.parts for sample in part.audio)
        return sum(sample.data in SILENCE for sample in samples)


def package(
    frames: Iterable[Frame],
    *,
    preset: str = "low",
    video: VideoConfig | None = VIDEO,
    audio: AudioConfig | None = AUDIO,
    arrive_ms: int | None = None,
) -> Packaged:
    """Frames through a new packager. They arrive at real time after `arrive_ms`, which is the
    first frame's timestamp unless it is given."""
    packager = Packager(PRESETS[preset])
    packaged = Packaged()
    for config in (video, audio):
        if config is not None:
            packaged.add(packager.configure(config))
    push_all(packager, packaged, frames, arrive_ms)
    return packaged


def push_all(
    packager: Packager,
    packaged: Packaged,
    frames: Iterable[Frame],
    arrive_ms: int | None = None,
) -> None:
    newest_ms = 0
    for frame in frames:
        if arrive_ms is None:
            arrive_ms = frame.timestamp_ms
        newest_ms = max(newest_ms, (frame.timestamp_ms - arrive_ms) & 0xFFFFFFFF)
        packaged.add(packager.push(frame, WALL_MS + newest_ms))


def is_subsequence(found: Sequence[bytes], sent: Sequence[bytes]) -> bool:
    rest = iter(sent)
    return all(one in rest for one in found)


def base(rate: int) -> int:
    """Where an epoch begins, in ticks."""
    return EPOCH_BASE_S * rate


def durations(parts: Sequence[Part]) -> list[int]:
    return [part.duration for part in parts]


def end_of(packaged: Packaged) -> int:
    return packaged.parts[-1].start + packaged.parts[-1].duration


def sound(packaged: Packaged) -> list[bytes]:
    return [sample.data for part in packaged.parts for sample in part.audio]


def without(frames: Sequence[Frame], kind: Kind, from_ms: int, until_ms: int) -> list[Frame]:
    return [
        frame
        for frame in frames
        if frame.kind is not kind or not from_ms <= frame.timestamp_ms < until_ms
    ]


def moved(frames: Sequence[Frame], ms: int) -> list[Frame]:
    return [
        dataclasses.replace(frame, timestamp_ms=(frame.timestamp_ms + ms) & 0xFFFFFFFF)
        for frame in frames
    ]

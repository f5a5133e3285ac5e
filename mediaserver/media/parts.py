"""What the packager makes of frames: samples, epochs, parts and segments, as plain data.

Made by media/packager.py; read by the muxer, the origin and the playlist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from mediaserver.media.frames import AudioConfig, Frame, Kind, VideoConfig

VIDEO_TIMESCALE = 90_000
EPOCH_BASE_S = 10
"""Media time at which each epoch begins: room for frames that are decoded before they are shown."""


@dataclass(frozen=True, slots=True)
class Preset:
    """What the operator chose: `part_ms` is the wish, the encoder's frame rate decides."""

    name: Literal["lan", "low", "normal"]
    part_ms: int
    lists_parts: bool


PRESETS = {
    "lan": Preset("lan", 200, True),
    "low": Preset("low", 500, True),
    "normal": Preset("normal", 1000, False),
}


@dataclass(frozen=True, slots=True)
class Timing:
    """Frozen with the first epoch, for the whole life of a playlist: players depend on it."""

    part_target_ms: int
    target_duration_s: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A frame in its track's time: 90,000 a second for video, the sample rate for audio."""

    dts: int
    duration: int
    composition: int
    keyframe: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Epoch:
    """`timescale` counts `Part.start` and `Part.duration`. `template_frames` are first frames for
    the muxer to learn the tracks from."""

    number: int
    video: VideoConfig | None
    audio: AudioConfig | None
    timescale: int
    timing: Timing
    frame_rate: float | None
    template_frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A finished part. `msn` counts segments from 1, `index` parts in their segment from 0.
    `wall_ms` is the time of day at its start."""

    epoch: int
    msn: int
    index: int
    start: int
    duration: int
    wall_ms: int
    independent: bool
    video: tuple[Sample, ...]
    audio: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class FreshSample:
    """A sample of the running epoch as soon as its frame came, for who can't wait for a part. Its
    time is final; the duration of a picture is only what is usual. `arrival_ms` is the time of day.
    """

    epoch: int
    kind: Kind
    sample: Sample
    arrival_ms: int


@dataclass(frozen=True, slots=True)
class SegmentEnd:
    """The segment `msn` has all its parts."""

    msn: int


Output: TypeAlias = Epoch | Part | SegmentEnd

"""What a stream is made of: tracks with their codec configuration, and frames in integer time.

Made by media/flv.py from what an encoder sent; used by everything behind it. Knows no container.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Unsupported(Exception):
    """The stream can't be shown by browsers; the text tells the streamer what to change."""


class Kind(StrEnum):
    VIDEO = "video"
    AUDIO = "audio"


class VideoCodec(StrEnum):
    """Values are the FourCC of Enhanced RTMP and of the MP4 sample entry."""

    H264 = "avc1"
    HEVC = "hvc1"
    AV1 = "av01"


class AudioCodec(StrEnum):
    AAC = "mp4a"
    OPUS = "Opus"


@dataclass(frozen=True, slots=True)
class VideoConfig:
    """`record` is avcC, hvcC or av1C; `codecs` the string for the CODECS attribute (RFC 6381)."""

    codec: VideoCodec
    record: bytes
    codecs: str


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """`record` is the AudioSpecificConfig or OpusHead. `sample_rate` is the rate that time counts
    in: the core rate of AAC (before SBR doubles it), 48,000 for Opus. `frame_samples` is 0 where
    each frame says its own (Opus)."""

    codec: AudioCodec
    record: bytes
    codecs: str
    sample_rate: int
    channels: int
    frame_samples: int

    def samples(self, data: bytes) -> int:
        """Samples per channel in one frame, in `sample_rate`."""
        return self.frame_samples or opus_samples(data)

    def silence(self) -> bytes | None:
        """A frame without sound to bridge a gap with, or None where there is no fitting one."""
        if self.codec is AudioCodec.OPUS:
            return _OPUS_SILENCE
        if self.codecs == "mp4a.40.2" and self.frame_samples == 1024:
            return _AAC_SILENCE.get(self.channels)
        return None


@dataclass(frozen=True, slots=True)
class Frame:
    """One access unit as it came. `timestamp_ms` is the RTMP time of decoding, 32 bits that wrap;
    `composition_ms` what presentation comes later (may be negative)."""

    kind: Kind
    timestamp_ms: int
    composition_ms: int
    keyframe: bool
    data: bytes


_AAC_SILENCE = {
    1: bytes.fromhex("00c80080238000"),
    2: bytes.fromhex("210049900219002380"),
}
_OPUS_SILENCE = bytes.fromhex("f8fffe")  # 20 ms, CELT, full band, one frame (RFC 6716 §3.1)

_OPUS_FRAME_SAMPLES = (
    *(480, 960, 1920, 2880) * 3,  # SILK: 10, 20, 40, 60 ms
    *(480, 960) * 2,  # hybrid: 10, 20 ms
    *(120, 240, 480, 960) * 4,  # CELT: 2.5, 5, 10, 20 ms
)


def opus_samples(data: bytes) -> int:
    """Samples at 48 kHz in an Opus packet, from its table-of-contents byte (RFC 6716 §3.1)."""
    if not data:
        return 0
    frames = (1, 2, 2, data[1] & 0x3F if len(data) > 1 else 0)[data[0] & 3]
    return min(_OPUS_FRAME_SAMPLES[data[0] >> 3] * frames, 5760)

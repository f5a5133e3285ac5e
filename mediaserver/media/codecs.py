"""Codec configuration records: what they say, and whether a browser can play it.

avcC and hvcC: ISO/IEC 14496-15. av1C: "AV1 Codec ISO Media File Format Binding" §2.3.
AudioSpecificConfig: ISO/IEC 14496-3 §1.6. OpusHead: RFC 7845 §5.1. Strings: RFC 6381 and the
bindings. Raises `Unsupported` with a sentence for the streamer, `ValueError` for broken records.
"""

from __future__ import annotations

from mediaserver.media.frames import AudioCodec, AudioConfig, Unsupported, VideoCodec, VideoConfig

_H264_UNPLAYABLE_PROFILES = {
    110: "10-bit",
    122: "4:2:2",
    244: "4:4:4",
    44: "4:4:4 intra",
    144: "4:4:4",
}
_AAC_RATES = (
    96000,
    88200,
    64000,
    48000,
    44100,
    32000,
    24000,
    22050,
    16000,
    12000,
    11025,
    8000,
    7350,
)
_AAC_MAIN, _AAC_LC, _AAC_LTP, _AAC_SBR, _AAC_PS = 1, 2, 4, 5, 29
_AAC_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)


def h264(record: bytes) -> VideoConfig:
    if len(record) < 7 or record[0] != 1:
        raise ValueError("broken avcC record")
    profile, compatibility, level = record[1:4]
    if (name := _H264_UNPLAYABLE_PROFILES.get(profile)) is not None:
        raise Unsupported(
            f"H.264 in {name} can't be played by browsers. "
            "Set the encoder to 8-bit 4:2:0 (in OBS: colour format NV12)."
        )
    return VideoConfig(VideoCodec.H264, record, f"avc1.{profile:02X}{compatibility:02X}{level:02X}")


def hevc(record: bytes) -> VideoConfig:
    if len(record) < 23 or record[0] != 1:
        raise ValueError("broken hvcC record")
    space = ("", "A", "B", "C")[record[1] >> 6]
    tier = "H" if record[1] & 0x20 else "L"
    profile = record[1] & 0x1F
    if profile not in (1, 2, 3):
        raise Unsupported(
            "This HEVC profile can't be played by browsers. Use Main or Main 10 with 4:2:0 colour."
        )
    compatibility = int(f"{int.from_bytes(record[2:6], 'big'):032b}"[::-1], 2)
    constraints = record[6:12].rstrip(b"\x00")
    parts = [f"hvc1.{space}{profile}", f"{compatibility:X}", f"{tier}{record[12]}"]
    parts += [f"{byte:X}" for byte in constraints]
    return VideoConfig(VideoCodec.HEVC, record, ".".join(parts))


def av1(record: bytes) -> VideoConfig:
    if len(record) < 4 or record[0] != 0x81:
        raise ValueError("broken av1C record")
    profile, level = record[1] >> 5, record[1] & 0x1F
    tier = "H" if record[2] & 0x80 else "M"
    high_depth, twelve_bit = record[2] & 0x40, record[2] & 0x20
    if profile != 0:
        raise Unsupported("This AV1 profile can't be played by browsers. Use Main, 4:2:0 colour.")
    depth = (12 if twelve_bit else 10) if high_depth else 8
    return VideoConfig(VideoCodec.AV1, record, f"av01.{profile}.{level:02d}{tier}.{depth:02d}")


def aac(record: bytes) -> AudioConfig:
    """The record may signal SBR or PS in front of the core codec; time counts in the core rate."""
    bits = _Bits(record)
    object_type = signalled = bits.audio_object_type()
    sample_rate = bits.sample_rate()
    channels = bits.take(4)
    if object_type in (_AAC_SBR, _AAC_PS):
        bits.sample_rate()
        object_type = bits.audio_object_type()
    if object_type not in (_AAC_MAIN, _AAC_LC, _AAC_LTP):
        raise Unsupported("This kind of AAC can't be played by browsers. Use AAC-LC.")
    short_frames = bits.take(1)
    if not 1 <= channels < len(_AAC_CHANNELS):
        raise Unsupported("This channel layout can't be played by browsers. Use stereo or 5.1.")
    return AudioConfig(
        AudioCodec.AAC,
        record,
        f"mp4a.40.{signalled}",
        sample_rate,
        _AAC_CHANNELS[channels],
        960 if short_frames else 1024,
    )


def opus(record: bytes) -> AudioConfig:
    if len(record) < 19 or record[:8] != b"OpusHead" or not record[9]:
        raise ValueError("broken OpusHead record")
    return AudioConfig(AudioCodec.OPUS, record, "opus", 48000, record[9], 0)


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("broken AudioSpecificConfig")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def audio_object_type(self) -> int:
        object_type = self.take(5)
        return 32 + self.take(6) if object_type == 31 else object_type

    def sample_rate(self) -> int:
        index = self.take(4)
        rate = self.take(24) if index == 15 else _AAC_RATES[index] if index < 13 else 0
        if not 7350 <= rate <= 96000:
            raise ValueError("broken AudioSpecificConfig")
        return rate

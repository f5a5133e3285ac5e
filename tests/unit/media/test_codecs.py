"""Configuration records, bit by bit: codec strings, rates, and what browsers can't play."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaserver.media import codecs
from mediaserver.media.frames import (
    AudioCodec,
    AudioConfig,
    Unsupported,
    VideoCodec,
    VideoConfig,
    opus_samples,
)

Parse: TypeAlias = Callable[[bytes], VideoConfig | AudioConfig]


def avcc(profile: int, compatibility: int = 0, level: int = 31) -> bytes:
    return bytes((1, profile, compatibility, level, 0xFF, 0xE1, 0))


def hvcc(
    *,
    space: int = 0,
    tier: int = 0,
    profile: int = 1,
    compatibility: int = 0x60000000,
    constraints: bytes = b"\x90\0\0\0\0\0",
    level: int = 93,
) -> bytes:
    first = bytes((1, space << 6 | tier << 5 | profile))
    return first + compatibility.to_bytes(4, "big") + constraints + bytes((level,)) + bytes(10)


def av1c(
    *, profile: int = 0, level: int = 4, tier: int = 0, high: int = 0, twelve: int = 0
) -> bytes:
    return bytes((0x81, profile << 5 | level, tier << 7 | high << 6 | twelve << 5 | 0x0C, 0))


def asc(*fields: tuple[int, int]) -> bytes:
    """(value, bits) pairs, filled up with zero bits to whole bytes."""
    bits = "".join(f"{value:0{count}b}" for value, count in fields)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def opus_head(channels: int = 2) -> bytes:
    return b"OpusHead\x01" + bytes((channels,)) + bytes(9)


# H.264 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (avcc(0x42, 0xC0, 0x1F), "avc1.42C01F"),
        (avcc(0x4D, 0x40, 0x28), "avc1.4D4028"),
        (avcc(0x64, 0x00, 0x0D), "avc1.64000D"),
    ],
)
def test_h264(record: bytes, expected: str) -> None:
    assert codecs.h264(record) == VideoConfig(VideoCodec.H264, record, expected)


@pytest.mark.parametrize(
    ("profile", "name"),
    [(110, "10-bit"), (122, "4:2:2"), (244, "4:4:4"), (44, "4:4:4 intra"), (144, "4:4:4")],
)
def test_h264_that_browsers_cannot_play(profile: int, name: str) -> None:
    with pytest.raises(Unsupported) as caught:
        codecs.h264(avcc(profile))
    assert str(caught.value) == (
        f"H.264 in {name} can't be played by browsers. "
        "Set the encoder to 8-bit 4:2:0 (in OBS: colour format NV12)."
    )


# HEVC ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (hvcc(), "hvc1.1.6.L93.90"),
        (hvcc(profile=2, compatibility=0x20000000, level=120), "hvc1.2.4.L120.90"),
        (hvcc(tier=1, constraints=b"\xb0\0\0\0\0\0", level=150), "hvc1.1.6.H150.B0"),
        (hvcc(constraints=b"\x90\x01\0\x02\0\0"), "hvc1.1.6.L93.90.1.0.2"),
        (hvcc(constraints=bytes(6)), "hvc1.1.6.L93"),
        (hvcc(space=2, profile=3), "hvc1.B3.6.L93.90"),
        (hvcc(compatibility=0x80000001), "hvc1.1.80000001.L93.90"),
    ],
)
def test_hevc(record: bytes, expected: str) -> None:
    assert codecs.hevc(record) == VideoConfig(VideoCodec.HEVC, record, expected)


@pytest.mark.parametrize("profile", [0, 4, 5, 9, 31])
def test_hevc_that_browsers_cannot_play(profile: int) -> None:
    with pytest.raises(Unsupported) as caught:
        codecs.hevc(hvcc(profile=profile))
    assert str(caught.value) == (
        "This HEVC profile can't be played by browsers. Use Main or Main 10 with 4:2:0 colour."
    )


# AV1 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (av1c(), "av01.0.04M.08"),
        (av1c(level=13, tier=1), "av01.0.13H.08"),
        (av1c(high=1), "av01.0.04M.10"),
        (av1c(high=1, twelve=1), "av01.0.04M.12"),
    ],
)
def test_av1(record: bytes, expected: str) -> None:
    assert codecs.av1(record) == VideoConfig(VideoCodec.AV1, record, expected)


@pytest.mark.parametrize("profile", [1, 2])
def test_av1_that_browsers_cannot_play(profile: int) -> None:
    with pytest.raises(Unsupported) as caught:
        codecs.av1(av1c(profile=profile))
    assert str(caught.value) == (
        "This AV1 profile can't be played by browsers. Use Main, 4:2:0 colour."
    )


# AAC ----------------------------------------------------------------------------------------------

LC, SBR, PS = (2, 5), (5, 5), (29, 5)
R48000, R44100, R24000 = (3, 4), (4, 4), (6, 4)
STEREO = (2, 4)
LONG_FRAMES, SHORT_FRAMES = (0, 1), (1, 1)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (bytes.fromhex("1190"), ("mp4a.40.2", 48000, 2, 1024)),
        (bytes.fromhex("1210"), ("mp4a.40.2", 44100, 2, 1024)),
        (bytes.fromhex("1188"), ("mp4a.40.2", 48000, 1, 1024)),
        (bytes.fromhex("119056e500"), ("mp4a.40.2", 48000, 2, 1024)),
        (asc(LC, R48000, STEREO, SHORT_FRAMES), ("mp4a.40.2", 48000, 2, 960)),
        (asc((1, 5), R48000, STEREO, LONG_FRAMES), ("mp4a.40.1", 48000, 2, 1024)),
        (asc(LC, (15, 4), (50000, 24), STEREO, LONG_FRAMES), ("mp4a.40.2", 50000, 2, 1024)),
        (asc(LC, R48000, (6, 4), LONG_FRAMES), ("mp4a.40.2", 48000, 6, 1024)),
        (asc(LC, R48000, (7, 4), LONG_FRAMES), ("mp4a.40.2", 48000, 8, 1024)),
        # HE-AAC, signalled in front: time counts in the core's rate.
        (asc(SBR, R24000, STEREO, R48000, LC, LONG_FRAMES), ("mp4a.40.5", 24000, 2, 1024)),
        (asc(PS, R24000, (1, 4), R48000, LC, LONG_FRAMES), ("mp4a.40.29", 24000, 1, 1024)),
        (
            asc(SBR, R24000, STEREO, (15, 4), (48000, 24), LC, SHORT_FRAMES),
            ("mp4a.40.5", 24000, 2, 960),
        ),
    ],
)
def test_aac(record: bytes, expected: tuple[str, int, int, int]) -> None:
    assert codecs.aac(record) == AudioConfig(AudioCodec.AAC, record, *expected)


@pytest.mark.parametrize(
    "record",
    [
        asc((3, 5), R48000, STEREO, LONG_FRAMES),
        asc((31, 5), (10, 6), R48000, STEREO, LONG_FRAMES),  # 42, USAC
        asc(SBR, R24000, STEREO, R48000, (22, 5), LONG_FRAMES),
    ],
)
def test_aac_that_browsers_cannot_play(record: bytes) -> None:
    with pytest.raises(Unsupported) as caught:
        codecs.aac(record)
    assert str(caught.value) == "This kind of AAC can't be played by browsers. Use AAC-LC."


@pytest.mark.parametrize("channels", [0, 8, 11, 15])
def test_channel_layouts_that_browsers_cannot_play(channels: int) -> None:
    with pytest.raises(Unsupported) as caught:
        codecs.aac(asc(LC, R48000, (channels, 4), LONG_FRAMES))
    assert str(caught.value) == (
        "This channel layout can't be played by browsers. Use stereo or 5.1."
    )


# Opus ---------------------------------------------------------------------------------------------


def test_opus() -> None:
    record = opus_head(6)
    assert codecs.opus(record) == AudioConfig(AudioCodec.OPUS, record, "opus", 48000, 6, 0)


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        (b"", 0),
        (b"\x00", 480),  # SILK, 10 ms
        (bytes((3 << 3,)), 2880),  # SILK, 60 ms
        (bytes((12 << 3,)), 480),  # hybrid, 10 ms
        (bytes((15 << 3,)), 960),  # hybrid, 20 ms
        (bytes((16 << 3,)), 120),  # CELT, 2.5 ms
        (bytes((31 << 3,)), 960),  # CELT, 20 ms
        (bytes((31 << 3 | 1,)), 1920),  # two frames of one size
        (bytes((31 << 3 | 2,)), 1920),  # two frames of two sizes
        (bytes((31 << 3 | 3, 3)), 2880),  # three frames
        (bytes((31 << 3 | 3, 0xC0 | 3)), 2880),  # with padding, of different sizes
        (bytes((31 << 3 | 3,)), 0),  # cut off
        (bytes((3 << 3 | 3, 63)), 5760),  # never above 120 ms
    ],
)
def test_length_of_opus_packets(packet: bytes, samples: int) -> None:
    assert opus_samples(packet) == samples
    assert codecs.opus(opus_head()).samples(packet) == samples


# Silence ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "has_silence"),
    [
        (codecs.aac(bytes.fromhex("1190")), True),
        (codecs.aac(bytes.fromhex("1188")), True),
        (codecs.aac(asc(LC, R48000, (6, 4), LONG_FRAMES)), False),
        (codecs.aac(asc(LC, R48000, STEREO, SHORT_FRAMES)), False),
        (codecs.aac(asc(SBR, R24000, STEREO, R48000, LC, LONG_FRAMES)), False),
        (codecs.opus(opus_head()), True),
    ],
)
def test_silence(config: AudioConfig, has_silence: bool) -> None:
    silence = config.silence()
    assert (silence is not None) == has_silence
    if silence is not None:
        assert config.samples(silence) == (1024 if config.codec is AudioCodec.AAC else 960)


# Broken records -----------------------------------------------------------------------------------

WHOLE = {
    codecs.h264: avcc(0x64),
    codecs.hevc: hvcc(),
    codecs.av1: av1c(),
    codecs.aac: asc(SBR, R24000, STEREO, R48000, LC, LONG_FRAMES)[:3],
    codecs.opus: opus_head(),
}


@pytest.mark.parametrize("parse", WHOLE, ids=lambda parse: parse.__name__)
def test_every_cut_of_a_record_is_broken(parse: Parse) -> None:
    parse(WHOLE[parse])
    for end in range(len(WHOLE[parse])):
        with pytest.raises(ValueError, match=r"^broken "):
            parse(WHOLE[parse][:end])


@pytest.mark.parametrize(
    ("parse", "record"),
    [
        (codecs.h264, b"\x00" + avcc(0x64)[1:]),
        (codecs.hevc, b"\x00" + hvcc()[1:]),
        (codecs.av1, b"\x01" + av1c()[1:]),
        (codecs.aac, asc(LC, (13, 4), STEREO, LONG_FRAMES)),
        (codecs.aac, asc(LC, (15, 4), (96001, 24), STEREO, LONG_FRAMES)),
        (codecs.aac, asc(LC, (15, 4), (0, 24), STEREO, LONG_FRAMES)),
        (codecs.opus, b"OpusTags" + opus_head()[8:]),
        (codecs.opus, opus_head(0)),
    ],
)
def test_broken_records(parse: Parse, record: bytes) -> None:
    with pytest.raises(ValueError, match=r"^broken "):
        parse(record)


@pytest.mark.parametrize("parse", WHOLE, ids=lambda parse: parse.__name__)
def test_any_bytes(parse: Parse) -> None:
    @settings(max_examples=200)
    @given(
        st.one_of(
            st.binary(max_size=30),
            st.binary(max_size=30).map(lambda tail: WHOLE[parse][:2] + tail),
            st.binary(min_size=12, max_size=30).map(lambda tail: b"OpusHead" + tail),
        )
    )
    def check(record: bytes) -> None:
        with contextlib.suppress(ValueError, Unsupported):
            assert parse(record).record == record

    check()

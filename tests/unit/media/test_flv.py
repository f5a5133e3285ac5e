"""FLV tag bodies by hand: legacy and enhanced, with what may be wrapped around them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaserver.media import codecs, flv
from mediaserver.media.frames import Frame, Kind, Unsupported
from mediaserver.media.rtmp.chunks import ChunkReader
from tests.captures.manifest import CAPTURES, Capture
from tests.unit.media.test_codecs import av1c, avcc, hvcc, opus_head

ASC = bytes.fromhex("1190")
KEY, INTER, DISPOSABLE, GENERATED, COMMAND = 1, 2, 3, 4, 5
START, CODED, END, CODED_X, METADATA, MPEG2TS, MULTITRACK, MOD_EX = range(8)
AUDIO_MULTITRACK = 5


def legacy_video(frame_type: int, packet_type: int, composition: int, data: bytes) -> bytes:
    head = bytes((frame_type << 4 | 7, packet_type))
    return head + (composition & 0xFFFFFF).to_bytes(3, "big") + data


def enhanced_video(packet_type: int, rest: bytes, *, frame_type: int = KEY) -> bytes:
    return bytes((0x80 | frame_type << 4 | packet_type,)) + rest


def enhanced_audio(packet_type: int, rest: bytes) -> bytes:
    return bytes((0x90 | packet_type,)) + rest


# Legacy -------------------------------------------------------------------------------------------


def test_legacy_h264() -> None:
    assert flv.parse_video(legacy_video(KEY, 0, 0, avcc(100)), 5) == codecs.h264(avcc(100))
    assert flv.parse_video(legacy_video(KEY, 1, 67, b"nal"), 5) == Frame(
        Kind.VIDEO, 5, 67, True, b"nal"
    )
    assert flv.parse_video(legacy_video(INTER, 1, -1, b"nal"), 38) == Frame(
        Kind.VIDEO, 38, -1, False, b"nal"
    )


@pytest.mark.parametrize("frame_type", [INTER, DISPOSABLE, GENERATED])
def test_only_frame_type_1_is_a_keyframe(frame_type: int) -> None:
    frame = flv.parse_video(legacy_video(frame_type, 1, 0, b"nal"), 0)
    assert isinstance(frame, Frame)
    assert not frame.keyframe


@pytest.mark.parametrize(
    ("raw", "composition"),
    [(0, 0), (1, 1), (0x7FFFFF, 0x7FFFFF), (0x800000, -0x800000), (0xFFFFFF, -1)],
)
def test_composition_time_is_signed(raw: int, composition: int) -> None:
    frame = flv.parse_video(legacy_video(INTER, 1, raw, b"nal"), 0)
    assert isinstance(frame, Frame)
    assert frame.composition_ms == composition


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        legacy_video(KEY, 2, 0, b""),  # end of sequence
        legacy_video(KEY, 1, 0, b""),  # no picture in it
        legacy_video(COMMAND, 0, 0, b"\x00"),
        b"\x57\x00",  # a command frame, short
    ],
)
def test_legacy_video_without_a_picture(payload: bytes) -> None:
    assert flv.parse_video(payload, 0) is None


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        (2, "Sorenson H.263"),
        (3, "Screen video"),
        (4, "VP6"),
        (5, "VP6"),
        (6, "Screen video"),
        (12, "codec 12"),
    ],
)
def test_legacy_video_that_browsers_cannot_play(codec: int, name: str) -> None:
    with pytest.raises(Unsupported) as caught:
        flv.parse_video(bytes((0x10 | codec,)) + b"data", 0)
    assert str(caught.value) == (
        f"{name} video can't be played by browsers. Use H.264 (or HEVC or AV1)."
    )


def test_legacy_aac() -> None:
    assert flv.parse_audio(b"\xaf\x00" + ASC, 5) == codecs.aac(ASC)
    assert flv.parse_audio(b"\xaf\x01aac", 5) == Frame(Kind.AUDIO, 5, 0, True, b"aac")
    assert flv.parse_audio(b"\xaf\x01", 5) is None
    assert flv.parse_audio(b"", 5) is None


@pytest.mark.parametrize(
    ("codec", "name"),
    [(0, "PCM"), (1, "ADPCM"), (2, "MP3"), (3, "PCM"), (11, "Speex"), (14, "MP3"), (7, "codec 7")],
)
def test_legacy_audio_that_browsers_cannot_play(codec: int, name: str) -> None:
    with pytest.raises(Unsupported) as caught:
        flv.parse_audio(bytes((codec << 4,)) + b"data", 0)
    assert str(caught.value) == f"{name} audio can't be played by browsers. Use AAC (or Opus)."


@pytest.mark.parametrize("payload", [b"\x17", b"\x17\x01", b"\x27\x01\x00\x00"])
def test_legacy_video_cut_off(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"^video tag is cut off$"):
        flv.parse_video(payload, 0)


def test_legacy_audio_cut_off() -> None:
    with pytest.raises(ValueError, match=r"^audio tag is cut off$"):
        flv.parse_audio(b"\xaf", 0)


# Enhanced -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("four_cc", "record", "parse"),
    [
        (b"avc1", avcc(100), codecs.h264),
        (b"hvc1", hvcc(), codecs.hevc),
        (b"av01", av1c(), codecs.av1),
    ],
)
def test_enhanced_video_sequence_start(four_cc: bytes, record: bytes, parse: object) -> None:
    assert callable(parse)
    assert flv.parse_video(enhanced_video(START, four_cc + record), 0) == parse(record)


@pytest.mark.parametrize("four_cc", [b"avc1", b"hvc1"])
def test_enhanced_coded_frames_carry_a_composition_time(four_cc: bytes) -> None:
    tag = enhanced_video(CODED, four_cc + b"\xff\xff\xfe" + b"nal", frame_type=INTER)
    assert flv.parse_video(tag, 7) == Frame(Kind.VIDEO, 7, -2, False, b"nal")
    tag = enhanced_video(CODED_X, four_cc + b"nal")
    assert flv.parse_video(tag, 7) == Frame(Kind.VIDEO, 7, 0, True, b"nal")


@pytest.mark.parametrize("packet_type", [CODED, CODED_X])
def test_enhanced_av1_has_none(packet_type: int) -> None:
    tag = enhanced_video(packet_type, b"av01" + b"obu")
    assert flv.parse_video(tag, 7) == Frame(Kind.VIDEO, 7, 0, True, b"obu")


@pytest.mark.parametrize(
    "payload",
    [
        enhanced_video(END, b"hvc1"),
        enhanced_video(METADATA, b"hvc1" + b"\x02\x00\x09colorInfo"),
        enhanced_video(MPEG2TS, b"av01" + b"descriptor"),
        enhanced_video(CODED, b"hvc1" + b"\x00\x00\x00"),
        enhanced_video(CODED, b"av01"),
        enhanced_video(CODED_X, b"hvc1"),
        enhanced_video(START, b"\x00", frame_type=COMMAND),
    ],
)
def test_enhanced_video_without_a_picture(payload: bytes) -> None:
    assert flv.parse_video(payload, 0) is None


@pytest.mark.parametrize("four_cc", ["vp08", "vp09", "vvc1", "zzzz"])
def test_enhanced_video_that_browsers_cannot_play(four_cc: str) -> None:
    with pytest.raises(Unsupported) as caught:
        flv.parse_video(enhanced_video(START, four_cc.encode() + b"record"), 0)
    assert str(caught.value) == (
        f"{four_cc} video can't be played by browsers. Use H.264 (or HEVC or AV1)."
    )


def test_enhanced_audio() -> None:
    assert flv.parse_audio(enhanced_audio(START, b"mp4a" + ASC), 0) == codecs.aac(ASC)
    record = opus_head()
    assert flv.parse_audio(enhanced_audio(START, b"Opus" + record), 0) == codecs.opus(record)
    assert flv.parse_audio(enhanced_audio(CODED, b"Opus" + b"\xfcdata"), 9) == Frame(
        Kind.AUDIO, 9, 0, True, b"\xfcdata"
    )


@pytest.mark.parametrize(
    "payload",
    [
        enhanced_audio(CODED, b"Opus"),
        enhanced_audio(END, b"Opus"),
        enhanced_audio(4, b"Opus" + b"\x01\x02"),  # channel layout
    ],
)
def test_enhanced_audio_without_sound(payload: bytes) -> None:
    assert flv.parse_audio(payload, 0) is None


@pytest.mark.parametrize(
    ("four_cc", "name"), [("fLaC", "fLaC"), ("ac-3", "ac-3"), (".mp3", ".mp3"), ("ab  ", "ab")]
)
def test_enhanced_audio_that_browsers_cannot_play(four_cc: str, name: str) -> None:
    with pytest.raises(Unsupported) as caught:
        flv.parse_audio(enhanced_audio(START, four_cc.encode() + b"record"), 0)
    assert str(caught.value) == f"{name} audio can't be played by browsers. Use AAC (or Opus)."


# Modifiers and multitrack -------------------------------------------------------------------------


def modifier(data: bytes, next_type: int, *, long: bool = False) -> bytes:
    size = bytes((255,)) + (len(data) - 1).to_bytes(2, "big") if long else bytes((len(data) - 1,))
    return size + data + bytes((0 << 4 | next_type,))


@pytest.mark.parametrize(
    "wrapping",
    [
        modifier(b"\x00\x01\x02", CODED_X),
        modifier(bytes(255), CODED_X),
        modifier(bytes(256), CODED_X, long=True),
        modifier(bytes(1), CODED_X, long=True),
        modifier(b"\x01", MOD_EX) + modifier(b"\x02\x03", CODED_X),
    ],
)
def test_modifiers_are_peeled_off(wrapping: bytes) -> None:
    tag = enhanced_video(MOD_EX, wrapping + b"hvc1" + b"nal")
    assert flv.parse_video(tag, 3) == Frame(Kind.VIDEO, 3, 0, True, b"nal")


def test_modifiers_of_audio() -> None:
    tag = enhanced_audio(MOD_EX, modifier(b"\x00\x00\x01", CODED) + b"Opus" + b"\xfcdata")
    assert flv.parse_audio(tag, 3) == Frame(Kind.AUDIO, 3, 0, True, b"\xfcdata")


ONE_TRACK, MANY_TRACKS, MANY_CODECS = 0, 1, 2


def test_one_track_of_a_multitrack_message() -> None:
    track = bytes((ONE_TRACK << 4 | CODED_X,)) + b"hvc1" + b"\x00" + b"nal"
    assert flv.parse_video(enhanced_video(MULTITRACK, track), 3) == Frame(
        Kind.VIDEO, 3, 0, True, b"nal"
    )
    track = bytes((ONE_TRACK << 4 | CODED,)) + b"Opus" + b"\x00" + b"\xfc"
    assert flv.parse_audio(enhanced_audio(AUDIO_MULTITRACK, track), 3) == Frame(
        Kind.AUDIO, 3, 0, True, b"\xfc"
    )
    inner = bytes((ONE_TRACK << 4 | CODED_X,)) + b"hvc1" + b"\x00" + b"nal"
    tag = enhanced_video(MOD_EX, modifier(b"\x00", MULTITRACK) + inner)
    assert isinstance(flv.parse_video(tag, 3), Frame)


@pytest.mark.parametrize(
    "track",
    [
        bytes((ONE_TRACK << 4 | CODED_X,)) + b"hvc1" + b"\x01" + b"nal",  # a further track
        bytes((MANY_TRACKS << 4 | CODED_X,)) + b"hvc1" + b"\x00\x00\x00\x03nal",
        bytes((MANY_CODECS << 4 | CODED_X,)) + b"hvc1" + b"\x00\x00\x00\x03nal",
        b"",
    ],
)
def test_further_tracks_are_left_out(track: bytes) -> None:
    assert flv.parse_video(enhanced_video(MULTITRACK, track), 0) is None


@pytest.mark.parametrize(
    "payload",
    [
        enhanced_video(START, b""),
        enhanced_video(START, b"hvc"),
        enhanced_video(CODED, b"hvc1" + b"\x00\x00"),
        enhanced_video(MOD_EX, b""),
        enhanced_video(MOD_EX, b"\x05ab"),
        enhanced_video(MOD_EX, b"\xff\x00"),
        enhanced_video(MOD_EX, modifier(b"\x00", CODED_X) + b"hv"),
        enhanced_video(START, b"hvc1" + hvcc()[:22]),
    ],
)
def test_enhanced_tags_cut_off(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|broken"):
        flv.parse_video(payload, 0)


# Everything ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
def test_captures(capture: Capture) -> None:
    reader = ChunkReader()
    reader.feed(capture.read()[3073:])
    frames = dict.fromkeys(Kind, 0)
    configs: list[str] = []
    for message in reader.messages():
        if message.msg_type_id not in (8, 9):
            continue
        parse: flv.Parse = flv.parse_video if message.msg_type_id == 9 else flv.parse_audio
        if capture.name.startswith("gstreamer") and message.payload[:2] == b"\x17\x00":
            with pytest.raises(Unsupported, match=r"^H\.264 in 4:4:4 "):
                parse(message.payload, message.timestamp)
            continue
        tag = parse(message.payload, message.timestamp)
        if isinstance(tag, Frame):
            frames[tag.kind] += 1
        elif tag is not None and tag.codecs not in configs:
            configs.append(tag.codecs)
    # All but the sequence header and, of video, the end of sequence, which OBS doesn't send.
    if capture.video is not None:
        no_picture = 1 if capture.name.startswith("obs") else 2
        assert frames[Kind.VIDEO] == capture.video.count - no_picture
    if capture.audio is not None:
        no_sound = 2 if capture.audio_codec == "Opus" else 1  # enhanced audio ends likewise
        assert frames[Kind.AUDIO] == capture.audio.count - no_sound
    wanted = [codec for codec in (capture.video_codec, capture.audio_codec) if codec]
    if not capture.name.startswith("gstreamer"):
        assert sorted(name.partition(".")[0].lower() for name in configs) == sorted(
            codec.lower() for codec in wanted
        )


BODIES = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda head, four_cc, tail: bytes((head,)) + four_cc + tail,
        st.integers(0, 255),
        st.sampled_from([b"", b"avc1", b"hvc1", b"av01", b"mp4a", b"Opus", b"\x00", b"\x01"]),
        st.binary(max_size=40),
    ),
)


@settings(max_examples=500)
@given(BODIES)
def test_any_bytes_are_parsed_or_refused(payload: bytes) -> None:
    for parse in (flv.parse_video, flv.parse_audio):
        with contextlib.suppress(ValueError, Unsupported):
            parse(payload, 0)

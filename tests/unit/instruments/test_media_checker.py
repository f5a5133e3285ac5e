"""The box reader and the media checker: silent on PyAV's own parts, loud on each broken byte."""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.hls.boxes import Malformed, boxes, read_fragments, read_init
from tests.hls.media import EpochChecker
from tests.hls.multivariant import compare, read_multivariant
from tests.hls.playlist import OURS, Violation
from tests.unit.instruments.parts import MadePart, made_stream, patch

VIDEO_TRUN_FIRST_DURATION = 12


def check(
    edit: Callable[[int, bytes], bytes] = lambda index, data: data,
    *,
    declare: Callable[[int, MadePart], tuple[Decimal, bool]] = lambda index, part: (
        part.duration,
        part.independent,
    ),
    skip: int | None = None,
) -> list[Violation]:
    made = made_stream()
    checker = EpochChecker(read_init(made.init))
    for index, part in enumerate(made.parts):
        if index == skip:
            continue
        duration, independent = declare(index, part)
        checker.feed(
            msn=1 + index // 4,
            index=index % 4,
            uri=f"{index}.m4s",
            declared=duration,
            independent=independent,
            data=edit(index, part.data),
        )
    return checker.violations


def only(index: int, change: Callable[[bytes], bytes]) -> Callable[[int, bytes], bytes]:
    return lambda at, data: change(data) if at == index else data


def test_an_init_is_read() -> None:
    init = read_init(made_stream().init)
    assert init.video is not None
    assert init.audio is not None
    assert (init.video.codec, init.video.timescale) == ("avc1", 90_000)
    assert (init.video.width, init.video.height) == (320, 180)
    assert (init.audio.codec, init.audio.timescale) == ("mp4a", 48_000)
    assert (init.audio.channels, init.audio.sample_rate) == (2, 48_000)


def test_a_part_is_read_to_the_sample() -> None:
    made = made_stream()
    init = read_init(made.init)
    (fragment,) = read_fragments(made.parts[1].data, init)
    video, audio = fragment.tracks
    assert fragment.sequence == 2
    assert (video.tfdt, len(video.samples), video.duration) == (45_000, 15, 45_000)
    assert (audio.tfdt, len(audio.samples), audio.duration) == (24_576, 23, 23_552)
    assert not any(sample.sync for sample in video.samples)
    assert all(sample.cts == 0 for sample in video.samples)
    assert sum(sample.size for track in fragment.tracks for sample in track.samples) == (
        fragment.mdat_bytes
    )


def test_right_parts_have_no_violation() -> None:
    assert check() == []


def test_a_segment_is_read_as_its_parts() -> None:
    made = made_stream()
    init = read_init(made.init)
    joined = b"".join(part.data for part in made.parts[:4])
    assert [fragment.sequence for fragment in read_fragments(joined, init)] == [1, 2, 3, 4]


MALFORMED: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("nothing", lambda data: b""),
    ("cut short", lambda data: data[:-1]),
    ("cut in a header", lambda data: data[:5]),
    ("something behind", lambda data: data + struct.pack(">I4s", 8, b"free")),
    ("styp in front", lambda data: struct.pack(">I4s", 8, b"styp") + data),
    ("mdat only", lambda data: data[next(box.end for box in boxes(data)) :]),
    ("moof twice", lambda data: data[: next(box.end for box in boxes(data))] + data),
    ("unknown track", lambda data: patch(data, "moof/traf/tfhd", 4, struct.pack(">I", 9))),
    ("samples outside mdat", lambda data: patch(data, "moof/traf/trun", 8, struct.pack(">i", 4))),
    ("more samples than sizes", lambda data: patch(data, "moof/traf/trun", 4, b"\0\0\x40\0")),
    ("fewer samples than sizes", lambda data: patch(data, "moof/traf/trun", 4, b"\0\0\0\x01")),
    ("no moof number", lambda data: data.replace(b"mfhd", b"free", 1)),
    ("no decode time", lambda data: data.replace(b"tfdt", b"free", 1)),
]


@pytest.mark.parametrize("edit", [pytest.param(edit, id=name) for name, edit in MALFORMED])
def test_malformed_parts(edit: Callable[[bytes], bytes]) -> None:
    made = made_stream()
    with pytest.raises(Malformed):
        read_fragments(edit(made.parts[1].data), read_init(made.init))
    found = check(only(1, edit))
    assert OURS in {violation.rule for violation in found}


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda data: data[:-3], id="cut short"),
        pytest.param(lambda data: data + made_stream().parts[0].data, id="with media"),
        pytest.param(lambda data: data.replace(b"mvex", b"free", 1), id="without mvex"),
        pytest.param(lambda data: data.replace(b"vide", b"text", 1), id="text track"),
        pytest.param(lambda data: data.replace(b"moov", b"free", 1), id="without moov"),
    ],
)
def test_malformed_init(edit: Callable[[bytes], bytes]) -> None:
    with pytest.raises(Malformed):
        read_init(edit(made_stream().init))


def messages(found: list[Violation]) -> str:
    return "\n".join(str(violation) for violation in found)


def test_a_tick_too_many_breaks_continuity() -> None:
    def late(data: bytes) -> bytes:
        version = next(iter(data[data.index(b"tfdt") + 4 :][:1]))
        offset = 8 if version else 4
        return patch(data, "moof/traf/tfdt", offset, struct.pack(">I", 45_001))

    assert "(+1 ticks)" in messages(check(only(1, late)))


def test_a_missing_part_breaks_continuity() -> None:
    assert "ticks)" in messages(check(skip=3))


def test_a_skipped_part_is_forgiven_when_it_is_told() -> None:
    made = made_stream()
    checker = EpochChecker(read_init(made.init))
    for index in (0, 4):
        part = made.parts[index]
        checker.feed(
            msn=1,
            index=index,
            uri=f"{index}",
            declared=part.duration,
            independent=part.independent,
            data=part.data,
        )
        checker.missing()
    assert checker.violations == []


def test_a_moof_number_that_does_not_rise() -> None:
    found = check(only(2, lambda data: patch(data, "moof/mfhd", 4, struct.pack(">I", 2))))
    assert "moof number 2 after 2" in messages(found)


def test_a_declared_duration_that_is_not_that_of_the_samples() -> None:
    found = check(
        declare=lambda index, part: (
            Decimal("0.50100") if index == 2 else Decimal("0.50000"),
            part.independent,
        )
    )
    assert [violation.rule for violation in found] == [19]


def test_a_rounded_duration_is_no_breach() -> None:
    assert check(declare=lambda index, part: (Decimal("0.500"), part.independent)) == []


def test_independence_is_held_against_the_samples() -> None:
    claimed = check(declare=lambda index, part: (part.duration, True))
    hidden = check(declare=lambda index, part: (part.duration, False))
    assert {violation.rule for violation in claimed} == {18}
    assert {violation.rule for violation in hidden} == {18}
    assert len(claimed) == 9
    assert len(hidden) == 3


def test_audio_that_stops_before_the_video() -> None:
    """The second moof claims 1,024 instead of 24,576 audio ticks: its samples get 44 ticks each."""

    def shorten(data: bytes) -> bytes:
        (moof, *_) = boxes(data)
        trafs = [box for box in boxes(data, moof.body, moof.end) if box.kind == "traf"]
        tfhd = next(box for box in boxes(data, trafs[1].body, trafs[1].end) if box.kind == "tfhd")
        at = data.index(struct.pack(">I", 1024), tfhd.start)
        return data[:at] + struct.pack(">I", 44) + data[at + 4 :]

    assert "audio ends" in messages(check(only(1, shorten)))


# multivariant ---------------------------------------------------------------------------------


GOOD = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS="avc1.42c00d,mp4a.40.2",RESOLUTION=320x180,FRAME-RATE=30.000
s1/index.m3u8
"""


def multivariant(text: str, **options: bool) -> list[Violation]:
    parsed, found = read_multivariant(text, long_gop=options.get("long_gop", False))
    init = read_init(made_stream().init)
    for variant in parsed.variants:
        found = found + compare(variant, init, measured_frame_rate=30.0)
    return found


def test_a_right_multivariant_has_no_violation() -> None:
    assert multivariant(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("#EXTM3U\n", "", 1),
        ("#EXT-X-VERSION:6", "#EXT-X-VERSION:6\n#EXT-X-VERSION:6", 2),
        ("#EXT-X-VERSION:6", "#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2", 2),
        ("#EXT-X-INDEPENDENT-SEGMENTS\n", "", 47),
        ("BANDWIDTH=900000,", "", 47),
        ("BANDWIDTH=900000,", "BANDWIDTH=0,", 47),
        (",mp4a.40.2", "", 47),
        ("mp4a.40.2", "mp4a.40.2,opus", 47),
        ("avc1.42c00d", "avc1", 47),
        ("avc1.42c00d", "hvc1.1.6.L93.B0", 47),
        ("RESOLUTION=320x180", "RESOLUTION=640x360", 47),
        (",RESOLUTION=320x180", "", 47),
        (",FRAME-RATE=30.000", "", 47),
        ("FRAME-RATE=30.000", "FRAME-RATE=60.000", 47),
        ("s1/index.m3u8\n", "", 47),
        ('"avc1', "avc1", 47),
    ],
)
def test_a_broken_multivariant(old: str, new: str, rule: int) -> None:
    assert old in GOOD
    assert rule in {violation.rule for violation in multivariant(GOOD.replace(old, new))}


def test_long_gops_need_no_independent_segments() -> None:
    assert multivariant(GOOD.replace("#EXT-X-INDEPENDENT-SEGMENTS\n", ""), long_gop=True) == []

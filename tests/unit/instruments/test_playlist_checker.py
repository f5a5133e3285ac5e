"""The playlist checker is silent on a right stream and names the rule of every breach."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.hls.checker import MediaPlaylistChecker
from tests.hls.playlist import read_media_playlist
from tests.unit.instruments.model import ModelStream


def snapshots(*, low_latency: bool = True) -> list[str]:
    """A stream that starts, runs past its window, loses its encoder, runs on and ends."""
    model = ModelStream(low_latency=low_latency)
    texts: list[str] = []

    def segment(parts: int = 4) -> None:
        for index in range(parts):
            model.part(independent=index == 0)
            if low_latency and index < parts - 1:
                texts.append(model.text())
        model.close()  # together with its last part: the next hint is of the next segment
        texts.append(model.text())

    for _ in range(10):
        segment()
    segment(parts=2)  # the encoder vanished: a short segment, then a new epoch
    model.restart()
    texts.append(model.text())
    for _ in range(10):
        segment()
    model.part(independent=True)
    texts.append(model.text())
    model.end()
    texts.append(model.text())
    return texts


def rules(texts: list[str], **options: bool) -> set[int]:
    checker = MediaPlaylistChecker(**options)
    for at_s, text in enumerate(texts):
        checker.feed(text, float(at_s))
    return {violation.rule for violation in checker.violations}


def test_a_right_stream_has_no_violation() -> None:
    checker = MediaPlaylistChecker()
    texts = snapshots()
    for at_s, text in enumerate(texts):
        assert checker.feed(text, float(at_s)) == []
    assert checker.snapshots == len(texts) > 70
    assert checker.playlist is not None
    assert checker.playlist.ended
    assert checker.playlist.discontinuity_sequence == 1, "the window passed the discontinuity"
    assert {item.uri for item in checker.removed} >= {"s/1.m4s", "s/2.0.m4s"}


def test_a_right_stream_without_parts_has_no_violation() -> None:
    assert rules(snapshots(low_latency=False), low_latency=False) == set()


def test_parts_are_a_violation_where_none_are_expected() -> None:
    assert rules(snapshots(), low_latency=False) >= {15, 25, 28}


def test_no_parts_are_a_violation_where_they_are_expected() -> None:
    assert rules(snapshots(low_latency=False)) >= {15, 25, 28}


def open_snapshot() -> str:
    """Six full segments and an open one of two parts: `s/7.0`, `s/7.1`, hint `s/7.2`."""
    model = ModelStream()
    for _ in range(6):
        model.segment()
    model.part(independent=True)
    model.part()
    return model.text()


Edit = Callable[[str], str]


def swap(old: str, new: str, count: int = -1) -> Edit:
    def edit(text: str) -> str:
        assert old in text, f"the edit has no effect: {old}"
        return text.replace(old, new, count)

    return edit


def after(line: str, extra: str) -> Edit:
    return swap(line, f"{line}\n{extra}", 1)


def cut(start: str, end: str) -> Edit:
    def edit(text: str) -> str:
        head, found, tail = text.partition(start)
        assert found
        return head + tail[tail.index(end) :]

    return edit


PART_7_1 = '#EXT-X-PART:DURATION=0.50000,URI="s/7.1.m4s"'
HINT = '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="s/7.2.m4s"'

FORM: list[tuple[str, int, Edit]] = [
    ("no EXTM3U", 1, swap("#EXTM3U\n", "")),
    ("byte order mark", 1, swap("#EXTM3U", "\ufeff#EXTM3U")),
    ("cut off", 1, lambda text: text[:-1]),
    ("no version", 1, swap("#EXT-X-VERSION:6\n", "")),
    ("version too high", 1, swap("VERSION:6", "VERSION:9")),
    ("version too low", 1, swap("VERSION:6", "VERSION:3")),
    ("skip without version 9", 1, after("#EXT-X-VERSION:6", "#EXT-X-SKIP:SKIPPED-SEGMENTS=1")),
    ("tag twice", 2, after("#EXT-X-TARGETDURATION:2", "#EXT-X-TARGETDURATION:2")),
    ("multivariant tag", 2, after("#EXTM3U", "#EXT-X-STREAM-INF:BANDWIDTH=1")),
    ("invented tag", 2, after("#EXTM3U", "#EXT-X-NONSENSE:1")),
    ("URI without EXTINF", 2, swap("#EXTINF:2.00000,\ns/6.m4s", "s/6.m4s")),
    ("no target duration", 3, swap("#EXT-X-TARGETDURATION:2\n", "")),
    ("target duration with a point", 3, swap("TARGETDURATION:2", "TARGETDURATION:2.0")),
    ("EXTINF over target", 3, swap("#EXTINF:2.00000,\ns/6", "#EXTINF:2.50000,\ns/6")),
    ("EXTINF without comma", 3, swap("#EXTINF:2.00000,\ns/6", "#EXTINF:2.00000\ns/6")),
    ("EXTINF of 0", 3, swap("#EXTINF:2.00000,\ns/6", "#EXTINF:0.00000,\ns/6")),
    ("EXTINF is no number", 3, swap("#EXTINF:2.00000,\ns/6", "#EXTINF:1e0,\ns/6")),
    ("media sequence 0", 4, swap("MEDIA-SEQUENCE:1", "MEDIA-SEQUENCE:0")),
    ("sequence after a segment", 5, swap(HINT, "#EXT-X-DISCONTINUITY-SEQUENCE:0")),
    ("EXTINF without URI", 6, swap("s/6.m4s\n", "", 1)),
    ("two discontinuities", 6, swap('#EXT-X-MAP:URI="s/init0.mp4"', "#EXT-X-DISCONTINUITY\n" * 2)),
    ("playlist type", 7, after("#EXTM3U", "#EXT-X-PLAYLIST-TYPE:EVENT")),
    ("hint beside ENDLIST", 11, lambda text: text + "#EXT-X-ENDLIST\n"),
    ("loose parts at ENDLIST", 11, swap(HINT, "#EXT-X-ENDLIST")),
    ("no map", 13, swap('#EXT-X-MAP:URI="s/init0.mp4"\n', "")),
    ("map without URI", 13, swap('#EXT-X-MAP:URI="s/init0.mp4"', '#EXT-X-MAP:X="1"')),
    (
        "map changes without discontinuity",
        13,
        swap("s/6.m4s\n", 's/6.m4s\n#EXT-X-MAP:URI="s/init1.mp4"\n', 1),
    ),
    ("date without zone", 14, swap("00:00:00.000Z", "00:00:00.000")),
    ("date without milliseconds", 14, swap("00:00:00.000Z", "00:00:00Z")),
    ("date off by 10 ms", 14, swap("00:00:04.000Z", "00:00:04.010Z")),
    ("segment without date", 14, cut("#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:04", "#EXTINF")),
    ("no PART-INF", 15, swap("#EXT-X-PART-INF:PART-TARGET=0.51667\n", "")),
    ("part over target by a hair", 16, swap(PART_7_1, PART_7_1.replace("0.50000", "0.51668"))),
    ("part without URI", 16, swap(PART_7_1, "#EXT-X-PART:DURATION=0.50000")),
    ("part without duration", 16, swap(PART_7_1, '#EXT-X-PART:URI="s/7.1.m4s"')),
    (
        "short part inside a segment",
        17,
        swap('0.50000,URI="s/6.1.m4s"', '0.43916,URI="s/6.1.m4s"'),
    ),
    ("INDEPENDENT=NO", 18, swap(PART_7_1, PART_7_1 + ",INDEPENDENT=NO")),
    ("sum of parts", 19, swap("#EXTINF:2.00000,\ns/6", "#EXTINF:1.99990,\ns/6")),
    ("map after the first part", 22, after(PART_7_1, '#EXT-X-MAP:URI="s/init0.mp4"')),
    ("part after EXTINF", 22, swap("s/6.m4s", '#EXT-X-PART:DURATION=0.5,URI="x"\ns/6.m4s', 1)),
    ("parts removed too early", 23, cut('#EXT-X-PART:DURATION=0.50000,URI="s/5.0', "#EXTINF")),
    (
        "parts kept too long",
        23,
        swap("#EXTINF:2.00000,\ns/1.m4s", '#EXT-X-PART:DURATION=2,URI="x"\n#EXTINF:2,\ns/1.m4s'),
    ),
    ("segment without keyframe", 24, swap('URI="s/6.0.m4s",INDEPENDENT=YES', 'URI="s/6.0.m4s"')),
    ("no hint", 25, swap(HINT + "\n", "")),
    ("two hints", 26, swap(HINT, HINT + '\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI="s/7.3.m4s"')),
    ("hint of what is listed", 26, swap("s/7.2.m4s", "s/7.1.m4s")),
    ("hint without type", 26, swap("TYPE=PART,", "")),
    ("same part twice", 26, swap("s/7.1.m4s", "s/7.0.m4s")),
    ("GAP=NO", 27, swap(PART_7_1, PART_7_1 + ",GAP=NO")),
    ("no SERVER-CONTROL", 28, cut("#EXT-X-SERVER-CONTROL", "#EXT-X-PART-INF")),
    ("no blocking", 28, swap("CAN-BLOCK-RELOAD=YES,", "")),
    ("part hold-back under 3 parts", 28, swap("1.55001", "1.55000")),
    ("hold-back", 29, swap("1.55001", "1.55001,HOLD-BACK=5.99")),
    ("skip until", 30, swap("1.55001", "1.55001,CAN-SKIP-UNTIL=11.9")),
    ("skip date ranges", 30, swap("1.55001", "1.55001,CAN-SKIP-DATERANGES=YES")),
]


def test_the_snapshot_that_is_broken_below_is_right() -> None:
    assert rules([open_snapshot()]) == set()


@pytest.mark.parametrize(("rule", "edit"), [pytest.param(r, e, id=n) for n, r, e in FORM])
def test_one_broken_snapshot(rule: int, edit: Edit) -> None:
    assert rule in rules([edit(open_snapshot())])


def with_next(edit_next: Callable[[ModelStream], None], edit: Edit | None = None) -> list[str]:
    """The open snapshot, then the model changed by `edit_next` and its text by `edit`."""
    model = ModelStream()
    for _ in range(6):
        model.segment()
    model.part(independent=True)
    model.part()
    before = model.text()
    edit_next(model)
    text = model.text()
    return [before, edit(text) if edit else text]


def more(model: ModelStream) -> None:
    model.part()


def fill(model: ModelStream) -> None:
    model.part()
    model.part()
    model.close()


CHANGES: list[tuple[str, int, list[str]]] = [
    ("target duration", 3, with_next(more, swap("TARGETDURATION:2", "TARGETDURATION:3"))),
    ("URI of a segment", 4, with_next(more, swap("s/6.m4s", "s/66.m4s"))),
    (
        "removed without counting",
        4,
        with_next(fill, swap("MEDIA-SEQUENCE:2", "MEDIA-SEQUENCE:1")),
    ),
    (
        "counted without removing",
        4,
        with_next(more, swap("MEDIA-SEQUENCE:1", "MEDIA-SEQUENCE:2")),
    ),
    ("sequence falls", 4, with_next(fill)[::-1]),
    ("edge goes back", 6, with_next(more)[::-1]),
    (
        "discontinuity sequence jumps",
        5,
        with_next(more, swap("DISCONTINUITY-SEQUENCE:0", "DISCONTINUITY-SEQUENCE:1")),
    ),
    (
        "discontinuity appears in the past",
        6,
        with_next(more, swap("s/5.m4s\n", "s/5.m4s\n#EXT-X-DISCONTINUITY\n", 1)),
    ),
    ("EXTINF changes", 6, with_next(more, swap("#EXTINF:2.00000,\ns/2", "#EXTINF:2.00001,\ns/2"))),
    ("map of the past changes", 6, with_next(more, swap("init0", "init9"))),
    (
        "part of the past changes",
        6,
        with_next(more, swap('0.50000,URI="s/7.1', '0.50001,URI="s/7.1')),
    ),
    ("date of the past changes", 14, with_next(more, swap("00:00:00.000Z", "00:00:00.001Z"))),
    (
        "part target changes",
        31,
        with_next(more, swap("TARGET=0.51667", "TARGET=0.51600")),
    ),
    ("hold-back changes", 31, with_next(more, swap("BACK=1.55001", "BACK=1.60000"))),
    ("hint was another", 26, with_next(more, swap("s/7.2.m4s", "s/7.two.m4s"))),
    (
        "open segment loses its front",
        23,
        with_next(more, cut('#EXT-X-PART:DURATION=0.50000,URI="s/7.0', "#EXT-X-PART")),
    ),
]


@pytest.mark.parametrize(("rule", "texts"), [pytest.param(r, t, id=n) for n, r, t in CHANGES])
def test_one_broken_change(rule: int, texts: list[str]) -> None:
    assert rule in rules(texts)


def test_a_closed_segment_gets_no_more_parts() -> None:
    texts = with_next(fill)
    late = swap("#EXTINF:2.00000,\ns/7", '#EXT-X-PART:DURATION=0.5,URI="z"\n#EXTINF:2.00000,\ns/7')
    assert 6 in rules([*texts, late(texts[-1])])


def test_a_removal_leaves_three_target_durations() -> None:
    model = ModelStream(listed_max=2)
    texts = []
    for _ in range(4):
        model.segment()
        texts.append(model.text())
    assert 8 in rules(texts)


def test_the_playlist_stands_still_after_endlist() -> None:
    model = ModelStream()
    for _ in range(4):
        model.segment()
    model.end()
    first = model.text()
    assert rules([first, first]) == set()
    model.segment()
    assert 11 in rules([first, model.text()])


def test_dates_never_run_into_the_epoch_before() -> None:
    model = ModelStream()
    model.segment()
    model.restart(gap_s=-1)
    model.segment()
    model.part(independent=True)
    assert 14 in rules([model.text()])


def test_a_hint_may_come_to_nothing_only_at_a_discontinuity() -> None:
    model = ModelStream()
    model.segment()
    model.part(independent=True)
    texts = [model.text()]
    model.restart()
    texts.append(model.text())
    model.part(independent=True)
    texts.append(model.text())
    assert rules(texts) == set()
    assert 26 in rules([texts[0], swap("#EXT-X-DISCONTINUITY\n", "")(texts[2])])


def test_long_gops_are_an_exception_that_is_asked_for() -> None:
    text = swap(",INDEPENDENT=YES", "")(open_snapshot())
    assert rules([text]) == {24}
    assert rules([text], long_gop=True) == set()


def test_declared_independence_is_held_against_each_segment() -> None:
    checker = MediaPlaylistChecker(long_gop=True)
    checker.declares_independent_segments = True
    checker.feed(swap('s/6.0.m4s",INDEPENDENT=YES', 's/6.0.m4s"')(open_snapshot()), 0.0)
    assert [violation.rule for violation in checker.violations] == [24]


def test_a_blocking_reload_is_not_answered_unchanged_at_once() -> None:
    text = open_snapshot()
    for asked, held_s, expected in [
        ((7, 2), 0.01, [32]),
        ((7, 2), 1.0, []),
        ((7, 1), 0.01, []),
        ((7, None), 0.01, [32]),
        ((6, None), 0.01, []),
        ((6, 9), 0.01, []),  # past the end of 6 is part 0 of 7
    ]:
        checker = MediaPlaylistChecker()
        checker.feed(text, 0.0)
        found = checker.feed(text, 0.1, asked=asked, held_s=held_s)
        assert [violation.rule for violation in found] == expected, asked


def test_late_parts_and_segments_are_found_when_time_is_judged() -> None:
    texts = with_next(more)
    for late_s, expected in [(0.5, set()), (2.0, {21})]:
        checker = MediaPlaylistChecker(late_by_s_max=0.1)
        checker.feed(texts[0], 0.0)
        checker.feed(texts[1], late_s)
        assert {violation.rule for violation in checker.violations} == expected
    checker = MediaPlaylistChecker(late_by_s_max=0.1)
    texts = with_next(fill)
    checker.feed(texts[0], 0.0)
    checker.feed(texts[1], 3.2)
    assert 10 in {violation.rule for violation in checker.violations}


def test_a_breach_is_told_once_however_often_it_is_seen() -> None:
    text = swap("VERSION:6", "VERSION:9")(open_snapshot())
    checker = MediaPlaylistChecker()
    for _ in range(5):
        checker.feed(text, 0.0)
    assert len(checker.violations) == 1


def test_the_reader_keeps_what_is_printed() -> None:
    playlist, violations = read_media_playlist(open_snapshot())
    assert violations == []
    assert playlist.position == (7, 2)
    assert [segment.msn for segment in playlist.segments] == [1, 2, 3, 4, 5, 6, 7]
    assert playlist.open is not None
    assert [str(part.duration) for part in playlist.open.parts] == ["0.50000", "0.50000"]
    assert playlist.part_hints == ("s/7.2.m4s",)
    assert str(playlist.duration) == "12.00000"

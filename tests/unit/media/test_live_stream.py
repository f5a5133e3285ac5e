"""What players may fetch: windows, waiting, what is found and what is not."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.errors import Invalid, NotFound, Unavailable
from mediaserver.media.frames import Unsupported, VideoConfig
from mediaserver.media.live_stream import LiveStream, PlaylistRequest, Rendered
from mediaserver.media.parts import PRESETS, Epoch, Part, Timing
from tests.unit.media.streams import AUDIO, VIDEO, WALL_MS

T = TypeVar("T")


class Stream:
    """A live stream that is fed segments of four half-second parts."""

    def __init__(self, preset: str = "low", window_s: int = 40, target_s: int = 6) -> None:
        self.clock = FakeClock()
        self.live = LiveStream("session", PRESETS[preset], window_s, self.clock)
        self._timing = Timing(517, target_s)

        self._epoch = -1
        self._msn = 1
        self._index = 0
        self._start = 0

    def epoch(self, video: VideoConfig | None = VIDEO) -> None:
        self._epoch += 1
        epoch = Epoch(self._epoch, video, AUDIO, 90_000, self._timing, 30.0, ())
        self.live.begin_epoch(epoch, b"init%d" % self._epoch, (1280, 720))

    def part(self, *, independent: bool | None = None, data: bytes | None = None) -> None:
        self.live.append(
            Part(
                epoch=self._epoch,
                msn=self._msn,
                index=self._index,
                start=self._start,
                duration=45_000,
                wall_ms=WALL_MS + self._start // 90,
                independent=self._index == 0 if independent is None else independent,
                video=(),
                audio=(),
            ),
            data or b"<%d.%d>" % (self._msn, self._index),
        )
        self._start += 45_000
        self._index += 1

    def end_segment(self) -> None:
        self.live.end_segment()
        self._msn += 1
        self._index = 0

    def segment(self, count: int = 1) -> None:
        for _ in range(count):
            for _ in range(4):
                self.part()
            self.end_segment()
        self.live.publish()

    def open_parts(self, count: int) -> None:
        for _ in range(count):
            self.part()
        self.live.publish()


def live(segments: int = 3, parts: int = 2, **options: Any) -> Stream:
    stream = Stream(**options)
    stream.epoch()
    stream.segment(segments)
    stream.open_parts(parts)
    return stream


async def text(stream: Stream, **request: Any) -> str:
    return (await stream.live.playlist(PlaylistRequest(**request))).plain.decode()


def tag(playlist: str, name: str) -> int:
    found = re.search(rf"^#EXT-X-{name}:(\d+)$", playlist, re.MULTILINE)
    assert found is not None
    return int(found[1])


async def start(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Run it until it waits."""
    task = asyncio.create_task(coroutine)
    await settle()
    return task


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def ask(stream: Stream, msn: int | None = None, part: int | None = None) -> Coroutine[Any, Any, Rendered]:  # noqa: E501  # fmt: skip
    return stream.live.playlist(PlaylistRequest(msn=msn, part=part))


@pytest.fixture
def short_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PLAYLIST_HOLD_S", 0.001)
    monkeypatch.setattr(limits, "PART_HOLD_S", 0.001)


# Before anything is there -------------------------------------------------------------------------


async def test_nothing_before_the_first_part() -> None:
    stream = Stream()
    assert not stream.live.playable
    with pytest.raises(NotFound):
        stream.live.multivariant()
    for request in (PlaylistRequest(), PlaylistRequest(msn=1), PlaylistRequest(msn=1, part=0)):
        with pytest.raises(NotFound):
            await stream.live.playlist(request)
    stream.epoch()
    with pytest.raises(NotFound):
        await stream.live.playlist(PlaylistRequest())
    stream.part()
    stream.live.publish()
    assert stream.live.playable
    assert "1.0.m4s" in await text(stream)


async def test_a_blocked_request_for_the_first_part_is_held_until_it_comes() -> None:
    stream = Stream()
    stream.epoch()
    waiting = await start(ask(stream, 1, 0))
    assert not waiting.done()
    stream.open_parts(1)
    assert b"1.0.m4s" in (await waiting).plain


async def test_normal_begins_with_a_whole_segment() -> None:
    stream = Stream("normal")
    stream.epoch()
    stream.open_parts(3)
    assert not stream.live.playable
    stream.part()
    stream.end_segment()
    stream.live.publish()
    assert stream.live.playable
    assert await text(stream) == (
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:6\n"
        "#EXT-X-SERVER-CONTROL:HOLD-BACK=18.000\n#EXT-X-MEDIA-SEQUENCE:1\n"
        '#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-MAP:URI="init-0.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z\n#EXTINF:2.000000,\n1.m4s\n"
    )
    # Directives mean nothing there, and parts are no resources.
    assert await text(stream, msn=99) == await text(stream)
    with pytest.raises(NotFound):
        await stream.live.media("1.0.m4s")
    assert await stream.live.media("1.m4s") == [b"<1.0>", b"<1.1>", b"<1.2>", b"<1.3>"]


async def test_multivariant() -> None:
    stream = live()
    assert stream.live.multivariant().decode() == (
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=80,AVERAGE-BANDWIDTH=80,"
        'CODECS="avc1.64001F,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000\n'
        "session/media.m3u8\n"
    )
    stream.end_segment()
    stream.part(independent=False, data=bytes(1000))
    multivariant = stream.live.multivariant().decode()
    assert "INDEPENDENT-SEGMENTS" not in multivariant
    assert "BANDWIDTH=16000,AVERAGE-BANDWIDTH=3264," in multivariant


# The window ---------------------------------------------------------------------------------------


async def test_the_window_is_trimmed_from_the_front() -> None:
    stream = live(segments=20, parts=0)
    assert tag(await text(stream), "MEDIA-SEQUENCE") == 1
    stream.segment()
    assert tag(await text(stream), "MEDIA-SEQUENCE") == 2
    stream.segment(10)
    playlist = await text(stream)
    assert tag(playlist, "MEDIA-SEQUENCE") == 12
    assert playlist.count("#EXTINF") == 20


async def test_the_window_is_never_below_three_target_durations() -> None:
    stream = live(segments=30, parts=0, window_s=30, target_s=10)
    # Rule 8, with a second to spare: 31 s are 16 segments of 2 s.
    assert (await text(stream)).count("#EXTINF") == 16


async def test_discontinuity_sequence_counts_the_tags_that_left() -> None:
    stream = live(segments=2, parts=0)
    stream.epoch()
    stream.segment(10)
    stream.epoch()
    stream.segment(10)
    playlist = await text(stream)
    assert playlist.count("#EXT-X-DISCONTINUITY\n") == 2
    assert tag(playlist, "MEDIA-SEQUENCE") == 3
    # Segment 3 is the first of its epoch: its tag is still there.
    assert tag(playlist, "DISCONTINUITY-SEQUENCE") == 0
    assert playlist.index("#EXT-X-DISCONTINUITY\n") < playlist.index("\n3.m4s\n")
    stream.segment()
    playlist = await text(stream)
    assert tag(playlist, "DISCONTINUITY-SEQUENCE") == 1
    assert playlist.count("#EXT-X-DISCONTINUITY\n") == 1


async def test_what_left_the_window_can_be_fetched_for_as_long_as_a_playlist_named_it() -> None:
    """Rule 9: the longest playlist (42 s, all segments before the cut) and the segment itself."""
    stream = live(segments=21, parts=0)
    assert tag(await text(stream), "MEDIA-SEQUENCE") == 2
    for _ in range(22):
        assert await stream.live.media("1.m4s") == [b"<1.0>", b"<1.1>", b"<1.2>", b"<1.3>"]
        assert await stream.live.media("1.3.m4s") == [b"<1.3>"]
        assert await stream.live.media("init-0.mp4") == [b"init0"]
        stream.segment()
    stream.segment(2)
    for name in ("1.m4s", "1.3.m4s"):
        with pytest.raises(NotFound):
            await stream.live.media(name)


async def test_init_segments_go_with_their_last_segment() -> None:
    stream = live(segments=1, parts=0)
    stream.epoch()
    stream.segment(1)
    stream.epoch()
    stream.segment(41)
    assert await stream.live.media("init-0.mp4") == [b"init0"]
    stream.segment(3)
    with pytest.raises(NotFound):
        await stream.live.media("init-0.mp4")
    assert await stream.live.media("init-2.mp4") == [b"init2"]


async def test_bytes_are_counted_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = live(segments=2, parts=1)
    assert stream.live.byte_count == 9 * len(b"<1.0>")
    monkeypatch.setattr(limits, "BROADCAST_BYTES_MAX", 300)
    stream.part()
    stream.end_segment()
    stream.segment(60)
    # Over the limit the oldest go first, down to the least window: 19 s.
    assert (await text(stream)).count("#EXTINF") == 10
    assert stream.live.byte_count <= 300
    with pytest.raises(NotFound):
        await stream.live.media("40.m4s")


def test_a_segment_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEGMENT_BYTES_MAX", 2 * limits.MIB)
    stream = Stream()
    stream.epoch()
    stream.part(data=bytes(2 * limits.MIB))
    with pytest.raises(Unsupported) as caught:
        stream.part(data=b"x")
    assert str(caught.value) == (
        "A segment exceeds 2 MiB. Lower the bitrate or set the keyframe interval to 2 s."
    )


# Directives ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((None, None, None), PlaylistRequest()),
        (("7", None, None), PlaylistRequest(7)),
        (("7", "0", None), PlaylistRequest(7, 0)),
        (("0", "9999999999", "YES"), PlaylistRequest(0, 9999999999, True)),
        ((None, None, "v2"), PlaylistRequest(skip=True)),
        ((None, None, "yes"), PlaylistRequest()),
        ((None, None, ""), PlaylistRequest()),
    ],
)
def test_directives(values: tuple[str | None, ...], expected: PlaylistRequest) -> None:
    assert PlaylistRequest.parse(*values) == expected


@pytest.mark.parametrize("wrong", ["", "-1", "+1", "1.0", " 1", "0x1", "x", "12345678901", "²"])
def test_directives_that_are_no_numbers(wrong: str) -> None:
    with pytest.raises(Invalid) as caught:
        PlaylistRequest.parse(wrong, None, None)
    assert caught.value.field == "_HLS_msn"
    with pytest.raises(Invalid) as caught:
        PlaylistRequest.parse("1", wrong, None)
    assert caught.value.field == "_HLS_part"


def test_a_part_without_a_segment_is_invalid() -> None:
    with pytest.raises(Invalid) as caught:
        PlaylistRequest.parse(None, "1", None)
    assert caught.value.field == "_HLS_part"


# Blocking reload: segments 1 to 3 are whole, of 4 there are parts 0 and 1 -------------------------


@pytest.mark.parametrize(
    ("msn", "part"),
    [(0, None), (1, None), (1, 99), (2, 0), (3, None), (3, 3), (3, 4), (3, 99), (4, 0), (4, 1)],
)
async def test_what_is_there_is_answered_at_once(msn: int, part: int | None) -> None:
    stream = live()
    expected = await text(stream)
    assert expected.endswith('#EXT-X-PRELOAD-HINT:TYPE=PART,URI="4.2.m4s"\n')
    waiting = await start(ask(stream, msn, part))
    assert waiting.done()
    assert (await waiting).plain.decode() == expected


async def test_old_segments_are_answered_even_when_they_left() -> None:
    stream = live(segments=60)
    assert (await start(ask(stream, 1, 0))).done()


async def test_the_next_part_is_held_until_it_is_published() -> None:
    stream = live()
    waiting = await start(ask(stream, 4, 2))
    assert not waiting.done()
    assert stream.live.waiters == 1
    stream.part()
    await settle()
    assert not waiting.done(), "appended is not published"
    stream.live.publish()
    assert b'URI="4.2.m4s"\n' in (await waiting).plain
    assert stream.live.waiters == 0


async def test_a_part_further_ahead_stays_held_through_a_publish() -> None:
    stream = live()
    waiting = await start(ask(stream, 4, 3))
    stream.open_parts(1)
    await settle()
    assert not waiting.done()
    stream.open_parts(1)
    await settle()
    assert waiting.done()


async def test_a_segment_alone_is_held_until_it_is_whole() -> None:
    stream = live()
    waiting = await start(ask(stream, 4))
    stream.open_parts(2)
    await settle()
    assert not waiting.done()
    stream.end_segment()
    stream.live.publish()
    assert b"\n4.m4s\n" in (await waiting).plain


async def test_a_part_past_the_end_is_the_first_of_the_next_segment() -> None:
    """Rule 33: the segment turned out shorter than the player thought."""
    stream = live()
    waiting = await start(ask(stream, 4, 3))
    stream.part()
    stream.end_segment()
    stream.live.publish()
    await settle()
    assert not waiting.done()
    late = await start(ask(stream, 4, 5))
    stream.open_parts(1)
    await settle()
    assert waiting.done()
    assert late.done()
    assert b'URI="5.0.m4s"' in (await waiting).plain
    assert (await waiting) is (await late)


async def test_the_segment_after_the_open_one_is_held() -> None:
    stream = live()
    waiting = await start(ask(stream, 5, 0))
    stream.open_parts(2)
    stream.end_segment()
    stream.live.publish()
    await settle()
    assert not waiting.done()
    stream.open_parts(1)
    await settle()
    assert waiting.done()


@pytest.mark.parametrize(("msn", "part"), [(6, None), (6, 0), (99, None), (4, 8), (4, 99)])
async def test_too_far_ahead_is_invalid(msn: int, part: int | None) -> None:
    """Rule 35: two segments past the last whole one; 3 s worth of parts past the last."""
    with pytest.raises(Invalid) as caught:
        await ask(live(), msn, part)
    assert caught.value.field == "_HLS_msn"


async def test_within_the_advance_limit_is_held() -> None:
    stream = live()
    waiting = [await start(ask(stream, *one)) for one in ((4, 7), (5, None), (5, 99))]
    assert not any(one.done() for one in waiting)
    stream.live.end()
    await asyncio.gather(*waiting)


@pytest.mark.usefixtures("short_holds")
async def test_a_hold_that_is_over_gets_the_unchanged_playlist() -> None:
    stream = live()
    before = await ask(stream)
    assert await ask(stream, 4, 2) is before
    assert stream.live.waiters == 0


async def test_all_waiters_get_the_same_bytes() -> None:
    stream = live()
    waiting = [await start(ask(stream, 4, 2)) for _ in range(50)]
    assert stream.live.waiters == 50
    stream.open_parts(1)
    answers = await asyncio.gather(*waiting)
    assert all(one is answers[0] for one in answers)
    assert (await ask(stream)) is answers[0]
    assert gzip.decompress(answers[0].gzipped) == answers[0].plain
    stream.open_parts(1)
    assert (await ask(stream)) is not answers[0]


async def test_the_end_wakes_everybody() -> None:
    stream = live()
    waiting = [await start(ask(stream, 4, 2)), await start(ask(stream, 5))]
    part = await start(stream.live.media("4.2.m4s"))
    stream.live.end()
    for one in waiting:
        assert (await one).plain.endswith(b"4.m4s\n#EXT-X-ENDLIST\n")
    with pytest.raises(NotFound):
        await part
    # Directives are ignored from now on.
    assert (await ask(stream, 99, 99)) is (await ask(stream))


async def test_a_waiter_that_goes_away_is_not_counted() -> None:
    stream = live()
    gone, stays = await start(ask(stream, 4, 2)), await start(ask(stream, 4, 2))
    gone.cancel()
    await settle()
    assert stream.live.waiters == 1
    stream.open_parts(1)
    assert b'URI="4.2.m4s"\n' in (await stays).plain


async def test_waiters_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WAITERS_PER_BROADCAST_MAX", 2)
    stream = live()
    waiting = [await start(ask(stream, 4, 2)) for _ in range(2)]
    with pytest.raises(Unavailable):
        await ask(stream, 4, 2)
    await ask(stream)
    stream.open_parts(1)
    await asyncio.gather(*waiting)


# Media --------------------------------------------------------------------------------------------


async def test_media() -> None:
    stream = live()
    assert await stream.live.media("init-0.mp4") == [b"init0"]
    assert await stream.live.media("3.m4s") == [b"<3.0>", b"<3.1>", b"<3.2>", b"<3.3>"]
    assert await stream.live.media("4.1.m4s") == [b"<4.1>"]
    (one,), (other,) = await stream.live.media("4.1.m4s"), await stream.live.media("4.1.m4s")
    assert one is other


@pytest.mark.parametrize(
    "name",
    [
        "4.m4s", "4.3.m4s", "5.0.m4s", "3.4.m4s", "0.m4s", "99.m4s", "99.0.m4s", "init-1.mp4",
        "init-.mp4", "init-0.0.mp4", "init-0.m4s", "0.mp4", "", "m4s", ".m4s", "..m4s", "1..m4s",
        "1.0.0.m4s", "-1.m4s", "1.m4s.m4s", "12345678901.m4s", "².m4s", "media.m3u8", "1.ts",
    ],
)  # fmt: skip
async def test_what_is_not_there_is_not_found_at_once(name: str) -> None:
    waiting = await start(live().live.media(name))
    assert waiting.done()
    with pytest.raises(NotFound):
        await waiting


async def test_the_hinted_part_is_held() -> None:
    stream = live()
    waiting = await start(stream.live.media("4.2.m4s"))
    assert not waiting.done()
    stream.open_parts(1)
    assert await waiting == [b"<4.2>"]


async def test_the_hinted_part_may_be_the_first_of_a_segment() -> None:
    stream = live(parts=0)
    assert (await text(stream)).endswith('URI="4.0.m4s"\n')
    waiting = await start(stream.live.media("4.0.m4s"))
    stream.open_parts(1)
    assert await waiting == [b"<4.0>"]


@pytest.mark.usefixtures("short_holds")
async def test_a_hinted_part_that_does_not_come_is_not_found() -> None:
    with pytest.raises(NotFound):
        await live().live.media("4.2.m4s")


async def test_the_newest_picture() -> None:
    stream = live()
    assert stream.live.newest_independent() == (b"init0", b"<4.0>")
    assert live(parts=0).live.newest_independent() == (b"init0", b"<3.0>")
    assert Stream().live.newest_independent() is None


async def test_delta_updates_are_offered_in_long_windows() -> None:
    stream = live(segments=40, window_s=120)
    playlist = await text(stream)
    assert "CAN-SKIP-UNTIL=36.000," in playlist
    delta = await text(stream, skip=True)
    # 22 whole segments and 1 s make the 36 s and the rest of a segment.
    assert "#EXT-X-SKIP:SKIPPED-SEGMENTS=22\n" in delta
    assert "CAN-SKIP-UNTIL" not in await text(live())
    assert "EXT-X-SKIP" not in await text(live(), skip=True)


# Viewers ------------------------------------------------------------------------------------------


def test_viewers_that_ask_no_more_have_left() -> None:
    stream = Stream()
    stream.live.seen("a")
    stream.clock.advance(10_000)
    stream.live.seen("b")
    stream.live.seen("b")
    assert stream.live.viewers == 2
    stream.clock.advance(5_000)
    assert stream.live.viewers == 2
    stream.clock.advance(1)
    assert stream.live.viewers == 1
    stream.live.seen("a")
    assert stream.live.viewers == 2
    stream.clock.advance(10_000)
    assert stream.live.viewers == 1
    stream.clock.advance(5_001)
    assert stream.live.viewers == 0


def test_viewers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "VIEWERS_TRACKED_MAX", 3)
    stream = Stream()
    for number in range(5):
        stream.live.seen(str(number))
    stream.live.seen("0")
    assert stream.live.viewers == 3

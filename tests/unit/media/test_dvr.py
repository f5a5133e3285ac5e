"""The window on disk: what is kept, what goes first, and what a failing disk may cost."""

from __future__ import annotations

import asyncio
import errno
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MediaConfig
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.metrics import Metrics
from mediaserver.kernel.tasks import Tasks
from mediaserver.media.dvr import Dvr, FinishedSegment, Folder, Recording
from mediaserver.media.parts import Timing
from mediaserver.media.playlist import ListedSegment
from tests.hls.checker import MediaPlaylistChecker
from tests.unit.media.streams import WALL_MS

TIMING = Timing(517, 6)
SEGMENT_S = 2
SIZE = 1000


class FakeStorage:
    """A disk that runs full and fails when a test wants it to."""

    def __init__(self, free_bytes: int = 10**12) -> None:
        self.free = free_bytes
        self.files: dict[tuple[str, str], bytes] = {}
        self.failure: OSError | None = None
        self.emptied = 0
        self.may_write = asyncio.Event()
        self.may_write.set()

    def empty(self) -> None:
        self.emptied += 1
        self.files.clear()

    def free_bytes(self) -> int:
        return self.free

    def write(self, session: str, name: str, pieces: Sequence[bytes]) -> None:
        data = b"".join(pieces)
        if self.failure is not None:
            raise self.failure
        self.files[session, name] = data
        self.free -= len(data)

    def remove(self, session: str, names: Sequence[str]) -> None:
        for name in names:
            self.free += len(self.files.pop((session, name)))

    def remove_session(self, session: str) -> None:
        self.remove(session, [name for one, name in list(self.files) if one == session])

    def path(self, session: str, name: str) -> Path:
        return Path(session) / name

    def names(self, session: str = "one") -> list[str]:
        return [name for one, name in self.files if one == session]


class Bench:
    """A Dvr with its worker, a fake disk and a clock."""

    def __init__(self, storage: FakeStorage, clock: FakeClock, dvr: Dvr, metrics: Metrics) -> None:
        self.storage, self.clock, self.dvr, self.metrics = storage, clock, dvr, metrics
        self._next: dict[Recording, int] = {}

    def open(self, session: str = "one") -> Recording:
        recording = self.dvr.open("film", session)
        assert recording is not None
        recording.begin_epoch(0, b"init0", TIMING)
        return recording

    async def add(
        self, recording: Recording, count: int = 1, *, epoch: int = 0, size: int = SIZE
    ) -> None:
        """Finished segments, each written before the next one comes."""
        for _ in range(count):
            msn = self._next.get(recording, 1)
            self._next[recording] = msn + 1
            self.clock.advance(SEGMENT_S * 1000)
            recording.add(segment(msn, epoch, discontinuity=False, size=size))
            await self.settle()

    async def settle(self) -> None:
        await self.dvr.settled()


def segment(msn: int, epoch: int = 0, *, discontinuity: bool, size: int = SIZE) -> FinishedSegment:
    return FinishedSegment(
        msn,
        epoch,
        ListedSegment(
            uri=f"{msn}.m4s",
            init_uri=f"init-{epoch}.mp4",
            discontinuity=discontinuity,
            wall_ms=WALL_MS + msn * SEGMENT_S * 1000,
            duration_us=SEGMENT_S * 1_000_000,
            parts=(),
        ),
        [b"x" * (size // 2), b"y" * (size - size // 2)],
    )


@asynccontextmanager
async def bench(*, free_bytes: int = 10**12, **media: Any) -> AsyncIterator[Bench]:
    storage, clock, metrics = FakeStorage(free_bytes), FakeClock(), Metrics()
    config = MediaConfig(**{"dvr_minutes": 1, **media})
    dvr = Dvr(config, storage, clock, metrics)
    tasks = Tasks("test")
    tasks.start(dvr.run(), "dvr")
    try:
        yield Bench(storage, clock, dvr, metrics)
    finally:
        await tasks.aclose()


def text(recording: Recording, *, skip: bool = False) -> str:
    return recording.playlist(skip=skip).plain.decode()


def listed(recording: Recording) -> list[int]:
    return [int(msn) for msn in re.findall(r"^(\d+)\.m4s$", text(recording), re.MULTILINE)]


# The window ---------------------------------------------------------------------------------------


async def test_the_window_slides_and_breaks_no_rule() -> None:
    checker = MediaPlaylistChecker(low_latency=False)
    async with bench() as site:
        recording = site.open()
        with pytest.raises(NotFound):
            recording.playlist()
        assert recording.window_s == 0
        for number in range(60):
            await site.add(recording)
            checker.feed(text(recording), number * SEGMENT_S)
        assert not checker.violations
        assert listed(recording) == list(range(31, 61)), "a minute of two-second segments"
        assert recording.window_s == 60
        first = text(recording).splitlines()[:8]
        assert first == [
            "#EXTM3U",
            "#EXT-X-VERSION:6",
            "#EXT-X-TARGETDURATION:6",
            "#EXT-X-SERVER-CONTROL:HOLD-BACK=18.000",
            "#EXT-X-MEDIA-SEQUENCE:31",
            "#EXT-X-DISCONTINUITY-SEQUENCE:0",
            '#EXT-X-MAP:URI="init-0.mp4"',
            "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:14:22.000Z",
        ]


async def test_what_left_the_window_goes_a_minute_later() -> None:
    async with bench() as site:
        recording = site.open()
        await site.add(recording, 31)
        assert listed(recording)[0] == 2
        assert recording.segment(1) == Path("one/1.m4s"), "somebody may be about to fetch it"
        await site.add(recording, 29)
        assert recording.segment(1)
        await site.add(recording, 1)
        assert "1.m4s" not in site.storage.names()
        for msn in (0, 1, 62, 10**9):
            with pytest.raises(NotFound):
                recording.segment(msn)
        assert len(site.storage.names()) == 60
        assert recording.byte_count == 60 * SIZE


async def test_the_same_bytes() -> None:
    async with bench() as site:
        recording = site.open()
        await site.add(recording, size=5)
        assert site.storage.files["one", "1.m4s"] == b"xxyyy"


async def test_epochs() -> None:
    async with bench() as site:
        recording = site.open()
        checker = MediaPlaylistChecker(low_latency=False)
        await site.add(recording, 5)
        recording.begin_epoch(1, b"init1", TIMING)
        for msn in range(6, 100):
            site.clock.advance(SEGMENT_S * 1000)
            recording.add(segment(msn, 1, discontinuity=msn == 6))
            await site.settle()
            checker.feed(text(recording), msn * SEGMENT_S)
            if msn == 20:
                assert text(recording).count('\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="init-1') == 1
                assert (recording.init(0), recording.init(1)) == (b"init0", b"init1")
        assert not checker.violations
        assert "#EXT-X-DISCONTINUITY-SEQUENCE:1\n" in text(recording)
        with pytest.raises(NotFound):
            recording.init(0)


async def test_a_long_window_has_delta_updates() -> None:
    async with bench(dvr_minutes=3) as site:
        recording = site.open()
        await site.add(recording, 80)
        assert "CAN-SKIP-UNTIL=36.000" in text(recording)
        delta = text(recording, skip=True)
        assert "#EXT-X-SKIP:SKIPPED-SEGMENTS=62\n" in delta
        assert text(recording).endswith(delta.partition("SEGMENTS=62\n")[2])
    async with bench(dvr_minutes=1) as site:
        recording = site.open()
        await site.add(recording, 20)
        assert "CAN-SKIP-UNTIL" not in text(recording)
        assert text(recording, skip=True) == text(recording)


async def test_one_rendering_for_all_until_a_segment_comes() -> None:
    async with bench() as site:
        recording = site.open()
        await site.add(recording)
        first = recording.playlist()
        assert recording.playlist() is first
        await site.add(recording)
        assert recording.playlist() is not first


async def test_the_end() -> None:
    async with bench() as site:
        recording = site.open()
        await site.add(recording, 3)
        recording.add(segment(4, discontinuity=False))
        recording.end()
        assert "#EXT-X-ENDLIST" not in text(recording), "one is still being written"
        await site.settle()
        assert text(recording).endswith("4.m4s\n#EXT-X-ENDLIST\n")
        recording.close()
        await site.settle()
        assert site.storage.names() == []
        with pytest.raises(NotFound):
            recording.playlist()
        with pytest.raises(NotFound):
            recording.segment(2)
        recording.close()


async def test_switched_off() -> None:
    async with bench(dvr_minutes=0) as site:
        assert site.dvr.open("film", "one") is None


# Room ---------------------------------------------------------------------------------------------


async def test_the_budget_shortens_the_window() -> None:
    async with bench(dvr_bytes_max=2**20) as site:
        recording = site.open()
        await site.add(recording, 30, size=2**20 // 12)
        assert listed(recording) == list(range(19, 31))
        assert recording.byte_count <= 2**20
        assert recording.warning is None


async def test_the_largest_recording_makes_room_for_another() -> None:
    async with bench(dvr_bytes_max=2**20) as site:
        one, other = site.open(), site.open("other")
        size = 2**20 // 24
        await site.add(one, 24, size=size)
        await site.add(other, 10, size=size)
        assert len(listed(one)) == 14
        assert len(listed(other)) == 10
        assert one.byte_count + other.byte_count <= 2**20


async def test_a_short_disk_shortens_the_window_too() -> None:
    """What the site needs to stay ready is never touched."""
    free = limits.STORAGE_FREE_BYTES_MIN + 12 * SIZE
    async with bench(free_bytes=free) as site:
        recording = site.open()
        for _ in range(30):
            await site.add(recording)
            assert site.storage.free >= limits.STORAGE_FREE_BYTES_MIN
        assert len(listed(recording)) == 12
        assert recording.warning is None


async def test_a_full_disk_stops_it_once() -> None:
    free = limits.STORAGE_FREE_BYTES_MIN + 5 * SIZE
    with capture_logs() as logs:
        async with bench(free_bytes=free) as site:
            recording = site.open()
            await site.add(recording, 12)
            assert recording.warning == (
                "Viewers can't rewind this stream any more: the disk is full."
            )
            assert site.storage.files == {}, "what it had is of no use any more"
            assert site.metrics.dvr_stopped._value.get() == 1
            with pytest.raises(NotFound):
                recording.playlist()
            with pytest.raises(NotFound):
                recording.init(0)
            assert recording.window_s == 0
    assert logs == [
        {
            "event": "viewers can't rewind any more",
            "log_level": "warning",
            "channel": "film",
            "reason": "the disk is full",
        }
    ]


async def test_somebody_else_fills_the_disk() -> None:
    """The window shrinks to three target durations, then there is no point in it."""
    async with bench() as site:
        recording = site.open()
        await site.add(recording, 30)
        site.storage.free = limits.STORAGE_FREE_BYTES_MIN - 10 * SIZE
        await site.add(recording)
        assert len(listed(recording)) == 20
        site.storage.free -= 12 * SIZE
        await site.add(recording)
        assert recording.warning is not None


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.ENOENT, errno.EROFS])
async def test_a_write_error_stops_it(code: int) -> None:
    async with bench() as site:
        recording = site.open()
        await site.add(recording, 3)
        site.storage.failure = OSError(code, "Input/output error")
        await site.add(recording, 2)
        assert recording.warning == (
            "Viewers can't rewind this stream any more: "
            "the disk can't be written to (Input/output error)."
        )
        assert site.storage.files == {}
        other = site.open("other")
        site.storage.failure = None
        await site.add(other)
        assert listed(other) == [1], "the next stream tries again"


async def test_a_slow_disk_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DVR_WAITING_BYTES_MAX", 3 * SIZE)
    async with bench() as site:
        recording = site.open()
        for msn in range(1, 5):  # the worker gets no turn between them
            recording.add(segment(msn, discontinuity=False))
        assert recording.warning == (
            "Viewers can't rewind this stream any more: the disk is too slow."
        )
        await site.settle()
        assert site.storage.files == {}


# The folder ---------------------------------------------------------------------------------------


async def test_the_folder_is_emptied_at_start_and_end(tmp_path: Path) -> None:
    folder = tmp_path / "dvr"
    (folder / "left-over").mkdir(parents=True)
    (folder / "left-over" / "1.m4s").write_bytes(b"old")
    dvr = Dvr(MediaConfig(), Folder(folder), FakeClock(), Metrics())
    tasks = Tasks("test")
    tasks.start(dvr.run(), "dvr")
    recording = dvr.open("film", "session")
    assert recording is not None
    recording.begin_epoch(0, b"init0", TIMING)
    recording.add(segment(1, discontinuity=False, size=4))
    await dvr.settled()
    assert [path.name for path in folder.iterdir()] == ["session"]
    assert recording.segment(1).read_bytes() == b"xxyy"
    recording.close()
    await dvr.settled()
    assert list(folder.iterdir()) == []
    await tasks.aclose()
    await dvr.aclose()
    assert not folder.exists()


async def test_a_folder_that_cannot_be_emptied_is_said(tmp_path: Path) -> None:
    file = tmp_path / "dvr"
    file.write_bytes(b"a file where the folder should be")
    dvr = Dvr(MediaConfig(), Folder(file), FakeClock(), Metrics())
    with capture_logs() as logs:
        await dvr.aclose()
    assert [line["event"] for line in logs] == ["old recordings stay on disk"]


def test_folder_writes_and_removes(tmp_path: Path) -> None:
    storage = Folder(tmp_path / "dvr")
    storage.empty()
    storage.write("one", "1.m4s", [b"a", b"b"])
    storage.write("one", "2.m4s", [b"c"])
    assert storage.path("one", "1.m4s").read_bytes() == b"ab"
    storage.remove("one", ["1.m4s", "gone.m4s"])
    assert [path.name for path in (tmp_path / "dvr" / "one").iterdir()] == ["2.m4s"]
    storage.remove_session("one")
    storage.remove_session("one")
    assert storage.free_bytes() > 0

"""The window on disk in which viewers rewind a live stream.

A `Recording` keeps the finished segments of one stream: the very bytes that the live window had,
one file each, written by a single worker off the event loop. `Dvr` holds the recordings of this
process and their common budget. When the disk gives out, recording stops for that stream, with one
line in the log and a sentence for the streamer; the live stream never waits and never fails for it.
Nothing here outlives the process: the folder is emptied at start and end.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MediaConfig
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.metrics import Metrics
from mediaserver.media.parts import Timing
from mediaserver.media.playlist import ListedSegment, Rendered, Window, media_playlist

DVR_PLAYLIST = "dvr.m3u8"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FinishedSegment:
    """A whole segment as it leaves the packager. `pieces` are its parts, shared with the window."""

    msn: int
    epoch: int
    listed: ListedSegment
    pieces: Sequence[bytes]

    @property
    def byte_count(self) -> int:
        return sum(len(piece) for piece in self.pieces)


class Storage(Protocol):
    """The files, one folder for each session. Every call may block and raise `OSError`."""

    def empty(self) -> None: ...

    def free_bytes(self) -> int: ...

    def write(self, session: str, name: str, pieces: Sequence[bytes]) -> None: ...

    def remove(self, session: str, names: Sequence[str]) -> None: ...

    def remove_session(self, session: str) -> None: ...

    def path(self, session: str, name: str) -> Path: ...


class Folder:
    """`Storage` in a folder of its own, which it makes when there is something to write."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def empty(self) -> None:
        if self._folder.exists():
            shutil.rmtree(self._folder)

    def free_bytes(self) -> int:
        return shutil.disk_usage(self._folder.parent).free

    def write(self, session: str, name: str, pieces: Sequence[bytes]) -> None:
        path = self.path(session, name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("wb") as file:
            file.writelines(pieces)

    def remove(self, session: str, names: Sequence[str]) -> None:
        for name in names:
            self.path(session, name).unlink(missing_ok=True)

    def remove_session(self, session: str) -> None:
        shutil.rmtree(self._folder / session, ignore_errors=True)

    def path(self, session: str, name: str) -> Path:
        return self._folder / session / name


@dataclass(frozen=True, slots=True)
class _Kept:
    """A segment on disk."""

    msn: int
    epoch: int
    listed: ListedSegment
    byte_count: int


class Recording:
    """One stream's window on disk. Fed by its `LiveStream`; made by `Dvr`."""

    def __init__(self, dvr: Dvr, channel: str, session: str, clock: Clock) -> None:
        self.channel = channel
        self.session = session
        self._dvr = dvr
        self._clock = clock

        self.warning: str | None = None
        self.byte_count = 0
        self._stopped = False
        self._ended = False
        self._waiting = 0
        self._timing: Timing | None = None
        self._inits: dict[int, bytes] = {}
        self._segments: deque[_Kept] = deque()
        self._retired: deque[tuple[int, _Kept]] = deque()
        self._kept_us = dvr.window_us
        self._window_us = 0
        self._discontinuity_sequence = 0
        self._rendered: dict[bool, Rendered] = {}

    # What the live stream does ------------------------------------------------------------------

    def begin_epoch(self, number: int, init: bytes, timing: Timing) -> None:
        self._timing = timing
        self._inits[number] = init

    def add(self, segment: FinishedSegment) -> None:
        """Take a finished segment. Returns at once: it is listed once it is written."""
        if self._stopped:
            return
        self._waiting += 1
        if not self._dvr.enqueue(self, segment):
            self.stop("the disk is too slow")

    def end(self) -> None:
        """The stream is over; its window stays until `close`."""
        self._ended = True
        self._rendered = {}

    def close(self) -> None:
        """Remove everything."""
        self._stopped = True
        self._drop()

    def stop(self, reason: str) -> None:
        """Give up: the live stream goes on without a past. Said once."""
        if self._stopped:
            return
        self._stopped = True
        _log.warning("viewers can't rewind any more", channel=self.channel, reason=reason)
        self.warning = f"Viewers can't rewind this stream any more: {reason}."
        self._dvr.count_stop()
        self._drop()

    def _drop(self) -> None:
        self._dvr.forget(self)
        self._segments.clear()
        self._retired.clear()
        self._inits = {}
        self._rendered = {}
        self.byte_count = 0

    # What the worker does -----------------------------------------------------------------------

    async def write(self, segment: FinishedSegment, storage: Storage) -> None:
        """Make room, write, list. Raises nothing: trouble stops the recording."""
        if self._stopped:
            return
        size = segment.byte_count
        name = segment.listed.uri
        assert name is not None
        try:
            free_bytes = await asyncio.to_thread(storage.free_bytes)
            removed = self._dvr.make_room(size, free_bytes)
            if removed is None:
                self.stop("the disk is full")
                return
            for session, names in removed.items():
                await asyncio.to_thread(storage.remove, session, names)
            await asyncio.to_thread(storage.write, self.session, name, segment.pieces)
        except OSError as error:
            self.stop(f"the disk can't be written to ({error.strerror or error})")
            return
        if not self._stopped:
            self._append(_Kept(segment.msn, segment.epoch, segment.listed, size))

    def _append(self, kept: _Kept) -> None:
        self._waiting -= 1
        self._segments.append(kept)
        self._window_us += kept.listed.duration_us
        self.byte_count += kept.byte_count
        while self._window_us - self._segments[0].listed.duration_us >= self._kept_us:
            self._retire()
        self._rendered = {}

    def _retire(self) -> None:
        kept = self._segments.popleft()
        self._window_us -= kept.listed.duration_us
        self._discontinuity_sequence += kept.listed.discontinuity
        self._retired.append((self._clock.monotonic_ms(), kept))

    # How room is made ---------------------------------------------------------------------------

    @property
    def has_expired(self) -> bool:
        """A segment left the window so long ago that nobody fetches it any more."""
        expired_ms = self._clock.monotonic_ms() - int(limits.DVR_RETIRED_S * 1000)
        return bool(self._retired) and self._retired[0][0] <= expired_ms

    @property
    def may_shrink(self) -> bool:
        """Rule 8 of docs/playlist-rules.md: never below three target durations."""
        if self._retired or not self._segments or self._timing is None:
            return bool(self._retired)
        left_us = self._window_us - self._segments[0].listed.duration_us
        return left_us >= 3 * self._timing.target_duration_s * 1_000_000

    def give_up_oldest(self) -> str:
        """Forget the oldest segment; the name of its file, which is to be removed."""
        if not self._retired:
            self._retire()
            self._rendered = {}
        _, kept = self._retired.popleft()
        self.byte_count -= kept.byte_count
        oldest = self._retired[0][1] if self._retired else self._segments[0]
        for epoch in [number for number in self._inits if number < oldest.epoch]:
            del self._inits[epoch]
        assert kept.listed.uri is not None
        return kept.listed.uri

    # What players ask ---------------------------------------------------------------------------

    @property
    def window_s(self) -> int:
        """How far back players may go at most; 0 while there is nothing to play."""
        return self._kept_us // 1_000_000 if self._segments else 0

    def playlist(self, *, skip: bool = False) -> Rendered:
        """The media playlist of the whole window. Raises `NotFound` while there is none."""
        if not self._segments or self._timing is None:
            raise NotFound("This stream can't be rewound")
        rendered = self._rendered.get(skip)
        if rendered is None:
            boundary_us = 6 * self._timing.target_duration_s * 1_000_000
            window = Window(
                timing=self._timing,
                lists_parts=False,
                skip_until_us=boundary_us if self._kept_us >= 2 * boundary_us else None,
                media_sequence=self._segments[0].msn,
                discontinuity_sequence=self._discontinuity_sequence,
                segments=[kept.listed for kept in self._segments],
                next_part_uri=None,
                ended=self._ended and not self._waiting,
            )
            rendered = Rendered.of(media_playlist(window, skip=skip))
            self._rendered[skip] = rendered
        return rendered

    def init(self, epoch: int) -> bytes:
        """Raises `NotFound`."""
        if (init := self._inits.get(epoch)) is None:
            raise NotFound("No such init segment")
        return init

    def segment(self, msn: int) -> Path:
        """The file of a segment in the window, or just out of it. Raises `NotFound`."""
        oldest = self._retired[0][1] if self._retired else next(iter(self._segments), None)
        if oldest is None or not oldest.msn <= msn <= self._segments[-1].msn:
            raise NotFound("This moment of the stream is no longer kept")
        return self._dvr.path(self.session, f"{msn}.m4s")


class Dvr:
    """The recordings of this process. `run` must be running for anything to be written."""

    def __init__(
        self, media: MediaConfig, storage: Storage, clock: Clock, metrics: Metrics
    ) -> None:
        self._media = media
        self._storage = storage
        self._clock = clock
        self._metrics = metrics

        self._recordings: set[Recording] = set()
        self._jobs: asyncio.Queue[tuple[Recording, FinishedSegment | None]] = asyncio.Queue()
        self._waiting_bytes = 0

    @property
    def window_us(self) -> int:
        """For recordings that begin now; 0 is none."""
        return self._media.dvr_minutes * 60_000_000

    def open(self, channel: str, session: str) -> Recording | None:
        """A recording of a stream that begins, or None where rewinding is switched off."""
        if not self.window_us:
            return None
        recording = Recording(self, channel, session, self._clock)
        self._recordings.add(recording)
        return recording

    async def run(self) -> None:
        """Write and remove files until cancelled."""
        await self._empty()
        while True:
            recording, segment = await self._jobs.get()
            if segment is None:
                await asyncio.to_thread(self._storage.remove_session, recording.session)
            else:
                await recording.write(segment, self._storage)
                self._waiting_bytes -= segment.byte_count
            self._metrics.dvr_bytes.set(self.byte_count)
            self._jobs.task_done()

    async def settled(self) -> None:
        """Wait until everything so far is written or removed."""
        await self._jobs.join()

    async def aclose(self) -> None:
        """Leave nothing behind."""
        await self._empty()

    async def _empty(self) -> None:
        try:
            await asyncio.to_thread(self._storage.empty)
        except OSError as error:
            _log.warning("old recordings stay on disk", reason=error.strerror or str(error))

    def make_room(self, size: int, free_bytes: int) -> dict[str, list[str]] | None:
        """Files to remove, by session, before `size` more bytes are written; None: no room.

        Where the budget or the disk is short, the largest recording gives up its oldest.
        """
        removed: defaultdict[str, list[str]] = defaultdict(list)
        allowed = min(
            self._media.dvr_bytes_max, self.byte_count + free_bytes - limits.STORAGE_FREE_BYTES_MIN
        )
        for recording in self._recordings:
            while recording.has_expired:
                removed[recording.session].append(recording.give_up_oldest())
        while self.byte_count + size > allowed:
            largest = max(
                (one for one in self._recordings if one.may_shrink),
                key=lambda one: one.byte_count,
                default=None,
            )
            if largest is None:
                return None
            removed[largest.session].append(largest.give_up_oldest())
        return removed

    # What recordings ask ------------------------------------------------------------------------

    def enqueue(self, recording: Recording, segment: FinishedSegment) -> bool:
        """False when the disk is so far behind that there is no room to wait."""
        if self._waiting_bytes + segment.byte_count > limits.DVR_WAITING_BYTES_MAX:
            return False
        self._waiting_bytes += segment.byte_count
        self._jobs.put_nowait((recording, segment))
        return True

    def forget(self, recording: Recording) -> None:
        if recording in self._recordings:
            self._recordings.remove(recording)
            self._jobs.put_nowait((recording, None))

    def count_stop(self) -> None:
        self._metrics.dvr_stopped.inc()

    def path(self, session: str, name: str) -> Path:
        return self._storage.path(session, name)

    @property
    def byte_count(self) -> int:
        """On disk now."""
        return sum(recording.byte_count for recording in self._recordings)

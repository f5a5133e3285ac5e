"""The worker: does what stands in the table `job`, again and again until it is done.

Features write jobs (`kernel/jobs.py enqueue`) and hand the worker the functions that do them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Self

import structlog

from mediaserver.kernel import jobs, limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import MediaserverError
from mediaserver.kernel.events import Events
from mediaserver.kernel.jobs import Job, JobQueued, Payload, State
from mediaserver.kernel.tasks import Tasks

_log = structlog.get_logger(__name__)

Handler = Callable[[Payload], Awaitable[None]]


class GiveUp(Exception):
    """Raised by a handler when trying again can't help; the message is for the admin."""


class TooEarly(Exception):
    """Raised by a handler to be called again at a moment, in ms; this attempt doesn't count."""

    def __init__(self, until_ms: int) -> None:
        super().__init__(until_ms)
        self.until_ms = until_ms


@dataclass(slots=True)
class _Lane:
    """Kinds of jobs that share places, and how many of these are taken."""

    places: int
    kinds: list[str] = field(default_factory=list)
    taken: int = 0


@dataclass(frozen=True, slots=True)
class _Kind:
    handle: Handler
    attempts_max: int
    keeps_done: bool
    keeps_payload: bool
    lane: _Lane


class Worker:
    """Does what is due. An async context manager; register every kind before entering it."""

    def __init__(self, db: Database, clock: Clock, events: Events) -> None:
        self._db = db
        self._clock = clock

        self._kinds: dict[str, _Kind] = {}
        self._common = _Lane(limits.JOBS_AT_ONCE_MAX)
        self._lanes = [self._common]
        self._intervals_ms: dict[str, int] = {}
        self._woken = asyncio.Event()
        self._tasks = Tasks("jobs")
        self._running = Tasks("job")
        self._closing = False
        events.subscribe(JobQueued, lambda _: self._woken.set())

    def register(
        self,
        kind: str,
        handle: Handler,
        *,
        attempts_max: int = limits.JOB_ATTEMPTS_MAX,
        keeps_done: bool = True,
        keeps_payload: bool = True,
        own_places: int | None = None,
    ) -> None:
        """`handle` gets the payload; it ends, raises `GiveUp` or `TooEarly`, or anything else to be
        run again.

        Without `keeps_done` a job goes once it is done, since there are many; without
        `keeps_payload` its payload is emptied then, since it holds a secret. A kind of which there
        may be many slow ones gets `own_places`: so many at once, while the others share theirs.
        """
        assert kind not in self._kinds, kind
        lane = self._common
        if own_places is not None:
            lane = _Lane(own_places)
            self._lanes.append(lane)
        lane.kinds.append(kind)
        self._kinds[kind] = _Kind(handle, attempts_max, keeps_done, keeps_payload, lane)

    def repeat(self, kind: str, handle: Callable[[], Awaitable[None]], interval_ms: int) -> None:
        """Have `handle` run once in each interval, also when the site was off for a while."""

        async def run(_: Payload) -> None:
            await handle()

        self.register(kind, run)
        self._intervals_ms[kind] = interval_ms

    async def __aenter__(self) -> Self:
        if self._db.is_sqlite:  # one process: what was running died with the last one
            await self._db.write(jobs.release_all)
        self._tasks.start(self._run(), "worker")
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing = True
        await self._tasks.aclose()
        await self._running.aclose()

    async def run_due(self) -> int:
        """Do what is due now and wait for it; how many jobs that were."""
        claimed = await self._claim()
        await asyncio.gather(*(self._do(work) for work in claimed))
        return len(claimed)

    async def count(self) -> dict[tuple[str, State], int]:
        """Jobs by kind and state."""
        return await self._db.read(jobs.count)

    async def delete_ended(self) -> None:
        """Forget what was done or given up a while ago."""
        while not await self._db.write(jobs.delete_ended, self._clock.wall_ms()):
            pass

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._start_due()
            except MediaserverError as error:
                _log.warning("jobs wait", reason=error.message)
            except Exception:  # whatever it is: mail depends on the next look
                _log.exception("jobs wait")
            try:
                async with asyncio.timeout(limits.JOB_CHECK_S):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _start_due(self) -> None:
        """Fill the free places. Slow jobs hold up others only where they share all places."""
        for work in await self._claim():
            lane = self._kinds[work.kind].lane
            lane.taken += 1
            task = self._running.start(self._do(work), work.kind)
            task.add_done_callback(partial(self._ended, lane))

    def _ended(self, lane: _Lane, _: object) -> None:
        lane.taken -= 1
        self._woken.set()

    async def _claim(self) -> list[Job]:
        now_ms = self._clock.wall_ms()
        await self._enqueue_repeated(now_ms)
        free = [lane for lane in self._lanes if lane.taken < lane.places]
        kinds = [kind for lane in free for kind in lane.kinds]
        if not await self._db.read(jobs.is_any_due, kinds, now_ms):
            return []  # nearly always: no need to write
        return await self._db.write(_claim, free, now_ms)

    async def _enqueue_repeated(self, now_ms: int) -> None:
        missing = [
            (kind, f"{kind}/{now_ms // interval_ms}")
            for kind, interval_ms in self._intervals_ms.items()
        ]
        known = await self._db.read(jobs.known_keys, [key for _, key in missing])
        for kind, key in missing:
            if key not in known:
                await self._db.write(jobs.enqueue_repeated, kind, key, now_ms)

    async def _do(self, work: Job) -> None:
        kind = self._kinds[work.kind]
        try:
            if work.attempts > kind.attempts_max:
                raise GiveUp("Each time the site ended before this was done.")
            async with asyncio.timeout(limits.JOB_TIMEOUT_S):
                await kind.handle(work.payload)
        except GiveUp as error:
            await self._failed(work, str(error), is_last=True)
        except TooEarly as early:
            await self._db.write(jobs.release, work, early.until_ms)
        except asyncio.CancelledError:
            if not self._closing:
                raise
            await self._db.write(jobs.release, work, work.run_at_ms)
            raise
        except TimeoutError:
            await self._failed(work, "It took too long.", work.attempts >= kind.attempts_max)
        except Exception as error:
            reason = error.message if isinstance(error, MediaserverError) else repr(error)
            if not isinstance(error, MediaserverError | OSError):
                _log.exception("job crashed", kind=work.kind, job=work.id)
            await self._failed(work, reason, work.attempts >= kind.attempts_max)
        else:
            await self._finish(work, kind)

    async def _finish(self, work: Job, kind: _Kind) -> None:
        if kind.keeps_done:
            await self._db.write(jobs.finish, work, kind.keeps_payload, self._clock.wall_ms())
        else:
            await self._db.write(jobs.finish_unkept, work)

    async def _failed(self, work: Job, reason: str, is_last: bool) -> None:
        _log.warning(
            "job failed", kind=work.kind, job=work.id, attempt=work.attempts, reason=reason
        )
        await self._db.write(jobs.fail, work, reason, is_last, self._clock.wall_ms())


def _claim(tx: Transaction, lanes: Sequence[_Lane], now_ms: int) -> list[Job]:
    """Take what is due, for each lane as much as it has places."""
    return [
        work
        for lane in lanes
        for work in jobs.claim(tx, lane.kinds, lane.places - lane.taken, now_ms)
    ]

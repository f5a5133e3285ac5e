"""Says when a scheduled stream's time has come: `ScheduleStarted`, at most once for each time.

That it was said is committed before it is said, so a restart repeats nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import structlog

from mediaserver.channels import schedule
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import MediaserverError
from mediaserver.kernel.tasks import Tasks

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ScheduleStarted:
    """A stream was announced for this moment; whether its channel is live is another matter."""

    entry_id: str
    channel_id: str
    channel_slug: str
    title: str
    starts_at_ms: int


class ScheduleClock:
    """An async context manager that looks at the schedule now and then."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

        self._tasks = Tasks("schedule")

    async def __aenter__(self) -> Self:
        self._tasks.start(self._run(), "clock")
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._tasks.aclose()

    async def check(self) -> int:
        """Say what is due now; how many entries that were."""
        now_ms = self._clock.wall_ms()
        if not await self._db.read(schedule.due, now_ms):
            return 0  # nearly always: no need to write
        return await self._db.write(_announce, now_ms)

    async def _run(self) -> None:
        while True:
            try:
                more = await self.check() == limits.SCHEDULE_DUE_MAX
            except MediaserverError as error:
                _log.warning("the schedule waits", reason=error.message)
                more = False
            if not more:
                await asyncio.sleep(limits.SCHEDULE_CHECK_S)


def _announce(tx: Transaction, now_ms: int) -> int:
    entries = schedule.due(tx, now_ms)
    for entry, slug, at_ms in entries:
        is_first = schedule.set_announced(tx, entry, at_ms, now_ms)
        if is_first and now_ms - at_ms <= limits.SCHEDULE_LATE_MS:
            tx.emit(ScheduleStarted(entry.id, entry.channel_id, slug, entry.title, at_ms))
    return len(entries)

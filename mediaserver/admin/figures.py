"""A few numbers for each day that nothing else keeps: most viewers at once, chat messages, and how
many people were there.

Counted in memory from events and written every few minutes, so that no message and no viewer costs
a write more; a crash loses those minutes. Days are counted from 1970 in UTC. Owns the table
`daily_figure`; admin/statistics.py reads it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Self

import structlog
from sqlalchemy import case, func, insert, select, update

from mediaserver.accounts.sessions import session
from mediaserver.chat.events import ChatEvents
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import MediaserverError
from mediaserver.kernel.events import Events
from mediaserver.media.health import BroadcastMeasured

_log = structlog.get_logger(__name__)

daily_figure = table(
    "daily_figure",
    int64("day", primary_key=True),
    text("name", primary_key=True),
    int64("value"),
)

Name = Literal["peak_viewers", "messages", "active_people"]


class Figures:
    """Counts while the site runs. An async context manager; leaving it writes what is left."""

    def __init__(
        self, db: Database, clock: Clock, events: Events, count_viewers: Callable[[], int]
    ) -> None:
        self._db = db
        self._clock = clock
        self._count_viewers = count_viewers

        self._peaks: dict[int, int] = {}
        self._messages: Counter[int] = Counter()
        events.subscribe(BroadcastMeasured, lambda _: self._measured())
        events.subscribe(ChatEvents, self._chatted)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self.write()
        except MediaserverError as error:
            _log.warning("figures of the last minutes are lost", reason=error.message)

    async def write(self) -> None:
        """Put what was counted since the last time into the database."""
        peaks, self._peaks = self._peaks, {}
        messages, self._messages = self._messages, Counter()
        try:
            await self._db.write(_write, peaks, messages, self._today())
        except MediaserverError:
            self._messages.update(messages)
            for day, viewers in peaks.items():
                self._peaks[day] = max(viewers, self._peaks.get(day, 0))
            raise

    def _measured(self) -> None:
        day = self._today()
        self._peaks[day] = max(self._count_viewers(), self._peaks.get(day, 0))

    def _chatted(self, told: ChatEvents) -> None:
        self._messages[self._today()] += sum(event.kind == "message" for event in told.events)

    def _today(self) -> int:
        return self._clock.wall_ms() // limits.DAY_MS


def since(tx: Transaction, first_day: int) -> dict[tuple[int, str], int]:
    """(day, name) → value, from a day on."""
    rows = tx.execute(select(daily_figure).where(daily_figure.c.day >= first_day))
    return {(row.day, row.name): row.value for row in rows}


def _write(tx: Transaction, peaks: dict[int, int], messages: Counter[int], today: int) -> None:
    for day, viewers in peaks.items():
        _raise(tx, day, "peak_viewers", viewers)
    for day, count in messages.items():
        if count:
            _put(tx, day, "messages", daily_figure.c.value + count, count)
    seen = (
        select(func.count(session.c.user_id.distinct()))
        .select_from(session)
        .where(session.c.seen_at_ms >= today * limits.DAY_MS)
    )
    _raise(tx, today, "active_people", int(tx.execute(seen).scalar_one()))


def _raise(tx: Transaction, day: int, name: Name, value: int) -> None:
    """Keep the larger one."""
    larger = case((daily_figure.c.value < value, value), else_=daily_figure.c.value)
    if value:
        _put(tx, day, name, larger, value)


def _put(tx: Transaction, day: int, name: Name, changed: Any, first: int) -> None:
    """Change a figure, or begin it with `first`."""
    found = (daily_figure.c.day == day) & (daily_figure.c.name == name)
    if tx.execute(update(daily_figure).where(found).values(value=changed)).rowcount == 0:
        tx.execute(insert(daily_figure).values(day=day, name=name, value=first))

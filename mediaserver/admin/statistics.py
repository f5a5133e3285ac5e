"""How the site was used, day by day: people, streams, viewers, messages, and the busiest channels.

Days begin at midnight UTC. Reads the tables of accounts and channels through their indexes, and
what admin/figures.py counted; owns none. Called by the admin desk.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, Select, func, select

from mediaserver.accounts.users import user_account
from mediaserver.admin import figures
from mediaserver.admin.figures import DAY_MS
from mediaserver.channels.channels import channel
from mediaserver.channels.streams import stream
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction

RANGES = (7, 30, 90)
"""How many days can be asked for."""


@dataclass(slots=True)
class Day:
    """One day. `streams` counts those that were live at any time of it, `live_ms` all of them
    together; `active_people` those who were logged in and looked at a page.
    """

    begins_at_ms: int
    registered: int = 0
    active_people: int = 0
    streams: int = 0
    live_ms: int = 0
    peak_viewers: int = 0
    messages: int = 0


@dataclass(slots=True)
class Busiest:
    """A channel and how much it was live."""

    slug: str
    name: str
    streams: int = 0
    live_ms: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """Oldest day first, today last; the busiest channels first."""

    days: list[Day]
    busiest: list[Busiest] = field(default_factory=list)


class Statistics:
    """Adds up."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def of_last(self, days: int) -> Report:
        """The last `days` days, today included."""
        assert days in RANGES, days
        return await self._db.read(_report, days, self._clock.wall_ms())


def _report(tx: Transaction, count: int, now_ms: int) -> Report:
    first = now_ms // DAY_MS - count + 1
    days = [Day((first + offset) * DAY_MS) for offset in range(count)]
    for row in tx.execute(registered_query(first)):
        if 0 <= row.day - first < count:
            days[row.day - first].registered = row.people
    for (day, name), value in figures.since(tx, first).items():
        if 0 <= day - first < count:
            setattr(days[day - first], name, value)
    return Report(days, _streams(tx, days, now_ms))


def registered_query(first_day: int) -> Select[Any]:
    """How many accounts were made on each day."""
    day = (user_account.c.created_at_ms // DAY_MS).label("day")
    return (
        select(day, func.count().label("people"))
        .where(user_account.c.created_at_ms >= first_day * DAY_MS)
        .group_by(day)
    )


def ended_query(first_day: int) -> Select[Any]:
    """Streams that were live and ended on one of the days."""
    return _streams_query().where(stream.c.ended_at_ms >= first_day * DAY_MS)


def running_query() -> Select[Any]:
    """Streams that are live now."""
    return _streams_query().where(stream.c.ended_at_ms.is_(None))


def _streams_query() -> Select[Any]:
    return (
        select(stream.c.channel_id, stream.c.live_at_ms, stream.c.ended_at_ms)
        .where(stream.c.live_at_ms.is_not(None))
        .limit(limits.STATISTICS_STREAMS_MAX)
    )


def _streams(tx: Transaction, days: list[Day], now_ms: int) -> list[Busiest]:
    """Add the streams to their days; the busiest channels."""
    first = days[0].begins_at_ms // DAY_MS
    streams: defaultdict[str, int] = defaultdict(int)
    live_ms: defaultdict[str, int] = defaultdict(int)
    for query in (ended_query(first), running_query()):
        for row in tx.execute(query):
            streams[row.channel_id] += 1
            live_ms[row.channel_id] += _spread(row, days, now_ms)
    top = sorted(live_ms, key=lambda one: (-live_ms[one], one))[: limits.BUSIEST_LISTED_MAX]
    named = tx.execute(
        select(channel.c.id, channel.c.slug, channel.c.name).where(channel.c.id.in_(top))
    )
    by_id = {row.id: row for row in named}
    return [
        Busiest(by_id[one].slug, by_id[one].name, streams[one], live_ms[one])
        for one in top
        if one in by_id
    ]


def _spread(row: Row[Any], days: list[Day], now_ms: int) -> int:
    """Add one stream to every day on which it was live; how long that was in all."""
    begin = max(row.live_at_ms, days[0].begins_at_ms)
    end = min(row.ended_at_ms if row.ended_at_ms is not None else now_ms, now_ms)
    first = days[0].begins_at_ms // DAY_MS
    total_ms = 0
    for day in days[begin // DAY_MS - first : end // DAY_MS - first + 1]:
        part_ms = min(end, day.begins_at_ms + DAY_MS) - max(begin, day.begins_at_ms)
        if part_ms > 0:
            day.streams += 1
            day.live_ms += part_ms
            total_ms += part_ms
    return total_ms

"""How the site was used, day by day: people, streams, viewers, messages, and the busiest channels.

Days begin at midnight UTC. The database adds up the tables of accounts and channels, through their
indexes; admin/figures.py counted the rest. Owns no table. Called by the admin desk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, Select, Subquery, case, func, literal, select, union_all

from mediaserver.accounts.users import user_account
from mediaserver.admin import figures
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


@dataclass(frozen=True, slots=True)
class Busiest:
    """A channel and how much it was live."""

    slug: str
    name: str
    streams: int
    live_ms: int


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
    first = now_ms // limits.DAY_MS - count + 1
    days = [Day((first + offset) * limits.DAY_MS) for offset in range(count)]
    for row in tx.execute(registered_query(first)):
        if 0 <= row.day - first < count:
            days[row.day - first].registered = row.people
    for (day, name), value in figures.since(tx, first).items():
        if 0 <= day - first < count:
            setattr(days[day - first], name, value)
    _add_streams(tx, days, now_ms)
    busiest = tx.execute(busiest_query(first, now_ms))
    return Report(
        days, [Busiest(row.slug, row.name, row.streams, int(row.live_ms)) for row in busiest]
    )


def registered_query(first_day: int) -> Select[Any]:
    """How many accounts were made on each day."""
    day = (user_account.c.created_at_ms // limits.DAY_MS).label("day")
    return (
        select(day, func.count().label("people"))
        .where(user_account.c.created_at_ms >= first_day * limits.DAY_MS)
        .group_by(day)
    )


def days_query(first_day: int, now_ms: int) -> Select[Any]:
    """Streams by the days on which they began and ended, counted from the first one: how many, and
    the sums of both moments. There are few such pairs, however many streams there were.
    """
    lived = _lived(first_day, now_ms)
    begin_day = (lived.c.begin_ms // limits.DAY_MS).label("begin_day")
    # Who ends at midnight was live on the day before alone.
    end_day = ((lived.c.end_ms - 1) // limits.DAY_MS).label("end_day")
    return select(
        begin_day,
        end_day,
        func.count().label("streams"),
        func.sum(lived.c.begin_ms).label("begins_ms"),
        func.sum(lived.c.end_ms).label("ends_ms"),
    ).group_by(begin_day, end_day)


def busiest_query(first_day: int, now_ms: int) -> Select[Any]:
    """The channels that were live for the longest."""
    lived = _lived(first_day, now_ms)
    live_ms = func.sum(lived.c.end_ms - lived.c.begin_ms).label("live_ms")
    return (
        select(channel.c.slug, channel.c.name, func.count().label("streams"), live_ms)
        .join_from(lived, channel, channel.c.id == lived.c.channel_id)
        .group_by(channel.c.id, channel.c.slug, channel.c.name)
        .order_by(live_ms.desc(), channel.c.id)
        .limit(limits.BUSIEST_LISTED_MAX)
    )


def _lived(first_day: int, now_ms: int) -> Subquery:
    """When each stream was live, in ms from the first day on; until now if it still is."""
    since_ms = first_day * limits.DAY_MS
    live_at_ms, ended_at_ms = stream.c.live_at_ms, stream.c.ended_at_ms
    begin_ms = case((live_at_ms > since_ms, live_at_ms - since_ms), else_=0).label("begin_ms")
    ended = select(
        stream.c.channel_id,
        begin_ms,
        case((ended_at_ms < now_ms, ended_at_ms - since_ms), else_=now_ms - since_ms).label(
            "end_ms"
        ),
    ).where(ended_at_ms > since_ms, live_at_ms < ended_at_ms, live_at_ms < now_ms)
    running = select(
        stream.c.channel_id, begin_ms, literal(now_ms - since_ms, BigInteger).label("end_ms")
    ).where(ended_at_ms.is_(None), live_at_ms < now_ms)
    return union_all(ended, running).subquery()


def _add_streams(tx: Transaction, days: list[Day], now_ms: int) -> None:
    """Each stream counts on every day on which it was live, with the time of that day."""
    for row in tx.execute(days_query(days[0].begins_at_ms // limits.DAY_MS, now_ms)):
        for number in range(row.begin_day, row.end_day + 1):
            day = days[number]
            begins_ms, ends_ms = int(row.begins_ms), int(row.ends_ms)
            if number > row.begin_day:
                begins_ms = row.streams * number * limits.DAY_MS
            if number < row.end_day:
                ends_ms = row.streams * (number + 1) * limits.DAY_MS
            day.streams += row.streams
            day.live_ms += ends_ms - begins_ms

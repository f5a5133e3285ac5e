"""The schedule of a channel: streams that are announced, once or every week.

Owns the tables `schedule_entry` and `schedule_cancellation`; called by the routes, and by
schedule_clock.py, which says when an entry's time has come. timetable.py knows the calendar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKey, Row, delete, func, insert, select
from sqlalchemy import update as sql_update

from mediaserver.accounts.users import User
from mediaserver.channels import channels, information
from mediaserver.channels.categories import category
from mediaserver.channels.channels import Channel, channel
from mediaserver.channels.timetable import (
    MINUTE_MS,
    REPEATS,
    UTC_ZONE,
    Entry,
    Occurrence,
    checked_zone,
    next_time,
    occurrences,
    times_of,
)
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import Int64, identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.ids import is_id, new_id
from mediaserver.kernel.texts import checked_line

schedule_entry = table(
    "schedule_entry",
    identifier(),
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), index=True),
    text("title"),
    text("category_id", ForeignKey("category.id", ondelete="SET NULL"), nullable=True, index=True),
    int64("starts_at_ms"),  # the first time
    int64("duration_min"),
    text("repeat"),
    text("time_zone"),
    Column("next_at_ms", Int64, nullable=True, index=True),  # not announced yet; null: over
    int64("revision"),
    int64("created_at_ms"),
    int64("updated_at_ms"),
    CheckConstraint("repeat IN ('none', 'weekly')", name="repeat"),
    CheckConstraint("duration_min BETWEEN 5 AND 1440", name="duration_min"),
)

schedule_cancellation = table(
    "schedule_cancellation",
    text("entry_id", ForeignKey("schedule_entry.id", ondelete="CASCADE"), primary_key=True),
    Column("starts_at_ms", Int64, primary_key=True, autoincrement=False),
)

_ID = "sch"
"""How identifiers of entries begin."""


@dataclass(frozen=True, slots=True)
class ScheduleChanged:
    """The schedule of a channel is different now."""

    channel_id: str
    channel_slug: str


@dataclass(frozen=True, slots=True)
class Given:
    """What the channel's people ask for; None leaves it as it is."""

    title: str | None = None
    category: str | None = None
    starts_at_ms: int | None = None
    duration_min: int | None = None
    repeat: str | None = None
    time_zone: str | None = None


class Schedule:
    """Makes, changes, cancels and lists entries."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def create(self, actor: User, slug: str, given: Given) -> Entry:
        """Raises `NotFound`, `Forbidden`, `Invalid` or `Conflict` (too many of them)."""
        return await self._db.write(_create, actor, slug, given, self._clock.wall_ms())

    async def change(self, actor: User, slug: str, entry_id: str, given: Given) -> Entry:
        """Raises `NotFound`, `Forbidden` or `Invalid`."""
        return await self._db.write(_change, actor, slug, entry_id, given, self._clock.wall_ms())

    async def remove(self, actor: User, slug: str, entry_id: str) -> None:
        """The whole entry, with all its times. Raises `NotFound` or `Forbidden`."""
        await self._db.write(_remove, actor, slug, entry_id)

    async def cancel(
        self, actor: User, slug: str, entry_id: str, starts_at_ms: int, *, is_cancelled: bool = True
    ) -> Entry:
        """One time of a weekly entry doesn't take place, or does again.

        Raises `NotFound` (also for a time at which it doesn't come), `Forbidden` or `Conflict`.
        """
        return await self._db.write(
            _cancel, actor, slug, entry_id, starts_at_ms, is_cancelled, self._clock.wall_ms()
        )

    async def entries(self, channel_id: str) -> list[Entry]:
        """Entries of the channel that aren't long over, by first time."""
        return await self._db.read(entries_of, channel_id, self._clock.wall_ms())

    async def upcoming(self, category_id: str | None = None) -> list[tuple[Channel, Occurrence]]:
        """The next time of each entry of the whole site, or of one category, soonest first."""
        return await self._db.read(_upcoming, category_id, self._clock.wall_ms())

    async def occurrences(self, channel_id: str) -> list[Occurrence]:
        """What comes in the next weeks in one channel, with what is cancelled or going on."""
        now_ms = self._clock.wall_ms()
        entries = await self._db.read(entries_of, channel_id, now_ms)
        return occurrences(entries, now_ms)

    async def next_of(self, channel_id: str) -> Occurrence | None:
        """The next one of the channel that hasn't begun."""
        return await self._db.read(_next_of, channel_id, self._clock.wall_ms())


def entries_of(tx: Transaction, channel_id: str, now_ms: int) -> list[Entry]:
    """Entries that aren't over for longer than calendars keep them, by first time."""
    kept_ms = now_ms - limits.SCHEDULE_KEPT_MS
    rows = tx.execute(
        _select()
        .where(
            schedule_entry.c.channel_id == channel_id,
            (schedule_entry.c.repeat == "weekly") | (schedule_entry.c.starts_at_ms > kept_ms),
        )
        .order_by(schedule_entry.c.starts_at_ms, schedule_entry.c.id)
        .limit(limits.SCHEDULE_ENTRIES_LISTED_MAX)
    )
    return _with_cancelled(tx, [_to_entry(row) for row in rows])


def due(tx: Transaction, now_ms: int) -> list[tuple[Entry, str, int]]:
    """Entries whose next time has come: entry, slug of its channel, that time. At most a page."""
    rows = tx.execute(
        _select()
        .add_columns(channel.c.slug.label("channel_slug"), schedule_entry.c.next_at_ms)
        .where(schedule_entry.c.next_at_ms <= now_ms)
        .order_by(schedule_entry.c.next_at_ms, schedule_entry.c.id)
        .limit(limits.SCHEDULE_DUE_MAX)
    ).all()
    entries = _with_cancelled(tx, [_to_entry(row) for row in rows])
    return [
        (entry, str(row.channel_slug), int(row.next_at_ms))
        for entry, row in zip(entries, rows, strict=True)
    ]


def set_announced(tx: Transaction, entry: Entry, at_ms: int, now_ms: int) -> bool:
    """The time `at_ms` needs no word any more. False when somebody else was faster."""
    done = tx.execute(
        sql_update(schedule_entry)
        .where(schedule_entry.c.id == entry.id, schedule_entry.c.next_at_ms == at_ms)
        .values(next_at_ms=next_time(entry, max(at_ms, now_ms)))
    )
    return done.rowcount == 1


def _create(tx: Transaction, actor: User, slug: str, given: Given, now_ms: int) -> Entry:
    managed = channels.get_managed(tx, actor, slug)
    channels.lock(tx, managed.id)
    count = tx.execute(
        select(func.count())
        .select_from(schedule_entry)
        .where(schedule_entry.c.channel_id == managed.id, schedule_entry.c.next_at_ms.is_not(None))
    ).scalar_one()
    if count >= limits.SCHEDULE_ENTRIES_MAX:
        raise Conflict(
            f"{count} streams are scheduled already. Remove one first.",
            code="too_many_schedule_entries",
        )
    if given.starts_at_ms is None:
        raise Invalid("Say when it starts.", field="starts_at_ms")
    blank = Entry(
        id=new_id(_ID),
        channel_id=managed.id,
        title="",
        category=None,
        category_slug=None,
        starts_at_ms=-1,  # never: whatever is given is checked
        duration_min=60,
        repeat="none",
        time_zone=UTC_ZONE,
        revision=0,
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
    )
    entry, category_id = _checked(tx, blank, None, given, now_ms)
    tx.execute(
        insert(schedule_entry).values(
            id=entry.id,
            channel_id=managed.id,
            created_at_ms=now_ms,
            **_values(entry, category_id, now_ms),
        )
    )
    tx.emit(ScheduleChanged(managed.id, managed.slug))
    return get(tx, managed.id, entry.id)


def _change(
    tx: Transaction, actor: User, slug: str, entry_id: str, given: Given, now_ms: int
) -> Entry:
    managed, before = _managed(tx, actor, slug, entry_id)
    old_category_id = tx.execute(
        select(schedule_entry.c.category_id).where(schedule_entry.c.id == entry_id)
    ).scalar()
    entry, category_id = _checked(tx, before, old_category_id, given, now_ms)
    tx.execute(
        sql_update(schedule_entry)
        .where(schedule_entry.c.id == entry_id)
        .values(**_values(replace(entry, revision=before.revision + 1), category_id, now_ms))
    )
    if (entry.starts_at_ms, entry.repeat, entry.time_zone) != (
        before.starts_at_ms,
        before.repeat,
        before.time_zone,
    ):
        tx.execute(
            delete(schedule_cancellation).where(schedule_cancellation.c.entry_id == entry_id)
        )
    tx.emit(ScheduleChanged(managed.id, managed.slug))
    return get(tx, managed.id, entry_id)


def _remove(tx: Transaction, actor: User, slug: str, entry_id: str) -> None:
    managed, _ = _managed(tx, actor, slug, entry_id)
    tx.execute(delete(schedule_entry).where(schedule_entry.c.id == entry_id))
    tx.emit(ScheduleChanged(managed.id, managed.slug))


def _cancel(
    tx: Transaction,
    actor: User,
    slug: str,
    entry_id: str,
    starts_at_ms: int,
    is_cancelled: bool,
    now_ms: int,
) -> Entry:
    managed, entry = _managed(tx, actor, slug, entry_id)
    if entry.repeat == "none":
        raise Conflict("This takes place once: remove it.", code="not_weekly")
    is_near = now_ms <= starts_at_ms < now_ms + limits.SCHEDULE_AHEAD_MS
    if not is_near or not any(times_of(entry, starts_at_ms, starts_at_ms + 1)):
        raise NotFound("It doesn't take place at that time.", code="occurrence_not_found")
    kept_ms = now_ms - limits.SCHEDULE_KEPT_MS
    tx.execute(
        delete(schedule_cancellation).where(
            schedule_cancellation.c.entry_id == entry_id,
            (schedule_cancellation.c.starts_at_ms == starts_at_ms)
            | (schedule_cancellation.c.starts_at_ms < kept_ms),
        )
    )
    if is_cancelled:
        others = [at for at in entry.cancelled if at >= kept_ms and at != starts_at_ms]
        if len(others) >= limits.SCHEDULE_CANCELLATIONS_MAX:
            raise Conflict("So many times are cancelled: remove it.", code="too_many_cancellations")
        tx.execute(
            insert(schedule_cancellation).values(entry_id=entry_id, starts_at_ms=starts_at_ms)
        )
    after = get(tx, managed.id, entry_id)
    tx.execute(
        sql_update(schedule_entry)
        .where(schedule_entry.c.id == entry_id)
        .values(
            next_at_ms=next_time(after, now_ms),
            revision=entry.revision + 1,
            updated_at_ms=now_ms,
        )
    )
    tx.emit(ScheduleChanged(managed.id, managed.slug))
    return get(tx, managed.id, entry_id)


def get(tx: Transaction, channel_id: str, entry_id: str) -> Entry:
    """Raises `NotFound`."""
    if is_id(entry_id, _ID):
        row = tx.execute(
            _select().where(
                schedule_entry.c.id == entry_id, schedule_entry.c.channel_id == channel_id
            )
        ).first()
        if row is not None:
            return _with_cancelled(tx, [_to_entry(row)])[0]
    raise NotFound("There is no such entry in the schedule.", code="entry_not_found")


def _managed(tx: Transaction, actor: User, slug: str, entry_id: str) -> tuple[Channel, Entry]:
    managed = channels.get_managed(tx, actor, slug)
    channels.lock(tx, managed.id)
    return managed, get(tx, managed.id, entry_id)


def _checked(
    tx: Transaction, before: Entry, category_id: str | None, given: Given, now_ms: int
) -> tuple[Entry, str | None]:
    """`before` with what is given, and its category. Raises `Invalid`."""
    title = before.title if given.title is None else given.title
    duration_min = before.duration_min if given.duration_min is None else given.duration_min
    repeat = before.repeat if given.repeat is None else given.repeat
    starts_at_ms = before.starts_at_ms if given.starts_at_ms is None else given.starts_at_ms
    starts_at_ms -= starts_at_ms % MINUTE_MS  # whole minutes, as people and calendars write them
    if given.category is not None:
        category_id = information.category_id(tx, given.category, before.category_slug)
    if starts_at_ms != before.starts_at_ms:
        if starts_at_ms <= now_ms:
            raise Invalid("That time is over. Give one in the future.", field="starts_at_ms")
        if starts_at_ms > now_ms + limits.SCHEDULE_AHEAD_MS:
            raise Invalid("Give a time within a year from now.", field="starts_at_ms")
    low, high = limits.SCHEDULE_DURATION_MIN_MIN, limits.SCHEDULE_DURATION_MIN_MAX
    if not low <= duration_min <= high:
        raise Invalid(
            f"A stream may take {low} minutes to {high // 60} hours.", field="duration_min"
        )
    if repeat not in REPEATS:
        raise Invalid("Use none or weekly.", field="repeat")
    zone = before.time_zone if given.time_zone is None else checked_zone(given.time_zone)
    return replace(
        before,
        title=checked_line(title, "title", limits.CHANNEL_TITLE_CHARS_MAX, is_required=True),
        starts_at_ms=starts_at_ms,
        duration_min=duration_min,
        repeat=repeat,
        time_zone=zone,
    ), category_id


def _values(entry: Entry, category_id: str | None, now_ms: int) -> dict[str, Any]:
    return {
        "title": entry.title,
        "category_id": category_id,
        "starts_at_ms": entry.starts_at_ms,
        "duration_min": entry.duration_min,
        "repeat": entry.repeat,
        "time_zone": entry.time_zone,
        "next_at_ms": next_time(entry, now_ms),
        "revision": entry.revision,
        "updated_at_ms": now_ms,
    }


def _select() -> Any:
    return (
        select(
            schedule_entry,
            category.c.name.label("category"),
            category.c.slug.label("category_slug"),
        )
        .join(channel, channel.c.id == schedule_entry.c.channel_id)
        .outerjoin(category, category.c.id == schedule_entry.c.category_id)
    )


def _to_entry(row: Row[Any]) -> Entry:
    return Entry(
        id=row.id,
        channel_id=row.channel_id,
        title=row.title,
        category=row.category,
        category_slug=row.category_slug,
        starts_at_ms=row.starts_at_ms,
        duration_min=row.duration_min,
        repeat=row.repeat,
        time_zone=row.time_zone,
        revision=row.revision,
        created_at_ms=row.created_at_ms,
        updated_at_ms=row.updated_at_ms,
    )


def _with_cancelled(tx: Transaction, entries: Sequence[Entry]) -> list[Entry]:
    weekly = {entry.id for entry in entries if entry.repeat == "weekly"}
    if not weekly:
        return list(entries)
    found: dict[str, set[int]] = {}
    for row in tx.execute(
        select(schedule_cancellation).where(schedule_cancellation.c.entry_id.in_(weekly))
    ):
        found.setdefault(row.entry_id, set()).add(row.starts_at_ms)
    return [replace(entry, cancelled=frozenset(found.get(entry.id, ()))) for entry in entries]


def _upcoming(
    tx: Transaction, category_id: str | None, now_ms: int
) -> list[tuple[Channel, Occurrence]]:
    query = (
        _select()
        .add_columns(schedule_entry.c.next_at_ms)
        .where(
            schedule_entry.c.next_at_ms > now_ms,
            schedule_entry.c.next_at_ms < now_ms + limits.SCHEDULE_SHOWN_MS,
            schedule_entry.c.channel_id.in_(channels.visible_ids()),
        )
        .order_by(schedule_entry.c.next_at_ms, schedule_entry.c.id)
        .limit(limits.UPCOMING_LISTED_MAX)
    )
    if category_id is not None:
        query = query.where(schedule_entry.c.category_id == category_id)
    rows = tx.execute(query).all()
    by_id = channels.by_ids(tx, {row.channel_id for row in rows})
    return [
        (by_id[row.channel_id], Occurrence(_to_entry(row), row.next_at_ms))
        for row in rows
        if row.channel_id in by_id
    ]


def _next_of(tx: Transaction, channel_id: str, now_ms: int) -> Occurrence | None:
    row = tx.execute(
        _select()
        .add_columns(schedule_entry.c.next_at_ms)
        .where(schedule_entry.c.channel_id == channel_id, schedule_entry.c.next_at_ms > now_ms)
        .order_by(schedule_entry.c.next_at_ms, schedule_entry.c.id)
        .limit(1)
    ).first()
    return None if row is None else Occurrence(_to_entry(row), row.next_at_ms)

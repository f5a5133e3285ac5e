"""When the entries of a schedule take place: pure, from an entry to its times.

A weekly entry keeps its time on the clock of its zone, so daylight saving moves it in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import structlog

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid

Repeat = Literal["none", "weekly"]
REPEATS: tuple[Repeat, ...] = ("none", "weekly")
UTC_ZONE = "UTC"

MINUTE_MS = 60_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a schedule. `starts_at_ms` is its first time, `cancelled` single times of it that
    don't take place; `revision` grows with each change, as calendars want.
    """

    id: str
    channel_id: str
    title: str
    category: str | None
    category_slug: str | None
    starts_at_ms: int
    duration_min: int
    repeat: Repeat
    time_zone: str
    revision: int
    created_at_ms: int
    updated_at_ms: int
    cancelled: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that an entry takes place, or would have if it weren't cancelled."""

    entry: Entry
    starts_at_ms: int
    is_cancelled: bool = False

    @property
    def ends_at_ms(self) -> int:
        return self.starts_at_ms + self.entry.duration_min * MINUTE_MS


def occurrences(entries: Sequence[Entry], now_ms: int) -> list[Occurrence]:
    """Soonest first: everything that ends after `now_ms` and begins within the weeks shown."""
    until_ms = now_ms + limits.SCHEDULE_SHOWN_MS
    found = [
        one
        for entry in entries
        for one in times_of(entry, now_ms - entry.duration_min * MINUTE_MS + 1, until_ms)
    ]
    found.sort(key=lambda one: (one.starts_at_ms, one.entry.id))
    return found[: limits.OCCURRENCES_LISTED_MAX]


def times_of(entry: Entry, from_ms: int, until_ms: int) -> Iterator[Occurrence]:
    """Times of `entry` in [from, until), cancelled ones too."""
    if entry.repeat == "none":
        starts = iter((entry.starts_at_ms,))
    else:
        starts = _weekly(entry.starts_at_ms, zone_of(entry), from_ms)
    for starts_at_ms in starts:
        if starts_at_ms >= until_ms:
            return
        if starts_at_ms >= from_ms:
            yield Occurrence(entry, starts_at_ms, starts_at_ms in entry.cancelled)


def next_time(entry: Entry, after_ms: int) -> int | None:
    """The first time after `after_ms` that isn't cancelled; None when there is none in a year."""
    until_ms = max(after_ms, entry.starts_at_ms) + limits.SCHEDULE_AHEAD_MS
    return next(
        (
            one.starts_at_ms
            for one in times_of(entry, after_ms + 1, until_ms)
            if not one.is_cancelled
        ),
        None,
    )


def _weekly(first_ms: int, zone: ZoneInfo, from_ms: int) -> Iterator[int]:
    """Every week at the same local time. A time that the clock skips moves on by the hour that is
    skipped; of a time that comes twice it is the first (RFC 5545 §3.3.5).
    """
    first = datetime.fromtimestamp(first_ms / 1000, zone).replace(tzinfo=None, fold=0)
    # a week early, since daylight saving may move a time across the border
    week = max(0, (from_ms - first_ms) // limits.WEEK_MS - 1)
    while True:
        local = (first + timedelta(weeks=week)).replace(tzinfo=zone)
        starts_at_ms = int(local.timestamp() * 1000)
        if week == 0:
            starts_at_ms = first_ms
        yield starts_at_ms
        week += 1


def zone_of(entry: Entry) -> ZoneInfo:
    """Its time zone. One that isn't known here (any more) counts as UTC: it must not take all the
    other entries of a page, or of the clock's round, with it.
    """
    return _zone(entry.time_zone)


@lru_cache(limits.TIME_ZONES_KEPT)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        _log.warning("a scheduled stream has an unknown time zone, taken as UTC", time_zone=name)
        return ZoneInfo(UTC_ZONE)


@cache
def time_zones() -> frozenset[str]:
    """Names of zones that are known here."""
    return frozenset(available_timezones()) - {"Factory", "localtime", "posixrules"}


def local_to_ms(text_: str, time_zone: str) -> int:
    """What a form's date and time (2026-11-20T20:00) mean in a zone. Raises `Invalid`."""
    zone = ZoneInfo(checked_zone(time_zone))
    try:
        if len(text_) > limits.LOCAL_TIME_CHARS_MAX:
            raise ValueError
        local = datetime.fromisoformat(text_.strip())
        if local.tzinfo is not None:
            raise ValueError
        return int(local.replace(tzinfo=zone).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise Invalid("Give a date and a time.", field="starts_at_ms") from error


def checked_zone(name: str) -> str:
    """Raises `Invalid`."""
    if name not in time_zones():
        raise Invalid("Use a time zone such as Europe/Berlin.", field="time_zone")
    return name

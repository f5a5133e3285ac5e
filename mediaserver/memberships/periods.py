"""Periods: calendar months and years in UTC, and what of a price is unused. Pure.

Ends are reckoned from the moment a membership began, so the 31st stays the 31st: 31 January, then
28 February, then 31 March.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from typing import Literal

Period = Literal["month", "year"]

MONTHS: dict[Period, int] = {"month": 1, "year": 12}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def months_after(anchor_ms: int, months: int) -> int:
    """The same time of the same day so many months later, or of the month's last day."""
    anchor = _EPOCH + timedelta(milliseconds=anchor_ms)
    years, month = divmod(anchor.month - 1 + months, 12)
    year, month = anchor.year + years, month + 1
    day = min(anchor.day, monthrange(year, month)[1])
    return _milliseconds(anchor.replace(year=year, month=month, day=day))


def month_of(at_ms: int, months_ago: int = 0) -> tuple[int, int]:
    """The calendar month of a moment, or one before it: its first millisecond, and the first one
    behind it.
    """
    at = _EPOCH + timedelta(milliseconds=at_ms)
    first = _milliseconds(at.replace(day=1, hour=0, minute=0, second=0, microsecond=0))
    return months_after(first, -months_ago), months_after(first, 1 - months_ago)


def unused(price_minor: int, starts_at_ms: int, ends_at_ms: int, now_ms: int) -> int:
    """What of the price of a period wasn't used by now, rounded down to a whole minor unit."""
    left_ms = min(max(ends_at_ms - now_ms, 0), ends_at_ms - starts_at_ms)
    return price_minor * left_ms // (ends_at_ms - starts_at_ms)


def _milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)

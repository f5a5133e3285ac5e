"""Moments as pages write them: UTC in the page, which a script turns into the reader's own time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mediaserver.kernel.errors import Invalid


def utc_moment(at_ms: int) -> str:
    """Such as "Fri 20 Nov, 19:42 UTC"."""
    at = _at(at_ms)
    return f"{at:%a} {at.day} {at:%b}, {at:%H:%M} UTC"


def iso_moment(at_ms: int) -> str:
    """For programs, such as "2026-11-20T19:42:00Z"."""
    return f"{_at(at_ms):%Y-%m-%dT%H:%M:%S}Z"


def day_of(end_ms: int | None) -> str:
    """The day whose end that is, as forms have it; empty for None."""
    return "" if end_ms is None else f"{_at(end_ms - 1):%Y-%m-%d}"


def parse_day_end(text: str, field: str) -> int | None:
    """The end of a day as forms send it, in UTC; None for an empty field. Raises `Invalid`."""
    if not text.strip():
        return None
    try:
        day = datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
        return int((day + timedelta(days=1)).timestamp()) * 1000
    except (ValueError, OverflowError) as error:
        raise Invalid("Write a day such as 2027-01-31.", field=field) from error


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)

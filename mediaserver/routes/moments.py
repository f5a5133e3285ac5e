"""Moments as pages write them: UTC in the page, which a script turns into the reader's own time."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_moment(at_ms: int) -> str:
    """Such as "Fri 20 Nov, 19:42 UTC"."""
    at = _at(at_ms)
    return f"{at:%a} {at.day} {at:%b}, {at:%H:%M} UTC"


def iso_moment(at_ms: int) -> str:
    """For programs, such as "2026-11-20T19:42:00Z"."""
    return f"{_at(at_ms):%Y-%m-%dT%H:%M:%S}Z"


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)

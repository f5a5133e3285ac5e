"""Scheduled streams as pages show them: in UTC, which app.js turns into the reader's own time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mediaserver.channels.channels import Channel
from mediaserver.channels.timetable import Occurrence


def occurrence_view(occurrence: Occurrence, now_ms: int | None = None) -> dict[str, Any]:
    """One time of an entry; with `now_ms` it tells whether that is now."""
    entry = occurrence.entry
    starts_at_ms, ends_at_ms = occurrence.starts_at_ms, occurrence.ends_at_ms
    return {
        "entry_id": entry.id,
        "title": entry.title,
        "category": entry.category,
        "category_slug": entry.category_slug,
        "repeat": entry.repeat,
        "starts_at_ms": starts_at_ms,
        "ends_at_ms": ends_at_ms,
        "starts": moment(starts_at_ms),
        "ends": moment(ends_at_ms),
        "is_now": now_ms is not None and starts_at_ms <= now_ms < ends_at_ms,
        "is_cancelled": occurrence.is_cancelled,
    }


def upcoming_view(channel: Channel, occurrence: Occurrence) -> dict[str, Any]:
    """The same with its channel, for lists of several."""
    return occurrence_view(occurrence) | {"slug": channel.slug, "channel_name": channel.name}


def moment(at_ms: int) -> dict[str, str]:
    """A moment in UTC: for programs, and as day and time for people."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return {
        "iso": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "day": f"{at:%a} {at.day} {at:%b}",
        "time": f"{at:%H:%M}",
    }

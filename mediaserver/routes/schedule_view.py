"""Scheduled streams as pages show them."""

from __future__ import annotations

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
        "is_now": now_ms is not None and starts_at_ms <= now_ms < ends_at_ms,
        "is_cancelled": occurrence.is_cancelled,
    }


def upcoming_view(channel: Channel, occurrence: Occurrence) -> dict[str, Any]:
    """The same with its channel, for lists of several."""
    return occurrence_view(occurrence) | {"slug": channel.slug, "channel_name": channel.name}

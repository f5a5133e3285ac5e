"""The schedule as a calendar file (RFC 5545), which calendar programs subscribe to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from icalendar import Calendar, Event, Timezone, vDuration, vText

from mediaserver.channels.channels import Channel
from mediaserver.channels.timetable import UTC_ZONE, Entry, zone_of
from mediaserver.kernel import limits

_PRODUCT = "-//mediaserver//schedule//EN"
_REFRESH = timedelta(hours=6)
"""Programs are asked to look again after this."""


def calendar_of(channel: Channel, entries: Sequence[Entry], page_url: str) -> bytes:
    """The file. The same entries always make the same bytes, so that caches can compare them."""
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("name", vText(channel.name))
    calendar.add("x-wr-calname", vText(channel.name))
    calendar.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(_REFRESH))
    for name, first_ms in sorted(_zones(entries).items()):
        first = datetime.fromtimestamp(first_ms / 1000, UTC).date()
        last = datetime.fromtimestamp((first_ms + _COVERED_MS) / 1000, UTC).date()
        calendar.add_component(Timezone.from_tzid(name, first_date=first, last_date=last))
    for entry in entries:
        calendar.add_component(_event(channel, entry, page_url))
    return bytes(calendar.to_ical())


_COVERED_MS = 5 * limits.SCHEDULE_AHEAD_MS
"""Changes of a zone's clock are spelled out so far; programs know the zone by its name anyway."""


def _zones(entries: Sequence[Entry]) -> dict[str, int]:
    """Zones that weekly entries need, with the earliest time at which they do."""
    found: dict[str, int] = {}
    for entry in entries:
        name = zone_of(entry).key
        if entry.repeat == "weekly" and name != UTC_ZONE:
            earliest = found.setdefault(name, entry.starts_at_ms)
            found[name] = min(earliest, entry.starts_at_ms)
    return found


def _event(channel: Channel, entry: Entry, page_url: str) -> Event:
    own = zone_of(entry)
    zone = UTC if entry.repeat == "none" or own.key == UTC_ZONE else own
    event = Event()
    event.add("uid", f"{entry.id}@mediaserver")
    event.add("dtstamp", _utc(entry.updated_at_ms))
    event.add("created", _utc(entry.created_at_ms))
    event.add("last-modified", _utc(entry.updated_at_ms))
    event.add("sequence", entry.revision)
    event.add("dtstart", datetime.fromtimestamp(entry.starts_at_ms / 1000, zone))
    event.add("duration", timedelta(minutes=entry.duration_min))
    if entry.repeat == "weekly":
        event.add("rrule", {"freq": "weekly"})
        for at_ms in sorted(entry.cancelled):
            event.add("exdate", datetime.fromtimestamp(at_ms / 1000, zone))
    event.add("summary", f"{channel.name}: {entry.title}")
    event.add("description", f"Live at {page_url}")
    event.add("url", page_url)
    if entry.category is not None:
        event.add("categories", [entry.category])
    return event


def _utc(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC)

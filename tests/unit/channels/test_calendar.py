"""The calendar file: as other programs read it, and with hostile text in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar

from mediaserver.channels.calendar import calendar_of
from mediaserver.channels.channels import Channel
from mediaserver.channels.timetable import Entry
from mediaserver.kernel import limits

URL = "https://live.example.org/@mira"
START_MS = 1_800_000_000_000
CHANNEL = Channel(id="chn_1", slug="mira", name="Mira", owner_id="u", owner="mira", created_at_ms=0)
ONCE = Entry(
    id="sch_1",
    channel_id="chn_1",
    title="Boats",
    category="Art",
    category_slug="art",
    starts_at_ms=START_MS,
    duration_min=90,
    repeat="none",
    time_zone="Europe/Berlin",
    revision=2,
    created_at_ms=1_700_000_000_123,
    updated_at_ms=1_700_000_100_456,
)
WEEKLY = replace(
    ONCE, id="sch_2", repeat="weekly", cancelled=frozenset({START_MS + limits.WEEK_MS})
)


def test_one_stream() -> None:
    (event,) = Calendar.from_ical(calendar_of(CHANNEL, [ONCE], URL)).walk("VEVENT")
    assert event["UID"] == "sch_1@mediaserver"
    assert event["SUMMARY"] == "Mira: Boats"
    assert event.decoded("DTSTART") == datetime.fromtimestamp(START_MS / 1000, UTC)
    assert event.decoded("DURATION") == timedelta(minutes=90)
    assert event["SEQUENCE"] == 2
    assert event["URL"] == URL
    assert "RRULE" not in event


def test_a_weekly_stream_keeps_its_zone() -> None:
    text = calendar_of(CHANNEL, [WEEKLY, ONCE], URL)
    calendar = Calendar.from_ical(text)
    (zone,) = calendar.walk("VTIMEZONE")
    assert zone["TZID"] == "Europe/Berlin"
    event = calendar.walk("VEVENT")[0]
    assert event["RRULE"]["FREQ"] == ["WEEKLY"]
    assert event["DTSTART"].params["TZID"] == "Europe/Berlin"
    start = datetime.fromtimestamp(START_MS / 1000, ZoneInfo("Europe/Berlin"))
    assert event.decoded("DTSTART").replace(tzinfo=None) == start.replace(tzinfo=None)
    assert b"EXDATE;TZID=Europe/Berlin:20270122T090000" in text


def test_the_same_schedule_makes_the_same_file() -> None:
    assert calendar_of(CHANNEL, [ONCE, WEEKLY], URL) == calendar_of(CHANNEL, [ONCE, WEEKLY], URL)


def test_no_text_breaks_out_of_its_line() -> None:
    evil = "x;y,z\\\"' END:VEVENT :" + "ü" * 60
    text = calendar_of(replace(CHANNEL, name=evil), [replace(ONCE, title=evil)], URL)
    calendar = Calendar.from_ical(text)
    (event,) = calendar.walk("VEVENT")
    assert event["SUMMARY"] == f"{evil}: {evil}"
    assert all(len(line) <= 75 for line in text.split(b"\r\n")), "folded (RFC 5545 §3.1)"
    assert b"\n" not in text.replace(b"\r\n", b"")


def test_an_empty_schedule_is_a_calendar_too() -> None:
    calendar = Calendar.from_ical(calendar_of(CHANNEL, [], URL))
    assert calendar.walk("VEVENT") == []
    assert calendar["X-WR-CALNAME"] == "Mira"

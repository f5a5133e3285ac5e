"""When entries take place: weeks across daylight saving, cancelled times, bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.channels.timetable import (
    Entry,
    local_to_ms,
    next_time,
    occurrences,
    time_zones,
    times_of,
)
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid

HOUR_MS = 3_600_000
BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def entry(starts: str, zone: str = "UTC", repeat: str = "weekly", minutes: int = 60) -> Entry:
    return Entry(
        id="sch_1",
        channel_id="chn_1",
        title="Boats",
        category=None,
        category_slug=None,
        starts_at_ms=ms(starts, zone),
        duration_min=minutes,
        repeat=repeat,  # type: ignore[arg-type]
        time_zone=zone,
        revision=0,
        created_at_ms=0,
        updated_at_ms=0,
    )


def local(one: Entry, count: int, from_ms: int = 0) -> list[str]:
    zone = ZoneInfo(one.time_zone)
    times = times_of(one, from_ms, one.starts_at_ms + 100 * limits.WEEK_MS)
    return [
        datetime.fromtimestamp(time.starts_at_ms / 1000, zone).strftime("%m-%d %H:%M")
        for time, _ in zip(times, range(count), strict=False)
    ]


@pytest.mark.parametrize(
    ("starts", "zone", "expected"),
    [
        ("2026-03-20T20:00", "Europe/Berlin", ["03-20 20:00", "03-27 20:00", "04-03 20:00"]),
        ("2026-10-18T20:00", "Europe/Berlin", ["10-18 20:00", "10-25 20:00", "11-01 20:00"]),
        ("2026-03-22T02:30", "Europe/Berlin", ["03-22 02:30", "03-29 03:30", "04-05 02:30"]),
        ("2026-10-18T02:30", "Europe/Berlin", ["10-18 02:30", "10-25 02:30", "11-01 02:30"]),
        ("2026-11-20T09:30", "Asia/Kolkata", ["11-20 09:30", "11-27 09:30", "12-04 09:30"]),
        ("2026-12-31T23:59", "UTC", ["12-31 23:59", "01-07 23:59", "01-14 23:59"]),
        ("2026-04-02T00:00", "Australia/Lord_Howe", ["04-02 00:00", "04-09 00:00", "04-16 00:00"]),
    ],
)
def test_a_weekly_entry_keeps_its_local_time(starts: str, zone: str, expected: list[str]) -> None:
    assert local(entry(starts, zone), 3) == expected


def test_daylight_saving_moves_it_in_utc() -> None:
    one = entry("2026-03-20T20:00", "Europe/Berlin")
    first, second = [time.starts_at_ms for time in times_of(one, 0, ms("2026-04-01T00:00"))]
    third = next_time(one, second)
    assert third is not None
    assert second - first == limits.WEEK_MS
    assert third - second == limits.WEEK_MS - HOUR_MS


def test_the_second_half_past_two_of_the_first_night_stays() -> None:
    late = int(datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1).timestamp() * 1000)
    one = replace(entry("2026-10-25T02:30", "Europe/Berlin"), starts_at_ms=late)
    times = list(times_of(one, 0, late + 2 * limits.WEEK_MS))
    assert [time.starts_at_ms for time in times] == [late, late + limits.WEEK_MS]


@given(
    weeks=st.integers(0, 300),
    offset_min=st.integers(-20_000, 20_000),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]),
)
def test_looking_from_the_middle_finds_the_same(weeks: int, offset_min: int, zone: str) -> None:
    one = entry("2026-03-20T02:30", zone)
    from_ms = one.starts_at_ms + weeks * limits.WEEK_MS + offset_min * 60_000
    until_ms = from_ms + 5 * limits.WEEK_MS
    every = [time.starts_at_ms for time in times_of(one, 0, until_ms)]
    found = [time.starts_at_ms for time in times_of(one, from_ms, until_ms)]
    assert found == [at_ms for at_ms in every if at_ms >= from_ms]


def test_once_is_once() -> None:
    one = entry("2026-11-20T20:00", repeat="none")
    assert local(one, 3) == ["11-20 20:00"]
    assert next_time(one, one.starts_at_ms - 1) == one.starts_at_ms
    assert next_time(one, one.starts_at_ms) is None


def test_cancelled_times_are_told_and_skipped() -> None:
    one = entry("2026-11-20T20:00")
    second = one.starts_at_ms + limits.WEEK_MS
    one = replace(one, cancelled=frozenset({second}))
    assert next_time(one, one.starts_at_ms) == second + limits.WEEK_MS
    found = occurrences([one], one.starts_at_ms - 1)
    assert [time.is_cancelled for time in found[:3]] == [False, True, False]
    every_week = frozenset(one.starts_at_ms + n * limits.WEEK_MS for n in range(60))
    assert next_time(replace(one, cancelled=every_week), one.starts_at_ms) is None


def test_what_goes_on_is_shown_until_it_ends() -> None:
    one = entry("2026-11-20T20:00", repeat="none", minutes=90)
    for minutes, is_shown in ((-1, True), (0, True), (89, True), (90, False)):
        found = occurrences([one], one.starts_at_ms + minutes * 60_000)
        assert bool(found) is is_shown, minutes


def test_many_entries_come_in_order_and_bounded() -> None:
    many = [
        replace(entry("2026-11-20T20:00"), id=f"sch_{n}", starts_at_ms=ms("2026-11-20T20:00") - n)
        for n in range(50)
    ]
    found = occurrences(many, ms("2026-11-20T00:00"))
    assert len(found) == limits.OCCURRENCES_LISTED_MAX
    assert [one.starts_at_ms for one in found] == sorted(one.starts_at_ms for one in found)


def test_local_times_of_forms() -> None:
    assert local_to_ms("2026-07-01T20:00", "Europe/Berlin") == ms("2026-07-01T18:00")
    assert local_to_ms(" 2026-12-01T20:00 ", "Europe/Berlin") == ms("2026-12-01T19:00")


@pytest.mark.parametrize(
    ("text", "zone", "field"),
    [
        ("", "UTC", "starts_at_ms"),
        ("tomorrow", "UTC", "starts_at_ms"),
        ("2026-13-01T00:00", "UTC", "starts_at_ms"),
        ("2026-07-01T20:00+02:00", "UTC", "starts_at_ms"),
        ("2026-07-01T20:00" + "0" * 100, "UTC", "starts_at_ms"),
        ("2026-07-01T20:00", "", "time_zone"),
        ("2026-07-01T20:00", "Mars/Olympus", "time_zone"),
        ("2026-07-01T20:00", "../../etc/passwd", "time_zone"),
        ("2026-07-01T20:00", "/etc/localtime", "time_zone"),
        ("2026-07-01T20:00", "localtime", "time_zone"),
        ("2026-07-01T20:00", "europe/berlin", "time_zone"),
    ],
)
def test_wrong_local_times(text: str, zone: str, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        local_to_ms(text, zone)
    assert caught.value.field == field


def test_zones_are_known() -> None:
    assert {"UTC", "Europe/Berlin", "Asia/Dhaka", "Asia/Jakarta"} <= time_zones()

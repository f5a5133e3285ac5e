"""The schedule: who may change it, wrong entries, cancelled times, what is told at the start."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from mediaserver.accounts.users import User, set_banned_until
from mediaserver.channels.calendar import calendar_of
from mediaserver.channels.channels import Channel, Channels
from mediaserver.channels.schedule import Given, Schedule, ScheduleChanged, schedule_entry
from mediaserver.channels.schedule_clock import ScheduleClock, ScheduleStarted
from mediaserver.channels.timetable import Entry
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.kernel.events import Events

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MINUTE_MS = 60_000


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_700_000_040_000)  # a whole minute


@pytest.fixture
def schedule(db: Database, clock: FakeClock) -> Schedule:
    return Schedule(db, clock)


@pytest.fixture
def schedule_clock(db: Database, clock: FakeClock) -> ScheduleClock:
    return ScheduleClock(db, clock)


@pytest.fixture
def started(events: Events) -> list[ScheduleStarted]:
    heard: list[ScheduleStarted] = []
    events.subscribe(ScheduleStarted, heard.append)
    return heard


def boats(clock: FakeClock, **changes: Any) -> Given:
    return replace(Given(title="Boats", starts_at_ms=clock.wall_ms() + HOUR_MS), **changes)


async def test_create_change_and_remove(
    schedule: Schedule, channel: Channel, alice: User, clock: FakeClock, events: Events
) -> None:
    told: list[ScheduleChanged] = []
    events.subscribe(ScheduleChanged, told.append)
    start_ms = clock.wall_ms() + HOUR_MS
    made = await schedule.create(alice, "alice-tv", boats(clock, category="art"))
    assert (made.title, made.category, made.starts_at_ms) == ("Boats", "Art", start_ms)
    assert (made.duration_min, made.repeat, made.time_zone) == (60, "none", "UTC")
    assert await schedule.entries(channel.id) == [made]
    (one,) = await schedule.occurrences(channel.id)
    assert (one.starts_at_ms, one.ends_at_ms) == (start_ms, start_ms + HOUR_MS)
    assert await schedule.next_of(channel.id) == one
    ((of, same),) = await schedule.upcoming()
    assert (of.slug, same) == ("alice-tv", one)
    assert await schedule.upcoming("cat_art") == [(of, one)]
    assert await schedule.upcoming("cat_music") == []

    changed = await schedule.change(
        alice,
        "alice-tv",
        made.id,
        Given(title="Rain", duration_min=90, repeat="weekly", time_zone="Europe/Berlin"),
    )
    assert (changed.title, changed.category, changed.revision) == ("Rain", "Art", 1)
    assert changed.starts_at_ms == start_ms
    assert len(await schedule.occurrences(channel.id)) == 4, "four weeks are shown"
    plain = await schedule.change(alice, "alice-tv", made.id, Given(category=""))
    assert plain.category is None

    await schedule.remove(alice, "alice-tv", made.id)
    assert await schedule.entries(channel.id) == []
    with pytest.raises(NotFound):
        await schedule.remove(alice, "alice-tv", made.id)
    assert told == [ScheduleChanged(channel.id, "alice-tv")] * 4


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"starts_at_ms": None}, "starts_at_ms"),
        ({"starts_at_ms": 0}, "starts_at_ms"),
        ({"starts_at_ms": -(2**53)}, "starts_at_ms"),
        ({"starts_at_ms": 2**53}, "starts_at_ms"),
        ({"starts_at_ms": 1_700_000_040_000}, "starts_at_ms"),  # now
        ({"starts_at_ms": 1_700_000_040_000 + limits.SCHEDULE_AHEAD_MS + 60_000}, "starts_at_ms"),
        ({"duration_min": 4}, "duration_min"),
        ({"duration_min": 1441}, "duration_min"),
        ({"duration_min": -60}, "duration_min"),
        ({"duration_min": 2**53}, "duration_min"),
        ({"repeat": "hourly"}, "repeat"),
        ({"repeat": ""}, "repeat"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../../etc/passwd"}, "time_zone"),
        ({"title": ""}, "title"),
        ({"title": None}, "title"),
        ({"title": "\u202e \u200f"}, "title"),
        ({"title": "x" * 141}, "title"),
        ({"title": "two\r\nSUMMARY:lines"}, "title"),
        ({"title": "a" + "\u0301" * 10_000}, "title"),
        ({"category": "nothing"}, "category"),
    ],
)
async def test_wrong_entries(
    schedule: Schedule, channel: Channel, alice: User, clock: FakeClock, changes: Any, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await schedule.create(alice, "alice-tv", boats(clock, **changes))
    assert caught.value.field == field
    assert await schedule.entries(channel.id) == []
    made = await schedule.create(alice, "alice-tv", boats(clock))
    if None in changes.values():
        return
    with pytest.raises(Invalid) as caught:
        await schedule.change(alice, "alice-tv", made.id, Given(**changes))
    assert caught.value.field == field
    assert await schedule.entries(channel.id) == [made]


async def test_only_its_own_people_change_it(
    schedule: Schedule,
    channels: Channels,
    channel: Channel,
    alice: User,
    bob: User,
    admin: User,
    clock: FakeClock,
) -> None:
    await channels.create(bob, "bob-tv", "Bob")
    made = await schedule.create(alice, "alice-tv", boats(clock, repeat="weekly"))
    at_ms = made.starts_at_ms
    with pytest.raises(Forbidden):
        await schedule.create(bob, "alice-tv", boats(clock))
    with pytest.raises(Forbidden):
        await schedule.change(bob, "alice-tv", made.id, Given(title="Mine"))
    with pytest.raises(Forbidden):
        await schedule.cancel(bob, "alice-tv", made.id, at_ms)
    with pytest.raises(Forbidden):
        await schedule.remove(bob, "alice-tv", made.id)
    # somebody else's entry under one's own channel
    with pytest.raises(NotFound):
        await schedule.change(bob, "bob-tv", made.id, Given(title="Mine"))
    with pytest.raises(NotFound):
        await schedule.cancel(bob, "bob-tv", made.id, at_ms)
    with pytest.raises(NotFound):
        await schedule.remove(bob, "bob-tv", made.id)
    for entry_id in ("", "sch_nothing", "\0", "x" * 5000):
        with pytest.raises(NotFound):
            await schedule.remove(alice, "alice-tv", entry_id)
    assert await schedule.entries(channel.id) == [made]
    await schedule.remove(admin, "alice-tv", made.id)


async def test_single_times_are_cancelled_and_come_back(
    schedule: Schedule, channel: Channel, alice: User, clock: FakeClock
) -> None:
    made = await schedule.create(alice, "alice-tv", boats(clock, repeat="weekly"))
    once = await schedule.create(alice, "alice-tv", boats(clock))
    first = made.starts_at_ms
    cancelled = await schedule.cancel(alice, "alice-tv", made.id, first)
    assert cancelled.cancelled == frozenset({first})
    assert await schedule.cancel(alice, "alice-tv", made.id, first) == replace(
        cancelled, revision=2
    )
    await schedule.remove(alice, "alice-tv", once.id)
    following = await schedule.next_of(channel.id)
    assert following is not None
    assert following.starts_at_ms == first + limits.WEEK_MS
    assert [one.is_cancelled for one in await schedule.occurrences(channel.id)][:2] == [True, False]
    back = await schedule.cancel(alice, "alice-tv", made.id, first, is_cancelled=False)
    assert back.cancelled == frozenset()
    assert (await schedule.next_of(channel.id)) is not None
    for wrong_ms in (first + 1, first - limits.WEEK_MS, first + 1000 * limits.WEEK_MS, -1, 2**53):
        with pytest.raises(NotFound):
            await schedule.cancel(alice, "alice-tv", made.id, wrong_ms)
    other = await schedule.create(alice, "alice-tv", boats(clock))
    with pytest.raises(Conflict):
        await schedule.cancel(alice, "alice-tv", other.id, other.starts_at_ms)
    await schedule.cancel(alice, "alice-tv", made.id, first)
    moved = await schedule.change(alice, "alice-tv", made.id, Given(starts_at_ms=first + HOUR_MS))
    assert moved.cancelled == frozenset(), "times that no longer exist"


async def test_times_that_were_cancelled_long_ago_count_no_more(
    schedule: Schedule,
    channel: Channel,
    alice: User,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SCHEDULE_CANCELLATIONS_MAX", 6)
    made = await schedule.create(alice, "alice-tv", boats(clock, repeat="weekly"))
    for week in range(10):
        at_ms = made.starts_at_ms + week * limits.WEEK_MS
        entry = await schedule.cancel(alice, "alice-tv", made.id, at_ms)
        clock.advance(limits.WEEK_MS)
    assert at_ms in entry.cancelled
    assert min(entry.cancelled) >= clock.wall_ms() - limits.WEEK_MS - limits.SCHEDULE_KEPT_MS


async def test_too_many_entries_also_at_once(
    schedule: Schedule,
    channel: Channel,
    alice: User,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SCHEDULE_ENTRIES_MAX", 3)
    results = await asyncio.gather(
        *(schedule.create(alice, "alice-tv", boats(clock)) for _ in range(6)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Entry) for one in results) == 3
    assert sum(isinstance(one, Conflict) for one in results) == 3
    clock.advance(2 * HOUR_MS)
    await ScheduleClock(schedule._db, clock).check()
    await schedule.create(alice, "alice-tv", boats(clock))


async def test_what_is_over_leaves_the_list(
    schedule: Schedule, channel: Channel, alice: User, clock: FakeClock
) -> None:
    await schedule.create(alice, "alice-tv", boats(clock))
    weekly = await schedule.create(alice, "alice-tv", boats(clock, repeat="weekly"))
    clock.advance(limits.SCHEDULE_KEPT_MS + 2 * HOUR_MS)
    assert [one.id for one in await schedule.entries(channel.id)] == [weekly.id]


async def test_who_is_banned_keeps_nobody_from_the_list(
    db: Database,
    schedule: Schedule,
    channels: Channels,
    channel: Channel,
    alice: User,
    bob: User,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "UPCOMING_LISTED_MAX", 2)
    await channels.create(bob, "bob-tv", "Bob")
    for _ in range(2):
        await schedule.create(bob, "bob-tv", boats(clock))
    await schedule.create(alice, "alice-tv", boats(clock, starts_at_ms=clock.wall_ms() + DAY_MS))
    assert {one.slug for one, _ in await schedule.upcoming()} == {"bob-tv"}
    await db.write(set_banned_until, bob.id, clock.wall_ms() + 1)
    assert [one.slug for one, _ in await schedule.upcoming()] == ["alice-tv"]


async def test_the_start_is_told_once(
    schedule: Schedule,
    schedule_clock: ScheduleClock,
    channel: Channel,
    alice: User,
    clock: FakeClock,
    db: Database,
    started: list[ScheduleStarted],
) -> None:
    made = await schedule.create(alice, "alice-tv", boats(clock))
    assert await schedule_clock.check() == 0
    clock.advance(HOUR_MS)
    told = ScheduleStarted(made.id, channel.id, "alice-tv", "Boats", made.starts_at_ms)
    await asyncio.gather(schedule_clock.check(), ScheduleClock(db, clock).check())
    assert started == [told]
    assert await ScheduleClock(db, clock).check() == 0, "after a restart"
    clock.advance(limits.WEEK_MS)
    assert await schedule_clock.check() == 0
    assert started == [told]


async def test_each_week_is_told_but_for_cancelled_ones(
    schedule: Schedule,
    schedule_clock: ScheduleClock,
    channel: Channel,
    alice: User,
    clock: FakeClock,
    started: list[ScheduleStarted],
) -> None:
    made = await schedule.create(alice, "alice-tv", boats(clock, repeat="weekly"))
    await schedule.cancel(alice, "alice-tv", made.id, made.starts_at_ms + limits.WEEK_MS)
    clock.advance(HOUR_MS)
    for _ in range(4):
        await schedule_clock.check()
        clock.advance(limits.WEEK_MS)
    weeks = [(one.starts_at_ms - made.starts_at_ms) // limits.WEEK_MS for one in started]
    assert weeks == [0, 2, 3]


async def test_nothing_is_told_long_afterwards(
    schedule: Schedule,
    schedule_clock: ScheduleClock,
    channel: Channel,
    alice: User,
    clock: FakeClock,
    started: list[ScheduleStarted],
) -> None:
    await schedule.create(alice, "alice-tv", boats(clock))
    weekly = await schedule.create(alice, "alice-tv", boats(clock, repeat="weekly"))
    clock.advance(HOUR_MS + limits.SCHEDULE_LATE_MS + MINUTE_MS)
    assert await schedule_clock.check() == 2
    assert started == []
    following = await schedule.next_of(channel.id)
    assert following is not None
    assert following.starts_at_ms == weekly.starts_at_ms + limits.WEEK_MS


async def test_a_moved_entry_is_told_at_its_new_time(
    schedule: Schedule,
    schedule_clock: ScheduleClock,
    channel: Channel,
    alice: User,
    clock: FakeClock,
    started: list[ScheduleStarted],
) -> None:
    made = await schedule.create(alice, "alice-tv", boats(clock))
    clock.advance(HOUR_MS)
    await schedule_clock.check()
    later = clock.wall_ms() + HOUR_MS
    await schedule.change(alice, "alice-tv", made.id, Given(starts_at_ms=later))
    await schedule_clock.check()
    clock.advance(HOUR_MS)
    await schedule_clock.check()
    assert [one.starts_at_ms for one in started] == [made.starts_at_ms, later]


async def test_an_edit_of_words_tells_nothing_again(
    schedule: Schedule,
    schedule_clock: ScheduleClock,
    channel: Channel,
    alice: User,
    clock: FakeClock,
    started: list[ScheduleStarted],
) -> None:
    made = await schedule.create(alice, "alice-tv", boats(clock, duration_min=120))
    clock.advance(HOUR_MS)
    await schedule_clock.check()
    await schedule.change(alice, "alice-tv", made.id, Given(title="Boats and rain"))
    await schedule_clock.check()
    assert len(started) == 1


async def test_an_unknown_time_zone_keeps_no_other_entry_from_being_told(
    db: Database,
    schedule: Schedule,
    schedule_clock: ScheduleClock,
    channel: Channel,
    alice: User,
    clock: FakeClock,
    started: list[ScheduleStarted],
) -> None:
    """Such as one that was renamed, or the files of a system without them."""
    odd = await schedule.create(alice, "alice-tv", boats(clock, repeat="weekly"))
    zone = update(schedule_entry).values(time_zone="Mars/Olympus")
    await db.write(lambda tx: tx.execute(zone))
    other = await schedule.create(alice, "alice-tv", boats(clock, title="Rain"))
    clock.advance(HOUR_MS)
    assert await schedule_clock.check() == 2
    assert {one.entry_id for one in started} == {odd.id, other.id}
    assert len(await schedule.occurrences(channel.id)) >= 2
    file = calendar_of(channel, await schedule.entries(channel.id), "http://site/@alice-tv")
    assert b"Boats" in file


async def test_it_runs_by_itself(
    db: Database,
    schedule: Schedule,
    channel: Channel,
    alice: User,
    clock: FakeClock,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SCHEDULE_CHECK_S", 0.01)
    said = asyncio.Event()
    events.subscribe(ScheduleStarted, lambda _: said.set())
    await schedule.create(alice, "alice-tv", boats(clock))
    async with ScheduleClock(db, clock), asyncio.timeout(10):
        clock.advance(HOUR_MS)
        await said.wait()

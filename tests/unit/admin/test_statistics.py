"""Days are added up right, over midnight too, and no query reads a table whole."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import insert

from mediaserver.accounts.sessions import Sessions, end_all
from mediaserver.accounts.users import User
from mediaserver.admin import statistics
from mediaserver.admin.figures import Figures
from mediaserver.admin.statistics import Statistics
from mediaserver.channels.channels import Channels
from mediaserver.channels.streams import stream
from mediaserver.chat.events import ChatEvents
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.events import Events
from mediaserver.kernel.limits import DAY_MS
from mediaserver.media.health import BroadcastMeasured, Health
from tests.crowd import fill, is_slow, plan_of

HOUR_MS = 3600 * 1000


def _midnight(clock: FakeClock) -> int:
    return clock.wall_ms() // DAY_MS * DAY_MS


def _stream(tx: Transaction, channel_id: str, live_ms: int, ended_ms: int | None) -> None:
    tx.execute(
        insert(stream).values(
            id=f"str_{channel_id}_{live_ms}",
            channel_id=channel_id,
            title="",
            created_at_ms=live_ms,
            started_at_ms=live_ms,
            live_at_ms=live_ms,
            ended_at_ms=ended_ms,
            end_reason=None if ended_ms is None else "Over.",
        )
    )


async def test_streams_are_spread_over_their_days(
    db: Database, clock: FakeClock, alice: User
) -> None:
    channels = Channels(db, clock, AccountsConfig())
    film = await channels.create(alice, "film", "Film")
    talk = await channels.create(alice, "talk", "Talk")
    today = _midnight(clock)
    for channel_id, begin, end in (
        (film.id, today - 2 * HOUR_MS, today + HOUR_MS),  # over midnight
        (film.id, today - 4 * HOUR_MS, today - 4 * HOUR_MS),  # for no time at all
        (film.id, today - 20 * DAY_MS, today - 20 * DAY_MS + HOUR_MS),  # too long ago
        (talk.id, today - 7 * DAY_MS, today - 6 * DAY_MS + HOUR_MS),  # begun before
        (talk.id, today + HOUR_MS, None),  # goes on
    ):
        await db.write(_stream, channel_id, begin, end)
    clock.set_wall(today + 4 * HOUR_MS - clock.wall_ms())
    report = await Statistics(db, clock).of_last(7)
    assert [day.streams for day in report.days] == [1, 0, 0, 0, 0, 1, 2]
    hours = [day.live_ms / HOUR_MS for day in report.days]
    assert hours == [1, 0, 0, 0, 0, 2, 4]
    assert [(one.slug, one.streams, one.live_ms // HOUR_MS) for one in report.busiest] == [
        ("talk", 2, 4),
        ("film", 1, 3),
    ]


async def test_no_stream_is_left_out_however_many_there_were(
    db: Database, clock: FakeClock, alice: User
) -> None:
    channels = Channels(db, clock, AccountsConfig())
    film = await channels.create(alice, "film", "Film")
    yesterday, count = _midnight(clock) - DAY_MS, 20_500

    def fill_streams(tx: Transaction, numbers: range) -> None:
        rows = [
            {
                "id": f"str_{number}",
                "channel_id": film.id,
                "title": "",
                "created_at_ms": yesterday + number,
                "live_at_ms": yesterday + number,
                "ended_at_ms": yesterday + number + 1_000,
                "end_reason": "Over.",
            }
            for number in numbers
        ]
        tx.execute(insert(stream), rows)

    for first in range(0, count, 5_000):
        await db.write(fill_streams, range(first, min(first + 5_000, count)))
    report = await Statistics(db, clock).of_last(7)
    assert (report.days[-2].streams, report.days[-2].live_ms) == (count, count * 1_000)
    assert [(one.streams, one.live_ms) for one in report.busiest] == [(count, count * 1_000)]


async def test_people_are_counted_by_day(db: Database, clock: FakeClock) -> None:
    await db.write(fill, 2_000)  # one a minute: 1,440 a day
    begin = DAY_MS * (1_600_000_000_000 // DAY_MS)
    clock.set_wall(begin + 2 * DAY_MS - clock.wall_ms())
    report = await Statistics(db, clock).of_last(7)
    registered = [day.registered for day in report.days]
    assert sum(registered) == 2_000
    assert registered[-3:] == [694, 1_306, 0]


@pytest.fixture
async def counting(db: Database, clock: FakeClock, events: Events) -> tuple[Figures, list[int]]:
    viewers = [0]
    return Figures(db, clock, events, lambda: viewers[0]), viewers


async def test_peaks_and_messages(
    db: Database, clock: FakeClock, events: Events, counting: tuple[Figures, list[int]]
) -> None:
    made, viewers = counting
    told = [SimpleNamespace(kind=kind) for kind in ("message", "notice", "message")]
    for count in (3, 9, 4):
        viewers[0] = count
        events.publish(BroadcastMeasured("chn_1", "film", Health(1, "live")))
        events.publish(ChatEvents("chn_1", "film", told))  # type: ignore[arg-type]
    await made.write()
    viewers[0] = 5
    events.publish(BroadcastMeasured("chn_1", "film", Health(1, "live")))
    events.publish(ChatEvents("chn_1", "film", told))  # type: ignore[arg-type]
    async with made:
        clock.advance(DAY_MS)
        viewers[0] = 2
        events.publish(BroadcastMeasured("chn_1", "film", Health(1, "live")))
    report = await Statistics(db, clock).of_last(7)
    assert [day.peak_viewers for day in report.days[-2:]] == [9, 2]
    assert [day.messages for day in report.days[-2:]] == [8, 0]


async def test_people_who_were_there(
    db: Database, clock: FakeClock, alice: User, bob: User, counting: tuple[Figures, list[int]]
) -> None:
    made, _ = counting
    sessions = Sessions(db, clock)
    for user in (alice, alice, bob):
        await sessions.start(user, address="", user_agent="", replaces=None)
    await made.write()
    await db.write(end_all, bob.id)  # leaving makes nobody less there
    await made.write()
    clock.advance(DAY_MS)
    await made.write()
    report = await Statistics(db, clock).of_last(7)
    assert [day.active_people for day in report.days[-2:]] == [2, 0]


async def test_nothing_is_lost_while_the_database_is_away(
    db: Database, clock: FakeClock, events: Events, counting: tuple[Figures, list[int]]
) -> None:
    made, viewers = counting
    viewers[0] = 7
    events.publish(BroadcastMeasured("chn_1", "film", Health(1, "live")))
    away = Database("sqlite+aiosqlite:////nowhere/site.db", events)  # never opened
    made._db = away
    with pytest.raises(Exception, match="closed"):
        await made.write()
    made._db = db
    await made.write()
    report = await Statistics(db, clock).of_last(7)
    assert report.days[-1].peak_viewers == 7


async def test_no_query_reads_a_table_whole(tmp_path: Path) -> None:
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'site.db'}", Events()) as db:

        def check(tx: Transaction) -> None:
            now_ms = 19_030 * DAY_MS
            for query in (
                statistics.days_query(19_000, now_ms),
                statistics.busiest_query(19_000, now_ms),
            ):
                of_streams = [step for step in plan_of(tx, query) if "stream" in step]
                assert len(of_streams) == 2, "those that ended and those that go on"
                assert not is_slow(of_streams), query
            plan = plan_of(tx, statistics.registered_query(19_000))
            assert plan[0].startswith("SEARCH user_account USING COVERING INDEX"), plan

        await db.read(check)

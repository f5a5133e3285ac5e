"""Who gave most: net, by person, ties by who was first; and what a goal counts."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, update

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel, Channels
from mediaserver.channels.streams import stream
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Forbidden, Invalid
from mediaserver.kernel.events import Events
from mediaserver.money import tippers
from mediaserver.money.alert_desk import AlertDesk
from mediaserver.money.contributions import Contribution, contribution
from mediaserver.money.goals import Plan
from mediaserver.money.support import SupportChanged
from mediaserver.money.tippers import Board, Period
from tests.unit.money.given import Giving

DAY_MS = 24 * 3600 * 1000


async def top(giving: Giving, period: Period = "all", most: int = 30) -> list[tuple[str, int]]:
    found = await giving.db.read(
        tippers.top, giving.channel.id, period, most, giving.clock.wall_ms()
    )
    return [(one.name, one.amount_minor) for one in found]


def take_back(tx: Transaction, given: Contribution, amount_minor: int) -> None:
    tx.execute(
        update(contribution)
        .where(contribution.c.id == given.id)
        .values(taken_back_minor=amount_minor)
    )


def start_stream(tx: Transaction, channel_id: str, stream_id: str, now_ms: int) -> None:
    """The one before, if there is one, has ended."""
    running = update(stream).where(stream.c.channel_id == channel_id)
    tx.execute(running.values(ended_at_ms=now_ms, end_reason="Over."))
    tx.execute(
        insert(stream).values(
            id=stream_id,
            channel_id=channel_id,
            title="",
            created_at_ms=now_ms,
            started_at_ms=now_ms,
        )
    )


async def test_each_person_stands_once_with_their_sum(
    giving: Giving, alice: User, bob: User, admin: User
) -> None:
    await giving.give(300, bob)
    await giving.give(500, admin)
    await giving.give(400, bob)
    assert await top(giving) == [("bob", 700), ("root", 500)]
    assert await top(giving, most=1) == [("bob", 700)]


async def test_of_two_with_the_same_sum_the_first_one_leads(
    giving: Giving, bob: User, admin: User
) -> None:
    await giving.give(200, admin)
    await giving.give(300, bob)
    await giving.give(100, admin)
    assert await top(giving) == [("root", 300), ("bob", 300)]


async def test_what_was_taken_back_does_not_count(
    giving: Giving, db: Database, bob: User, admin: User
) -> None:
    first, second = await giving.give(900, bob), await giving.give(500, admin)
    await db.write(take_back, first, 600)
    assert await top(giving) == [("root", 500), ("bob", 300)]
    await db.write(take_back, second, 500)
    assert await top(giving) == [("bob", 300)]


async def test_names_and_no_names_are_never_added_up(giving: Giving, bob: User) -> None:
    await giving.give(500, bob)
    await giving.give(400, bob, is_anonymous=True)
    await giving.give(300, None, name="bob")
    await giving.give(100, None, name="Bob")
    await giving.give(200, None)
    await giving.give(150, None)
    assert await top(giving) == [
        ("bob", 500),
        ("Somebody", 400),
        ("bob", 400),
        ("Somebody", 200),
        ("Somebody", 150),
    ]


async def test_other_channels_do_not_count(
    giving: Giving, db: Database, clock: FakeClock, alice: User, bob: User
) -> None:
    other = await Channels(db, clock, AccountsConfig()).create(alice, "second", "Second")
    await giving.give(500, bob, to=other)
    assert await top(giving) == []


async def test_a_month_is_the_calendars(giving: Giving, clock: FakeClock, bob: User) -> None:
    assert tippers.month_of(1_700_000_000_000) == 1_698_796_800_000
    await giving.give(500, bob)
    assert await top(giving, "month") == [("bob", 500)]
    clock.advance(30 * DAY_MS)
    assert await top(giving, "month") == []
    assert await top(giving, "all") == [("bob", 500)]


async def test_a_stream_counts_until_the_next_one(
    giving: Giving, db: Database, clock: FakeClock, bob: User
) -> None:
    await giving.give(700, bob)
    assert await top(giving, "stream") == []
    await db.write(start_stream, giving.channel.id, "str_1", clock.wall_ms())
    await giving.give(500, bob)
    assert await top(giving, "stream") == [("bob", 500)]
    clock.advance(1_000)
    await db.write(start_stream, giving.channel.id, "str_2", clock.wall_ms())
    assert await top(giving, "stream") == []


async def test_the_board_shows_what_its_streamer_wants(
    giving: Giving, desk: AlertDesk, events: Events, alice: User, bob: User
) -> None:
    heard: list[str] = []
    events.subscribe(SupportChanged, lambda one: heard.append(one.channel_slug))
    await giving.give(500, bob)
    shown = (await desk.support(giving.channel.id)).for_overlay()
    assert shown["tippers"] == [{"name": "bob", "amount": "$5.00"}]
    await desk.set_board(alice, "alice-tv", Board(False, "all", 3, False))
    support = await desk.support(giving.channel.id)
    shown = support.for_overlay()
    assert shown["tippers"] is None
    assert shown["board"] == {"period": "all", "tippers": [{"name": "bob", "amount": None}]}
    assert support.for_viewers() == {"goal": None, "tippers": None, "board": None}
    assert (await desk.top("alice-tv", "all", 5)).large == []
    assert heard == ["alice-tv"]
    for wrong in (Board(rows=0), Board(rows=31)):
        with pytest.raises(Invalid):
            await desk.set_board(alice, "alice-tv", wrong)
    with pytest.raises(Forbidden):
        await desk.set_board(bob, "alice-tv", Board())


async def test_a_goal_counts_what_came_since_it_began(
    giving: Giving, desk: AlertDesk, db: Database, clock: FakeClock, alice: User, bob: User
) -> None:
    await giving.give(900, bob)
    clock.advance(1)
    goal = await desk.set_goal(alice, "alice-tv", Plan("Paint", 2_000, 100))
    assert (goal.raised_minor, goal.percent, goal.is_reached) == (100, 5, False)
    given = await giving.give(1_899, bob)
    found = (await desk.support(giving.channel.id)).goal
    assert found is not None
    assert (found.raised_minor, found.percent, found.is_reached) == (1_999, 99, False)
    await giving.give(1, None)
    found = (await desk.support(giving.channel.id)).goal
    assert found is not None
    assert found.is_reached
    assert found.sentence == "$20.00 of $20.00"
    await db.write(take_back, given, 899)
    goal = await desk.set_goal(alice, "alice-tv", Plan("Paint", 4_000))
    assert goal.raised_minor == 1_001, "changed, it still counts from where it began"
    clock.advance(1)
    goal = await desk.set_goal(alice, "alice-tv", Plan("Paint", 4_000), anew=True)
    assert goal.raised_minor == 0
    await desk.remove_goal(alice, "alice-tv")
    assert (await desk.support(giving.channel.id)).goal is None


async def test_a_goal_that_is_over_counts_no_more(
    giving: Giving, desk: AlertDesk, clock: FakeClock, alice: User, bob: User
) -> None:
    ends_at_ms = clock.wall_ms() + DAY_MS
    await desk.set_goal(alice, "alice-tv", Plan("Paint", 2_000, 0, ends_at_ms))
    await giving.give(500, bob)
    clock.advance(DAY_MS)
    await giving.give(500, bob)
    goal = (await desk.support(giving.channel.id)).goal
    assert goal is not None
    assert goal.raised_minor == 500


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        (Plan("", 100), "title"),
        (Plan("x" * 81, 100), "title"),
        (Plan("Paint", 0), "target_minor"),
        (Plan("Paint", 10**12 + 1), "target_minor"),
        (Plan("Paint", 100, -1), "start_minor"),
        (Plan("Paint", 100, 0, 1), "ends_at_ms"),
    ],
)
async def test_goals_that_can_not_be(
    channel: Channel, desk: AlertDesk, alice: User, plan: Plan, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await desk.set_goal(alice, "alice-tv", plan)
    assert caught.value.field == field

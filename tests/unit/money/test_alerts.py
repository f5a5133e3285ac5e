"""Alerts: what is shown of a contribution, what waits, and what moderators decide."""

from __future__ import annotations

import pytest

from mediaserver.accounts.users import User, Users
from mediaserver.channels.channels import Channel, Channels
from mediaserver.chat import log
from mediaserver.chat.actions import Ban, Clear, Remove
from mediaserver.chat.chat import Chat
from mediaserver.chat.events import ChatEvent, ChatEvents
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound
from mediaserver.kernel.events import Events
from mediaserver.moderation import ranks, rules, words
from mediaserver.moderation.rules import Rules
from mediaserver.money import contributions, ledger, tip_lines
from mediaserver.money.alert_desk import AlertDesk
from mediaserver.money.alerts import AlertChanged, AlertReady, AlertTaken, Showing
from mediaserver.money.contributions import Contribution
from mediaserver.money.ledger import Account, Kind
from tests.unit.money.given import Giving


class Heard:
    """What was published."""

    def __init__(self, events: Events) -> None:
        self.lines: list[ChatEvent] = []
        self.shown: list[Showing] = []
        self.taken: list[str | None] = []
        self.changed: list[tuple[str, bool]] = []
        events.subscribe(ChatEvents, lambda one: self.lines.extend(one.events))
        events.subscribe(AlertReady, lambda one: self.shown.append(one.showing))
        events.subscribe(AlertTaken, lambda one: self.taken.append(one.contribution_id))
        events.subscribe(
            AlertChanged, lambda one: self.changed.append((one.given.alert, one.is_new))
        )


@pytest.fixture
def heard(events: Events) -> Heard:
    return Heard(events)


def block(tx: Transaction, channel: Channel, word: str) -> None:
    words.add(tx, channel.id, word, channel.owner_id, 0)


async def earned(db: Database, given: Contribution) -> int:
    account = Account(Kind.EARNINGS_PENDING, given.recipient_id, given.currency)
    return (await db.read(ledger.balance, account)).amount_minor


async def test_a_tip_is_a_line_and_an_alert_at_once(
    giving: Giving, heard: Heard, bob: User, channel: Channel
) -> None:
    given = await giving.give(1_250, bob, "great stream")
    assert (await giving.fresh(given)).alert == "waiting"
    (line,) = heard.lines
    assert (line.kind, line.text) == ("notice", "great stream")
    assert line.author is not None
    assert line.author.username == "bob"
    tip = line.data["tip"]
    assert (tip["id"], tip["amount"], tip["name"]) == (given.id, "$12.50", "bob")
    assert (tip["tier"], tip["top_until_ms"]) == (3, giving.clock.wall_ms() + 300_000)
    (showing,) = heard.shown
    assert (showing.id, showing.amount, showing.message) == (given.id, "$12.50", "great stream")
    assert showing.line_id == line.id
    assert heard.changed == [("waiting", True)]


@pytest.mark.parametrize(
    ("amount", "tier", "kept_s"),
    [(100, 0, 0), (199, 0, 0), (200, 1, 30), (500, 2, 120), (1_000, 3, 300), (2_000, 4, 600)],
)
async def test_how_long_a_line_stays_on_top(
    giving: Giving, heard: Heard, bob: User, amount: int, tier: int, kept_s: int
) -> None:
    await giving.give(amount, bob)
    tip = heard.lines[0].data["tip"]
    assert (tip["tier"], tip["top_until_ms"]) == (tier, giving.clock.wall_ms() + kept_s * 1000)


async def test_the_site_says_what_a_small_tip_is(
    giving: Giving, db: Database, heard: Heard, bob: User
) -> None:
    await db.write(tip_lines.set_scale, "USD", 500)
    await giving.give(500, bob)
    await giving.give(2_500, bob)
    assert [line.data["tip"]["tier"] for line in heard.lines] == [0, 2]


async def test_nobody_learns_who_an_anonymous_giver_is(
    giving: Giving, heard: Heard, bob: User
) -> None:
    await giving.give(100, bob, "hush", is_anonymous=True)
    (line,) = heard.lines
    assert line.author is None
    assert line.data["tip"]["name"] == "Somebody"
    assert heard.shown[0].name == "Somebody"
    assert "bob" not in str(line.as_json()) + str(heard.shown[0])


async def test_below_the_minimum_there_is_a_line_alone(
    giving: Giving, desk: AlertDesk, heard: Heard, alice: User, bob: User
) -> None:
    await desk.set_rules(alice, "alice-tv", {"amount_minor_min": 500, "approves_first": True})
    given = await giving.give(499, bob, "small")
    assert (await giving.fresh(given)).alert == "none"
    assert [line.text for line in heard.lines] == ["small"]
    assert heard.shown == []
    assert (await giving.fresh(await giving.give(500, bob))).alert == "held"


async def test_alerts_that_are_off_leave_the_line(
    giving: Giving, desk: AlertDesk, heard: Heard, alice: User, bob: User
) -> None:
    await desk.set_rules(alice, "alice-tv", {"is_on": False})
    assert (await giving.fresh(await giving.give(500, bob))).alert == "none"
    assert (len(heard.lines), heard.shown) == (1, [])


@pytest.mark.parametrize(
    ("message", "name", "is_held"),
    [
        ("you are a N0ODLE, Alice", "", True),
        ("fine", "noodle", True),
        ("see www.example.org/win", "", True),
        ("fine", "bad.example.com", True),
        ("noodles are fine", "", False),
    ],
)
async def test_what_the_chat_would_not_take_is_held(
    giving: Giving, db: Database, heard: Heard, message: str, name: str, is_held: bool
) -> None:
    await db.write(block, giving.channel, "noodle")
    await db.write(rules.put, giving.channel.id, Rules(links="moderators"))
    given = await giving.give(500, None, message, name=name)
    assert (await giving.fresh(given)).alert == ("held" if is_held else "waiting")
    assert (heard.lines == []) == is_held
    assert (heard.shown == []) == is_held
    assert await earned(db, given) == 390, "the money has moved in every case"


async def test_who_was_shut_out_meanwhile_is_held(
    giving: Giving, db: Database, clock: FakeClock, heard: Heard, alice: User, bob: User
) -> None:
    async with Chat(db, clock, batch_ms=0) as chat:
        await chat.act(alice, giving.channel, Ban("bob"))
    assert (await giving.fresh(await giving.give(500, bob, "hi"))).alert == "held"


async def test_approved_it_is_shown_and_denied_it_is_not(
    giving: Giving, desk: AlertDesk, heard: Heard, db: Database, alice: User, bob: User
) -> None:
    await desk.set_rules(alice, "alice-tv", {"approves_first": True})
    first, second, third = [await giving.give(500, bob, f"number {n}") for n in (1, 2, 3)]
    assert heard.lines == []
    assert [one.id for one in await desk.queue(alice, "alice-tv")] == [
        first.id,
        second.id,
        third.id,
    ]
    assert (await desk.approve(alice, "alice-tv", first.id)).alert == "waiting"
    assert (await desk.approve(alice, "alice-tv", second.id, message=False)).alert == "waiting"
    assert (await desk.deny(alice, "alice-tv", third.id)).alert == "denied"
    assert [line.text for line in heard.lines] == ["number 1", ""]
    assert [one.message for one in heard.shown] == ["number 1", ""]
    waiting = await desk.waiting(giving.channel.id)
    assert [(one.id, one.message) for one in waiting] == [(first.id, "number 1"), (second.id, "")]
    assert await earned(db, third) == 3 * 390
    for decide in (desk.approve, desk.deny):
        with pytest.raises(Conflict):
            await decide(alice, "alice-tv", third.id)
    with pytest.raises(Conflict):
        await desk.replay(alice, "alice-tv", third.id)


async def test_nobody_approves_what_was_taken_back(
    giving: Giving, desk: AlertDesk, heard: Heard, db: Database, alice: User, bob: User
) -> None:
    await desk.set_rules(alice, "alice-tv", {"approves_first": True})
    given = await giving.give(500, bob, "it was not my card")
    await db.write(contributions.take_back, given.id, 500)
    with pytest.raises(Conflict):
        await desk.approve(alice, "alice-tv", given.id)
    assert (heard.lines, heard.shown) == ([], [])
    assert (await desk.deny(alice, "alice-tv", given.id)).alert == "denied"


async def test_a_closed_overlay_gets_each_once_and_the_oldest_first(
    giving: Giving, desk: AlertDesk, clock: FakeClock, bob: User
) -> None:
    first = await giving.give(500, bob, "one")
    clock.advance(1)
    second = await giving.give(700, bob, "two")
    waiting = await desk.waiting(giving.channel.id)
    assert [one.id for one in waiting] == [first.id, second.id]
    assert await desk.shown(giving.channel, first.id, 0)
    assert not await desk.shown(giving.channel, first.id, 0), "another overlay said so before"
    assert [one.id for one in await desk.waiting(giving.channel.id)] == [second.id]
    assert (await giving.fresh(first)).alert == "shown"
    clock.advance(limits.ALERT_WAITS_MS + 1)
    assert await desk.waiting(giving.channel.id) == []


async def test_skip_and_replay(
    giving: Giving, desk: AlertDesk, heard: Heard, alice: User, bob: User
) -> None:
    given = await giving.give(500, bob, "again")
    assert (await desk.skip(alice, "alice-tv", given.id)).alert == "skipped"
    assert heard.taken == [given.id]
    assert await desk.waiting(giving.channel.id) == []
    with pytest.raises(Conflict):
        await desk.skip(alice, "alice-tv", given.id)
    assert (await desk.replay(alice, "alice-tv", given.id)).alert == "waiting"
    assert [(one.turn, one.message) for one in heard.shown] == [(0, "again"), (1, "again")]
    assert not await desk.shown(giving.channel, given.id, 0), "that was the first showing"
    assert await desk.shown(giving.channel, given.id, 1)
    assert len(heard.lines) == 1, "the line isn't written again"


async def test_a_removed_line_takes_its_message_out_of_the_alert(
    giving: Giving, desk: AlertDesk, db: Database, heard: Heard, alice: User, bob: User
) -> None:
    first, second = await giving.give(500, bob, "rude"), await giving.give(500, bob, "also")
    async with Chat(db, giving.clock, batch_ms=0) as chat:
        await chat.act(alice, giving.channel, Remove(heard.lines[0].id))
        waiting = await desk.waiting(giving.channel.id)
        assert [(one.id, one.message) for one in waiting] == [(first.id, ""), (second.id, "also")]
        assert [one.text for one in await desk.kept(giving.channel.id)] == ["also"]
        await chat.act(alice, giving.channel, Clear())
    assert {one.message for one in await desk.waiting(giving.channel.id)} == {""}
    assert await desk.kept(giving.channel.id) == []


async def test_lines_stay_on_top_for_their_time(
    giving: Giving, desk: AlertDesk, clock: FakeClock, bob: User
) -> None:
    await giving.give(100, bob, "small")
    await giving.give(200, bob, "30 s")
    await giving.give(500, bob, "2 min")
    assert [one.text for one in await desk.kept(giving.channel.id)] == ["2 min", "30 s"]
    clock.advance(31_000)
    assert [one.text for one in await desk.kept(giving.channel.id)] == ["2 min"]


async def test_moderators_decide_and_nobody_else(
    giving: Giving, desk: AlertDesk, db: Database, users: Users, alice: User, bob: User
) -> None:
    await desk.set_rules(alice, "alice-tv", {"approves_first": True})
    given = await giving.give(500, bob)
    for refused in (
        desk.approve(bob, "alice-tv", given.id),
        desk.queue(bob, "alice-tv"),
        desk.skip_current(bob, "alice-tv"),
        desk.set_rules(bob, "alice-tv", {"is_on": False}),
    ):
        with pytest.raises(Forbidden):
            await refused
    carol = await users.create("carol", "carol@example.org", "carol's secret", is_admin=False)
    await db.write(ranks.add_moderator, giving.channel.id, carol.id, alice.id, 0)
    assert (await desk.approve(carol, "alice-tv", given.id)).alert == "waiting"
    with pytest.raises(Forbidden):
        await desk.set_rules(carol, "alice-tv", {"is_on": False})


async def test_a_contribution_of_another_channel_is_not_there(
    giving: Giving, desk: AlertDesk, db: Database, clock: FakeClock, bob: User, alice: User
) -> None:
    given = await giving.give(500, bob)
    other = await Channels(db, clock, AccountsConfig()).create(bob, "bob-tv", "Bob")
    with pytest.raises(NotFound):
        await desk.shown(other, given.id, 0)
    for act in (desk.skip, desk.replay, desk.approve, desk.deny):
        with pytest.raises(NotFound):
            await act(bob, "bob-tv", given.id)
    assert (await giving.fresh(given)).alert == "waiting"
    assert await db.read(log.count_lines, giving.channel.id, bob.id) == 1

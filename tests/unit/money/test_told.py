"""Who hears of what was paid: once each, and a busy streamer in one notice."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel import jobs, limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.mail import Letterhead
from mediaserver.money import contributions
from mediaserver.money.contributions import Contribution
from mediaserver.money.tips import Tips
from mediaserver.money.told import JOB_MANY, Told
from mediaserver.notifications.notices import notice
from tests.unit.money.givers import CONFIG, fund, give, open_channel
from tests.unit.outbox import Outbox


@pytest.fixture
async def channel(db: Database, clock: FakeClock, alice: User) -> Channel:
    return await open_channel(db, clock, alice)


@pytest.fixture
def tips(db: Database, clock: FakeClock) -> Tips:
    return Tips(db, clock, CONFIG)


def titles(tx: Transaction, user_id: str) -> list[str]:
    query = select(notice.c.title).where(notice.c.user_id == user_id)
    return list(tx.execute(query.order_by(notice.c.created_at_ms)).scalars())


async def test_giver_and_streamer_hear_of_a_tip_once(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    tips: Tips,
    channel: Channel,
    alice: User,
    bob: User,
) -> None:
    seen: list[str] = []

    def also(tx: Transaction, paid: Contribution, now_ms: int) -> None:
        seen.append(paid.id)

    told = Told(db, clock, letterhead, (also,))
    await fund(db, bob, 1_000)
    given = await give(tips, bob, channel.slug, 500, message="Hello")
    waiting = await db.read(jobs.page, contributions.JOB)
    assert [one.payload for one in waiting] == [{"contribution": given.id}]
    for _ in range(2):  # a job may run twice
        await told.paid(waiting[0].payload)
    assert seen == [given.id]
    assert await db.read(titles, alice.id) == ["bob gave you $5.00"]
    assert await db.read(titles, bob.id) == [f"Your tip of $5.00 to {channel.name}"]
    to_bob, to_alice = [(await Outbox(db).letters(user.email))[0] for user in (bob, alice)]
    assert "$3.90 go to the streamer and $1.10 to the site (commission 22 %)" in to_bob.body
    assert f"/receipts/{given.id}" in to_bob.body
    assert "Hello" in to_alice.body
    assert "You get $3.90; the site keeps $1.10 (22 %)." in to_alice.body
    assert "No mails like this any more" in to_alice.body


async def test_many_gifts_come_as_one_notice(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    tips: Tips,
    channel: Channel,
    alice: User,
    bob: User,
) -> None:
    told = Told(db, clock, letterhead)
    await fund(db, bob, 10_000)
    for amount in (500, 200, 300, 900):
        given = await give(tips, bob, channel.slug, amount, is_anonymous=amount == 900)
        await told.paid({"contribution": given.id})
        clock.advance(1_000)
    assert await db.read(titles, alice.id) == ["bob gave you $5.00"]
    later = await db.read(jobs.page, JOB_MANY)
    assert len(later) == 1, "asked for once, however many came"
    clock.advance(limits.GIFTS_TOLD_EVERY_MS)
    await told.many(later[0].payload)
    await told.many(later[0].payload)
    assert await db.read(titles, alice.id) == ["bob gave you $5.00", "3 gifts, $14.00 together"]
    body = (await Outbox(db).letters(alice.email))[-1].body
    assert "$9.00 from Somebody" in body
    assert f"/studio/{channel.slug}/supporters" in body


async def test_who_gave_without_a_name_is_named_nowhere(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    tips: Tips,
    channel: Channel,
    alice: User,
    bob: User,
) -> None:
    told = Told(db, clock, letterhead)
    await fund(db, bob, 1_000)
    given = await give(tips, bob, channel.slug, 500, is_anonymous=True)
    await told.paid({"contribution": given.id})
    to_alice = (await Outbox(db).letters(alice.email))[0]
    assert "bob" not in to_alice.subject + to_alice.body
    assert "Somebody gave you $5.00" in to_alice.subject

"""Tips and donations told to webhooks: by the job of the payment, once, whatever dies between."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from mediaserver.accounts.users import User, set_verified
from mediaserver.channels import channels
from mediaserver.channels.channels import Channel
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.events import Events
from mediaserver.kernel.jobs import page
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.worker import Worker
from mediaserver.money import contributions, ledger
from mediaserver.money.contributions import JOB, Contribution, ContributionKind, Offer, Words
from mediaserver.money.told import Told
from mediaserver.webhooks import gifts
from mediaserver.webhooks.deliveries import webhook_delivery
from mediaserver.webhooks.webhooks import Asker, Webhooks
from tests.unit.webhooks.conftest import URL


def _pay(
    tx: Transaction, kind: ContributionKind, slug: str, sender: User | None, words: Words
) -> Contribution:
    given = contributions.create(
        tx, Offer(kind, channels.get(tx, slug), sender, words, 1250, "USD", 2200), "open", 1_000
    )
    source = ledger.clearing_of("sandbox", "USD")
    return contributions.pay(tx, given, source, 2_000, maturity_days=14)


def _announce(tx: Transaction, letterhead: Letterhead, paid: Contribution, now_ms: int) -> None:
    gifts.announce(letterhead, tx, paid, now_ms)


async def _bodies(db: Database) -> list[dict[str, Any]]:
    rows = await db.read(lambda tx: tx.execute(select(webhook_delivery.c.body)).scalars().all())
    return [json.loads(body) for body in rows]


@pytest.fixture
async def receiver(db: Database, channel: Channel, alice: User, webhooks: Webhooks) -> Channel:
    """Alice's channel, verified, with one webhook for what is given."""
    await db.write(lambda tx: set_verified(tx, alice.id, is_verified=True))
    await webhooks.create(Asker(alice, channel.slug), URL, ["tip.received", "donation.received"])
    return channel


async def test_a_tip_is_told_once(
    db: Database, clock: FakeClock, letterhead: Letterhead, receiver: Channel, bob: User
) -> None:
    words = Words("For more paint")
    paid = await db.write(_pay, "tip", receiver.slug, bob, words)
    (work,) = await db.read(page, JOB)  # made by the same transaction
    assert work.payload["contribution"] == paid.id
    for _ in range(2):
        await asyncio.gather(
            *(db.write(_announce, letterhead, paid, clock.wall_ms()) for _ in range(3))
        )
    (body,) = await _bodies(db)
    assert (body["type"], body["channel"]["slug"]) == ("tip.received", "alice-tv")
    assert body["created_at"] == "1970-01-01T00:00:02Z"
    assert body["data"] == {
        "contribution_id": paid.id,
        "user": {"id": bob.id, "username": "bob"},
        "name": "bob",
        "message": "For more paint",
        "is_held": False,
        "amount_minor": 1250,
        "commission_minor": 275,
        "currency": "USD",
        "amount": "$12.50",
    }


async def test_who_wants_no_name_has_none(
    db: Database, letterhead: Letterhead, receiver: Channel, bob: User
) -> None:
    paid = await db.write(_pay, "donation", receiver.slug, bob, Words(is_anonymous=True))
    await db.write(_announce, letterhead, paid, 3_000)
    (body,) = await _bodies(db)
    assert body["type"] == "donation.received"
    assert (body["data"]["user"], body["data"]["name"]) == (None, "Somebody")
    assert "bob" not in json.dumps(body)


async def test_a_transfer_says_that_it_is_one(
    db: Database, letterhead: Letterhead, receiver: Channel
) -> None:
    paid = await db.write(_pay, "transfer", receiver.slug, None, Words(name="Aunt Ada"))
    await db.write(_announce, letterhead, paid, 3_000)
    (body,) = await _bodies(db)
    assert (body["data"]["name"], body["data"]["is_transfer"]) == ("Aunt Ada", True)
    assert body["data"]["commission_minor"] == 0


async def test_what_is_not_paid_is_not_told(
    db: Database, letterhead: Letterhead, receiver: Channel, bob: User
) -> None:
    def open_one(tx: Transaction) -> Contribution:
        offer = Offer("tip", receiver, bob, Words(), 100, "USD", 2200)
        return contributions.create(tx, offer, "open", 1)

    given = await db.write(open_one)
    await db.write(_announce, letterhead, given, 2)
    assert await _bodies(db) == []


async def test_a_tip_is_told_though_the_site_dies_in_between(
    db: Database,
    clock: FakeClock,
    events: Events,
    letterhead: Letterhead,
    receiver: Channel,
    bob: User,
) -> None:
    """The job that came with the money tells it: rolled back as a whole, then done once."""
    died: list[str] = []

    def die_once(tx: Transaction, given: Contribution, now_ms: int) -> None:
        if not died:
            died.append(given.id)
            raise OSError("killed")

    announce = partial(gifts.announce, letterhead)
    told = Told(db, clock, letterhead, (announce, die_once))
    jobs = Worker(db, clock, events)
    jobs.register(JOB, told.paid)
    clock.set_wall(2_000 - clock.wall_ms())
    await db.write(_pay, "tip", receiver.slug, bob, Words())
    await jobs.run_due()
    assert (died != [], await _bodies(db)) == (True, [])
    clock.advance(3_600_000)
    while await jobs.run_due():
        pass
    assert len(await _bodies(db)) == 1

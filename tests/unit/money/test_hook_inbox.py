"""The inbox of hooks: stored first, checked then, counted when it comes again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from mediaserver.accounts.users import User
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Forbidden, Invalid, NotFound
from mediaserver.kernel.jobs import job
from mediaserver.money import hook_inbox
from mediaserver.money.gateways.gateway import GatewayDown, Notification
from mediaserver.money.hook_inbox import gateway_notification
from mediaserver.money.ledger import Kind
from tests.unit.money.paying import Paying, count, notice


async def stored(db: Database) -> Any:
    return await db.read(lambda tx: tx.execute(select(gateway_notification)).one())


async def test_a_forged_one_is_refused_and_not_kept(
    paying: Paying, bob: User, db: Database
) -> None:
    made = await paying.topups.start(bob, 2_000, "fake")
    paying.pays(2_000)
    with pytest.raises(Forbidden):
        await paying.inbox.receive("fake", notice("evt_1", made.id, signature="wrong"))
    with pytest.raises(NotFound):
        await paying.inbox.receive("nothing", notice("evt_1", made.id))
    assert await count(db, gateway_notification) == 0
    assert paying.fake.fetches == 0


async def test_a_replayed_one_is_counted_and_asks_nobody(
    paying: Paying, bob: User, db: Database
) -> None:
    made = await paying.topups.start(bob, 2_000, "fake")
    paying.pays(2_000)
    for _ in range(4):
        await paying.inbox.receive("fake", notice("evt_1", made.id))
    row = await stored(db)
    assert (row.repeats, row.error, row.payment_id) == (3, "", made.id)
    assert row.processed_at_ms is not None
    assert paying.fake.fetches == 1
    assert await paying.held(Kind.WALLET, bob.id) == 2_000


@pytest.mark.parametrize("about", ["pay_0123456789abcdefghjk", "rubbish", "", "charge:ch_unknown"])
async def test_an_unknown_order_is_kept_and_moves_nothing(
    paying: Paying, db: Database, about: str
) -> None:
    paying.pays(2_000)
    await paying.inbox.receive("fake", notice("evt_1", about))
    row = await stored(db)
    assert (row.payment_id, row.error) == (None, "It is about no payment of ours.")
    assert paying.fake.fetches == 0
    assert await db.read(lambda tx: tx.execute(select(job.c.id)).all()) == []


async def test_a_payment_of_another_gateway_is_not_ours_there(paying: Paying, bob: User) -> None:
    made = await paying.topups.start(bob, 2_000, "sandbox")
    kept = await paying.inbox.receive("fake", notice("evt_1", made.id))
    assert kept.payment_id is None


async def test_it_may_name_the_charge(paying: Paying, bob: User) -> None:
    made = await paying.topups.start(bob, 2_000, "fake")
    paying.pays(2_000, charge_ref="ch_1")
    await paying.checks.run(made.id)
    kept = await paying.inbox.receive("fake", notice("evt_1", "charge:ch_1"))
    assert kept.payment_id == made.id


async def test_while_the_gateway_is_down_a_job_tries_again(
    paying: Paying, bob: User, db: Database
) -> None:
    made = await paying.topups.start(bob, 2_000, "fake")
    paying.fake.error = GatewayDown("HTML")
    kept = await paying.inbox.receive("fake", notice("evt_1", made.id))
    assert (await stored(db)).processed_at_ms is None
    payload = {"notification": kept.id}
    with pytest.raises(GatewayDown):
        await paying.inbox.process(payload)
    assert (await stored(db)).error == "HTML"
    paying.fake.error = None
    paying.pays(2_000)
    await paying.inbox.process(payload)
    row = await stored(db)
    assert (row.attempts, row.error) == (2, "")
    await paying.inbox.process(payload)
    assert paying.fake.fetches == 3, "what is done isn't done again"
    assert await paying.held(Kind.WALLET, bob.id) == 2_000
    work = await db.read(lambda tx: tx.execute(select(job.c.kind, job.c.payload)).all())
    assert [one.kind for one in work].count(hook_inbox.JOB) == 1


async def test_a_slow_gateway_keeps_the_notifier_no_longer_than_it_waits(
    paying: Paying, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await paying.topups.start(bob, 2_000, "fake")
    paying.pays(2_000)
    paying.fake.gate = asyncio.Event()
    monkeypatch.setattr("mediaserver.kernel.limits.PAYMENT_CHECK_TIMEOUT_S", 0.01)
    await paying.inbox.receive("fake", notice("evt_1", made.id))
    assert (await paying.checks.get(made.id)).state == "open"
    paying.fake.gate.set()
    await paying.checks.run(made.id)  # behind the one that is under way
    assert await paying.held(Kind.WALLET, bob.id) == 2_000


async def test_secrets_of_headers_are_not_kept(paying: Paying, db: Database) -> None:
    headers = {
        "Signature": "right",
        "Authorization": "Basic c2VjcmV0",
        "Cookie": "sid=secret",
        "User-Agent": "Provider/1",
    }
    await paying.inbox.receive("fake", Notification(headers, {}, b"evt_1"))
    assert (await stored(db)).headers == '{"user-agent": "Provider/1"}'


async def test_bytes_that_are_no_text_are_kept_readable(paying: Paying) -> None:
    body = b'{"id": "e", "kind": "k", "payment": "p", "charge": "c"}\x00\xff'
    signed = {"sandbox-signature": paying.provider.signature(body)}
    with pytest.raises(Invalid):
        await paying.inbox.receive("sandbox", Notification(signed, {}, body))
    text = hook_inbox._as_text(body)
    assert text.endswith("\\x00\\xff")


async def test_old_ones_are_forgotten(paying: Paying, db: Database, clock: FakeClock) -> None:
    await paying.inbox.receive("fake", notice("evt_1"))
    clock.advance(181 * 24 * 3600 * 1000)
    await paying.inbox.delete_old()
    assert await count(db, gateway_notification) == 0

"""The poller: what got lost is found, what never comes expires, and it stops some day."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Unavailable
from mediaserver.money.gateways.gateway import GatewayDown, GatewayRefused, Status
from mediaserver.money.ledger import Kind
from mediaserver.money.payments import payment
from mediaserver.money.poller import pause_ms, payment_check
from tests.unit.money.paying import Paying, count

HOUR_MS = 3600 * 1000


async def test_a_lost_notification_costs_time_only(
    paying: Paying, bob: User, clock: FakeClock, db: Database
) -> None:
    made = await paying.topups.start(bob, 2_000, "fake")
    paying.pays(2_000)
    await paying.poller.poll()
    assert paying.fake.fetches == 0, "not before three minutes"
    clock.advance(limits.PAYMENT_POLL_MS_MIN)
    await paying.poller.poll()
    assert (await paying.checks.get(made.id)).state == "paid"
    assert await count(db, payment_check) == 0, "it has ended"


async def test_pauses_grow(paying: Paying, bob: User, clock: FakeClock) -> None:
    await paying.topups.start(bob, 2_000, "fake")
    paying.says("open", 2_000)
    for _ in range(40):
        clock.advance(60_000)
        await paying.poller.poll()
    assert paying.fake.fetches == 3, "after 3, 9 and 21 minutes"
    assert pause_ms(1_000) == limits.PAYMENT_POLL_MS_MAX


async def test_what_nobody_pays_expires_and_may_still_come(
    paying: Paying, bob: User, clock: FakeClock, db: Database
) -> None:
    made = await paying.topups.start(bob, 2_000, "fake")
    paying.says("open", 2_000)
    clock.advance(limits.PAYMENT_EXPIRES_MS + 1)
    await paying.poller.poll()
    assert (await paying.checks.get(made.id)).state == "expired"
    clock.advance(2 * 24 * HOUR_MS)
    paying.pays(2_000)
    await paying.poller.poll()
    assert (await paying.checks.get(made.id)).state == "paid"
    assert await paying.held(Kind.WALLET, bob.id) == 2_000


async def test_after_three_days_nobody_looks_any_more(
    paying: Paying, bob: User, clock: FakeClock, db: Database
) -> None:
    await paying.topups.start(bob, 2_000, "fake")
    paying.says("expired", 2_000)
    for _ in range(80):
        clock.advance(HOUR_MS)
        await paying.poller.poll()
    assert await count(db, payment_check) == 0


@pytest.mark.parametrize("is_known", [True, False])
async def test_killed_before_the_checkout_was_written(
    paying: Paying, bob: User, clock: FakeClock, db: Database, is_known: bool
) -> None:
    paying.fake.error = GatewayDown("killed")
    with pytest.raises(GatewayDown):
        await paying.topups.start(bob, 2_000, "fake", "key")
    paying.fake.error = None
    paying.fake.status = Status("paid", 2_000, "USD") if is_known else None
    clock.advance(limits.PAYMENT_EXPIRES_MS)
    await paying.poller.poll()
    state = await db.read(lambda tx: tx.execute(select(payment.c.state)).scalar_one())
    assert state == ("paid" if is_known else "expired")


async def test_asked_again_with_the_key_the_checkout_is_opened(paying: Paying, bob: User) -> None:
    paying.fake.error = GatewayDown("down")
    with pytest.raises(GatewayDown):
        await paying.topups.start(bob, 2_000, "fake", "key")
    paying.fake.error = None
    made = await paying.topups.start(bob, 2_000, "fake", "key")
    assert made.state == "open"
    assert [order.payment_id for order in paying.fake.orders] == [made.id]


async def test_a_gateway_that_refuses_is_the_admins_business(
    paying: Paying, bob: User, db: Database
) -> None:
    paying.fake.error = GatewayRefused("secret details")
    with pytest.raises(Unavailable) as caught:
        await paying.topups.start(bob, 2_000, "fake")
    assert "secret" not in caught.value.message
    state = await db.read(lambda tx: tx.execute(select(payment.c.state)).scalar_one())
    assert state == "failed"


async def test_one_gateway_that_is_down_keeps_nobody_else_waiting(
    paying: Paying, bob: User, clock: FakeClock
) -> None:
    await paying.topups.start(bob, 2_000, "fake")
    other = await paying.topups.start(bob, 2_000, "sandbox")
    await paying.sandbox.press(other.provider_ref, "pay_late")
    paying.fake.error = GatewayDown("<html>")
    clock.advance(limits.PAYMENT_POLL_MS_MIN)
    await paying.poller.poll()
    assert (await paying.checks.get(other.id)).state == "paid"

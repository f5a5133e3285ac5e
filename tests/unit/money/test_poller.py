"""The poller: what got lost is found, what never comes expires, and it stops some day."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import NotFound, Unavailable
from mediaserver.money.contributions import Words
from mediaserver.money.donations import Gift
from mediaserver.money.gateways.gateway import DisputeStatus, GatewayDown, GatewayRefused, Status
from mediaserver.money.ledger import Kind
from mediaserver.money.payment_views import PaymentViews
from mediaserver.money.payment_watch import pause_ms, payment_check
from mediaserver.money.payments import payment
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
    assert await paying.held(Kind.WALLET, bob.id) == 2_000


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


DAY_MS = 24 * HOUR_MS


async def test_a_lost_dispute_of_a_paid_payment_is_found(
    paying: Paying, bob: User, clock: FakeClock
) -> None:
    made = await paying.topups.start(bob, 2_000, "fake")
    paying.pays(2_000)
    await paying.checks.run(made.id)
    clock.advance(25 * DAY_MS - 1)
    await paying.poller.poll()
    paying.pays(2_000, disputes=(DisputeStatus("dp_1", 2_000, 0, "open"),))
    await paying.poller.poll()
    assert (await paying.checks.get(made.id)).disputed_minor == 0, "it isn't time yet"
    clock.advance(1)
    await paying.poller.poll()
    assert (await paying.checks.get(made.id)).disputed_minor == 2_000
    assert await paying.held(Kind.WALLET, bob.id) == 0


async def test_who_paid_late_is_looked_at_again_too(
    paying: Paying, bob: User, clock: FakeClock, db: Database
) -> None:
    made = await paying.topups.start(bob, 2_000, "fake")
    paying.says("expired", 2_000)
    clock.advance(30 * DAY_MS)
    await paying.poller.poll()
    assert await count(db, payment_check) == 0
    paying.pays(2_000)
    await paying.checks.run(made.id)
    paying.pays(2_000, refunded_minor=500)
    clock.advance(DAY_MS)
    await paying.poller.poll()
    assert (await paying.checks.get(made.id)).refunded_minor == 500


async def test_paid_payments_are_asked_about_seven_times(
    paying: Paying, bob: User, clock: FakeClock, db: Database
) -> None:
    made = await paying.topups.start(bob, 2_000, "fake")
    paying.pays(2_000)
    await paying.checks.run(made.id)
    for _ in range(240):
        clock.advance(DAY_MS)
        await paying.poller.poll()
    assert paying.fake.fetches == 1 + len(limits.PAID_PAYMENT_PAUSES_MS)
    assert await count(db, payment_check) == 0


async def test_a_gateway_that_is_down_that_day_is_asked_soon_again(
    paying: Paying, bob: User, clock: FakeClock
) -> None:
    made = await paying.topups.start(bob, 2_000, "fake")
    paying.pays(2_000)
    await paying.checks.run(made.id)
    clock.advance(115 * DAY_MS)
    paying.fake.error = GatewayDown("down")
    await paying.poller.poll()
    paying.fake.error = None
    paying.pays(2_000, refunded_minor=500)
    clock.advance(limits.PAYMENT_POLL_MS_MAX)
    await paying.poller.poll()
    assert (await paying.checks.get(made.id)).refunded_minor == 500


async def test_nobody_is_asked_about_a_paid_transfer(
    paying: Paying, bob: User, db: Database
) -> None:
    made = await paying.topups.start(bob, 2_000, "manual")
    await paying.decisions.confirm(Actor("usr_root", "root", "192.0.2.1"), made.id, "2026/1")
    assert await count(db, payment_check) == 0


async def test_addresses_of_guests_are_forgotten(
    paying: Paying, bob: User, channel: Channel, clock: FakeClock, db: Database
) -> None:
    gift = Gift("alice-tv", 1_000, "fake", Words(), "guest@example.org", "192.0.2.1")
    waiting = await paying.donations.start(None, gift, "waiting")
    paying.says("review", 1_000)
    await paying.checks.run(waiting.id)
    paid = await paying.donations.start(None, gift, "key")
    paying.pays(1_000)
    await paying.checks.run(paid.id)
    views = PaymentViews(db)
    clock.advance(limits.GUEST_EMAIL_KEEP_MS)
    await paying.poller.erase_old_emails()
    assert (await views.get(paid.id, None)).payment.email == "guest@example.org"
    clock.advance(1)
    await paying.poller.erase_old_emails()
    assert (await paying.checks.get(paid.id)).email == ""
    assert (await paying.checks.get(waiting.id)).email == "guest@example.org", "it isn't over"
    with pytest.raises(NotFound):
        await views.get(paid.id, None)


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

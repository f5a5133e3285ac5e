"""Bank transfers for top-ups: an admin confirms or rejects, two of them where it is much."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel.audit import Actor, audit_entry
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.limits import TRANSFER_EXPIRES_MS
from mediaserver.money.contributions import Words
from mediaserver.money.donations import Gift
from mediaserver.money.gateways.gateway import Status
from mediaserver.money.gateways.manual import reference_code
from mediaserver.money.ledger import Kind
from tests.unit.money.paying import Paying
from tests.unit.outbox import Outbox

ROOT = Actor("usr_root", "root", "192.0.2.1")
OTHER = Actor("usr_other", "other", "192.0.2.2")


async def audited(db: Database) -> list[str]:
    return list(await db.read(lambda tx: tx.execute(select(audit_entry.c.action)).scalars().all()))


async def test_an_admin_confirms_what_has_come(
    paying: Paying, bob: User, admin: User, db: Database, outbox: Outbox
) -> None:
    made = await paying.topups.start(bob, 5_000, "manual")
    code = reference_code(made.id)
    assert made.provider_ref == code
    assert made.checkout_url == f"https://site.example/payments/{made.id}"
    assert code in (await outbox.newest(admin.email)).body
    assert (await paying.checks.look(made.id)).state == "open", "nobody else can say so"
    paid = await paying.decisions.confirm(ROOT, made.id, "2026/1")
    assert (paid.state, paid.charge_ref) == ("paid", "2026/1")
    assert await paying.held(Kind.WALLET, bob.id) == 5_000
    assert await paying.held(Kind.CLEARING, "manual") == 5_000
    assert await audited(db) == ["payment.confirm"]
    with pytest.raises(Conflict):
        await paying.decisions.confirm(ROOT, made.id, "2026/1")
    assert await paying.held(Kind.WALLET, bob.id) == 5_000


async def test_it_may_come_after_it_has_expired(
    paying: Paying, bob: User, clock: FakeClock
) -> None:
    made = await paying.topups.start(bob, 5_000, "manual")
    clock.advance(TRANSFER_EXPIRES_MS)
    await paying.poller.poll()
    assert (await paying.checks.get(made.id)).state == "expired"
    assert (await paying.decisions.confirm(ROOT, made.id, "2026/1")).state == "paid"


async def test_much_takes_two_admins(paying: Paying, bob: User, db: Database) -> None:
    paying.config.two_admins_above = "20"
    made = await paying.topups.start(bob, 2_001, "manual")
    assert (await paying.decisions.confirm(ROOT, made.id, "2026/1")).state == "open"
    with pytest.raises(Conflict) as caught:
        await paying.decisions.confirm(ROOT, made.id, "2026/1")
    assert caught.value.code == "same_admin"
    assert await paying.held(Kind.WALLET, bob.id) == 0
    assert (await paying.decisions.confirm(OTHER, made.id, "2026/1")).state == "paid"
    assert await audited(db) == ["payment.approve", "payment.confirm"]
    assert await paying.held(Kind.WALLET, bob.id) == 2_001


async def test_one_transfer_pays_one_payment(paying: Paying, bob: User) -> None:
    first = await paying.topups.start(bob, 2_000, "manual")
    second = await paying.topups.start(bob, 2_000, "manual")
    await paying.decisions.confirm(ROOT, first.id, "2026/1")
    with pytest.raises(Conflict) as caught:
        await paying.decisions.confirm(ROOT, second.id, "2026/1")
    assert caught.value.field == "bank_ref"


async def test_what_does_not_come_is_rejected(
    paying: Paying, bob: User, db: Database, outbox: Outbox
) -> None:
    made = await paying.topups.start(bob, 2_000, "manual")
    with pytest.raises(Invalid):
        await paying.decisions.reject(ROOT, made.id, " ")
    rejected = await paying.decisions.reject(ROOT, made.id, "Nothing came in two weeks.")
    assert rejected.state == "failed"
    assert "Nothing came in two weeks." in (await outbox.newest(bob.email)).body
    assert await audited(db) == ["payment.reject"]


async def test_what_is_closed_in_review_stays_closed(
    paying: Paying, bob: User, admin: User, outbox: Outbox
) -> None:
    made = await paying.topups.start(bob, 2_000, "fake")
    paying.pays(1_000)
    await paying.checks.run(made.id)
    closed = await paying.decisions.reject(ROOT, made.id, "It was refunded.")
    for _ in range(2):
        assert await paying.checks.run(made.id) == closed
    assert len(await outbox.letters(admin.email)) == 1


async def test_what_was_really_paid_is_booked(
    paying: Paying, bob: User, alice: User, channel: Channel, db: Database, outbox: Outbox
) -> None:
    gift = Gift("alice-tv", 2_000, "fake", Words("Hello"))
    made = await paying.donations.start(bob, gift)
    paying.config.commission_bps = 5_000
    paying.pays(1_001, fee_minor=10, charge_ref="ch_1")
    await paying.checks.run(made.id)
    with pytest.raises(Invalid):
        await paying.decisions.accept(ROOT, made.id, 2_000)
    paid = await paying.decisions.accept(ROOT, made.id, 1_001)
    assert (paid.state, paid.amount_minor, paid.charge_ref) == ("paid", 1_001, "ch_1")
    given = await paying.given(made)
    assert (given.amount_minor, given.fee_minor, given.net_minor) == (1_001, 220, 781)
    assert await paying.held(Kind.EARNINGS_PENDING, alice.id) == 781
    assert await paying.held(Kind.COMMISSION) == 220
    assert await paying.held(Kind.CLEARING, "fake") == 991
    assert await audited(db) == ["payment.accept"]
    letters = await outbox.letters(bob.email)
    assert any("Given: $10.01" in letter.body for letter in letters)
    assert (await paying.checks.run(made.id)) == paid, "and that stays"
    with pytest.raises(Conflict):
        await paying.decisions.accept(ROOT, made.id, 1_001)


async def test_much_is_accepted_by_two_admins(paying: Paying, bob: User, db: Database) -> None:
    paying.config.two_admins_above = "20"
    made = await paying.topups.start(bob, 1_000, "fake")
    paying.pays(2_001)
    await paying.checks.run(made.id)
    assert (await paying.decisions.accept(ROOT, made.id, 2_001)).state == "review"
    with pytest.raises(Conflict) as caught:
        await paying.decisions.accept(ROOT, made.id, 2_001)
    assert caught.value.code == "same_admin"
    paying.pays(2_002)
    assert (await paying.decisions.accept(OTHER, made.id, 2_002)).state == "review", "not the same"
    assert (await paying.decisions.accept(ROOT, made.id, 2_002)).state == "paid"
    assert await paying.held(Kind.WALLET, bob.id) == 2_002
    assert sorted(await audited(db)) == ["payment.accept", "payment.approve", "payment.approve"]


async def test_only_what_was_paid_in_our_currency_is_accepted(paying: Paying, bob: User) -> None:
    made = await paying.topups.start(bob, 1_000, "fake")
    with pytest.raises(Conflict):
        await paying.decisions.accept(ROOT, made.id, 1_000)
    paying.fake.status = Status("paid", 1_000, "EUR")
    await paying.checks.run(made.id)
    with pytest.raises(Conflict) as caught:
        await paying.decisions.accept(ROOT, made.id, 1_000)
    assert caught.value.code == "other_currency"
    for status in (None, Status("failed", 1_000, "USD")):
        paying.fake.status = status
        with pytest.raises(Conflict) as caught:
            await paying.decisions.accept(ROOT, made.id, 1_000)
        assert caught.value.code == "not_paid"
    assert await paying.held(Kind.WALLET, bob.id) == 0


async def test_another_amount_may_come_from_a_bank(paying: Paying, bob: User, db: Database) -> None:
    made = await paying.topups.start(bob, 2_000, "manual")
    for amount in (0, -1, 2**63):
        with pytest.raises(Invalid):
            await paying.decisions.confirm(ROOT, made.id, "2026/1", amount)
    paid = await paying.decisions.confirm(ROOT, made.id, "2026/1", 1_985)
    assert (paid.state, paid.amount_minor) == ("paid", 1_985)
    assert await paying.held(Kind.WALLET, bob.id) == 1_985
    details = await db.read(lambda tx: tx.execute(select(audit_entry.c.details)).scalar_one())
    assert "$20.00" in details
    assert "$19.85" in details


async def test_an_admins_own_transfer_takes_another_admin(paying: Paying, bob: User) -> None:
    made = await paying.topups.start(bob, 2_000, "manual")
    own = Actor(bob.id, bob.username, "192.0.2.3")
    assert (await paying.decisions.confirm(own, made.id, "2026/1")).state == "open"
    assert (await paying.decisions.confirm(ROOT, made.id, "2026/1")).state == "paid"


async def test_one_transfer_pays_one_payment_at_the_same_moment(paying: Paying, bob: User) -> None:
    made = [await paying.topups.start(bob, 2_000, "manual") for _ in range(4)]
    done = await asyncio.gather(
        *(paying.decisions.confirm(ROOT, one.id, "2026/1") for one in made),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Conflict) for one in done) == 3
    assert await paying.held(Kind.WALLET, bob.id) == 2_000


async def test_who_rejects_takes_back_what_another_admin_confirmed(
    paying: Paying, bob: User
) -> None:
    paying.config.two_admins_above = "20"
    made = await paying.topups.start(bob, 2_001, "manual")
    await paying.decisions.confirm(ROOT, made.id, "2026/1")
    await paying.decisions.reject(OTHER, made.id, "That isn't on the statement.")
    assert await paying.decisions.approval(made.id) is None
    assert (await paying.decisions.confirm(OTHER, made.id, "2026/1")).state == "failed"


async def test_admins_cannot_say_that_a_card_was_paid(paying: Paying, bob: User) -> None:
    made = await paying.topups.start(bob, 2_000, "fake")
    with pytest.raises(Conflict) as caught:
        await paying.decisions.confirm(ROOT, made.id, "2026/1")
    assert caught.value.code == "not_a_transfer"
    with pytest.raises(Conflict):
        await paying.decisions.reject(ROOT, made.id, "No.")
    with pytest.raises(NotFound):
        await paying.decisions.confirm(ROOT, "pay_nothing", "2026/1")

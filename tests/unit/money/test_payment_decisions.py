"""Bank transfers for top-ups: an admin confirms or rejects, two of them where it is much."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from mediaserver.accounts.users import User
from mediaserver.kernel.audit import Actor, audit_entry
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.limits import TRANSFER_EXPIRES_MS
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


async def test_admins_cannot_say_that_a_card_was_paid(paying: Paying, bob: User) -> None:
    made = await paying.topups.start(bob, 2_000, "fake")
    with pytest.raises(Conflict) as caught:
        await paying.decisions.confirm(ROOT, made.id, "2026/1")
    assert caught.value.code == "not_a_transfer"
    with pytest.raises(Conflict):
        await paying.decisions.reject(ROOT, made.id, "No.")
    with pytest.raises(NotFound):
        await paying.decisions.confirm(ROOT, "pay_nothing", "2026/1")

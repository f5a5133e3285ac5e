"""What admins enter: settlements, the owner's share, corrections and reversals."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mediaserver.accounts.users import User, Users
from mediaserver.channels.channels import Channel
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.kernel.mail import Letterhead
from mediaserver.money import ledger, ledger_check
from mediaserver.money.books import Wanted, entries
from mediaserver.money.corrections import Asked, Correction, Corrections
from mediaserver.money.ledger import Account, Kind, site_account, wallet_of
from mediaserver.money.ledger_rules import SOLVENCY
from mediaserver.money.settlements import Arrived, Settlements
from mediaserver.money.standing import standing
from tests.unit.money.bookings import CURRENCY, GATEWAY, paid_topup, tip

BANK = site_account(Kind.BANK, CURRENCY)
FEES = site_account(Kind.GATEWAY_FEES, CURRENCY)
LOSSES = site_account(Kind.LOSSES, CURRENCY)


@pytest.fixture
def boss(admin: User) -> Actor:
    return Actor(admin.id, admin.username, "192.0.2.1")


@pytest.fixture
async def second(users: Users) -> Actor:
    user = await users.create("second", "second@example.org", "another secret", is_admin=True)
    return Actor(user.id, user.username, "192.0.2.2")


@pytest.fixture
def settlements(db: Database, clock: FakeClock) -> Settlements:
    return Settlements(db, clock, MoneyConfig())


@pytest.fixture
def corrections(db: Database, clock: FakeClock, letterhead: Letterhead) -> Corrections:
    return Corrections(db, clock, MoneyConfig(two_admins_above="100"), letterhead)


@pytest.fixture(autouse=True)
async def given(db: Database, channel: Channel, bob: User) -> None:
    """100.00 were paid in, and 50.00 given: 11.00 of that are the site's."""
    await db.write(paid_topup, bob.id, 10_000)
    await db.write(tip, channel, bob.id, 5_000)


@pytest.fixture(autouse=True)
async def right(db: Database, given: None) -> Any:
    """Whatever was entered: the books add up, though the site may have given more than it has."""
    yield
    found = await db.read(ledger_check.check)
    assert [one for one in found if one.rule != SOLVENCY] == []


async def held(db: Database, account: Account) -> int:
    return (await db.read(ledger.balance, account)).amount_minor


async def recorded(db: Database) -> list[str]:
    return [one.action for one in await db.read(audit.page, action="books.")]


def arrived(amount: int = 9_700, fee: int = 300, reference: str = "PO-1", **more: str) -> Arrived:
    gateway, day = more.get("gateway", "sandbox"), more.get("day", "2026-11-20")
    return Arrived(gateway, day, amount, fee, reference)


# Settlements --------------------------------------------------------------------------------------


async def test_a_settlement_moves_money_to_the_bank(
    db: Database, settlements: Settlements, boss: Actor
) -> None:
    entered = await settlements.enter(boss, arrived())
    assert (await held(db, GATEWAY), await held(db, BANK), await held(db, FEES)) == (0, 9_700, 300)
    assert (await settlements.page())[0] == entered
    assert (entered.entered_by, entered.arrived_on) == ("root", "2026-11-20")
    assert await recorded(db) == ["books.settle"]


async def test_settlements_that_make_no_sense(
    db: Database, settlements: Settlements, boss: Actor
) -> None:
    for wrong in (
        arrived(0, 0),
        arrived(-1),
        arrived(fee=-1),
        arrived(2**63),
        arrived(limits.AMOUNT_MINOR_MAX + 1),
        arrived(reference=" "),
        arrived(reference="x" * 101),
        arrived(reference="a\nb"),
        arrived(gateway="elsewhere"),
        arrived(gateway="site"),
        arrived(day="20.11.2026"),
        arrived(day="2026-11-31"),
        arrived(day=""),
    ):
        with pytest.raises(Invalid):
            await settlements.enter(boss, wrong)
    assert await held(db, BANK) == 0
    assert await recorded(db) == []


async def test_a_reference_counts_once(
    db: Database, settlements: Settlements, corrections: Corrections, boss: Actor
) -> None:
    outcomes = await asyncio.gather(
        *(settlements.enter(boss, arrived(5_000, 0)) for _ in range(5)), return_exceptions=True
    )
    refused = [one for one in outcomes if isinstance(one, Conflict)]
    assert [one.code for one in refused] == ["known_reference"] * 4
    assert await held(db, BANK) == 5_000
    entered = (await settlements.page())[0]
    await corrections.reverse(boss, entered.entry_id, "It was another amount.")
    assert (await held(db, BANK), await held(db, GATEWAY)) == (0, 10_000)
    await settlements.enter(boss, arrived(4_900, 100))
    are_reversed = {
        one.amount_minor: one.reversed_at_ms is not None for one in await settlements.page()
    }
    assert are_reversed == {5_000: True, 4_900: False}


async def test_what_a_gateway_says_is_compared_with_the_books(
    db: Database, settlements: Settlements, boss: Actor
) -> None:
    noted = await settlements.note_balance(boss, "sandbox", 9_650)
    assert (noted.booked_minor, noted.difference_minor) == (10_000, -350)
    assert await held(db, GATEWAY) == 10_000, "nothing is booked"
    await settlements.note_balance(boss, "sandbox", -5)
    assert {one.reported_minor for one in await settlements.balances()} == {9_650, -5}
    assert await recorded(db) == ["books.compare", "books.compare"]
    for gateway, reported in (("elsewhere", 1), ("sandbox", 2**63)):
        with pytest.raises(Invalid):
            await settlements.note_balance(boss, gateway, reported)


# Owner's share ------------------------------------------------------------------------------------


async def test_the_owner_takes_out_what_is_theirs_and_no_more(
    db: Database, settlements: Settlements, boss: Actor
) -> None:
    await settlements.enter(boss, arrived(9_700, 300))
    site = await db.read(standing, CURRENCY)
    assert (site.there_minor, site.owed_minor, site.own_minor) == (9_700, 8_900, 800)
    with pytest.raises(Conflict) as caught:
        await settlements.move_owners_share(boss, "out", 801, "TRF-1", "")
    assert caught.value.code == "owed_to_others"
    assert "$8.00" in caught.value.message
    assert await held(db, BANK) == 9_700
    await settlements.move_owners_share(boss, "out", 800, "TRF-1", "My share")
    assert (await db.read(standing, CURRENCY)).own_minor == 0
    await settlements.move_owners_share(boss, "in", 5_000, "TRF-2", "For losses")
    assert await held(db, BANK) == 13_900
    assert await held(db, site_account(Kind.OWNERS_SHARE, CURRENCY)) == 4_200
    assert await recorded(db) == ["books.put_in", "books.take_out", "books.settle"]


async def test_a_form_that_is_sent_twice_moves_once(
    db: Database, settlements: Settlements, boss: Actor
) -> None:
    move = ("in", 500, "TRF-1", "", "key-1")
    first, again = await asyncio.gather(
        *(settlements.move_owners_share(boss, *move) for _ in range(2))  # type: ignore[arg-type]
    )
    assert first.id == again.id
    assert await held(db, BANK) == 500
    with pytest.raises(Conflict):
        await settlements.move_owners_share(boss, "in", 501, "TRF-1", "", "key-1")
    assert await recorded(db) == ["books.put_in"]


async def test_amounts_the_owner_can_not_move(
    db: Database, settlements: Settlements, boss: Actor
) -> None:
    for amount in (0, -1, 2**63):
        with pytest.raises(Invalid):
            await settlements.move_owners_share(boss, "in", amount, "TRF-1", "")
    with pytest.raises(Invalid):
        await settlements.move_owners_share(boss, "in", 5, "", "")


# Corrections --------------------------------------------------------------------------------------


def asked(amount: int = 500, **changes: str) -> Asked:
    fields = {
        "debit_kind": "losses",
        "debit_owner": "",
        "credit_kind": "wallet",
        "credit_owner": "bob",
        "reason": "Promised by mail.",
        **changes,
    }
    return Asked(amount_minor=amount, **fields)  # type: ignore[arg-type]


async def test_a_small_correction_is_booked_at_once(
    db: Database, corrections: Corrections, boss: Actor, bob: User
) -> None:
    made = await corrections.ask(boss, asked())
    assert (made.state, made.decided_by) == ("booked", "root")
    assert await held(db, wallet_of(bob.id, CURRENCY)) == 5_500
    assert made.entry_id is not None
    entry = await db.read(ledger.get_entry, made.entry_id)
    assert (entry.kind, entry.reason, entry.subject) == ("correction", asked().reason, made.id)
    assert await recorded(db) == ["books.correct"]


async def test_a_large_one_takes_two_admins(
    db: Database, corrections: Corrections, boss: Actor, second: Actor, bob: User
) -> None:
    made = await corrections.ask(boss, asked(10_001))
    assert made.state == "waiting"
    assert await held(db, wallet_of(bob.id, CURRENCY)) == 5_000
    with pytest.raises(Forbidden) as caught:
        await corrections.approve(boss, made.id)
    assert caught.value.code == "same_admin"
    assert await held(db, wallet_of(bob.id, CURRENCY)) == 5_000
    booked = await corrections.approve(second, made.id)
    assert (booked.state, booked.asked_by, booked.decided_by) == ("booked", "root", "second")
    assert await held(db, wallet_of(bob.id, CURRENCY)) == 15_001
    for again in (corrections.approve, corrections.reject):
        with pytest.raises(Conflict):
            await again(second, made.id)
    assert await recorded(db) == ["books.correct", "books.correction_asked"]
    await corrections.reverse(second, booked.entry_id or "", "It wasn't.")
    assert (await corrections.waiting())[0].reverses_id == booked.entry_id
    await corrections.approve(boss, (await corrections.waiting())[0].id)
    assert await held(db, wallet_of(bob.id, CURRENCY)) == 5_000


async def test_ten_at_once_agree_once(
    db: Database, corrections: Corrections, boss: Actor, second: Actor, bob: User
) -> None:
    made = await corrections.ask(boss, asked(10_001))
    outcomes = await asyncio.gather(
        *(corrections.approve(second, made.id) for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(one, Correction) for one in outcomes) == 1
    assert await held(db, wallet_of(bob.id, CURRENCY)) == 15_001


async def test_what_is_dropped_books_nothing(
    db: Database, corrections: Corrections, boss: Actor, bob: User
) -> None:
    made = await corrections.ask(boss, asked(10_001))
    assert (await corrections.reject(boss, made.id)).state == "rejected"
    assert await corrections.waiting() == []
    assert await held(db, wallet_of(bob.id, CURRENCY)) == 5_000
    assert await recorded(db) == ["books.correction_rejected", "books.correction_asked"]


async def test_an_admin_does_not_correct_their_own_account_alone(
    db: Database, corrections: Corrections, boss: Actor, second: Actor, admin: User
) -> None:
    made = await corrections.ask(boss, asked(1, credit_owner="root"))
    assert made.state == "waiting"
    await corrections.approve(second, made.id)
    assert await held(db, wallet_of(admin.id, CURRENCY)) == 1


async def test_corrections_that_make_no_sense(
    db: Database, corrections: Corrections, boss: Actor, second: Actor, bob: User
) -> None:
    for wrong in (
        asked(0),
        asked(-5),
        asked(2**63),
        asked(reason=""),
        asked(reason="x" * 501),
        asked(credit_owner="nobody_here"),
        asked(credit_owner="root:USD"),
        asked(credit_kind="earnings_pending"),
        asked(credit_kind="payout_hold"),
        asked(credit_kind="refund_hold"),
        asked(credit_kind="direct_received"),
        asked(debit_kind="direct_given"),
        asked(credit_kind="gold"),
        asked(credit_kind="losses"),
        asked(credit_kind="clearing", credit_owner="elsewhere"),
    ):
        with pytest.raises(Invalid):
            await corrections.ask(boss, wrong)
    assert await held(db, wallet_of(bob.id, CURRENCY)) == 5_000
    assert await corrections.page() == []


async def test_nobody_loses_what_they_do_not_have(
    db: Database, corrections: Corrections, boss: Actor, second: Actor, bob: User
) -> None:
    take = asked(5_001, debit_kind="wallet", debit_owner="@bob", credit_kind="commission")
    with pytest.raises(Conflict) as caught:
        await corrections.ask(boss, take)
    assert caught.value.code == "insufficient_funds"
    assert await corrections.page() == [], "nothing of it stays"


async def test_the_same_request_is_done_once(
    db: Database, corrections: Corrections, boss: Actor, bob: User
) -> None:
    first = await corrections.ask(boss, asked(), "key-1")
    assert await corrections.ask(boss, asked(), "key-1") == first
    assert await held(db, wallet_of(bob.id, CURRENCY)) == 5_500
    with pytest.raises(Conflict) as caught:
        await corrections.ask(boss, asked(501), "key-1")
    assert caught.value.code == "idempotency_key"


async def test_what_a_reversal_refuses(
    db: Database, corrections: Corrections, boss: Actor, settlements: Settlements
) -> None:
    with pytest.raises(NotFound):
        await corrections.reverse(boss, "ent_none", "x")
    (tipped,) = (await db.read(entries, Wanted(kind="tip"), None)).entries
    with pytest.raises(Conflict) as caught:
        await corrections.reverse(boss, tipped.id, "x")
    assert caught.value.code == "not_reversible"
    entered = await settlements.enter(boss, arrived())
    with pytest.raises(Invalid):
        await corrections.reverse(boss, entered.entry_id, "")
    outcomes = await asyncio.gather(
        *(corrections.reverse(boss, entered.entry_id, "Wrong.") for _ in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Correction) for one in outcomes) == 1
    assert (await held(db, BANK), await held(db, GATEWAY)) == (0, 10_000)
    reversal = next(one.entry_id for one in outcomes if isinstance(one, Correction))
    with pytest.raises(Conflict):
        await corrections.reverse(boss, reversal or "", "Back again.")

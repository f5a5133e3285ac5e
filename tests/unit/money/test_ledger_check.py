"""The check of the books: silent while they are right, and it finds every kind of fault."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import delete, insert, select, text, update

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.mail import Letterhead
from mediaserver.money import ledger, ledger_check, nightly_check
from mediaserver.money.contributions import contribution
from mediaserver.money.ledger import (
    Account,
    Kind,
    Posting,
    Transfer,
    ledger_account,
    ledger_entry,
    ledger_transfer,
    site_account,
    wallet_of,
)
from mediaserver.money.ledger_check import Check
from mediaserver.money.ledger_rules import Finding, Piece
from mediaserver.money.nightly_check import NightlyCheck
from mediaserver.money.payments import payment
from mediaserver.notifications.notices import notice
from tests.unit.money.bookings import CURRENCY, GATEWAY, paid_topup, tip

Fault = Callable[[Transaction, User], object]


def unguarded(tx: Transaction) -> None:
    """Take away what keeps rows from being changed, as somebody at the database could."""
    for name in ("ledger_entry", "ledger_transfer"):
        if tx.dialect == "postgresql":
            tx.execute(text(f"ALTER TABLE {name} DISABLE TRIGGER USER"))
            continue
        for verb in ("update", "delete"):
            tx.execute(text(f"DROP TRIGGER {name}_no_{verb}"))


async def filled(db: Database, channel: Channel, giver: User) -> None:
    """A top-up, tips, and a reversal: one of each thing that a rule looks at."""

    def book(tx: Transaction) -> None:
        paid_topup(tx, giver.id, 10_000)
        tip(tx, channel, giver.id, 333)
        tip(tx, channel, giver.id, 1)
        wrong = Posting(
            "correction",
            "correction:1",
            (Transfer(site_account(Kind.LOSSES, CURRENCY), wallet_of(giver.id, CURRENCY), 50),),
        )
        entry, _ = ledger.post(tx, wrong, 2_000)
        ledger.reverse(tx, entry.id, "correction.reversal", 3_000)

    await db.write(book)


async def broken(db: Database) -> set[str]:
    return {one.rule for one in await db.read(ledger_check.check)}


async def test_books_without_a_fault(db: Database, channel: Channel, bob: User) -> None:
    assert await db.read(ledger_check.check) == []
    await filled(db, channel, bob)
    assert await db.read(ledger_check.check) == []


def add_to_balances(tx: Transaction, giver: User) -> None:
    wallet = wallet_of(giver.id, CURRENCY).id
    for account, values in (
        (wallet, {"credits": ledger_account.c.credits + 5}),
        (GATEWAY.id, {"debits": ledger_account.c.debits + 5}),
    ):
        tx.execute(update(ledger_account).where(ledger_account.c.id == account).values(values))


def debit_without_credit(tx: Transaction, giver: User) -> None:
    account = ledger_account.c
    tx.execute(
        update(ledger_account).where(account.id == GATEWAY.id).values(debits=account.debits + 5)
    )


def let_a_wallet_go_negative(tx: Transaction, giver: User) -> None:
    wallet = ledger_account.c.id == wallet_of(giver.id, CURRENCY).id
    tx.execute(update(ledger_account).where(wallet).values(may_go_negative=1))


def remove_transfers(tx: Transaction, giver: User) -> None:
    unguarded(tx)
    tip_ids = select(ledger_entry.c.id).where(ledger_entry.c.kind == "tip")
    tx.execute(delete(ledger_transfer).where(ledger_transfer.c.entry_id.in_(tip_ids)))


def change_an_amount(tx: Transaction, giver: User) -> None:
    """With the balances made to fit, as somebody careful would."""
    unguarded(tx)
    topup = ledger_transfer.c.debit_id == GATEWAY.id
    amount = ledger_transfer.c.amount_minor
    tx.execute(update(ledger_transfer).where(topup).values(amount_minor=amount + 5))
    add_to_balances(tx, giver)


def change_a_reversal(tx: Transaction, giver: User) -> None:
    unguarded(tx)
    entry = ledger_entry.c
    first = tx.execute(select(entry.id).where(entry.kind == "topup")).scalar_one()
    last = tx.execute(select(entry.id).where(entry.reverses_id.is_not(None))).scalar_one()
    loss = (Transfer(wallet_of(giver.id, CURRENCY), site_account(Kind.LOSSES, CURRENCY), 50),)
    forged = Posting("correction.reversal", "", loss, reverses_id=first)
    tx.execute(
        update(ledger_entry)
        .where(entry.id == last)
        .values(reverses_id=first, content_hash=forged.content_hash)
    )


def book_a_payment_twice(tx: Transaction, giver: User) -> None:
    paid = tx.execute(select(payment.c.id)).scalar_one()
    move = (Transfer(GATEWAY, wallet_of(giver.id, CURRENCY), 10_000),)
    ledger.post(tx, Posting("topup", "payment:pay_other", move, subject=paid), 4_000)


def book_a_contribution_nobody_gave(tx: Transaction, giver: User) -> None:
    move = (
        Transfer(
            wallet_of(giver.id, CURRENCY), Account(Kind.EARNINGS_PENDING, "usr_x", CURRENCY), 5
        ),
    )
    ledger.post(tx, Posting("tip", "contribution:ctb_none", move), 4_000)


def change_a_payment(tx: Transaction, giver: User) -> None:
    tx.execute(update(payment).values(amount_minor=10_001))


def pay_without_an_entry(tx: Transaction, giver: User) -> None:
    tx.execute(update(payment).values(entry_id="ent_none"))


def name_the_entry_of_another(tx: Transaction, giver: User) -> None:
    row = dict(tx.execute(select(payment)).one()._mapping)
    row |= {"id": "pay_00000000000000000000"}
    tx.execute(insert(payment).values(row))


def change_a_commission(tx: Transaction, giver: User) -> None:
    large = contribution.c.amount_minor == 333
    tx.execute(update(contribution).where(large).values(fee_minor=0, net_minor=333))


def change_a_contribution(tx: Transaction, giver: User) -> None:
    small = contribution.c.amount_minor == 1
    tx.execute(update(contribution).where(small).values(amount_minor=2, net_minor=2))


def take_back_what_nobody_booked(tx: Transaction, giver: User) -> None:
    tx.execute(update(contribution).values(taken_back_minor=1))


def refund_what_nobody_booked(tx: Transaction, giver: User) -> None:
    tx.execute(update(payment).values(refunded_minor=1))


def hold_what_nobody_asked_for(tx: Transaction, giver: User) -> None:
    """For a payout and a refund that there are not."""
    wallet = wallet_of(giver.id, CURRENCY)
    holds = (
        Transfer(wallet, Account(Kind.PAYOUT_HOLD, giver.id, CURRENCY), 5),
        Transfer(wallet, site_account(Kind.REFUND_HOLD, CURRENCY), 5),
    )
    ledger.post(tx, Posting("hold", "hold:1", holds), 4_000)


def mature_without_saying_so(tx: Transaction, giver: User) -> None:
    recipient = tx.execute(select(contribution.c.recipient_id).limit(1)).scalar_one()
    move = Transfer(
        Account(Kind.EARNINGS_PENDING, recipient, CURRENCY),
        Account(Kind.EARNINGS_AVAILABLE, recipient, CURRENCY),
        5,
    )
    ledger.post(tx, Posting("maturity", "maturity:1", (move,)), 4_000)


def spend_what_is_owed(tx: Transaction, giver: User) -> None:
    gone = (Transfer(site_account(Kind.LOSSES, CURRENCY), GATEWAY, 1_000),)
    ledger.post(tx, Posting("dispute", "dispute:1", gone), 4_000)


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        (add_to_balances, {"balance"}),
        (debit_without_credit, {"sums", "balance"}),
        (let_a_wallet_go_negative, {"account"}),
        (remove_transfers, {"balance", "empty", "contribution", "documents"}),
        (change_an_amount, {"changed", "payment"}),
        (change_a_reversal, {"reversal"}),
        (book_a_payment_twice, {"document"}),
        (book_a_contribution_nobody_gave, {"document", "documents"}),
        (change_a_payment, {"payment"}),
        (pay_without_an_entry, {"payment", "document"}),
        (name_the_entry_of_another, {"payment"}),
        (change_a_commission, {"contribution"}),
        (change_a_contribution, {"contribution"}),
        (take_back_what_nobody_booked, {"taken_back"}),
        (refund_what_nobody_booked, {"taken_back"}),
        (hold_what_nobody_asked_for, {"documents"}),
        (mature_without_saying_so, {"documents"}),
        (spend_what_is_owed, {"solvency"}),
    ],
)
async def test_every_fault_is_found(
    db: Database, channel: Channel, bob: User, fault: Fault, rules: set[str]
) -> None:
    await filled(db, channel, bob)
    await db.write(fault, bob)
    assert await broken(db) == rules


async def test_a_long_ledger_is_read_in_pieces(
    db: Database, channel: Channel, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LEDGER_CHECK_ROWS", 2)
    await filled(db, channel, bob)
    await db.write(change_a_contribution, bob)
    check, steps = Check(), 1
    while not await db.read(check.step):
        steps += 1
    assert steps > 6
    assert check.entries == 5
    assert check.accounts == 5
    assert [one.rule for one in check.findings] == ["contribution"]


async def test_no_more_findings_than_somebody_reads(
    db: Database, channel: Channel, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LEDGER_FINDINGS_MAX", 1)
    await filled(db, channel, bob)
    await db.write(add_to_balances, bob)
    assert len(await db.read(ledger_check.check)) == 1


async def test_what_a_check_found_is_kept_and_told_once(
    db: Database,
    channel: Channel,
    bob: User,
    admin: User,
    clock: FakeClock,
    letterhead: Letterhead,
) -> None:
    await filled(db, channel, bob)
    checked = NightlyCheck(db, clock, letterhead)
    assert (await checked.run()).findings == ()
    assert await db.read(nightly_check.count_wrong) == 0
    assert await told(db, admin) == []

    clock.advance(1_000)
    await db.write(change_a_contribution, bob)
    first = await checked.run()
    assert [one.rule for one in first.findings] == ["contribution"]
    assert await db.read(nightly_check.last) == first
    assert await db.read(nightly_check.count_wrong) == 1
    assert await told(db, admin) == ["The books are wrong in 1 place"]
    clock.advance(1_000)
    await checked.run()
    assert len(await told(db, admin)) == 1, "it is no news"
    clock.advance(1_000)
    await db.write(add_to_balances, bob)
    await checked.run()
    assert len(await told(db, admin)) == 2

    clock.advance(limits.LEDGER_CHECK_KEEP_MS + 1)
    await checked.run()
    assert len(await db.read(nightly_check.newest)) == 1
    await checked.aclose()


async def test_rules_of_features_above(db: Database) -> None:
    def twice(tx: Transaction, after: str) -> Piece:
        found = Finding("mine", after or "first", "It isn't right.")
        return Piece([found], 1, None if after else "mem_1")

    found = await db.read(ledger_check.check, [twice])
    assert [one.about for one in found] == ["first", "mem_1"]


async def told(db: Database, user: User) -> list[str]:
    query = select(notice.c.title).where(notice.c.user_id == user.id)
    return await db.read(lambda tx: list(tx.execute(query).scalars()))

"""The ledger: double entry, each event once, no overdraft, nothing ever changed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict, NotFound
from mediaserver.money import ledger
from mediaserver.money.ledger import (
    Account,
    Entry,
    Kind,
    Posting,
    Transfer,
    clearing_of,
    ledger_account,
    ledger_entry,
    ledger_transfer,
    site_account,
    wallet_of,
)

ADA, BOB = wallet_of("usr_ada", "USD"), wallet_of("usr_bob", "USD")
GATEWAY = clearing_of("sandbox", "USD")


def top_up(key: str, amount: int, to: Account = ADA) -> Posting:
    return Posting("topup", key, (Transfer(GATEWAY, to, amount),), subject=key)


def give(key: str, amount: int, fee: int = 0) -> Posting:
    earned = Account(Kind.EARNINGS_PENDING, "usr_bob", "USD")
    commission = site_account(Kind.COMMISSION, "USD")
    return Posting(
        "tip", key, (Transfer(ADA, earned, amount - fee), Transfer(ADA, commission, fee))
    )


async def posted(db: Database, posting: Posting, now_ms: int = 1_000) -> tuple[Entry, bool]:
    return await db.write(ledger.post, posting, now_ms)


async def held(db: Database, account: Account) -> int:
    return (await db.read(ledger.balance, account)).amount_minor


async def test_an_entry_moves_money_between_accounts(db: Database) -> None:
    await posted(db, top_up("payment:1", 500))
    entry, is_new = await posted(db, give("contribution:1", 200, 44))
    assert is_new
    assert await held(db, ADA) == 300
    assert await held(db, GATEWAY) == 500, "what the gateway has for us"
    assert await held(db, Account(Kind.EARNINGS_PENDING, "usr_bob", "USD")) == 156
    assert await held(db, site_account(Kind.COMMISSION, "USD")) == 44
    assert await db.read(ledger.get_entry, entry.id) == entry
    assert await db.read(ledger.entry_by_key, "contribution:1") == entry
    assert await db.read(ledger.entry_by_key, "contribution:2") is None
    with pytest.raises(NotFound):
        await db.read(ledger.get_entry, "ent_nothing")


async def test_the_same_event_is_booked_once(db: Database) -> None:
    first, _ = await posted(db, top_up("payment:1", 500))
    again, is_new = await posted(db, top_up("payment:1", 500), 2_000)
    assert again == first
    assert not is_new
    assert await held(db, ADA) == 500
    with pytest.raises(Conflict) as caught:
        await posted(db, top_up("payment:1", 501))
    assert caught.value.code == "key_reused"
    assert await held(db, ADA) == 500


async def test_ten_at_once_book_it_once(db: Database) -> None:
    outcomes = await asyncio.gather(*(posted(db, top_up("payment:1", 500)) for _ in range(10)))
    assert sorted(is_new for _, is_new in outcomes) == [False] * 9 + [True]
    assert {entry.id for entry, _ in outcomes} == {outcomes[0][0].id}
    assert await held(db, ADA) == 500


async def test_nobody_spends_what_they_do_not_have(db: Database) -> None:
    await posted(db, top_up("payment:1", 500))
    with pytest.raises(Conflict) as caught:
        await posted(db, give("contribution:1", 501))
    assert caught.value.code == "insufficient_funds"
    assert await db.read(ledger.entry_by_key, "contribution:1") is None
    assert await held(db, ADA) == 500


async def test_fifty_at_once_never_overdraw(db: Database) -> None:
    await posted(db, top_up("payment:1", 1_000))

    async def one(number: int) -> str:
        try:
            await posted(db, give(f"contribution:{number}", 90, 19))
        except Conflict as error:
            return error.code
        return "given"

    outcomes = await asyncio.gather(*map(one, range(50)))
    assert outcomes.count("given") == 11
    assert set(outcomes) == {"given", "insufficient_funds"}
    assert await held(db, ADA) == 1_000 - 11 * 90


async def test_the_database_itself_refuses_an_overdraft(db: Database) -> None:
    await posted(db, top_up("payment:1", 500))
    with pytest.raises(IntegrityError):
        await db.write(
            lambda tx: tx.execute(
                update(ledger_account).where(ledger_account.c.id == ADA.id).values(debits=501)
            )
        )


@pytest.mark.parametrize(
    "statement",
    [
        update(ledger_transfer).values(amount_minor=1),
        delete(ledger_transfer),
        update(ledger_entry).values(reason="another"),
        delete(ledger_entry),
    ],
)
async def test_the_database_refuses_to_change_what_is_booked(db: Database, statement: Any) -> None:
    await posted(db, top_up("payment:1", 500))
    with pytest.raises(DBAPIError, match="append-only"):
        await db.write(lambda tx: tx.execute(statement))


async def test_a_reversal_moves_everything_back_once(db: Database) -> None:
    await posted(db, top_up("payment:1", 500))
    entry, _ = await posted(db, give("contribution:1", 200, 44))
    back, is_new = await db.write(ledger.reverse, entry.id, "tip.reversed", 2_000)
    assert is_new
    assert back.reverses_id == entry.id
    assert await held(db, ADA) == 500
    assert await held(db, site_account(Kind.COMMISSION, "USD")) == 0
    again, is_new = await db.write(ledger.reverse, entry.id, "tip.reversed", 3_000)
    assert (again, is_new) == (back, False)
    assert await held(db, ADA) == 500


async def test_what_is_frozen_gives_nothing_and_still_receives(
    db: Database, clock: FakeClock
) -> None:
    await posted(db, top_up("payment:1", 500))
    await db.write(ledger.freeze, ADA, "a dispute", clock.wall_ms())
    with pytest.raises(Conflict) as caught:
        await posted(db, give("contribution:1", 100))
    assert caught.value.code == "frozen"
    await posted(db, top_up("payment:2", 100))
    back = Posting("dispute", "dispute:1", (Transfer(ADA, GATEWAY, 600),), touches_frozen=True)
    await posted(db, back)
    await db.write(ledger.unfreeze, ADA)
    await posted(db, top_up("payment:3", 100))
    await posted(db, give("contribution:1", 100))


async def test_a_frozen_account_that_was_never_posted_to(db: Database) -> None:
    await db.write(ledger.freeze, BOB, "a look at who this is", 1_000)
    found = await db.read(ledger.balance, BOB)
    assert (found.amount_minor, found.frozen_for) == (0, "a look at who this is")


async def test_transfers_that_move_nothing_are_left_out(db: Database) -> None:
    await posted(db, top_up("payment:1", 500))
    entry, _ = await posted(db, give("contribution:1", 3, 0))
    assert [one.amount_minor for one in entry.transfers] == [3]


async def test_accounts_of_an_owner(db: Database) -> None:
    await posted(db, top_up("payment:1", 500))

    def of_ada(tx: Transaction) -> dict[Kind, int]:
        found = ledger.balances_of(tx, "usr_ada", "USD")
        return {kind: one.amount_minor for kind, one in found.items()}

    assert await db.read(of_ada) == {Kind.WALLET: 500}
    assert await db.read(ledger.currencies_used) == {"USD"}

"""Money in a running site, put there past its doors: what a top-up and a verification leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import create_engine, text, update

from mediaserver.accounts.users import user_account
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.ids import new_id
from mediaserver.money import ledger
from mediaserver.money.ledger import Account, Posting, Transfer


async def verify(tmp_path: Path, username: str) -> None:
    """As if an admin had seen who they are."""
    verified = update(user_account).where(user_account.c.username == username)
    await _write(tmp_path, lambda tx: tx.execute(verified.values(is_verified=1)))


async def fund(tmp_path: Path, username: str, amount_minor: int) -> None:
    """As if they had topped up their wallet."""

    def post(tx: Transaction) -> None:
        key = f"payment:{new_id('pay')}"
        moved = Transfer(ledger.clearing_of("sandbox", "USD"), _wallet(tx, username), amount_minor)
        ledger.post(tx, Posting("topup", key, (moved,), subject=key), 1_000)

    await _write(tmp_path, post)


async def freeze(tmp_path: Path, username: str, why: str) -> None:
    """As a dispute does."""
    await _write(tmp_path, lambda tx: ledger.freeze(tx, _wallet(tx, username), why, 1_000))


def _wallet(tx: Transaction, username: str) -> Account:
    query = text("SELECT id FROM user_account WHERE username = :name")
    return ledger.wallet_of(tx.execute(query, {"name": username}).scalar_one(), "USD")


async def _write(tmp_path: Path, change: Callable[[Transaction], object]) -> None:
    """Away from the loop, which the site needs to let go of the database."""

    def run() -> None:
        engine = create_engine(f"sqlite:///{tmp_path / 'storage' / 'mediaserver.db'}")
        with engine.begin() as connection:
            change(Transaction(connection))
        engine.dispose()

    await asyncio.to_thread(run)

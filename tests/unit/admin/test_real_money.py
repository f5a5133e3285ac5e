"""Test money never becomes real money."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import delete, select
from sqlalchemy.exc import DBAPIError

import mediaserver.server  # noqa: F401  # every table is known then
from mediaserver.admin import real_money
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.db.schema import metadata
from mediaserver.kernel.errors import Conflict
from mediaserver.money import ledger
from mediaserver.money.ledger import Posting, Transfer, clearing_of, ledger_entry, wallet_of

TEST, REAL = MoneyConfig(production=False), MoneyConfig(production=True)
TOP_UP = Posting(
    "topup",
    "payment:1",
    (Transfer(clearing_of("sandbox", "USD"), wallet_of("usr_ada", "USD"), 500),),
)


async def settle(db: Database, config: MoneyConfig) -> None:
    await db.write(real_money.settle, config, 1)


async def test_an_empty_site_may_choose(db: Database) -> None:
    for config in (TEST, REAL, TEST, TEST, REAL):
        await settle(db, config)


async def test_test_money_is_forgotten_before_it_gets_real(db: Database, clock: FakeClock) -> None:
    await settle(db, TEST)
    entry, _ = await db.write(ledger.post, TOP_UP, 1)
    back, _ = await db.write(ledger.reverse, entry.id, "topup.reversed", 2)
    await db.write(ledger.reverse, back.id, "topup.reversed", 3)
    with pytest.raises(Conflict) as caught:
        await settle(db, REAL)
    assert caught.value.code == "test_money"
    await settle(db, TEST)

    forgotten = await db.write(real_money.forget_test_money, clock.wall_ms())
    assert (forgotten.entries, forgotten.payments, forgotten.contributions) == (3, 0, 0)
    await settle(db, REAL)
    assert await db.read(ledger.currencies_used) == set()
    await db.write(ledger.post, TOP_UP, 4)
    with pytest.raises(DBAPIError, match="append-only"):
        await db.write(lambda tx: tx.execute(delete(ledger_entry)))


async def test_real_money_is_never_forgotten(db: Database) -> None:
    await settle(db, REAL)
    await db.write(ledger.post, TOP_UP, 1)
    with pytest.raises(Conflict) as caught:
        await settle(db, TEST)
    assert caught.value.code == "real_money"
    with pytest.raises(Conflict):
        await db.write(real_money.forget_test_money, 2)
    assert await db.read(lambda tx: len(tx.execute(select(ledger_entry)).all())) == 1


def test_every_table_of_money_is_kept_or_forgotten() -> None:
    versions = Path(real_money.__file__).parents[1] / "kernel/db/migrations/versions"
    made = {
        name
        for path in versions.glob("*.py")
        if "0012" <= path.name[:4] <= "0019"
        for name in re.findall(r'create_table\(\s*"(\w+)"', path.read_text())
    }
    assert made == {*real_money.FORGOTTEN, *real_money.KEPT}
    assert made <= set(metadata.tables)

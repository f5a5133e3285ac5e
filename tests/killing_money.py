"""A site that is killed while people tip from their wallets: every tip that it said yes to is there
after the next start, booked once, and the books add up. Used by a test with a few kills and by
`scripts/bench kill-money` with many.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp
from sqlalchemy import select, update

from mediaserver.accounts.users import user_account
from mediaserver.admin.database_copy import sqlite_connection
from mediaserver.kernel.clock import SystemClock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.events import Events
from mediaserver.money import ledger
from mediaserver.money.ledger import Posting, Transfer, clearing_of, wallet_of
from mediaserver.money.ledger_check import check
from tests.killing import ROOM, WRITERS, Person, Victim

PAID_IN_MINOR = 2_000_000
"""What each wallet holds at first, in cents: more than is given before the last kill."""

_WRITERS = select(user_account.c.id).where(user_account.c.username.in_(WRITERS))

TIP_MINOR = 101
"""A tip whose commission doesn't divide."""


@dataclass
class MoneyVictim(Victim):
    """The same, with wallets: tips by key, each promised once, each asked for twice at times."""

    tips: dict[str, str] = field(default_factory=dict)
    _keys: Any = field(default_factory=count)
    _lost: dict[str, list[str]] = field(default_factory=dict)

    async def prepare(self) -> None:
        """A verified streamer, and viewers with money in their wallets."""
        await super().prepare()
        url = f"sqlite+aiosqlite:///{self.storage / 'mediaserver.db'}"
        async with Database(url, Events()) as db:
            await db.write(_fill_wallets, SystemClock().wall_ms())

    def people(self, http: aiohttp.ClientSession, tokens: dict[str, str]) -> list[Person]:
        return [self._tipper(http, name, tokens[name]) for name in WRITERS for _ in range(3)]

    def check(self) -> None:
        super().check()
        path = self.storage / "mediaserver.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            rows = database.execute(
                "SELECT idempotency_key, contribution.id, state FROM contribution "
                "JOIN ledger_entry ON ledger_entry.id = contribution.entry_id"
            )
            booked = {key: (tip, state) for key, tip, state in rows}
        promised = {key: (tip, "paid") for key, tip in self.tips.items()}
        self.miss("tips", {key for key, tip in promised.items() if booked.get(key) != tip})
        with sqlite_connection(path) as connection:
            tx = Transaction(connection)
            self.faults += [finding.text for finding in check(tx)]
            self.faults += _lost_money(tx, len(booked))

    def _tipper(self, http: aiohttp.ClientSession, name: str, token: str) -> Person:
        """Each tip has a key; one whose answer got lost is asked for again after the next start."""
        path = f"/api/v1/channels/{ROOM}/tips"
        lost = self._lost.setdefault(name, [])

        async def tip() -> None:
            key = lost.pop() if lost else f"tip-{next(self._keys)}"
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
            body = {"amount_minor": TIP_MINOR, "message": f"tip {key}"}
            try:
                async with http.post(path, json=body, headers=headers) as response:
                    answer = await response.json()
            except aiohttp.ClientError:
                lost.append(key)
                raise
            assert response.status == 201, answer
            self.tips[key] = answer["id"]

        return tip


def _fill_wallets(tx: Transaction, now_ms: int) -> None:
    rows = tx.execute(_WRITERS)
    for row in rows.all():
        wallet = wallet_of(row.id, "USD")
        moved = (Transfer(clearing_of("test", "USD"), wallet, PAID_IN_MINOR),)
        ledger.post(tx, Posting("topup", f"test:{row.id}", moved), now_ms)
    tx.execute(update(user_account).values(is_verified=1))


def _lost_money(tx: Transaction, tips: int) -> list[str]:
    """What the wallets lack is what was given."""
    ids = tx.execute(_WRITERS).all()
    left = sum(ledger.balance(tx, wallet_of(row.id, "USD")).amount_minor for row in ids)
    given = len(WRITERS) * PAID_IN_MINOR - left
    if given == tips * TIP_MINOR:
        return []
    return [f"{given} were taken out of wallets for {tips} tips of {TIP_MINOR}"]

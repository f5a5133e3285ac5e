"""Postings a second: tips through the ledger on SQLite and PostgreSQL, one after the other and many
at once, beside hand-written statements on a bare sqlite3 that move the same money.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from benchmarks.report import Report, progress, ratio
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.events import Events
from mediaserver.money import ledger
from mediaserver.money.commission import Split
from mediaserver.money.ledger import (
    Account,
    Kind,
    Posting,
    Transfer,
    clearing_of,
    site_account,
    wallet_of,
)
from mediaserver.money.ledger_check import check
from tests.databases import POSTGRESQL_BINARIES, PostgresqlServer

VIEWERS = 50
TIP_MINOR = 101
PAID_IN_MINOR = 10**9
AT_ONCE = 30
WAYS = (("one after the other", 1), ("at once", AT_ONCE))

_BARE_SCHEMA = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=FULL;
CREATE TABLE account (
    id TEXT PRIMARY KEY, side INTEGER NOT NULL, free INTEGER NOT NULL,
    debits INTEGER NOT NULL DEFAULT 0, credits INTEGER NOT NULL DEFAULT 0,
    CHECK (free = 1 OR side * (credits - debits) >= 0)
) STRICT;
CREATE TABLE entry (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE transfer (
    entry_id INTEGER NOT NULL REFERENCES entry (id), debit_id TEXT NOT NULL,
    credit_id TEXT NOT NULL, amount INTEGER NOT NULL CHECK (amount > 0)
) STRICT;
"""


def add_options(group: Any) -> None:
    group.add_argument(
        "--ledger-seconds", type=float, default=5.0, help="for each way (%(default)s)"
    )


def run(options: argparse.Namespace, folder: Path) -> Report:
    seconds = options.ledger_seconds
    progress("ledger: bare sqlite3")
    rival = _bare(folder / "bare.db", seconds)
    rows = [("bare sqlite3, one after the other", f"{rival:,.0f}", "1.00", "-")]
    found = asyncio.run(_all(folder, seconds))
    rows += [
        (name, f"{rate:,.0f}", ratio(rate, rival), f"{entries:,} entries, {faults} faults")
        for name, rate, entries, faults in found
    ]
    report = Report(
        "ledger",
        "tips booked a second",
        ("way", "postings/s", "ratio", "checked afterwards"),
        rows,
    )
    report.goals = [("every rule of the books holds", not any(one[3] for one in found))]
    report.notes = [
        (
            f"One posting is a tip of {VIEWERS} viewers to one streamer: two transfers, three "
            "accounts, one transaction, synchronous=FULL. The bare one has a CHECK against "
            "overdraft and a unique key, too, but no other table, no locks for PostgreSQL, no "
            "append-only triggers, no second engine. PostgreSQL runs here with fsync=off, as in "
            f"the tests; “at once” are {AT_ONCE} tasks."
        )
    ]
    return report


async def _all(folder: Path, seconds: float) -> list[tuple[str, float, int, int]]:
    found = []
    url = f"sqlite+aiosqlite:///{folder / 'site.db'}"
    for way, tasks in WAYS:
        found.append(await _measured(f"SQLite, {way}", url, tasks, seconds))
    if POSTGRESQL_BINARIES is None:
        progress("ledger: no PostgreSQL here")
        return found
    async with _postgresql() as server:
        url = await server.new_database()
        for way, tasks in WAYS:
            found.append(await _measured(f"PostgreSQL, {way}", url, tasks, seconds))
    return found


@asynccontextmanager
async def _postgresql() -> AsyncIterator[PostgresqlServer]:
    server = PostgresqlServer()
    try:
        await asyncio.to_thread(server.start)
        yield server
    finally:
        await asyncio.to_thread(server.stop)


async def _measured(name: str, url: str, tasks: int, seconds: float) -> tuple[str, float, int, int]:
    """The rate, how many were booked, and how many faults the check finds then."""
    progress(f"ledger: {name}")
    async with Database(url, Events()) as db:
        await db.write(_fill_wallets)
        ends = time.monotonic() + seconds

        async def give(task: int) -> int:
            count = 0
            while time.monotonic() < ends:
                await db.write(_tip, f"{name}/{task}/{count}", (task + count) % VIEWERS)
                count += 1
            return count

        began = time.monotonic()
        booked = sum(await asyncio.gather(*map(give, range(tasks))))
        rate = booked / (time.monotonic() - began)
        return name, rate, booked, len(await db.read(check))


def _fill_wallets(tx: Transaction) -> None:
    for number in range(VIEWERS):
        moved = (Transfer(clearing_of("bench", "USD"), _viewer(number), PAID_IN_MINOR),)
        ledger.post(tx, Posting("topup", f"bench:{number}", moved), 1)


def _tip(tx: Transaction, key: str, number: int) -> None:
    split, viewer = Split(TIP_MINOR, 2200), _viewer(number)
    earned = Account(Kind.EARNINGS_AVAILABLE, "usr_streamer", "USD")
    commission = site_account(Kind.COMMISSION, "USD")
    ledger.post(
        tx,
        Posting(
            "tip",
            f"bench:{key}",
            (
                Transfer(viewer, earned, split.net_minor),
                Transfer(viewer, commission, split.fee_minor),
            ),
        ),
        2,
    )


def _viewer(number: int) -> Account:
    return wallet_of(f"usr_viewer{number}", "USD")


def _bare(path: Path, seconds: float) -> float:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript(_BARE_SCHEMA)
        for number in range(VIEWERS):
            database.execute(
                "INSERT INTO account VALUES (?, 1, 0, 0, ?)", (f"viewer{number}", PAID_IN_MINOR)
            )
        for name in ("streamer", "commission"):
            database.execute("INSERT INTO account VALUES (?, 1, 0, 0, 0)", (name,))
        split = Split(TIP_MINOR, 2200)
        count, began = 0, time.monotonic()
        while time.monotonic() - began < seconds:
            _bare_tip(database, f"tip{count}", f"viewer{count % VIEWERS}", split)
            count += 1
        return count / (time.monotonic() - began)


def _bare_tip(database: sqlite3.Connection, key: str, viewer: str, split: Split) -> None:
    legs = (("streamer", split.net_minor), ("commission", split.fee_minor))
    database.execute("BEGIN IMMEDIATE")
    entry = database.execute("INSERT INTO entry (key) VALUES (?)", (key,)).lastrowid
    for to, amount in legs:
        database.execute("UPDATE account SET debits = debits + ? WHERE id = ?", (amount, viewer))
        database.execute("UPDATE account SET credits = credits + ? WHERE id = ?", (amount, to))
        database.execute("INSERT INTO transfer VALUES (?, ?, ?, ?)", (entry, viewer, to, amount))
    database.execute("COMMIT")

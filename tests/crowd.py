"""A hundred thousand accounts for tests, written in a moment."""

from __future__ import annotations

from sqlalchemy import insert

from mediaserver.accounts.users import user_account
from mediaserver.kernel.db import Database, Transaction

CROWD = 100_000
FIRST_AT_MS = 1_600_000_000_000
_BATCH = 5_000


async def gather(db: Database) -> None:
    """All of them, in transactions that end in time also on a busy machine."""
    for first in range(0, CROWD, _BATCH):
        await db.write(fill, _BATCH, first)


def fill(tx: Transaction, count: int, first: int = 0) -> None:
    """Accounts `user00000`, …, one a minute; every thousandth premium, every 5,000th banned, three
    admins.
    """
    rows = [
        {
            "id": f"usr_{number:020}",
            "username": f"user{number:05}",
            "email": f"person.{number:05}@example.org",
            "password_hash": "-",
            "is_admin": int(number < 3),
            "is_premium": int(number % 1000 == 999),
            "banned_until_ms": 9_000_000_000_000 if number % 5000 == 4999 else None,
            "created_at_ms": FIRST_AT_MS + number * 60_000,
        }
        for number in range(first, first + count)
    ]
    tx.execute(insert(user_account), rows)


def plan_of(tx: Transaction, statement: object) -> list[str]:
    """The steps in which SQLite does a statement."""
    compiled = statement.compile(  # type: ignore[attr-defined]
        tx._connection, compile_kwargs={"render_postcompile": True}
    )
    parameters = tuple(compiled.params[name] for name in compiled.positiontup or ())
    rows = tx._connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", parameters)
    return [row[3] for row in rows]


def is_slow(plan: list[str]) -> bool:
    """Whether it reads a table whole, or sorts by itself."""
    return any("TEMP B-TREE" in step or ("SCAN" in step and "INDEX" not in step) for step in plan)

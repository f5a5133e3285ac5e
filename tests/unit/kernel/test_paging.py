"""Pages of a long list: every row once and in order, whatever happens to the list meanwhile."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, insert, select

from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.mail import kept_mail


async def fill(db: Database, *moments: int) -> None:
    """One row for each, with ids in alphabetical order."""
    rows = [
        {
            "id": f"mail_{number:03}",
            "recipient": "a@b.co",
            "subject": "s",
            "body": "b",
            "created_at_ms": moment,
        }
        for number, moment in enumerate(moments)
    ]
    await db.write(lambda tx: tx.execute(insert(kept_mail), rows))


async def ids(db: Database, after: str | None, *, is_oldest_first: bool = False) -> list[str]:
    def read(tx: Transaction) -> list[str]:
        rows = rows_behind(
            tx,
            select(kept_mail),
            kept_mail.c.created_at_ms,
            after,
            2,
            is_oldest_first=is_oldest_first,
        )
        return [row.id for row in rows]

    return await db.read(read)


@pytest.mark.parametrize("is_oldest_first", [False, True])
async def test_every_row_once(db: Database, is_oldest_first: bool) -> None:
    await fill(db, 5, 5, 5, 1, 9)
    seen: list[str] = []
    while found := await ids(db, seen[-1] if seen else None, is_oldest_first=is_oldest_first):
        seen += found
    expected = ["mail_003", "mail_000", "mail_001", "mail_002", "mail_004"]
    assert seen == (expected if is_oldest_first else expected[::-1])


async def test_rows_that_come_and_go_meanwhile(db: Database) -> None:
    await fill(db, 1, 2, 3, 4)
    first = await ids(db, None)
    newer = {"id": "mail_new", "recipient": "", "subject": "", "body": "", "created_at_ms": 9}
    await db.write(lambda tx: tx.execute(insert(kept_mail).values(newer)))
    await db.write(lambda tx: tx.execute(delete(kept_mail).where(kept_mail.c.id == first[0])))
    assert await ids(db, first[-1]) == ["mail_001", "mail_000"]


@pytest.mark.parametrize("after", ["mail_nothing", "", "\0", "é", "' OR 1=1 --"])
async def test_behind_what_is_not_there_is_nothing(db: Database, after: str) -> None:
    await fill(db, 1, 2)
    assert await ids(db, after) == []

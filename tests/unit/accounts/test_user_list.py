"""The list of accounts is right, and its queries stop after a page of a hundred thousand."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaserver.accounts import user_list
from mediaserver.accounts.user_list import Show
from mediaserver.accounts.users import User, find_by_username
from mediaserver.kernel import limits
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.events import Events
from tests.crowd import CROWD, fill, gather, is_slow, plan_of


def _names(users: list[User]) -> list[str]:
    return [user.username for user in users]


async def test_pages_follow_each_other_without_gap(db: Database) -> None:
    await db.write(fill, 120)
    seen: list[str] = []
    after = None
    while page := await db.read(user_list.page, "", Show.ALL, after):
        seen += _names(page)
        after = page[-1].id
    assert seen == [f"user{number:05}" for number in reversed(range(120))]


@pytest.mark.parametrize(
    ("search", "show", "found"),
    [
        ("user0000", Show.ALL, [f"user{number:05}" for number in range(10)]),
        ("User00011", Show.ALL, ["user00011"]),
        ("person.00012", Show.ALL, ["user00012"]),
        ("person.00012@example.org", Show.ALL, ["user00012"]),
        ("user_", Show.ALL, []),
        ("us%", Show.ALL, []),
        ("\0", Show.ALL, []),
        ("é", Show.ALL, []),
        ("x" * 300, Show.ALL, []),
        ("user0000", Show.ADMIN, ["user00000", "user00001", "user00002"]),
        ("", Show.ADMIN, ["user00002", "user00001", "user00000"]),
        ("", Show.PREMIUM, ["user00999"]),
        ("", Show.BANNED, []),
    ],
)
async def test_searches(db: Database, search: str, show: Show, found: list[str]) -> None:
    await db.write(fill, 1_000)
    assert _names(await db.read(user_list.page, search, show, None)) == found


async def test_a_search_goes_on_behind_its_page(db: Database) -> None:
    await db.write(fill, 100)
    first = await db.read(user_list.page, "user", Show.ALL, None)
    second = await db.read(user_list.page, "user", Show.ALL, first[-1].id)
    assert _names(first + second) == [f"user{number:05}" for number in range(100)]
    assert await db.read(user_list.page, "user", Show.ALL, "usr_nobody") == []


async def test_a_hundred_thousand_are_no_burden(tmp_path: Path) -> None:
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'site.db'}", Events()) as crowded:
        await gather(crowded)

        def check(tx: Transaction) -> None:
            tx._connection.exec_driver_sql("PRAGMA query_only = ON")
            middle = find_by_username(tx, f"user{CROWD // 2:05}")
            for show in Show:
                for search in ("", "user5", "person.5"):
                    for last in (None, middle):
                        query = user_list.query("sqlite", search, show, last)
                        assert query is not None
                        plan = plan_of(tx, query)
                        assert not is_slow(plan), (show, search, last, plan)
            assert len(user_list.page(tx, "", Show.BANNED, None)) == CROWD // 5_000
            assert len(user_list.page(tx, "user", Show.ALL, None)) == limits.USERS_LISTED_MAX

        await crowded.read(check)


async def test_the_plan_test_can_fail(tmp_path: Path) -> None:
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'site.db'}", Events()) as empty:

        def check(tx: Transaction) -> None:
            query = user_list.query("sqlite", "", Show.ALL, None)
            assert query is not None
            by_hash = query.order_by(None).order_by("password_hash")
            assert is_slow(plan_of(tx, by_hash))

        await empty.read(check)

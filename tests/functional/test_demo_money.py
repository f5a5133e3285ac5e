"""The demo's people pay, tip and join, with test money and nobody else's."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mediaserver.accounts.users import user_account
from mediaserver.demo import Demo
from mediaserver.demo import gifts as demo_gifts
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.events import Events
from mediaserver.memberships.memberships import membership
from mediaserver.money import ledger
from mediaserver.money.contributions import contribution
from mediaserver.money.goals import goal
from mediaserver.money.ledger import ledger_entry
from mediaserver.server import foundations, server
from mediaserver.server.server import Server
from tests.functional.platform_site import FakeMedia, settings


async def _nothing(*_: Any) -> None:
    await asyncio.Event().wait()


@pytest.fixture
def laid(monkeypatch: pytest.MonkeyPatch) -> list[foundations.Foundations]:
    """What the newest site stands on; its demo has no publishers."""
    found: list[foundations.Foundations] = []

    async def lay(*args: Any) -> foundations.Foundations:
        found.append(await foundations.lay(*args))
        return found[-1]

    monkeypatch.setattr(server, "lay", lay)
    monkeypatch.setattr(Demo, "_keep_publishing", _nothing)
    monkeypatch.setattr(demo_gifts, "_WAITS_S", (0.01,))
    return found


def _given(tx: Transaction) -> dict[str, list[str]]:
    paid = select(contribution.c.kind).where(contribution.c.state == "paid")
    return {
        "kinds": list(tx.execute(paid).scalars()),
        "members": list(tx.execute(select(membership.c.state)).scalars()),
        "goals": list(tx.execute(select(goal.c.title)).scalars()),
    }


async def _until_given(db: Database) -> None:
    async with asyncio.timeout(60):
        while True:
            given = await db.read(_given)
            if {"tip", "donation"} <= set(given["kinds"]) and len(given["kinds"]) > 12:
                assert given["members"] == ["active"]
                assert given["goals"] == ["A better camera"] * 2
                return
            await asyncio.sleep(0.1)


async def test_people_of_the_demo_give(tmp_path: Path, laid: list[foundations.Foundations]) -> None:
    for _ in range(2):  # the second start sets and sells nothing anew
        async with Server(settings(tmp_path), demo=True, open_media=FakeMedia().open):
            db = laid[-1].db
            await _until_given(db)
            totals = await db.read(ledger.balance, ledger.clearing_of("sandbox", "USD"))
            assert totals.amount_minor > 0
            letters = await laid[-1].mailbox.page()
            assert not [one for one in letters if one.to.endswith(".invalid")]


@pytest.mark.parametrize("money", [{"production": True}, {"wallet": False}, {"enabled": False}])
async def test_where_money_is_real_they_give_nothing(
    tmp_path: Path,
    laid: list[foundations.Foundations],
    money: dict[str, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once each of its tasks has begun, nobody was verified and nothing is booked."""
    asked = asyncio.Event()
    is_possible = demo_gifts.DemoGifts.is_possible

    def ask(gifts: demo_gifts.DemoGifts) -> bool:
        asked.set()
        assert is_possible.fget is not None
        return bool(is_possible.fget(gifts))

    monkeypatch.setattr(demo_gifts.DemoGifts, "is_possible", property(ask))
    async with Server(settings(tmp_path, money=money), demo=True, open_media=FakeMedia().open):
        async with asyncio.timeout(20):
            await asked.wait()
    url = f"sqlite+aiosqlite:///{tmp_path / 'storage' / 'mediaserver.db'}"
    async with Database(url, Events()) as db:
        assert await db.read(lambda tx: tx.execute(select(ledger_entry)).all()) == []
        verified = select(user_account.c.username).where(user_account.c.is_verified == 1)
        assert await db.read(lambda tx: tx.execute(verified).all()) == []

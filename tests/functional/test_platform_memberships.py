"""Memberships over HTTP: plans by the admin, taken, changed and cancelled, on pages and the API."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mediaserver.money import ledger
from mediaserver.money.ledger import Posting, Transfer
from mediaserver.server import foundations, server
from mediaserver.server.foundations import Foundations
from tests.functional.desk import make_admin
from tests.functional.platform_site import Person, Site, running_site

LAID: list[Foundations] = []
"""What the newest site stands on: money comes into a wallet there, without a gateway."""


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    async def lay(*args: Any) -> Foundations:
        LAID.append(await foundations.lay(*args))
        return LAID[-1]

    monkeypatch.setattr(server, "lay", lay)
    async with running_site(tmp_path) as running:
        yield running


@pytest.fixture
async def boss(site: Site) -> Person:
    return await make_admin(site)


async def make_plan(boss: Person, name: str = "Gold", price_minor: int = 500) -> str:
    status, made = await boss.api(
        "POST", "/admin/plans", {"name": name, "price_minor": price_minor, "period": "month"}
    )
    assert status == 201, made
    return str(made["id"])


async def fund(person: Person, amount_minor: int) -> None:
    """Money in the wallet, booked as a settled top-up is."""
    db = LAID[-1].db
    _, me = await person.api("GET", "/me")
    transfer = Transfer(
        ledger.clearing_of("sandbox", "USD"), ledger.wallet_of(me["id"], "USD"), amount_minor
    )
    await db.write(ledger.post, Posting("topup", f"payment:{me['id']}", (transfer,)), 1)


async def test_the_page_before_there_is_a_plan(site: Site) -> None:
    visitor = site.person()
    status, text, _ = await visitor.get("/membership")
    assert status == 200
    assert "No memberships yet" in text
    assert "test money" in text.lower()


async def test_an_admin_makes_and_changes_plans_on_the_page(site: Site, boss: Person) -> None:
    status, text, _ = await boss.get("/admin/plans")
    assert status == 200
    assert "No plans yet" in text
    form = {"name": "Gold", "price_minor": "5.001", "period": "month", "description": "Thanks"}
    status, text, _ = await boss.post("/admin/plans", form)
    assert status == 422
    assert "The smallest amount of USD is 0.01." in text
    assert "Thanks" in text, "what was typed is kept"
    status, _, answer = await boss.post("/admin/plans", {**form, "price_minor": "5"})
    assert (status, answer.headers["Location"]) == (303, "/admin/plans")
    _, listed = await boss.api("GET", "/admin/plans")
    (plan,) = listed["plans"]
    assert (plan["price_minor"], plan["price"], plan["members"]) == (500, "$5.00", 0)
    base = f"/admin/plans/{plan['id']}"
    status, _, _ = await boss.post(base, {**form, "price_minor": "6.50", "state": "off_sale"})
    assert status == 303
    _, text, _ = await boss.get("/admin/plans")
    assert "$6.50" in text
    assert "Not on sale" in text
    _, sold = await boss.api("GET", "/plans")
    assert sold == {"plans": []}
    _, log = await boss.api("GET", "/admin/audit")
    assert [one["action"] for one in log["entries"][:2]] == ["plan.change", "plan.make"]


@pytest.mark.parametrize("price", [0, -5, 1.5, "5", 2**63, 10**12 + 1, 300_000, True, None])
async def test_prices_that_are_none(boss: Person, price: object) -> None:
    body = {"name": "Gold", "price_minor": price, "period": "month"}
    status, _ = await boss.api("POST", "/admin/plans", body)
    assert status == 422


async def test_nobody_else_changes_plans(site: Site, boss: Person) -> None:
    plan = await make_plan(boss)
    alice = await site.member("alice")
    status, _ = await alice.api("PATCH", f"/admin/plans/{plan}", {"price_minor": 1})
    assert status == 403
    status, _, _ = await alice.post(f"/admin/plans/{plan}", {"price_minor": "0.01"})
    assert status == 403
    _, listed = await alice.api("GET", "/plans")
    assert listed["plans"][0]["price_minor"] == 500


async def test_join_change_and_cancel_on_the_page(site: Site, boss: Person) -> None:
    gold = await make_plan(boss)
    await make_plan(boss, "Platinum", 2000)
    status, text, _ = await site.person().get("/membership")
    assert "/login?next=/membership" in text
    alice = await site.member("alice")
    _, text, _ = await alice.get("/membership")
    assert "$5.00 are missing" in text
    await fund(alice, 600)
    _, text, _ = await alice.get("/membership")
    assert "Join for $5.00" in text
    key = re.search(r'name="key" value="(\w+)"', text)
    assert key is not None
    form = {"plan": gold, "price_minor": "500", "key": key[1]}
    for _ in range(2):  # sent again: done once
        status, text, _ = await alice.post("/membership", form)
        assert status == 303, text
    _, text, _ = await alice.get("/membership")
    assert "Yours: Gold" in text
    assert "$1.00" in text, "the wallet"
    assert "are missing" in text, "for the dearer one"
    _, me = await alice.api("GET", "/me")
    assert me["role"] == "premium"
    status, _, _ = await alice.post("/membership/cancel")
    assert status == 303
    _, text, _ = await alice.get("/membership")
    assert "Keep it after all" in text
    status, _, _ = await alice.post("/membership/resume")
    assert status == 303
    status, text, _ = await alice.post("/membership", {**form, "key": "another"})
    assert status == 409
    assert "You have a membership already." in text


async def test_the_same_over_the_api(site: Site, boss: Person) -> None:
    gold, silver = await make_plan(boss), await make_plan(boss, "Silver", 300)
    alice = await site.member("alice")
    assert await alice.api("GET", "/membership") == (200, {"membership": None})
    status, answer = await alice.api("POST", "/membership", {"plan": gold})
    assert (status, answer["error"]["code"]) == (409, "insufficient_funds")
    await fund(alice, 900)
    headers = {"Idempotency-Key": "once"}
    body = {"plan": gold, "price_minor": 500}
    for _ in range(2):
        status, answer = await alice.api("POST", "/membership", body, headers=dict(headers))
        assert status == 201, answer
        assert answer["membership"]["plan"]["id"] == gold
    other = {"plan": silver, "price_minor": 300}
    status, answer = await alice.api("POST", "/membership", other, headers=dict(headers))
    assert (status, answer["error"]["code"]) == (409, "idempotency_key")
    status, answer = await alice.api("PATCH", "/membership", {"plan": silver})
    assert (status, answer["membership"]["next_plan"]["name"]) == (200, "Silver")
    assert answer["membership"]["next_amount_minor"] == 300
    status, answer = await alice.api("POST", "/membership/cancel")
    assert answer["membership"]["is_cancelled"] is True
    status, answer = await alice.api("POST", "/membership/resume")
    assert answer["membership"]["is_cancelled"] is False
    _, paid = await alice.api("GET", "/membership/charges")
    assert [one["amount_minor"] for one in paid["charges"]] == [500]
    _, listed = await boss.api("GET", "/admin/plans")
    assert [one["members"] for one in listed["plans"]] == [1, 0]
    assert listed["plans"][0]["this_month_minor"] == 500


@pytest.mark.parametrize("money", [{"enabled": False}, {"wallet": False}])
async def test_without_wallets_there_are_no_memberships(
    tmp_path: Path, money: dict[str, bool]
) -> None:
    async with running_site(tmp_path, money=money) as site:
        boss = await make_admin(site)
        for path in ("/membership", "/admin/plans"):
            status, _, _ = await boss.get(path)
            assert status == 404
        for path in ("/plans", "/membership", "/admin/plans"):
            status, _ = await boss.api("GET", path)
            assert status == 404

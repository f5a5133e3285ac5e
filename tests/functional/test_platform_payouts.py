"""Earnings, payouts, refunds and disputes over HTTP: from the gift to the bank, and back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.platform_site import Person, Site, admin_of, running_site
from tests.functional.test_platform_payments import balance, change, press, rows, top_up

BANK = {
    "holder": "Alice Example",
    "account": "DE89 3704 0044 0532 0130 00",
    "bank": "Example Bank",
    "routing": "COBADEFFXXX",
    "country": "DE",
}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    money = {"maturity_days": 0, "two_admins_above": "50"}
    async with running_site(tmp_path, money=money) as running:
        running.storage = tmp_path / "storage"  # type: ignore[attr-defined]
        yield running


async def alter(site: Site, statement: str) -> None:
    """Off the loop, which the site needs to end its own transaction."""
    await asyncio.to_thread(change, site, statement)


async def streamer(site: Site) -> Person:
    """Alice, verified, with two-step log-in."""
    alice = await site.streamer("alice")
    await alter(site, "UPDATE user_account SET is_verified = 1 WHERE username = 'alice'")
    await alter(
        site,
        "INSERT INTO totp (user_id, secret, created_at_ms, confirmed_at_ms, last_step) "
        "SELECT id, 'x', 1, 1, 0 FROM user_account WHERE username = 'alice'",
    )
    return alice


async def give(site: Site, giver: Person, amount: int) -> str:
    """A donation, paid and matured; its payment's id."""
    gift = {"amount_minor": amount, "gateway": "sandbox", "anonymous": True}
    status, made = await giver.api("POST", "/channels/alice/donations", gift)
    assert status == 201, made
    await press(giver, made, "pay")
    for _ in range(200):
        if rows(site, "SELECT 1 FROM contribution WHERE matured_at_ms IS NOT NULL"):
            break
        await asyncio.sleep(0.05)
    return str(rows(site, "SELECT id FROM payment")[-1][0])


async def test_from_the_gift_to_the_bank(site: Site) -> None:
    boss, alice, bob = await admin_of(site), await streamer(site), await site.member("bob")
    await give(site, bob, 6_000)
    _, earned = await alice.api("GET", "/earnings")
    assert (earned["available_minor"], earned["available"]) == (4_680, "$46.80")
    status, text, _ = await alice.get("/studio/alice/earnings")
    assert status == 200
    assert "$46.80" in text
    assert "test money" in text
    assert "Before money can leave" in text
    status, text, _ = await alice.post("/studio/alice/earnings/account", BANK | {"account": "DE1"})
    assert status == 422
    assert "error-account" in text
    status, text, _ = await alice.post("/studio/alice/earnings/account", BANK)
    assert status == 303, text
    _, text, _ = await alice.get("/studio/alice/earnings")
    assert "0532" not in text
    key = re.search(r'name="key" value="(\w+)"', text)
    assert key is not None
    form = {"amount": "46.80", "key": key[1]}
    answers = await asyncio.gather(
        *(alice.post("/studio/alice/earnings/payout", form | {"key": f"t{n}"}) for n in range(3)),
        alice.post("/studio/alice/earnings/payout", form),
    )
    assert sorted(status for status, _, _ in answers) == [303, 409, 409, 409]
    assert balance(site, "payout_hold") == 4_680

    status, text, _ = await boss.get("/admin/payouts")
    assert "alice" in text
    (payout_id,) = set(re.findall(r"/admin/payouts/(pyo_\w+)", text))
    path = f"/admin/payouts/{payout_id}"
    assert "DE89370400440532013000" not in (await boss.get(path))[1]
    status, text, _ = await boss.post(f"{path}/reveal")
    assert "DE89370400440532013000" in text
    status, text, _ = await boss.post(f"{path}/approve", {"bank_reference": ""})
    assert status == 422
    assert "error-bank_reference" in text
    status, _, _ = await boss.post(f"{path}/approve", {"bank_reference": "E2E-1"})
    assert status == 303
    assert balance(site, "bank") == 4_680
    await site.mailbox.letter("alice@example.org", where=lambda mail: "E2E-1" in mail.body)
    _, listed = await alice.api("GET", "/payouts")
    assert [(one["state"], one["bank_reference"]) for one in listed["payouts"]] == [
        ("paid", "E2E-1")
    ]
    status, _, _ = await boss.post(f"{path}/fail", {"reason": "Account closed."})
    assert status == 303
    assert (balance(site, "bank"), balance(site, "earnings_available")) == (0, 4_680)


async def test_history_and_csv(site: Site) -> None:
    alice, bob = await streamer(site), await site.member("bob")
    await give(site, bob, 1_000)
    status, text, _ = await alice.get("/studio/alice/earnings/history?kind=donation")
    assert (status, "$7.80" in text) == (200, True)
    status, text, response = await alice.get("/studio/alice/earnings/history.csv")
    assert response.content_type == "text/csv"
    assert ",10.00,2.20,7.80,7.80,available," in text
    assert (await alice.get("/studio/alice/earnings/history?from=x"))[0] == 422
    _, listed = await alice.api("GET", "/earnings/history?from=2999-01-01")
    assert listed["earnings"] == []
    assert (await bob.get("/studio/alice/earnings"))[0] == 403


async def test_a_large_payout_and_the_wrong_admin(site: Site) -> None:
    boss, alice, bob = await admin_of(site), await streamer(site), await site.member("bob")
    carol = await site.member("carol")
    await alter(site, "UPDATE user_account SET is_admin = 1 WHERE username = 'carol'")
    await give(site, bob, 10_000)
    assert (await alice.api("PUT", "/me/payout-account", BANK))[0] == 200
    status, made = await alice.api(
        "POST", "/payouts", {"amount_minor": 7_000}, headers={"Idempotency-Key": "one"}
    )
    assert status == 201, made
    _, again = await alice.api(
        "POST", "/payouts", {"amount_minor": 7_000}, headers={"Idempotency-Key": "one"}
    )
    assert again["id"] == made["id"]
    path = f"/admin/payouts/{made['id']}"
    assert (await alice.api("POST", f"{path}/approve", {}))[0] == 403
    _, first = await boss.api("POST", f"{path}/approve", {})
    assert (first["state"], first["needs_two"]) == ("approved", True)
    status, answer = await boss.api("POST", f"{path}/approve", {"bank_reference": "E2E-1"})
    assert (status, answer["error"]["code"]) == (409, "same_admin")
    assert "Another admin must send it" in (await boss.get(path))[1]
    status, paid = await carol.api("POST", f"{path}/approve", {"bank_reference": "E2E-1"})
    assert (status, paid["state"], paid["decided_by"]) == (200, "paid", "carol")


@pytest.mark.parametrize("amount", [0, -1, 2**63, 12.5, "2000", None, True])
async def test_amounts_that_are_none(site: Site, amount: Any) -> None:
    alice = await streamer(site)
    await alice.api("PUT", "/me/payout-account", BANK)
    status, answer = await alice.api("POST", "/payouts", {"amount_minor": amount})
    assert status == 422, answer


async def test_a_refund_through_the_sandbox(site: Site) -> None:
    boss, bob = await admin_of(site), await site.member("bob")
    made = await top_up(bob, 2_500)
    await press(bob, made, "pay")
    payment_id = rows(site, "SELECT id FROM payment")[0][0]
    new = f"/admin/refunds/new?payment={payment_id}"
    status, text, _ = await boss.get(f"{new}&amount=10")
    assert status == 200
    assert "The payer&#39;s wallet" in text
    form = {"payment": payment_id, "amount": "99", "reason": "Paid twice.", "key": "one"}
    status, text, _ = await boss.post("/admin/refunds/new", form)
    assert status == 422
    assert "At most $25.00" in text
    for _ in range(2):
        status, text, _ = await boss.post("/admin/refunds/new", form | {"amount": "10"})
        assert status == 303, text
    letter = await site.mailbox.letter("bob@example.org", where=lambda mail: "back" in mail.subject)
    assert "$10.00" in letter.subject
    assert balance(site, "wallet") == 1_500
    assert balance(site, "refund_hold") == 0
    assert rows(site, "SELECT refunded_minor FROM sandbox_payment") == [(1_000,)]
    assert rows(site, "SELECT refunded_minor FROM payment") == [(1_000,)]
    await bob.get(f"/payments/{payment_id}")
    assert rows(site, "SELECT count(*) FROM refund") == [(1,)], "not taken for one from outside"
    _, text, _ = await boss.get(new)
    assert "Refunds of this payment so far" in text
    assert "$10.00</a> (given back)" in text
    assert '<a href="/admin/users/bob">bob</a> paid $25.00' in text


async def test_a_dispute_through_the_sandbox(site: Site) -> None:
    boss, bob = await admin_of(site), await site.member("bob")
    made = await top_up(bob, 2_500)
    await press(bob, made, "pay")
    await press(bob, made, "dispute")
    assert balance(site, "wallet") == 0
    status, text, _ = await boss.get("/admin/disputes")
    assert "$25.00" in text
    (dispute_id,) = set(re.findall(r"/admin/disputes/(dsp_\w+)", text))
    path = f"/admin/disputes/{dispute_id}"
    assert '<a href="/admin/users/bob">bob</a>' in (await boss.get(path))[1]
    assert "frozen" in (await boss.get(path))[1]
    assert (await boss.post(f"{path}/unfreeze"))[0] == 409
    status, answer = await boss.api(
        "POST", f"/admin/payments/{made['id']}/refunds", {"amount_minor": 1, "reason": "x"}
    )
    assert (status, answer["error"]["code"]) == (409, "disputed")
    await press(bob, made, "win")
    assert balance(site, "wallet") == 2_500
    assert (await boss.api("GET", path))[1]["is_frozen"] is False


async def test_nobody_but_admins_decides(site: Site) -> None:
    bob = await site.member("bob")
    for path in ("/admin/payouts", "/admin/refunds", "/admin/disputes", "/admin/refunds/new"):
        assert (await bob.get(path))[0] == 403
        assert (await site.person().get(path))[0] == 303
    for path in ("/admin/payouts", "/admin/refunds", "/admin/disputes"):
        assert (await bob.api("GET", path))[0] == 403


async def test_a_site_without_money_has_none_of_it(tmp_path: Path) -> None:
    async with running_site(tmp_path, money={"enabled": False}) as site:
        boss = await admin_of(site)
        assert "/admin/payouts" not in (await boss.get("/admin"))[1]
        assert "/earnings" not in (await boss.get("/studio/boss-tv"))[1]
        paths = ("payouts", "refunds", "disputes", "refunds/new")
        for path in (*(f"/admin/{one}" for one in paths), "/studio/boss-tv/earnings"):
            assert (await boss.get(path))[0] == 404, path
        for path in ("/earnings", "/payouts", "/me/payout-account", "/admin/refunds"):
            assert (await boss.api("GET", path))[0] == 404, path

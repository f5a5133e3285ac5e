"""Payments over HTTP: the whole way through the sandbox, and what must not work."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.platform_site import Person, Site, admin_of, running_site

SLUG = "alice"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    money = {"manual_instructions": "IBAN XX00 1234 5678, Test Bank"}
    async with running_site(tmp_path, money=money) as running:
        running.storage = tmp_path / "storage"  # type: ignore[attr-defined]
        yield running


def change(site: Site, statement: str, *values: object) -> None:
    """Do what takes an admin and documents otherwise."""
    path = site.storage / "mediaserver.db"  # type: ignore[attr-defined]
    with sqlite3.connect(path, timeout=10) as database:
        database.execute("PRAGMA busy_timeout = 10000")
        database.execute(statement, values)
    database.close()


def rows(site: Site, statement: str) -> list[Any]:
    path = site.storage / "mediaserver.db"  # type: ignore[attr-defined]
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        found = database.execute(statement).fetchall()
    database.close()
    return found


def balance(site: Site, kind: str) -> int:
    """What all accounts of a kind hold, as credits less debits."""
    found = rows(site, f"SELECT sum(credits - debits) FROM ledger_account WHERE kind = '{kind}'")
    return int(found[0][0] or 0)


async def streamer(site: Site) -> Person:
    alice = await site.streamer(SLUG)
    change(site, "UPDATE user_account SET is_verified = 1 WHERE username = ?", SLUG)
    return alice


async def press(person: Person, payment: dict[str, Any], button: str) -> str:
    """Press a button of the sandbox; where the browser goes."""
    path = payment["checkout_url"].removeprefix(str(person.base).rstrip("/"))
    status, text, response = await person.post(path, {"button": button})
    assert status == 303, text
    return response.headers["Location"]


async def top_up(person: Person, amount: int = 2_500, **headers: str) -> dict[str, Any]:
    status, answer = await person.api(
        "POST",
        "/wallet/topups",
        {"amount_minor": amount, "gateway": "sandbox"},
        headers=headers,
    )
    assert status == 201, answer
    return dict(answer)


async def test_a_top_up_through_the_sandbox(site: Site) -> None:
    bob = await site.member("bob")
    made = await top_up(bob)
    assert (made["state"], made["amount"], made["currency"]) == ("open", "$25.00", "USD")
    assert await press(bob, made, "pay") == f"/payments/{made['id']}"
    status, text, _ = await bob.get(f"/payments/{made['id']}")
    assert status == 200
    assert "is in your wallet" in text
    assert "test money" in text
    assert balance(site, "wallet") == 2_500
    await site.mailbox.letter("bob@example.org", where=lambda mail: "$25.00" in mail.subject)


async def test_the_same_callback_five_times_pays_once(site: Site) -> None:
    bob = await site.member("bob")
    made = await top_up(bob)
    await press(bob, made, "pay_five")
    assert balance(site, "wallet") == 2_500
    assert rows(site, "SELECT repeats FROM gateway_notification") == [(4,)]


async def test_a_payment_that_nobody_tells_of_is_found_by_its_page(site: Site) -> None:
    bob = await site.member("bob")
    made = await top_up(bob)
    await press(bob, made, "pay_late")
    assert rows(site, "SELECT count(*) FROM gateway_notification") == [(0,)]
    status, answer = await bob.api("GET", f"/payments/{made['id']}")
    assert (status, answer["state"]) == (200, "paid")
    assert balance(site, "wallet") == 2_500


@pytest.mark.parametrize(
    ("button", "state", "words"),
    [
        ("fail", "failed", "didn’t work"),
        ("cancel", "cancelled", "cancelled"),
        ("review", "review", "looked at"),
    ],
)
async def test_what_else_may_come_of_it(site: Site, button: str, state: str, words: str) -> None:
    bob = await site.member("bob")
    made = await top_up(bob)
    await press(bob, made, button)
    _, text, _ = await bob.get(f"/payments/{made['id']}")
    assert words in text
    assert (await bob.api("GET", f"/payments/{made['id']}"))[1]["state"] == state
    assert balance(site, "wallet") == 0


async def test_a_guest_donates(site: Site) -> None:
    await streamer(site)
    guest = site.person()
    status, text, _ = await guest.get(f"/@{SLUG}/donate")
    assert status == 200
    assert "22 %" in text
    key = re.search(r'name="key" value="(\w+)"', text)
    assert key is not None
    form = {
        "key": key[1],
        "amount": "12.50",
        "message": "<script>alert(1)</script>",
        "name": "Grace",
        "email": "grace@example.org",
        "gateway": "sandbox",
    }
    places = []
    for _ in range(2):  # pressed twice
        status, text, response = await guest.post(f"/@{SLUG}/donate", form)
        assert status == 303, text
        places.append(response.headers["Location"])
    assert places[0] == places[1]
    status, text, _ = await guest.get(places[0])
    target = re.search(r'content="0;url=([^"]+)"', text)
    assert target is not None
    location = await press(guest, {"checkout_url": target[1]}, "pay")
    _, text, _ = await guest.get(location)
    assert "$2.75" in text, "the commission"
    assert "$9.75" in text, "what the streamer gets"
    assert "<script>alert" not in text
    assert balance(site, "earnings_pending") == 975
    assert balance(site, "commission") == 275
    await site.mailbox.letter("grace@example.org", where=lambda mail: "Receipt" in mail.subject)


async def test_a_member_donates_over_the_api(site: Site) -> None:
    await streamer(site)
    bob = await site.member("bob")
    body = {"amount_minor": 1_000, "gateway": "sandbox", "message": "Hi", "anonymous": True}
    status, made = await bob.api("POST", f"/channels/{SLUG}/donations", body)
    assert status == 201, made
    assert made["purpose"] == "donation"
    await press(bob, made, "pay")
    assert balance(site, "earnings_pending") == 780


WRONG_AMOUNTS = [0, -500, 2**63, 2**63 - 1, 12.5, "1000", True, None, 199, 500_001]


async def test_amounts_of_donations(site: Site) -> None:
    await streamer(site)
    bob = await site.member("bob")
    for amount in WRONG_AMOUNTS:
        body = {"amount_minor": amount, "gateway": "sandbox"}
        status, answer = await bob.api("POST", f"/channels/{SLUG}/donations", body)
        assert (status, answer["error"]["field"]) == (422, "amount_minor"), amount
    body = {"amount_minor": 200, "gateway": "sandbox"}
    assert (await bob.api("POST", f"/channels/{SLUG}/donations", body))[0] == 201


async def test_amounts_of_top_ups(site: Site) -> None:
    bob = await site.member("bob")
    for amount in [*WRONG_AMOUNTS, 499, 50_001]:
        body = {"amount_minor": amount, "gateway": "sandbox"}
        status, answer = await bob.api("POST", "/wallet/topups", body)
        assert (status, answer["error"]["field"]) == (422, "amount_minor"), amount


async def test_amounts_that_are_typed(site: Site) -> None:
    await streamer(site)
    guest = site.person()
    typed = ["0", "-5", "1.999", "12,50", "1e3", "", "9223372036854775808", "5001", "١٢"]
    for amount in typed:
        form = {"amount": amount, "gateway": "sandbox", "email": "g@example.org"}
        status, text, _ = await guest.post(f"/@{SLUG}/donate", form)
        assert (status, "field-error" in text) == (422, True), amount


async def test_the_same_key_with_another_body(site: Site) -> None:
    bob = await site.member("bob")
    first = await top_up(bob, **{"Idempotency-Key": "k1"})
    assert (await top_up(bob, **{"Idempotency-Key": "k1"}))["id"] == first["id"]
    status, answer = await bob.api(
        "POST",
        "/wallet/topups",
        {"amount_minor": 2_600, "gateway": "sandbox"},
        headers={"Idempotency-Key": "k1"},
    )
    assert (status, answer["error"]["code"]) == (409, "idempotency_key")
    carol = await site.member("carol")
    assert (await top_up(carol, **{"Idempotency-Key": "k1"}))["id"] != first["id"]


async def test_hooks(site: Site) -> None:
    bob = await site.member("bob")
    made = await top_up(bob)
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    status, text, _ = await bob.request(
        "POST", "/hooks/sandbox", data=b'{"id": "1"}', headers={"Sandbox-Signature": "00"}
    )
    assert (status, "bad_signature" in text) == (403, True)
    status, _, _ = await bob.request("POST", "/hooks/nothing", data=b"{}")
    assert status == 404
    status, _, _ = await bob.request("POST", "/hooks/sandbox", data=b"x" * 70_000)
    assert status == 413
    for method in ("GET", "POST"):  # SSLCommerz has browsers post a form
        path = f"/hooks/sslcommerz/return?payment={made['id']}"
        status, _, response = await bob.request(method, path, headers=foreign)
        assert (status, response.headers["Location"]) == (303, f"/payments/{made['id']}")
    path = "/hooks/sslcommerz/return?payment=https://evil.example/"
    status, _, response = await bob.request("POST", path, headers=foreign)
    assert (status, response.headers["Location"]) == (303, "/")
    assert balance(site, "wallet") == 0


async def test_a_payment_is_its_payers_own(site: Site) -> None:
    bob, carol, guest = await site.member("bob"), await site.member("carol"), site.person()
    made = await top_up(bob)
    path = f"/payments/{made['id']}"
    assert (await carol.get(path))[0] == 404
    assert (await carol.api("GET", path))[0] == 404
    status, _, response = await guest.get(path)
    assert (status, response.headers["Location"]) == (303, f"/login?next={path}")
    assert (await guest.api("GET", path))[0] == 404


async def test_who_may_not_receive(site: Site) -> None:
    alice = await site.streamer(SLUG)
    guest = site.person()
    _, text, _ = await guest.get(f"/@{SLUG}/donate")
    assert "isn&#39;t verified yet" in text
    body = {"amount_minor": 1_000, "gateway": "sandbox", "email": "g@example.org"}
    status, answer = await guest.api("POST", f"/channels/{SLUG}/donations", body)
    assert (status, answer["error"]["code"]) == (403, "not_verified")
    change(site, "UPDATE user_account SET is_verified = 1 WHERE username = ?", SLUG)
    status, answer = await alice.api("POST", f"/channels/{SLUG}/donations", body)
    assert (status, answer["error"]["code"]) == (403, "own_channel")
    status, answer = await guest.api("POST", "/channels/nobody/donations", body)
    assert status == 404


async def test_guests_are_slowed_down(site: Site) -> None:
    await streamer(site)
    guest = site.person()
    body = {"amount_minor": 1_000, "gateway": "sandbox", "email": "g@example.org"}
    answers = [(await guest.api("POST", f"/channels/{SLUG}/donations", body))[0] for _ in range(11)]
    assert answers == [201] * 10 + [429]


async def test_without_money_there_is_nothing(tmp_path: Path) -> None:
    async with running_site(tmp_path, money={"enabled": False}) as site:
        bob = await site.streamer("bob")
        for path in ("/@bob/donate", "/payments/pay_1", "/sandbox/sbx_1", "/studio/bob/transfers"):
            assert (await bob.get(path))[0] == 404
        _, text, _ = await bob.get("/studio/bob")
        assert "/studio/bob/chat" in text
        assert "/studio/bob/transfers" not in text
        body = {"amount_minor": 1_000, "gateway": "sandbox"}
        assert (await bob.api("POST", "/wallet/topups", body))[0] == 404
        assert (await bob.api("POST", "/channels/bob/donations", body))[0] == 404
        assert (await bob.request("POST", "/hooks/sandbox", data=b"{}"))[0] == 404


async def test_in_production_there_is_no_sandbox(tmp_path: Path) -> None:
    async with running_site(tmp_path, money={"production": True}) as site:
        bob = await site.member("bob")
        body = {"amount_minor": 1_000, "gateway": "sandbox"}
        status, answer = await bob.api("POST", "/wallet/topups", body)
        assert (status, answer["error"]["field"]) == (422, "gateway")
        assert (await bob.get("/sandbox/sbx_1"))[0] == 404
        assert (await bob.request("POST", "/hooks/sandbox", data=b"{}"))[0] == 404


async def test_an_admin_confirms_a_bank_transfer(site: Site) -> None:
    boss = await admin_of(site)
    bob = await site.member("bob")
    status, made = await bob.api(
        "POST", "/wallet/topups", {"amount_minor": 5_000, "gateway": "manual"}
    )
    assert status == 201, made
    _, text, _ = await bob.get(f"/payments/{made['id']}")
    assert "IBAN XX00 1234 5678, Test Bank" in text
    _, text, _ = await boss.get("/admin/payments")
    assert "$50.00" in text
    path = f"/admin/payments/{made['id']}"
    assert (await bob.get(path))[0] == 403
    assert (await bob.post(path + "/confirm", {"bank_ref": "1"}))[0] == 403
    assert (await bob.api("POST", path + "/confirm", {"bank_ref": "1"}))[0] == 403
    status, text, _ = await boss.post(path + "/confirm", {"bank_ref": " "})
    assert (status, "field-error" in text) == (422, True)
    assert (await boss.post(path + "/confirm", {"bank_ref": "2026/4711"}))[0] == 303
    assert balance(site, "wallet") == 5_000
    _, text, _ = await boss.get(path)
    assert "2026/4711" in text
    status, answer = await boss.api("POST", path + "/reject", {"reason": "No."})
    assert (status, answer["error"]["code"]) == (409, "wrong_state")
    assert rows(site, "SELECT action FROM audit_entry WHERE target_kind = 'payment'") == [
        ("payment.confirm",)
    ]


async def test_an_admin_books_what_was_really_paid(site: Site) -> None:
    boss = await admin_of(site)
    bob = await site.member("bob")
    made = await top_up(bob)
    change(site, "UPDATE sandbox_payment SET amount_minor = ?", 2_450)
    await press(bob, made, "pay")
    path = f"/admin/payments/{made['id']}"
    _, text, _ = await boss.get(path)
    assert "$24.50 (USD) was paid instead of $25.00" in text
    assert path + "/accept" in text
    assert (await bob.post(path + "/accept", {"amount": "24.50"}))[0] == 403
    assert (await bob.api("POST", path + "/accept", {"amount_minor": 2_450}))[0] == 403
    for typed, words in (("", "Write down"), ("25", "Its gateway says that $24.50")):
        status, text, _ = await boss.post(path + "/accept", {"amount": typed})
        assert (status, words in text) == (422, True), typed
    status, answer = await boss.api("POST", path + "/accept", {"amount_minor": 2_500})
    assert (status, answer["error"]["field"]) == (422, "amount_minor")
    assert balance(site, "wallet") == 0
    assert (await boss.post(path + "/accept", {"amount": "24.50"}))[0] == 303
    assert balance(site, "wallet") == 2_450
    status, answer = await boss.api("POST", path + "/accept", {"amount_minor": 2_450})
    assert (status, answer["error"]["code"]) == (409, "wrong_state")


async def test_an_admin_reads_what_a_gateway_told(site: Site) -> None:
    boss = await admin_of(site)
    bob = await site.member("bob")
    made = await top_up(bob)
    await press(bob, made, "pay_five")
    path = f"/admin/payments/{made['id']}"
    _, text, _ = await boss.get(path)
    assert "payment.paid" in text
    assert "+4" in text
    assert (await boss.post(path + "/check", {}))[0] == 303
    status, answer = await boss.api("GET", "/admin/payments?state=paid")
    assert (status, [one["id"] for one in answer["payments"]]) == (200, [made["id"]])
    status, answer = await boss.api("POST", path + "/check")
    assert (status, answer["state"]) == (200, "paid")


async def test_a_guest_sends_a_transfer_and_the_streamer_confirms_it(site: Site) -> None:
    alice = await streamer(site)
    change(
        site,
        "INSERT INTO giving (channel_id, takes_tips, takes_donations, takes_transfers, "
        "tip_minor_min, donation_minor_min, transfer_instructions) "
        "SELECT id, 1, 1, 1, 0, 0, 'IBAN YY00 5678' FROM channel WHERE slug = ?",
        SLUG,
    )
    guest = site.person()
    form = {"amount": "30", "gateway": "transfer", "name": "Grace", "message": "For paint"}
    status, text, response = await guest.post(f"/@{SLUG}/donate", form)
    assert status == 303, text
    _, text, _ = await guest.get(response.headers["Location"])
    assert "IBAN YY00 5678" in text
    status, answer = await alice.api("GET", f"/channels/{SLUG}/transfers")
    assert status == 200
    (announced,) = answer["transfers"]
    assert announced["reference"] in text
    bob = await site.member("bob")
    assert (await bob.get(f"/studio/{SLUG}/transfers"))[0] == 403
    assert (await bob.api("GET", f"/channels/{SLUG}/transfers"))[0] == 403
    decision = {"id": announced["id"], "decision": "confirm"}
    _, text, _ = await alice.get(f"/studio/{SLUG}/transfers")
    assert "For paint" in text
    for _ in range(2):
        assert (await alice.post(f"/studio/{SLUG}/transfers", decision))[0] == 303
    assert balance(site, "direct_received") == 3_000
    assert balance(site, "earnings_pending") == 0
    status, answer = await alice.api("POST", f"/transfers/{announced['id']}/reject")
    assert (status, answer["error"]["code"]) == (409, "wrong_state")


@pytest.mark.parametrize(
    ("buttons", "wallet"),
    [
        (("dispute",), 0),
        (("dispute_part",), 1_250),
        (("dispute", "win"), 2_500),
        (("dispute", "lose"), 0),
        (("refund",), 0),
        (("reverse",), 0),
    ],
)
async def test_what_may_come_after_it_was_paid(
    site: Site, buttons: tuple[str, ...], wallet: int
) -> None:
    bob = await site.member("bob")
    made = await top_up(bob)
    await press(bob, made, "pay")
    for button in buttons:
        await press(bob, made, button)
    assert balance(site, "wallet") == wallet
    state = (await bob.api("GET", f"/payments/{made['id']}"))[1]["state"]
    assert state == ("reversed" if buttons == ("reverse",) else "paid")


async def test_guests_are_offered_to_donate(site: Site) -> None:
    await streamer(site)
    guest = site.person()
    assert f'href="/@{SLUG}/donate"' in (await guest.get(f"/@{SLUG}"))[1]
    change(site, "UPDATE user_account SET is_verified = 0 WHERE username = ?", SLUG)
    assert f'href="/@{SLUG}/donate"' not in (await guest.get(f"/@{SLUG}"))[1]


async def test_programs_learn_how_one_can_pay(site: Site) -> None:
    guest = site.person()
    for purpose, names in (("topup", ["manual", "sandbox"]), ("donation", ["sandbox"])):
        status, answer = await guest.api("GET", f"/ways-to-pay?purpose={purpose}")
        assert (status, answer["currency"], answer["is_test"]) == (200, "USD", True)
        assert [one["name"] for one in answer["ways"]] == names
    assert (await guest.api("GET", "/ways-to-pay?purpose=fun"))[0] == 422

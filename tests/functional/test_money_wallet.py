"""Wallet and tips over HTTP: pages without JavaScript, the API, and what is refused."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest

from tests.functional.money_people import freeze, fund, verify
from tests.functional.platform_site import Person, Site, running_site


@dataclass
class Scene:
    site: Site
    folder: Path
    alice: Person
    bob: Person


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with running_site(tmp_path) as site:
        alice, bob = await site.streamer("alice"), await site.member("bob")
        await verify(tmp_path, "alice")
        yield Scene(site, tmp_path, alice, bob)


def key_of(page: str) -> str:
    match = re.search(r'name="key" value="([^"]+)"', page)
    assert match is not None, page
    return match[1]


async def test_a_tip_without_javascript(scene: Scene) -> None:
    await fund(scene.folder, "bob", 2_000)
    status, watch, _ = await scene.bob.get("/@alice")
    assert status == 200
    assert 'href="/@alice/tip"' in watch
    assert "$20.00" in watch, "what is in the wallet stands in the header"
    status, page, _ = await scene.bob.get("/@alice/tip")
    assert status == 200
    assert "This is test money" in page
    form = {"key": key_of(page), "choice": "5.00", "amount": "", "message": "<b>Hello</b> & bye"}
    for _ in range(2):  # sent again, as when somebody goes back
        status, text, response = await scene.bob.post("/@alice/tip", form)
        assert status == 303, text
    status, receipt, _ = await scene.bob.get(response.headers["Location"])
    assert "Your tip is given" in receipt
    assert "$5.00" in receipt
    assert "$1.10" in receipt
    assert "$3.90" in receipt
    assert "<b>Hello" not in receipt
    assert "<b>Hello</b> & bye" in unescape(receipt)
    _, streamers, _ = await scene.alice.get(response.headers["Location"])
    assert "bob" in streamers
    _, wallet, _ = await scene.bob.get("/wallet")
    assert wallet.count("Tip to alice") == 1, "given once"
    assert "$15.00" in wallet
    assert "withdrawn" in wallet
    month = re.search(r"/wallet/statement/(\d{4}-\d{2})", wallet)
    assert month is not None
    assert "$15.00" in (await scene.bob.get(month[0]))[1]
    letter = await scene.site.mailbox.letter(
        "alice@example.org", where=lambda one: "gave you" in one.subject
    )
    assert "bob gave you $5.00" in letter.subject


async def test_going_back_to_a_form_that_gave_a_tip_can_give_another(scene: Scene) -> None:
    await fund(scene.folder, "bob", 2_000)
    _, page, _ = await scene.bob.get("/@alice/tip")
    form = {"key": key_of(page), "choice": "5.00", "message": "first"}
    assert (await scene.bob.post("/@alice/tip", form))[0] == 303
    status, page, _ = await scene.bob.post("/@alice/tip", {**form, "message": "second"})
    assert status == 409
    assert "given before" in page
    assert "Idempotency" not in page
    assert (await scene.bob.post("/@alice/tip", {**form, "key": key_of(page)}))[0] == 303


async def test_too_little_money_keeps_what_was_written(scene: Scene) -> None:
    await fund(scene.folder, "bob", 300)
    _, page, _ = await scene.bob.get("/@alice/tip")
    form = {"key": key_of(page), "amount": "7.50", "message": "Für dich", "anonymous": "1"}
    status, page, _ = await scene.bob.post("/@alice/tip", form)
    assert status == 409
    assert "enough money" in page
    link = re.search(r'href="(/wallet\?next=[^"]+)"', page)
    assert link is not None
    status, wallet, _ = await scene.bob.get(unescape(link[1]))
    assert status == 200
    assert "waits, as you wrote it" in wallet
    _, wallet, _ = await scene.bob.get("/wallet")
    back = re.search(r'href="(/@alice/tip\?[^"]+)"', wallet)
    assert back is not None, "still there after paying elsewhere"
    _, page, _ = await scene.bob.get(unescape(back[1]))
    assert 'value="7.50"' in page
    assert "Für dich" in page
    assert re.search(r'name="anonymous" value="1" checked', page)
    assert "waits, as you wrote it" not in (await scene.bob.get("/wallet"))[1]


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/admin"])
async def test_the_way_back_leads_to_a_tip_alone(scene: Scene, target: str) -> None:
    _, wallet, response = await scene.bob.get(f"/wallet?next={target}")
    assert "waits, as you wrote it" not in wallet
    assert "wallet-next" not in response.cookies


@pytest.mark.parametrize("amount", ["0", "-5", "1.005", "1e3", "", str(2**63), "٣", "NaN"])
async def test_amounts_that_are_none(scene: Scene, amount: str) -> None:
    await fund(scene.folder, "bob", 1_000)
    status, page, _ = await scene.bob.post("/@alice/tip", {"amount": amount, "choice": ""})
    assert status == 422, page
    assert "field-error" in page


@pytest.mark.parametrize("amount", [0, -500, 5.5, "500", True, None, 2**63, 10**30])
async def test_api_amounts_that_are_none(scene: Scene, amount: object) -> None:
    await fund(scene.folder, "bob", 1_000)
    status, answer = await scene.bob.api("POST", "/channels/alice/tips", {"amount_minor": amount})
    assert status == 422, answer
    assert answer["error"]["field"] == "amount_minor"
    assert (await scene.bob.api("GET", "/wallet"))[1]["balance_minor"] == 1_000


async def test_tips_over_the_api(scene: Scene) -> None:
    await fund(scene.folder, "bob", 1_000)
    headers = {"Idempotency-Key": "first"}
    body = {"amount_minor": 250, "message": "Hi", "anonymous": True}
    status, given = await scene.bob.api("POST", "/channels/alice/tips", body, headers=headers)
    assert status == 201, given
    assert (given["amount_minor"], given["commission_bps"]) == (250, 2200)
    assert (given["commission_minor"], given["net_minor"], given["state"]) == (55, 195, "paid")
    again = await scene.bob.api("POST", "/channels/alice/tips", body, headers=headers)
    assert again == (201, given)
    status, answer = await scene.bob.api(
        "POST", "/channels/alice/tips", {**body, "amount_minor": 300}, headers=headers
    )
    assert (status, answer["error"]["code"]) == (409, "idempotency_key")
    _, wallet = await scene.bob.api("GET", "/wallet")
    assert wallet == {
        "balance_minor": 750,
        "currency": "USD",
        "balance": "$7.50",
        "frozen": False,
    }
    _, history = await scene.bob.api("GET", "/wallet/history")
    assert [(one["kind"], one["wallet_minor"]) for one in history["movements"]] == [("tip", -250)]
    _, supporters = await scene.alice.api("GET", "/channels/alice/contributions")
    assert [one["giver"] for one in supporters["contributions"]] == ["Somebody"]
    assert "bob" not in str(supporters)
    _, receipt = await scene.alice.api("GET", f"/receipts/{given['id']}")
    assert receipt["giver"] == "Somebody"
    assert (await scene.alice.api("GET", "/wallet/statements/2026-13"))[0] == 404


async def test_fifty_tips_at_once(scene: Scene) -> None:
    """What was answered is booked, and nothing is overdrawn."""
    await fund(scene.folder, "bob", 2_050)
    answers = await asyncio.gather(
        *(scene.bob.api("POST", "/channels/alice/tips", {"amount_minor": 100}) for _ in range(50))
    )
    given = [answer for status, answer in answers if status == 201]
    assert len(given) == 20
    assert {answer["error"]["code"] for status, answer in answers if status != 201} == {
        "insufficient_funds"
    }
    _, wallet = await scene.bob.api("GET", "/wallet")
    assert wallet["balance_minor"] == 50
    _, sums = await scene.alice.api("GET", "/channels/alice/contributions/sums")
    assert (sums["gifts"], sums["gross_minor"], sums["net_minor"]) == (20, 2_000, 1_560)


async def test_why_somebody_cannot_tip(scene: Scene) -> None:
    stranger = scene.site.person()
    status, _, response = await stranger.get("/@alice/tip?amount=5")
    assert status == 303
    assert response.headers["Location"].startswith("/login?next=/")
    status, page, _ = await scene.alice.get("/@alice/tip")
    assert status == 200
    assert "your own channel" in unescape(page)
    await scene.bob.make_channel("bobs-tv")
    assert "/tip" not in (await scene.alice.get("/@bobs-tv"))[1]
    status, page, _ = await scene.alice.get("/@bobs-tv/tip")
    assert "isn't verified yet" in unescape(page)
    assert 'name="amount"' not in page
    status, answer = await scene.alice.api("POST", "/channels/bobs-tv/tips", {"amount_minor": 500})
    assert (status, answer["error"]["code"]) == (403, "not_verified")
    await fund(scene.folder, "bob", 500)
    await freeze(scene.folder, "bob", "A payment is disputed.")
    assert "A payment is disputed." in (await scene.bob.get("/@alice/tip"))[1]
    assert "A payment is disputed." in (await scene.bob.get("/wallet"))[1]
    status, answer = await scene.bob.api("POST", "/channels/alice/tips", {"amount_minor": 500})
    assert (status, answer["error"]["code"]) == (409, "frozen")
    assert (await scene.bob.api("GET", "/wallet"))[1]["frozen"]


async def test_a_table_runs_nothing_in_a_spreadsheet(scene: Scene) -> None:
    await fund(scene.folder, "bob", 1_000)
    body = {"amount_minor": 500, "message": "=HYPERLINK(1)"}
    assert (await scene.bob.api("POST", "/channels/alice/tips", body))[0] == 201
    _, text, response = await scene.bob.get("/wallet/history.csv?kind=tip")
    assert response.headers["Content-Disposition"] == 'attachment; filename="money.csv"'
    assert ",'=HYPERLINK(1)," in text
    assert ",5.00,-5.00,USD,paid," in text, "a number below zero is no formula"
    assert (await scene.bob.get("/wallet/history.csv?from=yesterday"))[0] == 422
    status, page, _ = await scene.bob.get("/wallet?from=yesterday")
    assert status == 422
    assert "2026-11-20" in page


@pytest.mark.parametrize("money", [{"enabled": False}, {"wallet": False}])
async def test_a_site_without_wallets(tmp_path: Path, money: dict[str, bool]) -> None:
    async with running_site(tmp_path, money=money) as site:
        alice, bob = await site.streamer("alice"), await site.member("bob")
        await verify(tmp_path, "alice")
        _, watch, _ = await bob.get("/@alice")
        assert "/tip" not in watch
        assert "/wallet" not in watch
        for path in ("/wallet", "/@alice/tip", "/wallet/statement/2026-11"):
            assert (await bob.get(path))[0] == 404, path
        assert (await bob.api("GET", "/wallet"))[0] == 404
        status, _ = await bob.api("POST", "/channels/alice/tips", {"amount_minor": 500})
        assert status == 404
        assert alice.username == "alice"


async def test_money_is_added_through_a_gateway(scene: Scene) -> None:
    _, page, _ = await scene.bob.get("/wallet")
    form = {"key": key_of(page), "choice": "20.00", "gateway": "sandbox", "amount": ""}
    status, page, _ = await scene.bob.post("/wallet", {**form, "amount": "1"})
    assert status == 422
    assert "Add at least $5.00" in page
    assert (await scene.bob.post("/wallet", {**form, "gateway": "nobody"}))[0] == 422
    for _ in range(2):
        status, text, response = await scene.bob.post("/wallet", form)
        assert status == 303, text
    begun = response.headers["Location"]
    assert (await scene.bob.get(begun))[0] == 200
    _, page, _ = await scene.bob.get("/wallet")
    assert page.count("Money added</strong>") == 1, "begun once"
    assert "Not finished" in page
    assert "$0.00" in page


async def test_the_streamers_terms(scene: Scene) -> None:
    _, page, _ = await scene.alice.get("/studio/alice/giving")
    assert 'href="/studio/alice/supporters"' in page
    assert "22 %" in page
    form = {
        "takes_tips": "1",
        "takes_donations": "1",
        "tip_minor_min": "0.50",
        "donation_minor_min": "4",
        "transfer_instructions": "",
    }
    status, page, _ = await scene.alice.post("/studio/alice/giving", form)
    assert status == 422
    assert "nothing below $1.00" in page
    form["tip_minor_min"] = "3"
    assert (await scene.alice.post("/studio/alice/giving", form))[0] == 303
    assert "At least $3.00" in (await scene.bob.get("/@alice/tip"))[1]
    _, terms = await scene.bob.api("GET", "/channels/alice/giving")
    assert (terms["tip_minor_min"], terms["takes_transfers"]) == (300, False)
    assert (await scene.bob.get("/studio/alice/giving"))[0] == 403
    status, _ = await scene.bob.api("PUT", "/channels/alice/giving", {"takes_tips": False})
    assert status == 403
    status, terms = await scene.alice.api("PUT", "/channels/alice/giving", {"takes_tips": False})
    assert (status, terms["takes_tips"], terms["tip_minor_min"]) == (200, False, 300)
    assert "/@alice/tip" not in (await scene.bob.get("/@alice"))[1]


async def test_supporters_and_thanks(scene: Scene) -> None:
    await fund(scene.folder, "bob", 5_000)
    path = "/channels/alice/tips"
    await scene.bob.api("POST", path, {"amount_minor": 700, "message": "Well <i>done</i>"})
    await scene.bob.api("POST", path, {"amount_minor": 200, "anonymous": True, "message": "=1+1"})
    _, page, _ = await scene.alice.get("/studio/alice/supporters")
    assert "Well &lt;i&gt;done" in page
    assert page.count("<strong>Somebody</strong>") == 1
    assert "$9.00" in page
    assert "$7.02" in page, "what is left of it"
    _, page, _ = await scene.alice.get("/studio/alice/supporters?name=bob")
    assert "Somebody</strong>" not in page
    _, table, _ = await scene.alice.get("/studio/alice/supporters.csv")
    assert ",tip,Somebody,'=1+1,2.00,0.44,1.56,0.00,USD,paid," in table
    status, page, _ = await scene.alice.get("/studio/alice/supporters?least=lots")
    assert "Write an amount" in page
    form = {"period": "month", "message": "Thank you, see evil.example/x"}
    status, page, _ = await scene.alice.post("/studio/alice/supporters/thanks", form)
    assert status == 422
    assert "Links don" in unescape(page)
    form["message"] = "Thank you so much"
    assert (await scene.alice.post("/studio/alice/supporters/thanks", form))[0] == 303
    letter = await scene.site.mailbox.letter(
        "bob@example.org", where=lambda one: "thank you" in one.subject
    )
    assert "Thank you so much" in letter.body
    assert "bob@example.org" not in (await scene.alice.get("/studio/alice/supporters"))[1]
    status, answer = await scene.alice.api(
        "POST", "/channels/alice/thanks", {"period": "month", "message": "Again"}
    )
    assert (status, answer["error"]["code"]) == (409, "thanked_already")
    _, found = await scene.alice.api("GET", "/channels/alice/thanks")
    assert [(one["period"], one["name"]) for one in found["biggest"]] == [
        ("month", "bob"),
        ("all", "bob"),
    ]
    assert (await scene.bob.api("GET", "/channels/alice/thanks"))[0] == 403


async def test_guests_are_led_to_a_donation(scene: Scene) -> None:
    """They have no wallet, and need none."""
    guest = scene.site.person()
    _, watch, _ = await guest.get("/@alice")
    assert 'href="/@alice/donate"' in watch
    assert 'href="/@alice/tip"' not in watch
    change = {"takes_donations": False}
    assert (await scene.alice.api("PUT", "/channels/alice/giving", change))[0] == 200
    _, watch, _ = await guest.get("/@alice")
    assert 'href="/@alice/tip"' in watch
    change = {"takes_tips": False}
    assert (await scene.alice.api("PUT", "/channels/alice/giving", change))[0] == 200
    _, watch, _ = await guest.get("/@alice")
    assert "/donate" not in watch
    assert "/@alice/tip" not in watch

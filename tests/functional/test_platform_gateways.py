"""Payments through Stripe, Midtrans and SSLCommerz over HTTP: the site as it runs, with Stripe's
library, against the providers in small.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mediaserver.kernel.clock import SystemClock
from mediaserver.money.gateways.gateway import Notification
from tests.functional.platform_site import Person, Site, admin_of, running_site
from tests.gateways import midtrans, sslcommerz, stripe
from tests.gateways.midtrans import MidtransSimulator
from tests.gateways.simulator import Simulator
from tests.gateways.sslcommerz import SslcommerzSimulator
from tests.gateways.stripe import StripeSimulator

AMOUNT = 5_000_000


@dataclass
class Shop:
    """A site with one gateway, its provider, and bob, who pays."""

    site: Site
    provider: Any
    gateway: str
    database: Path
    bob: Person

    @property
    def hook(self) -> str:
        return str(self.site.base / "hooks" / self.gateway)

    async def top_up(self) -> str:
        """The id of a payment whose checkout is open."""
        wanted = {"amount_minor": AMOUNT, "gateway": self.gateway}
        status, answer = await self.bob.api("POST", "/wallet/topups", wanted)
        assert status == 201, answer
        assert answer["checkout_url"].startswith("https://")
        return str(answer["id"])

    async def paid(self) -> str:
        """The id of one that was paid and told of."""
        payment_id = await self.top_up()
        self.provider.pay(payment_id)
        assert await self.tell(payment_id) == [200]
        return payment_id

    async def tell(self, payment_id: str, times: int = 1) -> list[int]:
        statuses: list[int] = await self.provider.deliver(payment_id, times, self.hook)
        return statuses

    async def post(self, told: Notification) -> int:
        async with self.bob.http.post(
            self.hook, data=told.body, headers=dict(told.headers)
        ) as answer:
            return answer.status

    async def state(self, payment_id: str) -> str:
        return str((await self.bob.api("GET", f"/payments/{payment_id}"))[1]["state"])

    def held(self, kind: str) -> int:
        """What all accounts of a kind hold, as credits less debits."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as database:
            (found,) = database.execute(
                "SELECT sum(credits - debits) FROM ledger_account WHERE kind = ?", (kind,)
            ).fetchone()
        database.close()
        return int(found or 0)


@asynccontextmanager
async def opened(
    tmp_path: Path, provider: Simulator, currency: str, **settings: dict[str, Any]
) -> AsyncIterator[Shop]:
    money = {"currency": currency, "topup_max": "100000", "wallet_max": "200000"}
    (gateway,) = settings
    async with running_site(tmp_path, money=money, **settings) as site:
        database = tmp_path / "storage" / "mediaserver.db"
        yield Shop(site, provider, gateway, database, await site.member("bob"))


@pytest.fixture
async def stripe_shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with StripeSimulator(SystemClock()) as provider:
        settings = {
            "secret_key": stripe.SECRET_KEY,
            "webhook_secret": stripe.WEBHOOK_SECRET,
            "api_url": provider.url,
        }
        async with opened(tmp_path, provider, "USD", stripe=settings) as shop:
            yield shop


@pytest.fixture
async def midtrans_shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with MidtransSimulator() as provider:
        settings = {"server_key": midtrans.SERVER_KEY, "api_url": provider.url}
        async with opened(tmp_path, provider, "IDR", midtrans=settings) as shop:
            yield shop


@pytest.fixture
async def sslcommerz_shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with SslcommerzSimulator() as provider:
        settings = {
            "store_id": sslcommerz.STORE_ID,
            "store_password": sslcommerz.STORE_PASSWORD,
            "api_url": provider.url,
        }
        async with opened(tmp_path, provider, "BDT", sslcommerz=settings) as shop:
            yield shop


@pytest.fixture(params=["stripe", "midtrans", "sslcommerz"])
def shop(request: pytest.FixtureRequest) -> Shop:
    found: Shop = request.getfixturevalue(f"{request.param}_shop")
    return found


async def test_the_same_callback_five_times_pays_once(shop: Shop) -> None:
    payment_id = await shop.top_up()
    shop.provider.pay(payment_id)
    assert await shop.tell(payment_id, times=5) == [200] * 5
    assert shop.held("wallet") == AMOUNT
    assert await shop.state(payment_id) == "paid"
    assert shop.held("wallet") == AMOUNT


async def test_what_pays_nothing(shop: Shop) -> None:
    forged = await shop.top_up()
    shop.provider.pay(forged)
    assert await shop.post(shop.provider.forged(forged)) == 403
    assert shop.held("wallet") == 0

    changed = await shop.top_up()
    shop.provider.pay(changed, "failed")
    await shop.post(shop.provider.changed(changed))
    assert await shop.state(changed) in ("open", "failed")

    another_amount = await shop.top_up()
    shop.provider.sales[another_amount].amount = 100
    shop.provider.pay(another_amount)
    assert await shop.tell(another_amount) == [200]
    assert await shop.state(another_amount) == "review"
    assert shop.held("wallet") == 0


async def test_what_fails_or_expires_may_still_be_paid(shop: Shop) -> None:
    payment_id = await shop.top_up()
    for state in ("failed", "expired"):
        shop.provider.pay(payment_id, state)
        assert await shop.tell(payment_id) == [200]
    assert await shop.state(payment_id) == "failed", "it ended, and ends once"
    shop.provider.pay(payment_id)
    assert await shop.tell(payment_id) == [200]
    assert await shop.state(payment_id) == "paid"
    assert shop.held("wallet") == AMOUNT

    expired = await shop.top_up()
    shop.provider.pay(expired, "expired")
    assert await shop.tell(expired) == [200]
    assert await shop.state(expired) == "expired"


async def test_a_provider_that_is_down(shop: Shop) -> None:
    payment_id = await shop.top_up()
    shop.provider.pay(payment_id)
    shop.provider.mode = "html"
    assert await shop.tell(payment_id) == [200], "it is kept"
    assert shop.held("wallet") == 0
    wanted = {"amount_minor": AMOUNT, "gateway": shop.gateway}
    status, answer = await shop.bob.api("POST", "/wallet/topups", wanted)
    assert (status, answer["error"]["code"]) == (503, "gateway_down")
    shop.provider.mode = "up"
    assert await shop.tell(payment_id) == [200], "the same again, which isn't done yet"
    assert shop.held("wallet") == AMOUNT


async def test_an_admin_refunds_a_part(shop: Shop) -> None:
    payment_id = await shop.paid()
    boss = await admin_of(shop.site)
    wanted = {"amount_minor": 2_000_000, "reason": "Asked for it."}
    path = f"/admin/payments/{payment_id}/refunds"
    headers = {"Idempotency-Key": "once"}
    for _ in range(2):
        status, made = await boss.api("POST", path, wanted, headers=headers)
        assert status == 201, made
    while made["state"] == "requested":
        await asyncio.sleep(0.05)
        _, made = await boss.api("GET", f"/admin/refunds/{made['id']}")
    assert made["state"] == "succeeded", made
    assert shop.provider.sales[payment_id].refunded == 2_000_000
    await shop.tell(payment_id)
    assert shop.held("wallet") == AMOUNT - 2_000_000
    assert shop.held("refund_hold") == 0

    shop.provider.give_back(payment_id, 1_000_000)
    assert await shop.tell(payment_id, times=2) == [200, 200]
    is_told = shop.gateway != "sslcommerz"  # which doesn't tell of refunds
    assert shop.held("wallet") == AMOUNT - 2_000_000 - (1_000_000 if is_told else 0)


async def test_a_dispute_at_stripe_is_lost(stripe_shop: Shop) -> None:
    shop = stripe_shop
    payment_id = await shop.paid()
    assert shop.held("gateway_fees") == -59
    shop.provider.pay(payment_id, "charged_back")
    assert await shop.tell(payment_id, times=2) == [200, 200]
    assert shop.held("wallet") == 0
    assert shop.held("gateway_fees") == -(59 + 1_500)
    assert shop.held("clearing") == 59 + 1_500, "owed to Stripe now"
    shop.provider.dispute = {"status": "lost"}
    assert await shop.tell(payment_id) == [200]
    assert (shop.held("wallet"), shop.held("losses")) == (0, 0)


async def test_a_dispute_at_stripe_is_won_and_one_is_about_a_part(stripe_shop: Shop) -> None:
    shop = stripe_shop
    payment_id = await shop.paid()
    shop.provider.pay(payment_id, "charged_back")
    await shop.tell(payment_id)
    assert shop.held("wallet") == 0
    shop.provider.pay(payment_id, "dispute_won")
    await shop.tell(payment_id)
    assert shop.held("wallet") == AMOUNT
    assert shop.held("clearing") == -(AMOUNT - 59 - 1_500), "the fee stays theirs"

    payment_id = await shop.paid()
    shop.provider.pay(payment_id, "charged_back")
    shop.provider.dispute = {"amount": 2_000_000}
    await shop.tell(payment_id)
    assert shop.held("wallet") == 2 * AMOUNT - 2_000_000


async def test_what_is_about_no_payment_of_ours_is_taken_all_the_same(stripe_shop: Shop) -> None:
    """Otherwise Stripe would send it for three days, and turn the hook off in the end."""
    event = stripe_shop.provider.event
    assert await stripe_shop.post(event("payout.paid", {"object": "payout"})) == 200
    other = {"payment_intent": "pi_other", "metadata": {"payment_id": "pay_of_another_shop"}}
    assert await stripe_shop.post(event("charge.refunded", other)) == 200


async def test_what_midtrans_holds_for_a_check_waits(midtrans_shop: Shop) -> None:
    shop = midtrans_shop
    wanted = {"amount_minor": AMOUNT + 1, "gateway": "midtrans"}
    status, answer = await shop.bob.api("POST", "/wallet/topups", wanted)
    assert (status, answer["error"]["field"]) == (422, "amount_minor"), "a part of a rupiah"
    assert shop.provider.asked == []

    payment_id = await shop.top_up()
    shop.provider.pay(payment_id, "review")
    await shop.tell(payment_id)
    assert await shop.state(payment_id) == "review"
    assert shop.held("wallet") == 0
    shop.provider.pay(payment_id)
    await shop.tell(payment_id)
    assert await shop.state(payment_id) == "paid"
    assert shop.held("wallet") == AMOUNT


async def test_what_midtrans_takes_back(midtrans_shop: Shop) -> None:
    shop = midtrans_shop
    payment_id = await shop.paid()
    assert shop.held("wallet") == AMOUNT
    shop.provider.pay(payment_id, "failed")  # denied after its settlement
    assert await shop.tell(payment_id, times=2) == [200, 200]
    assert await shop.state(payment_id) == "reversed"
    assert (shop.held("wallet"), shop.held("clearing")) == (0, 0)

    payment_id = await shop.paid()
    shop.provider.pay(payment_id, "charged_back")
    assert await shop.tell(payment_id) == [200]
    assert (shop.held("wallet"), shop.held("clearing")) == (0, 0)


async def test_a_risk_and_a_browser_that_sslcommerz_sends_back(sslcommerz_shop: Shop) -> None:
    shop = sslcommerz_shop
    payment_id = await shop.top_up()
    shop.provider.pay(payment_id, "review")
    await shop.tell(payment_id)
    assert await shop.state(payment_id) == "review"

    back = shop.provider.sales[payment_id].return_url
    path = back[back.index("/hooks/") :]
    fields = {**shop.provider.attempt(payment_id), "status": "VALID", "risk_level": "0"}
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://sandbox.sslcommerz.com"}
    stranger = shop.site.person()  # without our cookies, as browsers do it
    status, _, response = await stranger.post(
        path, sslcommerz.signed(fields, sslcommerz.STORE_PASSWORD), headers=headers
    )
    assert (status, response.headers["Location"]) == (303, f"/payments/{payment_id}")
    assert await shop.state(payment_id) == "review"
    assert shop.held("wallet") == 0, "it changes nothing"

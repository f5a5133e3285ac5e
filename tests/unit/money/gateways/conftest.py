"""One gateway after the other against its simulated provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MidtransConfig, SslcommerzConfig, StripeConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.events import Events
from mediaserver.kernel.vault import Vault
from mediaserver.money.gateways.gateway import Checkout, Gateway, Order, Reference
from mediaserver.money.gateways.midtrans import MidtransGateway
from mediaserver.money.gateways.sandbox import SandboxGateway
from mediaserver.money.gateways.sandbox_provider import Button, SandboxProvider
from mediaserver.money.gateways.sslcommerz import SslcommerzGateway
from mediaserver.money.gateways.stripe import StripeGateway
from tests.gateways import midtrans, sslcommerz, stripe
from tests.gateways.midtrans import MidtransSimulator
from tests.gateways.sandbox import SandboxSimulator
from tests.gateways.sslcommerz import SslcommerzSimulator
from tests.gateways.stripe import StripeSimulator

PAYMENT_ID = "pay_0123456789abcdefghjk"


@dataclass
class Bench:
    """A gateway, the provider that it talks to, and how they differ from others."""

    gateway: Gateway
    simulator: Any
    clock: FakeClock
    currency: str
    host: str
    secrets: tuple[str, ...]
    lists_refunds: bool = True
    amount_minor: int = 150_000

    def order(self, payment_id: str = PAYMENT_ID, amount_minor: int | None = None) -> Order:
        return Order(
            payment_id=payment_id,
            amount_minor=self.amount_minor if amount_minor is None else amount_minor,
            currency=self.currency,
            description="Top-up",
            email="ada@example.org",
            return_url=f"https://site.example/payments/{payment_id}",
            cancel_url=f"https://site.example/payments/{payment_id}?cancelled=1",
            notify_url=f"https://site.example/hooks/{self.gateway.name}",
            expires_at_ms=self.clock.wall_ms() + 3_600_000,
        )

    def reference(self, provider_ref: str = "", charge_ref: str = "") -> Reference:
        return Reference(PAYMENT_ID, self.amount_minor, self.currency, provider_ref, charge_ref)

    async def opened(self) -> Reference:
        """A payment whose checkout was made."""
        made: Checkout = await self.gateway.create(self.order())
        return self.reference(made.provider_ref)

    async def pay(self, state: str = "paid") -> None:
        """What came of it on the pay page."""
        self.simulator.pay(PAYMENT_ID, state)

    async def refunded(self) -> int:
        """How much of it the provider has given back."""
        return int(self.simulator.sales[PAYMENT_ID].refunded)

    async def paid(self) -> Reference:
        """One that was paid."""
        opened = await self.opened()
        await self.pay()
        status = await self.gateway.fetch(opened)
        assert status is not None
        return self.reference(opened.provider_ref, status.charge_ref)


class SandboxBench(Bench):
    """The sandbox, whose provider is part of the site."""

    async def pay(self, state: str = "paid") -> None:
        button = cast("Button", {"paid": "pay", "failed": "fail"}.get(state))
        if state == "expired":
            self.clock.advance(3_600_000)
        found = await self.simulator.provider.find(PAYMENT_ID)
        if button is not None and found.standing != state:
            self.simulator.pressed = await self.simulator.provider.press(found.id, button)

    async def refunded(self) -> int:
        return int((await self.simulator.provider.find(PAYMENT_ID)).refunded_minor)


def connected(name: str, url: str, clock: FakeClock, *, secret: str = "", **more: Any) -> Gateway:
    """A gateway at a simulated provider, which knows no other secret than its own."""
    if name == "stripe":
        stripe_config = StripeConfig(
            secret_key=secret or stripe.SECRET_KEY,
            webhook_secret=stripe.WEBHOOK_SECRET,
            api_url=url,
        )
        return StripeGateway(stripe_config, False, clock, **{"repetitions_max": 0, **more})
    if name == "midtrans":
        midtrans_config = MidtransConfig(server_key=secret or midtrans.SERVER_KEY, api_url=url)
        return MidtransGateway(midtrans_config, False, clock, **more)
    sslcommerz_config = SslcommerzConfig(
        store_id=sslcommerz.STORE_ID,
        store_password=secret or sslcommerz.STORE_PASSWORD,
        api_url=url,
    )
    return SslcommerzGateway(sslcommerz_config, False, clock, **more)


@pytest.fixture
async def stripe_bench(clock: FakeClock) -> AsyncIterator[Bench]:
    async with StripeSimulator(clock) as simulator:
        gateway = connected("stripe", simulator.url, clock)
        secrets = (stripe.SECRET_KEY, stripe.WEBHOOK_SECRET)
        yield Bench(gateway, simulator, clock, "USD", "checkout.stripe.com", secrets)
        await gateway.aclose()


@pytest.fixture
async def midtrans_bench(clock: FakeClock) -> AsyncIterator[Bench]:
    async with MidtransSimulator() as simulator:
        gateway = connected("midtrans", simulator.url, clock)
        secrets = (midtrans.SERVER_KEY,)
        yield Bench(gateway, simulator, clock, "IDR", "app.sandbox.midtrans.com", secrets)
        await gateway.aclose()


@pytest.fixture
async def sslcommerz_bench(clock: FakeClock) -> AsyncIterator[Bench]:
    async with SslcommerzSimulator() as simulator:
        gateway = connected("sslcommerz", simulator.url, clock)
        secrets = (sslcommerz.STORE_PASSWORD,)
        yield Bench(gateway, simulator, clock, "BDT", "sandbox.sslcommerz.com", secrets, False)
        await gateway.aclose()


@pytest.fixture
async def sandbox_bench(clock: FakeClock, vault: Vault, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'site.db'}", Events()) as db:
        provider = SandboxProvider(db, clock, vault)
        gateway = SandboxGateway(provider, lambda: "https://site.example")
        simulator = SandboxSimulator(provider)
        yield SandboxBench(gateway, simulator, clock, "USD", "site.example", ())


@pytest.fixture(params=["sandbox", "stripe", "midtrans", "sslcommerz"])
def bench(request: pytest.FixtureRequest) -> Bench:
    """Every gateway."""
    found: Bench = request.getfixturevalue(f"{request.param}_bench")
    return found


@pytest.fixture(params=["stripe", "midtrans", "sslcommerz"])
def remote(request: pytest.FixtureRequest) -> Bench:
    """Every one that speaks with a provider elsewhere."""
    found: Bench = request.getfixturevalue(f"{request.param}_bench")
    return found


@pytest.fixture
async def wrongly_keyed(remote: Bench, clock: FakeClock) -> AsyncIterator[Gateway]:
    """The same gateway with a secret that its provider doesn't know."""
    secret = "sk_test_wrong_secret"
    gateway = connected(remote.gateway.name, remote.simulator.url, clock, secret=secret)
    yield gateway
    await gateway.aclose()


@pytest.fixture
async def hasty(remote: Bench, clock: FakeClock) -> AsyncIterator[Gateway]:
    """The same gateway, which hardly waits."""
    gateway = connected(remote.gateway.name, remote.simulator.url, clock, timeout_s=0.05)
    yield gateway
    await gateway.aclose()

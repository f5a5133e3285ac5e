"""Payments for tests: every part as the server puts it together, with a gateway of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import select, update

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User, user_account
from mediaserver.channels.channels import Channel, Channels
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import AccountsConfig, MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Forbidden
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault
from mediaserver.money import ledger
from mediaserver.money.checkouts import Checkouts
from mediaserver.money.checks import Checks
from mediaserver.money.contributions import Contribution, of_payment
from mediaserver.money.donations import Donations
from mediaserver.money.gateways.gateway import (
    Checkout,
    Hint,
    Notification,
    Order,
    Reference,
    RefundAnswer,
    Status,
)
from mediaserver.money.gateways.gateways import Gateways
from mediaserver.money.gateways.manual import ManualGateway
from mediaserver.money.gateways.sandbox import SandboxGateway
from mediaserver.money.gateways.sandbox_provider import SandboxProvider
from mediaserver.money.hook_inbox import HookInbox
from mediaserver.money.ledger import Account, Kind
from mediaserver.money.payment_decisions import PaymentDecisions
from mediaserver.money.payments import Payment
from mediaserver.money.poller import Poller
from mediaserver.money.sandbox import Sandbox
from mediaserver.money.topups import TopUps
from mediaserver.money.transfers import Transfers


@dataclass
class FakeGateway:
    """Answers what a test has put there; `error` instead, if there is one. A notification is
    "EVENT PAYMENT" in its body, signed by a header.
    """

    name: str = "fake"
    label: str = "Fake"
    can_refund: bool = True
    is_test: bool = False
    status: Status | None = None
    error: Exception | None = None
    gate: asyncio.Event | None = None
    orders: list[Order] = field(default_factory=list)
    fetches: int = 0
    on_fetch: Callable[[], Status | None] | None = None

    async def create(self, order: Order) -> Checkout:
        if self.error is not None:
            raise self.error
        self.orders.append(order)
        return Checkout(f"https://fake.example/{order.payment_id}", f"ref-{order.payment_id}")

    def parse(self, notification: Notification) -> Hint:
        if notification.headers.get("Signature") != "right":
            raise Forbidden("That signature is wrong.")
        event, _, about = notification.body.decode().partition(" ")
        if about.startswith("charge:"):
            return Hint(event, "paid", charge_ref=about.removeprefix("charge:"))
        return Hint(event, "paid", payment_id=about or None)

    async def fetch(self, reference: Reference) -> Status | None:
        self.fetches += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.status if self.on_fetch is None else self.on_fetch()

    async def refund(self, reference: Reference, amount_minor: int, key: str) -> RefundAnswer:
        return RefundAnswer("succeeded", key)

    async def aclose(self) -> None:
        """Nothing is open."""


def notice(event: str, payment_id: str = "", signature: str = "right") -> Notification:
    """What `FakeGateway` posts."""
    return Notification({"Signature": signature}, {}, f"{event} {payment_id}".encode())


class Paying:
    """A site's payments."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        throttles: Throttles,
        letterhead: Letterhead,
        config: MoneyConfig | None = None,
    ) -> None:
        self.db = db
        self.config = config or MoneyConfig(manual_instructions="IBAN XX00 1234")
        self.fake = FakeGateway()
        self.provider = SandboxProvider(db, clock, Vault(bytes(32)))
        sandbox = SandboxGateway(self.provider, lambda: letterhead.url)
        self.gateways = Gateways((self.fake, sandbox, ManualGateway()), self.config)
        self.checks = Checks(db, clock, self.gateways, letterhead, self.config)
        checkouts = Checkouts(db, clock, throttles, letterhead)
        self.topups = TopUps(self.config, self.gateways, checkouts, letterhead)
        self.donations = Donations(db, clock, self.config, self.gateways, checkouts)
        self.inbox = HookInbox(db, clock, self.gateways, self.checks)
        self.poller = Poller(db, clock, self.checks)
        self.sandbox = Sandbox(self.provider, self.inbox)
        self.decisions = PaymentDecisions(db, clock, self.config, self.checks)
        self.transfers = Transfers(db, clock, self.config, throttles, letterhead)

    def pays(self, amount_minor: int, **more: object) -> None:
        """From now on the gateway says that so much was paid."""
        self.fake.status = Status(
            "paid",
            amount_minor,
            self.config.currency,
            **more,  # type: ignore[arg-type]
        )

    def says(self, standing: str, amount_minor: int, **more: object) -> None:
        self.fake.status = Status(
            standing,
            amount_minor,
            self.config.currency,
            **more,  # type: ignore[arg-type]
        )

    async def held(self, kind: Kind, owner: str = ledger.SITE) -> int:
        account = Account(kind, owner, self.config.currency)
        return (await self.db.read(ledger.balance, account)).amount_minor

    async def given(self, paid: Payment) -> Contribution:
        found = await self.db.read(of_payment, paid.id)
        assert found is not None
        return found


async def verified_channel(db: Database, clock: Clock, owner: User, slug: str) -> Channel:
    """A channel that may receive money."""
    made = await Channels(db, clock, AccountsConfig()).create(owner, slug, slug.capitalize())

    def verify(tx: Transaction) -> None:
        tx.execute(update(user_account).where(user_account.c.id == owner.id).values(is_verified=1))

    await db.write(verify)
    return made


async def count(db: Database, table: object) -> int:
    """How many rows there are."""
    return len(await db.read(lambda tx: tx.execute(select(table)).all()))  # type: ignore[call-overload]

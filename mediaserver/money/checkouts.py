"""Checkouts: begin a payment here, then at its gateway, so that nothing is paid that we don't know.

The row is committed before the gateway is called, outside of every transaction, and what it answers
is written behind it. A crash between the two leaves a `created` payment, which the poller closes;
asked again with the same key, the same payment gets its checkout.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from sqlalchemy.exc import IntegrityError

from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Invalid, MediaserverError, Unavailable
from mediaserver.kernel.mail import Letterhead
from mediaserver.money import payments, settlement
from mediaserver.money.gateways.gateway import (
    Checkout,
    Gateway,
    GatewayDown,
    GatewayRefused,
    Order,
)
from mediaserver.money.payments import Payment

_log = structlog.get_logger(__name__)

_RULE = Rule("payment", limits.PAYMENTS_BURST, limits.PAYMENTS_INTERVAL_MS)

POSTS_BACK = frozenset({"sslcommerz"})
"""Gateways that send the browser back by a cross-site POST, without our cookies."""


class Checkouts:
    """Opens them."""

    def __init__(
        self, db: Database, clock: Clock, throttles: Throttles, letterhead: Letterhead
    ) -> None:
        self._db = db
        self._clock = clock
        self._throttles = throttles
        self._letterhead = letterhead

    async def begin(
        self,
        gateway: Gateway,
        payer: User | None,
        address: str,
        description: str,
        make: Callable[[Transaction, int], Payment],
    ) -> Payment:
        """What `make` writes down, with its checkout at `gateway`.

        Raises what `make` does, `Invalid` (the gateway can't take such an amount), `RateLimited`,
        `GatewayDown`, and `Unavailable` when the gateway refuses, which only the admin can mend.
        """
        bucket = (_RULE, _RULE.key(payer.id if payer else address))
        await self._throttles.charge(bucket)
        try:
            made = await self._made(make)
        except MediaserverError:
            await self._throttles.refund(bucket)  # who mistypes an amount has begun nothing
            raise
        if made.state != "created":
            return made
        try:
            checkout = await self._open(gateway, made, payer, description)
        except Invalid:  # an amount that this gateway can't take
            await self._db.write(_refuse, made.id, self._clock.wall_ms())
            raise
        except GatewayRefused as error:
            _log.error("checkout refused", gateway=gateway.name, reason=error.message)
            await self._db.write(_refuse, made.id, self._clock.wall_ms())
            raise Unavailable(
                "This way to pay doesn't work right now. Choose another one.",
                code="gateway_refused",
            ) from error
        return await self._db.write(payments.open_at, made.id, checkout)

    async def _made(self, make: Callable[[Transaction, int], Payment]) -> Payment:
        try:
            return await self._db.write(make, self._clock.wall_ms())
        except IntegrityError:  # the same key from two tabs at once: now the other one's is there
            return await self._db.write(make, self._clock.wall_ms())

    async def _open(
        self, gateway: Gateway, made: Payment, payer: User | None, description: str
    ) -> Checkout:
        site = self._letterhead.url
        back = f"{site}/payments/{made.id}"
        if gateway.name in POSTS_BACK:
            back = f"{site}/hooks/{gateway.name}/return?payment={made.id}"
        order = Order(
            payment_id=made.id,
            amount_minor=made.amount_minor,
            currency=made.currency,
            description=description,
            email=made.email if payer is None else payer.email,
            return_url=back,
            cancel_url=back,
            notify_url=f"{site}/hooks/{gateway.name}",
            expires_at_ms=made.expires_at_ms,
        )
        try:
            async with asyncio.timeout(limits.GATEWAY_CALL_TIMEOUT_S):
                return await gateway.create(order)
        except TimeoutError as error:
            raise GatewayDown("This way to pay doesn't answer right now.") from error


def expiry_ms(gateway: Gateway, now_ms: int) -> int:
    """When a payment that begins now is over."""
    is_by_bank = gateway.name == "manual"
    return now_ms + (limits.TRANSFER_EXPIRES_MS if is_by_bank else limits.PAYMENT_EXPIRES_MS)


def _refuse(tx: Transaction, payment_id: str, now_ms: int) -> None:
    """Nothing was opened, and who pays sees that at once: no mail."""
    found = payments.get(tx, payment_id, locks=True)
    if found.state == "created":
        problem = "This way to pay doesn't work right now."
        settlement.end_quietly(tx, found, problem, now_ms)

"""The sandbox as a gateway: the same steps as with a real provider, without its money.

Its provider lives in this very site (sandbox_provider.py); all else is as with the others: what it
tells is signed and only a hint, and how a payment stands is asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.kernel.ids import same
from mediaserver.money.currencies import currency_of
from mediaserver.money.gateways.gateway import (
    Checkout,
    DisputeStatus,
    GatewayRefused,
    Hint,
    Notification,
    Order,
    Reference,
    RefundAnswer,
    Status,
)
from mediaserver.money.gateways.sandbox_provider import (
    SIGNATURE,
    SandboxPayment,
    SandboxProvider,
)


class SandboxGateway:
    """`url`: the site's own address, where the pay page is."""

    name = "sandbox"
    label = "Sandbox"
    can_refund = True
    is_test = True

    def __init__(self, provider: SandboxProvider, url: Callable[[], str]) -> None:
        self._provider = provider
        self._url = url

    async def create(self, order: Order) -> Checkout:
        opened = await self._provider.open(order)
        return Checkout(f"{self._url()}/sandbox/{opened.id}", opened.id)

    def parse(self, notification: Notification) -> Hint:
        shown = {name.lower(): value for name, value in notification.headers.items()}
        signature = shown.get(SIGNATURE.lower(), "")
        expected = self._provider.signature(notification.body)
        if not (signature.isascii() and same(signature, expected)):
            raise Forbidden("That signature is wrong.", code="bad_signature")
        try:
            event = json.loads(notification.body)
            return Hint(
                str(event["id"]), str(event["kind"]), str(event["payment"]), str(event["charge"])
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Invalid("That can't be read.") from error

    async def fetch(self, reference: Reference) -> Status | None:
        found = await self._provider.find(reference.payment_id)
        return None if found is None else _status(found)

    async def refund(self, reference: Reference, amount_minor: int, key: str) -> RefundAnswer:
        try:
            done = await self._provider.refund(reference.payment_id, amount_minor, key)
        except (Conflict, NotFound) as error:
            raise GatewayRefused(error.message) from error
        return RefundAnswer("succeeded", done)

    async def aclose(self) -> None:
        """Nothing is open."""


def _status(found: SandboxPayment) -> Status:
    dispute_fee = limits.SANDBOX_DISPUTE_FEE_UNITS * currency_of(found.currency).unit_minor
    disputes = (
        (
            DisputeStatus(
                found.id.replace("sbx", "dsp", 1),
                found.disputed_minor,
                dispute_fee,
                found.dispute,
                "The holder of the card says it wasn't them.",
            ),
        )
        if found.dispute is not None
        else ()
    )
    is_paid = found.standing in ("paid", "reversed")
    return Status(
        found.standing,
        found.amount_minor,
        found.currency,
        charge_ref=found.charge_ref if is_paid else "",
        refunded_minor=found.refunded_minor,
        disputes=disputes,
        fee_minor=found.amount_minor * limits.SANDBOX_FEE_PERMILLE // 1000 if is_paid else 0,
        detail="The sandbox's button said so." if found.standing in ("failed", "review") else "",
    )

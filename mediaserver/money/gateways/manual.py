"""Transfers from bank to bank for a top-up: an admin sees the money come, and says so.

There is nobody to ask: `fetch` always says that nothing is decided, and payment_decisions.py
settles what an admin has confirmed.
"""

from __future__ import annotations

from mediaserver.kernel.errors import Forbidden
from mediaserver.money.gateways.gateway import (
    Checkout,
    GatewayRefused,
    Hint,
    Notification,
    Order,
    Reference,
    RefundAnswer,
    Status,
)

NAME = "manual"


class ManualGateway:
    """The checkout is the payment's own page, which shows where to send the money."""

    name = NAME
    label = "Bank transfer"
    can_refund = False
    is_test = False

    async def create(self, order: Order) -> Checkout:
        return Checkout(order.return_url, reference_code(order.payment_id))

    def parse(self, notification: Notification) -> Hint:
        raise Forbidden("Nobody tells us about transfers.", code="bad_signature")

    async def fetch(self, reference: Reference) -> Status | None:
        return Status("open", reference.amount_minor, reference.currency)

    async def refund(self, reference: Reference, amount_minor: int, key: str) -> RefundAnswer:
        raise GatewayRefused("A transfer from a bank is sent back by hand.")

    async def aclose(self) -> None:
        """Nothing is open."""


def reference_code(document_id: str) -> str:
    """What the payer writes into the transfer, so that it is found: 50 bits of the document's id,
    in letters without look-alikes.
    """
    word = document_id.rpartition("_")[2][-10:].upper()
    return f"{word[:5]}-{word[5:]}"

"""What every payment gateway can do, and the words in which it says how a payment stands.

A gateway knows the wire of its provider and nothing else: no database, no ledger, no user. What a
provider sends us is a hint that something happened; `fetch` asks it how the payment stands, and
only that answer moves money (money/payments.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from mediaserver.kernel.errors import Unavailable

Standing = Literal["open", "paid", "review", "failed", "cancelled", "expired", "reversed"]
"""How a payment stands at its gateway.

`open`: nothing is decided. `review`: paid, but somebody has to look at it first (a fraud check).
`reversed`: it was paid, and the gateway took it back as a whole (Midtrans: deny after settlement).
"""


@dataclass(frozen=True, slots=True)
class Order:
    """A payment to be made. `return_url` is the page that the browser comes back to; it shows how
    things stand and changes nothing, so it needs no secret.
    """

    payment_id: str
    amount_minor: int
    currency: str
    description: str
    email: str
    return_url: str
    cancel_url: str
    notify_url: str
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class Checkout:
    """Where the browser pays, and what the provider calls it."""

    url: str
    provider_ref: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A payment as its gateway knows it: by our id, by its checkout, by what was charged."""

    payment_id: str
    amount_minor: int
    currency: str
    provider_ref: str
    charge_ref: str


@dataclass(frozen=True, slots=True)
class Notification:
    """What a provider posted to /hooks/{gateway}, as it came."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Hint:
    """What a notification with a valid signature is about.

    `event_ref` tells it from others of the same gateway, and is the same when it comes again. One
    that is about no payment of ours has neither `payment_id` nor `charge_ref`.
    """

    event_ref: str
    kind: str
    payment_id: str | None = None
    charge_ref: str | None = None


@dataclass(frozen=True, slots=True)
class DisputeStatus:
    """A chargeback. `fee_minor`: what the provider takes for it, whoever wins."""

    provider_ref: str
    amount_minor: int
    fee_minor: int
    state: Literal["open", "won", "lost"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """How a payment stands, as its gateway answers when asked.

    `amount_minor` and `currency` are what was really paid. `refunded_minor`: all refunds so far
    together, whoever asked for them.
    """

    standing: Standing
    amount_minor: int
    currency: str
    charge_ref: str = ""
    refunded_minor: int = 0
    disputes: tuple[DisputeStatus, ...] = ()
    fee_minor: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RefundAnswer:
    """What came of asking for a refund: `pending` is decided later, and `fetch` will say it."""

    state: Literal["succeeded", "pending", "failed"]
    provider_ref: str = ""
    detail: str = ""


class GatewayDown(Unavailable):
    """The provider didn't answer, or nothing that can be understood: try again later."""

    code = "gateway_down"


class GatewayRefused(Unavailable):
    """The provider answered that it won't: trying again can't help. The message is for the admin;
    people are told that this way to pay doesn't work right now.
    """

    code = "gateway_refused"


class Gateway(Protocol):
    """One provider. Its calls have a time-out of their own; each may be made twice."""

    name: str
    """In addresses and rows: "stripe"."""

    label: str
    """For people: "Card (Stripe)"."""

    can_refund: bool
    """Whether `refund` works at all."""

    is_test: bool
    """Whether its money isn't real."""

    async def create(self, order: Order) -> Checkout:
        """Open a checkout; asked again for the same payment, the same one where it can.

        Raises `GatewayDown`, `GatewayRefused`.
        """
        ...

    def parse(self, notification: Notification) -> Hint:
        """What it is about. Raises `Forbidden` for a wrong signature, `Invalid` for nonsense."""
        ...

    async def fetch(self, reference: Reference) -> Status | None:
        """How a payment stands; None when the provider has never heard of it.

        Raises `GatewayDown`, `GatewayRefused`.
        """
        ...

    async def refund(self, reference: Reference, amount_minor: int, key: str) -> RefundAnswer:
        """Give back a part of what was paid; asked again with the same `key`, once, and the answer
        is how that refund stands by now.

        Raises `GatewayDown` (not known whether it was done), `GatewayRefused`.
        """
        ...

    async def aclose(self) -> None: ...

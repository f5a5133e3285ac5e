"""Payments over the API: top-ups of one's wallet, how a payment stands."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Unavailable,
)
from mediaserver.money.currencies import money
from mediaserver.money.payments import Payment
from mediaserver.routes.api.operation import (
    Answer,
    Body,
    Operations,
    Query,
    caller,
    optional_caller,
)
from mediaserver.routes.keys import TOPUPS
from mediaserver.routes.payments_view import looked_at, money_config, ways_to_pay

api = Operations("Money", Scope.ACCOUNT)

KEY_HEADER = "Idempotency-Key"


class NewTopUp(Body):
    amount_minor: int = Field(
        description="In minor units of the site's currency, such as cents.", examples=[2500]
    )
    gateway: str = Field(max_length=40, description="Name of a way to pay.", examples=["stripe"])


class PaymentOut(Answer):
    """A payment through a gateway. Send the payer to `checkout_url` while it is open."""

    id: str
    purpose: str = Field(description="topup or donation", examples=["topup"])
    gateway: str = Field(examples=["stripe"])
    amount_minor: int
    currency: str = Field(examples=["USD"])
    amount: str = Field(description="For people to read.", examples=["$25.00"])
    state: str = Field(
        description="created, open, review, paid, failed, cancelled, expired or reversed",
        examples=["open"],
    )
    problem: str = Field(description="Why it failed or waits.", examples=[""])
    checkout_url: str = Field(examples=["https://checkout.stripe.com/c/pay/cs_1"])
    created_at_ms: int
    expires_at_ms: int
    paid_at_ms: int | None


def payment_out(found: Payment) -> PaymentOut:
    return PaymentOut(
        id=found.id,
        purpose=found.purpose,
        gateway=found.gateway,
        amount_minor=found.amount_minor,
        currency=found.currency,
        amount=money(found.amount_minor, found.currency),
        state=found.state,
        problem=found.problem,
        checkout_url=found.checkout_url if found.state == "open" else "",
        created_at_ms=found.created_at_ms,
        expires_at_ms=found.expires_at_ms,
        paid_at_ms=found.paid_at_ms,
    )


@api.post(
    "/wallet/topups",
    "Put money into your wallet",
    body=NewTopUp,
    answer=PaymentOut,
    status=201,
    sign_in=True,
    errors=(Forbidden, NotFound, Invalid, Conflict, RateLimited, Unavailable),
)
async def start_topup(request: web.Request, body: NewTopUp) -> PaymentOut:
    """Opens a checkout. The money is in the wallet once the gateway says that it was paid. The same
    `Idempotency-Key` header with the same body answers the first payment again.
    """
    money_config(request)
    started = await request.app[TOPUPS].start(
        caller(request), body.amount_minor, body.gateway, request.headers.get(KEY_HEADER)
    )
    return payment_out(started)


class WaysQuery(Query):
    purpose: Literal["topup", "donation"] = Field("donation", description="What is to be paid.")


class WayOut(Answer):
    """A way to pay. `name` is what requests call `gateway`."""

    name: str = Field(examples=["stripe"])
    label: str = Field(description="For people.", examples=["Card (Stripe)"])
    hint: str = Field(examples=["Cards and what else your country pays with"])


class WayList(Answer):
    """In the order in which the pages offer them; `is_test`: nobody really pays anything."""

    ways: list[WayOut]
    currency: str = Field(examples=["USD"])
    is_test: bool


@api.get(
    "/ways-to-pay", "List ways to pay", query=WaysQuery, answer=WayList, errors=(NotFound, Invalid)
)
async def list_ways_to_pay(request: web.Request, query: WaysQuery) -> WayList:
    """What the site offers right now."""
    config = money_config(request)
    ways = ways_to_pay(request, query.purpose)
    return WayList(
        ways=[WayOut(name=one.name, label=one.label, hint=one.hint) for one in ways],
        currency=config.currency,
        is_test=not config.production,
    )


@api.get("/payments/{id}", "How a payment stands", answer=PaymentOut, errors=(NotFound,))
async def show_payment(request: web.Request) -> PaymentOut:
    """Looks at its gateway first. Yours only; that of a guest is open to who has its id."""
    money_config(request)
    view = await looked_at(request, request.match_info["id"], await optional_caller(request))
    return payment_out(view.payment)

"""Payments at the admin desk, over the API."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from mediaserver.routes.api.operation import Answer, Body, Operations, Query, acting
from mediaserver.routes.api.payments import PaymentOut, payment_out
from mediaserver.routes.keys import PAYMENT_DECISIONS, PAYMENT_VIEWS
from mediaserver.routes.payments_view import money_config

api = Operations("Money", Scope.ADMIN)


class PaymentQuery(Query):
    state: (
        Literal["created", "open", "review", "paid", "failed", "cancelled", "expired", "reversed"]
        | None
    ) = Field(None, description="Only those that stand like this.")
    gateway: str | None = Field(
        None, max_length=40, description="Only through this one.", examples=["stripe"]
    )
    after: str | None = Field(
        None, max_length=100, description="Id of a payment: only those behind it."
    )


class PaymentList(Answer):
    """Newest first."""

    payments: list[PaymentOut]


class TransferCame(Body):
    bank_ref: str = Field(
        max_length=limits.BANK_REFERENCE_CHARS_MAX,
        description="As it stands on the bank's statement.",
        examples=["2026-11-20/4711"],
    )

    amount_minor: int | None = Field(
        None, description="What came, if it isn't what was announced.", examples=[4900]
    )


class WasPaid(Body):
    amount_minor: int = Field(
        description="What was really paid, as the payment's problem says.", examples=[1000]
    )


class NotComing(Body):
    reason: str = Field(
        max_length=limits.PAYMENT_REASON_CHARS_MAX, description="What the payer is told."
    )


@api.get(
    "/admin/payments",
    "List payments",
    query=PaymentQuery,
    answer=PaymentList,
    sign_in=True,
    errors=(Forbidden, NotFound, Invalid),
)
async def list_payments(request: web.Request, query: PaymentQuery) -> PaymentList:
    """All, or those of one state or gateway."""
    money_config(request)
    acting(request, Action.READ_BOOKS)
    states = () if query.state is None else (query.state,)
    found = await request.app[PAYMENT_DECISIONS].page(states, query.gateway, after=query.after)
    return PaymentList(payments=[payment_out(one) for one in found])


@api.get(
    "/admin/payments/{id}",
    "Show any payment",
    answer=PaymentOut,
    sign_in=True,
    errors=(Forbidden, NotFound),
)
async def show_any_payment(request: web.Request) -> PaymentOut:
    """As it stands here, without asking its gateway."""
    money_config(request)
    acting(request, Action.READ_BOOKS)
    view = await request.app[PAYMENT_VIEWS].of_any(request.match_info["id"])
    return payment_out(view.payment)


@api.post(
    "/admin/payments/{id}/confirm",
    "Confirm a bank transfer",
    body=TransferCame,
    answer=PaymentOut,
    sign_in=True,
    confirm=True,
    errors=(Forbidden, NotFound, Invalid, Conflict),
)
async def confirm_payment(request: web.Request, body: TransferCame) -> PaymentOut:
    """The money has come: it is put into the payer's wallet. Above the site's bound for two admins,
    or when the payer is you, it stays open until another one says the same.
    """
    money_config(request)
    actor = acting(request, Action.DECIDE_PAYMENT)
    done = await request.app[PAYMENT_DECISIONS].confirm(
        actor, request.match_info["id"], body.bank_ref, body.amount_minor
    )
    return payment_out(done)


@api.post(
    "/admin/payments/{id}/accept",
    "Book what was really paid",
    body=WasPaid,
    answer=PaymentOut,
    sign_in=True,
    confirm=True,
    errors=(Forbidden, NotFound, Invalid, Conflict, Unavailable),
)
async def accept_payment(request: web.Request, body: WasPaid) -> PaymentOut:
    """Of a payment in review, such as one of another amount. Its gateway is asked, and has to say
    the same amount; the commission of a donation is that of what was paid. Above the site's bound
    for two admins it stays in review until another one accepts it too.
    """
    money_config(request)
    actor = acting(request, Action.DECIDE_PAYMENT)
    decisions = request.app[PAYMENT_DECISIONS]
    done = await decisions.accept(actor, request.match_info["id"], body.amount_minor)
    return payment_out(done)


@api.post(
    "/admin/payments/{id}/reject",
    "Close a payment without booking it",
    body=NotComing,
    answer=PaymentOut,
    sign_in=True,
    confirm=True,
    errors=(Forbidden, NotFound, Invalid, Conflict),
)
async def reject_payment(request: web.Request, body: NotComing) -> PaymentOut:
    """A transfer that doesn't come, or a payment in review. The payer is told why."""
    money_config(request)
    actor = acting(request, Action.DECIDE_PAYMENT)
    done = await request.app[PAYMENT_DECISIONS].reject(actor, request.match_info["id"], body.reason)
    return payment_out(done)


@api.post(
    "/admin/payments/{id}/check",
    "Ask a payment's gateway again",
    answer=PaymentOut,
    sign_in=True,
    errors=(Forbidden, NotFound, Unavailable),
)
async def check_payment(request: web.Request) -> PaymentOut:
    """Changes nothing that wouldn't change by itself, only sooner."""
    money_config(request)
    acting(request, Action.DECIDE_PAYMENT)
    return payment_out(await request.app[PAYMENT_DECISIONS].check(request.match_info["id"]))

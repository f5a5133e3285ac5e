"""Refunds and disputes at the admin desk, over the API."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.money.currencies import money
from mediaserver.money.dispute_rows import Dispute
from mediaserver.money.ledger import Kind
from mediaserver.money.refund_rows import Refund
from mediaserver.routes.api.operation import Answer, Body, Operations, Query, acting
from mediaserver.routes.keys import DISPUTES, REFUND_DESK
from mediaserver.routes.money_view import money_there

api = Operations("Admin: payouts and refunds", Scope.ADMIN)


class NewRefund(Body):
    amount_minor: int = Field(description="In minor units of the payment's currency.")
    reason: str = Field(max_length=limits.MONEY_REASON_CHARS_MAX, examples=["Paid twice."])
    by_hand: bool = Field(
        False, description="Send it yourself, rather than ask the payment's gateway."
    )


class PreviewQuery(Query):
    amount_minor: int | None = Field(None, description="All that is left, if not given.")


class RefundPreviewOut(Answer):
    """Whose money a refund would be."""

    payment_id: str
    currency: str
    amount_minor: int
    left_minor: int = Field(description="The most that may be given back.")
    wallet_minor: int = Field(description="Unspent, out of the payer's wallet.")
    earnings_minor: int = Field(description="Out of earnings that haven't matured.")
    commission_minor: int
    loss_minor: int = Field(description="What the site bears.")


class RefundQuery(Query):
    show: Literal["open", "decided"] = Field(
        "open", description="open: those under way; decided: the others."
    )
    after: str | None = Field(
        None, max_length=limits.ID_CHARS_MAX, description="The last `id` of the page before."
    )


class RefundOut(Answer):
    """A refund. `state`: requested, pending (the gateway decides later), succeeded or failed;
    `way`: gateway, by_hand or outside (done at the gateway itself).
    """

    id: str
    payment_id: str
    amount_minor: int
    amount: str
    currency: str
    state: str
    way: str
    reason: str
    detail: str
    provider_ref: str
    asked_by: str
    created_at_ms: int
    ended_at_ms: int | None


class RefundList(Answer):
    """Newest first."""

    refunds: list[RefundOut]
    next: str | None


class Sent(Body):
    bank_reference: str = Field(max_length=limits.BANK_REFERENCE_CHARS_MAX, examples=["E2E-77"])


class RefundFailed(Body):
    reason: str = Field(
        max_length=limits.MONEY_REASON_CHARS_MAX, examples=["The bank doesn't know this account."]
    )
    state: Literal["requested", "pending", "succeeded"] | None = Field(
        None,
        description="Only if it still stands like this, as it may have succeeded meanwhile.",
        examples=["requested"],
    )


class DisputeQuery(Query):
    state: Literal["open", "won", "lost"] = Field(
        "open", description="Only those that stand like this."
    )
    after: str | None = Field(
        None, max_length=limits.ID_CHARS_MAX, description="The last `id` of the page before."
    )


class DisputeOut(Answer):
    """A chargeback. `state`: open, won or lost."""

    id: str
    payment_id: str
    gateway: str
    provider_ref: str
    amount_minor: int
    amount: str
    fee_minor: int
    currency: str
    state: str
    reason: str
    created_at_ms: int
    ended_at_ms: int | None


class DisputeCaseOut(DisputeOut):
    """A dispute, and whether the payer's wallet is frozen."""

    is_frozen: bool


class DisputeList(Answer):
    """Newest first."""

    disputes: list[DisputeOut]
    next: str | None


@api.get(
    "/admin/payments/{id}/refund-preview",
    "Preview a refund",
    query=PreviewQuery,
    answer=RefundPreviewOut,
    sign_in=True,
    errors=(Conflict, Forbidden, Invalid, NotFound),
)
async def preview_refund(request: web.Request, query: PreviewQuery) -> RefundPreviewOut:
    """Nothing is moved."""
    _decider(request)
    desk = request.app[REFUND_DESK]
    seen = await desk.preview(request.match_info["id"], query.amount_minor)
    return RefundPreviewOut(
        payment_id=seen.paid.id,
        currency=seen.paid.currency,
        amount_minor=seen.amount_minor,
        left_minor=seen.left_minor,
        wallet_minor=seen.plan.from_kind(Kind.WALLET),
        earnings_minor=seen.plan.from_kind(Kind.EARNINGS_PENDING),
        commission_minor=seen.plan.from_kind(Kind.COMMISSION),
        loss_minor=seen.plan.from_kind(Kind.LOSSES),
    )


@api.post(
    "/admin/payments/{id}/refunds",
    "Refund a payment",
    body=NewRefund,
    answer=RefundOut,
    status=201,
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, Invalid, NotFound),
)
async def refund_payment(request: web.Request, body: NewRefund) -> RefundOut:
    """In whole or in part. With the header `Idempotency-Key` a request that is sent again answers
    the first refund.
    """
    made = await request.app[REFUND_DESK].ask(
        _decider(request),
        request.match_info["id"],
        body.amount_minor,
        body.reason,
        by_hand=body.by_hand,
        key=request.headers.get("Idempotency-Key"),
    )
    return _refund(made)


@api.get(
    "/admin/refunds",
    "List refunds",
    query=RefundQuery,
    answer=RefundList,
    sign_in=True,
    errors=(Forbidden, NotFound),
)
async def list_refunds(request: web.Request, query: RefundQuery) -> RefundList:
    """Of all payments."""
    _decider(request)
    desk = request.app[REFUND_DESK]
    if query.show == "open":
        found = await desk.page(("requested", "pending"), after=query.after)
    else:
        found = await desk.page(("succeeded", "failed"), after=query.after)
    is_full = len(found) == limits.REFUNDS_LISTED_MAX
    return RefundList(
        refunds=[_refund(one) for one in found], next=found[-1].id if is_full else None
    )


@api.get(
    "/admin/refunds/{id}",
    "Show a refund",
    answer=RefundOut,
    sign_in=True,
    errors=(Forbidden, NotFound),
)
async def show_refund(request: web.Request) -> RefundOut:
    """One refund."""
    _decider(request)
    return _refund((await request.app[REFUND_DESK].get(request.match_info["id"])).refund)


@api.post(
    "/admin/refunds/{id}/confirm",
    "Say that a refund was sent",
    body=Sent,
    answer=RefundOut,
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, Invalid, NotFound),
)
async def confirm_refund(request: web.Request, body: Sent) -> RefundOut:
    """By hand, under this reference of the bank. 409 while its gateway is being asked."""
    actor = _decider(request)
    desk = request.app[REFUND_DESK]
    return _refund(await desk.confirm(actor, request.match_info["id"], body.bank_reference))


@api.post(
    "/admin/refunds/{id}/reject",
    "Take a refund back",
    body=RefundFailed,
    answer=RefundOut,
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, Invalid, NotFound),
)
async def reject_refund(request: web.Request, body: RefundFailed) -> RefundOut:
    """It failed, or isn't wanted any more: everything is as it was before. 409 while its gateway is
    being asked.
    """
    actor = _decider(request)
    desk = request.app[REFUND_DESK]
    return _refund(await desk.reject(actor, request.match_info["id"], body.reason, body.state))


@api.get(
    "/admin/disputes",
    "List disputes",
    query=DisputeQuery,
    answer=DisputeList,
    sign_in=True,
    errors=(Forbidden, NotFound),
)
async def list_disputes(request: web.Request, query: DisputeQuery) -> DisputeList:
    """They are answered at the gateway; what came of it is booked by itself."""
    _decider(request)
    found = await request.app[DISPUTES].page((query.state,), after=query.after)
    is_full = len(found) == limits.DISPUTES_LISTED_MAX
    return DisputeList(
        disputes=[_dispute(one) for one in found], next=found[-1].id if is_full else None
    )


@api.get(
    "/admin/disputes/{id}",
    "Show a dispute",
    answer=DisputeCaseOut,
    sign_in=True,
    errors=(Forbidden, NotFound),
)
async def show_dispute(request: web.Request) -> DisputeCaseOut:
    """With whether the payer's wallet is frozen."""
    _decider(request)
    found = await request.app[DISPUTES].get(request.match_info["id"])
    return DisputeCaseOut(**dict(_dispute(found.dispute)), is_frozen=found.frozen_for is not None)


@api.post(
    "/admin/disputes/{id}/unfreeze",
    "Unfreeze the payer's wallet",
    answer=DisputeCaseOut,
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, NotFound),
)
async def unfreeze_wallet(request: web.Request) -> DisputeCaseOut:
    """After a dispute was lost. 409 while another one of theirs is open."""
    actor = _decider(request)
    found = await request.app[DISPUTES].unfreeze(actor, request.match_info["id"])
    return DisputeCaseOut(**dict(_dispute(found.dispute)), is_frozen=found.frozen_for is not None)


def _decider(request: web.Request) -> Actor:
    money_there(request)
    return acting(request, Action.DECIDE_PAYMENT)


def _refund(found: Refund) -> RefundOut:
    return RefundOut(
        id=found.id,
        payment_id=found.payment_id,
        amount_minor=found.amount_minor,
        amount=money(found.amount_minor, found.currency),
        currency=found.currency,
        state=found.state,
        way=found.way,
        reason=found.reason,
        detail=found.detail,
        provider_ref=found.provider_ref,
        asked_by=found.asked_by_name,
        created_at_ms=found.created_at_ms,
        ended_at_ms=found.ended_at_ms,
    )


def _dispute(found: Dispute) -> DisputeOut:
    return DisputeOut(
        id=found.id,
        payment_id=found.payment_id,
        gateway=found.gateway,
        provider_ref=found.provider_ref,
        amount_minor=found.amount_minor,
        amount=money(found.amount_minor, found.currency),
        fee_minor=found.fee_minor,
        currency=found.currency,
        state=found.state,
        reason=found.reason,
        created_at_ms=found.created_at_ms,
        ended_at_ms=found.ended_at_ms,
    )

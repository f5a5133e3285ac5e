"""Payouts at the admin desk, over the API."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.money.payout_rows import OPEN, STATES, Payout
from mediaserver.routes.api.operation import Answer, Body, Operations, Query, acting
from mediaserver.routes.api.payouts import PayoutOut, payout_out
from mediaserver.routes.keys import PAYOUT_DESK
from mediaserver.routes.money_view import money_there

api = Operations("Admin: payouts and refunds", Scope.ADMIN)


class PayoutDeskQuery(Query):
    show: Literal["open", "decided"] = Field(
        "open", description="open: those that wait; decided: the others."
    )
    after: str | None = Field(
        None, max_length=limits.ID_CHARS_MAX, description="The last `id` of the page before."
    )


class PayoutCaseOut(PayoutOut):
    """A payout as admins see it."""

    username: str
    needs_two: bool = Field(description="Whether it takes two different admins.")
    approved_by: str = Field(description="The first of two admins, by name.")
    decided_by: str


class PayoutCaseList(Answer):
    """Open ones oldest first, decided ones newest first."""

    payouts: list[PayoutCaseOut]
    next: str | None


class BankDetailsOut(Answer):
    """Where the money goes."""

    holder: str
    account: str = Field(description="IBAN or number.", examples=["DE89370400440532013000"])
    bank: str
    routing: str
    country: str


class Approval(Body):
    bank_reference: str = Field(
        "",
        max_length=limits.BANK_REFERENCE_CHARS_MAX,
        description="That of the transfer; not needed from the first of two admins.",
        examples=["E2E-2026-11-0042"],
    )


class MoneyReason(Body):
    reason: str = Field(
        max_length=limits.MONEY_REASON_CHARS_MAX,
        description="The streamer reads it.",
        examples=["The bank doesn't know this account."],
    )


@api.get(
    "/admin/payouts",
    "List payouts",
    query=PayoutDeskQuery,
    answer=PayoutCaseList,
    sign_in=True,
    errors=(Forbidden, NotFound),
)
async def list_all_payouts(request: web.Request, query: PayoutDeskQuery) -> PayoutCaseList:
    """Those of everybody."""
    _decider(request)
    states = OPEN if query.show == "open" else tuple(one for one in STATES if one not in OPEN)
    found = await request.app[PAYOUT_DESK].page(states, after=query.after)
    is_full = len(found) == limits.PAYOUTS_LISTED_MAX
    return PayoutCaseList(
        payouts=[_out(request, one) for one in found], next=found[-1].id if is_full else None
    )


@api.get(
    "/admin/payouts/{id}",
    "Show a payout",
    answer=PayoutCaseOut,
    sign_in=True,
    errors=(Forbidden, NotFound),
)
async def show_payout(request: web.Request) -> PayoutCaseOut:
    """Without the bank details: those are revealed."""
    _decider(request)
    found = await request.app[PAYOUT_DESK].get(request.match_info["id"])
    return _out(request, found.payout)


@api.post(
    "/admin/payouts/{id}/reveal",
    "Reveal bank details",
    answer=BankDetailsOut,
    sign_in=True,
    confirm=True,
    errors=(Forbidden, NotFound),
)
async def reveal_payout(request: web.Request) -> BankDetailsOut:
    """The audit log says who has read them."""
    actor = _decider(request)
    found = await request.app[PAYOUT_DESK].reveal(actor, request.match_info["id"])
    return BankDetailsOut(
        holder=found.holder,
        account=found.account,
        bank=found.bank,
        routing=found.routing,
        country=found.country,
    )


@api.post(
    "/admin/payouts/{id}/approve",
    "Approve a payout",
    body=Approval,
    answer=PayoutCaseOut,
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, Invalid, NotFound),
)
async def approve_payout(request: web.Request, body: Approval) -> PayoutCaseOut:
    """It was sent under this reference. Above the limit the first admin approves, and a second,
    different one sends it.
    """
    actor = _decider(request)
    desk = request.app[PAYOUT_DESK]
    return _out(request, await desk.approve(actor, request.match_info["id"], body.bank_reference))


@api.post(
    "/admin/payouts/{id}/reject",
    "Reject a payout",
    body=MoneyReason,
    answer=PayoutCaseOut,
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, Invalid, NotFound),
)
async def reject_payout(request: web.Request, body: MoneyReason) -> PayoutCaseOut:
    """The money is available again, and the streamer is told why."""
    actor = _decider(request)
    desk = request.app[PAYOUT_DESK]
    return _out(request, await desk.reject(actor, request.match_info["id"], body.reason))


@api.post(
    "/admin/payouts/{id}/fail",
    "Mark a payout as failed",
    body=MoneyReason,
    answer=PayoutCaseOut,
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, Invalid, NotFound),
)
async def fail_payout(request: web.Request, body: MoneyReason) -> PayoutCaseOut:
    """It was sent, and the bank sent it back: the money is available again."""
    actor = _decider(request)
    desk = request.app[PAYOUT_DESK]
    return _out(request, await desk.fail(actor, request.match_info["id"], body.reason))


def _decider(request: web.Request) -> Actor:
    money_there(request)
    return acting(request, Action.DECIDE_PAYOUT)


def _out(request: web.Request, found: Payout) -> PayoutCaseOut:
    return PayoutCaseOut(
        **dict(payout_out(found)),
        username=found.username,
        needs_two=request.app[PAYOUT_DESK].needs_two(found.amount_minor),
        approved_by=found.approved_by_name,
        decided_by=found.decided_by_name,
    )

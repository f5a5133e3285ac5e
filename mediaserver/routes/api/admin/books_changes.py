"""What admins enter into the books, over the API."""

from __future__ import annotations

import dataclasses
from typing import Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.money.corrections import Asked, Correction
from mediaserver.money.settlements import Arrived, GatewayBalance, Settlement
from mediaserver.routes.api.admin.books import check_reads
from mediaserver.routes.api.operation import Answer, Body, Operations, Query, acting
from mediaserver.routes.keys import CORRECTIONS, SETTLEMENTS

api = Operations("Admin: books", Scope.ADMIN)

_READ = (Forbidden, NotFound)
_CHANGE = (Forbidden, NotFound, Invalid, Conflict)


class BooksPageQuery(Query):
    after: str | None = Field(
        None, max_length=limits.ID_CHARS_MAX, description="The last `id` of the page before."
    )


class NewSettlement(Body):
    gateway: str = Field(max_length=40, examples=["stripe"])
    arrived_on: str = Field(max_length=10, examples=["2026-11-20"])
    amount_minor: int = Field(description="What arrived at the bank.", examples=[97_10])
    fee_minor: int = Field(0, description="What the gateway kept.", examples=[2_90])
    reference: str = Field(
        max_length=limits.BOOKS_REFERENCE_CHARS_MAX,
        description="The bank's; of each gateway it counts once.",
        examples=["PO-2026-0042"],
    )


class SettlementOut(Answer):
    """`reversed_at_ms`: when it turned out to be wrong, or null."""

    id: str
    gateway: str = Field(examples=["stripe"])
    currency: str = Field(examples=["USD"])
    arrived_on: str = Field(examples=["2026-11-20"])
    amount_minor: int
    fee_minor: int
    reference: str = Field(examples=["PO-2026-0042"])
    entry_id: str
    entered_by: str = Field(examples=["boss"])
    created_at_ms: int
    reversed_at_ms: int | None


class SettlementList(Answer):
    """Newest first."""

    settlements: list[SettlementOut]


class NewGatewayBalance(Body):
    gateway: str = Field(max_length=40, examples=["stripe"])
    reported_minor: int = Field(description="What the gateway says it holds.", examples=[120_00])


class GatewayBalanceOut(Answer):
    """What a gateway said, what the books said then, and the difference."""

    id: str
    gateway: str = Field(examples=["stripe"])
    currency: str = Field(examples=["USD"])
    reported_minor: int
    booked_minor: int
    difference_minor: int
    entered_by: str = Field(examples=["boss"])
    created_at_ms: int


class GatewayBalanceList(Answer):
    """Newest first."""

    balances: list[GatewayBalanceOut]


class OwnersMove(Body):
    direction: Literal["in", "out"]
    amount_minor: int = Field(examples=[50_00])
    reference: str = Field(max_length=limits.BOOKS_REFERENCE_CHARS_MAX, examples=["TRF-17"])
    reason: str = Field("", max_length=limits.BOOKS_REASON_CHARS_MAX)


class NewCorrection(Body):
    """Debits one account and credits another. Owners are needed for accounts of users and gateways:
    a user's name or id, or the gateway.
    """

    debit_kind: str = Field(max_length=30, examples=["losses"])
    debit_owner: str = Field("", max_length=100, examples=["alice"])
    credit_kind: str = Field(max_length=30, examples=["wallet"])
    credit_owner: str = Field("", max_length=100, examples=["alice"])
    amount_minor: int = Field(examples=[5_00])
    reason: str = Field(max_length=limits.BOOKS_REASON_CHARS_MAX, examples=["Promised by mail."])


class ReversalReason(Body):
    reason: str = Field(max_length=limits.BOOKS_REASON_CHARS_MAX, examples=["Entered twice."])


class CorrectionOut(Answer):
    """`state`: waiting (for a second admin), booked or rejected."""

    id: str
    debit_id: str
    credit_id: str
    currency: str = Field(examples=["USD"])
    amount_minor: int
    reverses_id: str | None
    reason: str
    state: str
    asked_by: str = Field(examples=["boss"])
    decided_by: str
    entry_id: str | None
    created_at_ms: int
    decided_at_ms: int | None


class CorrectionList(Answer):
    """Newest first."""

    corrections: list[CorrectionOut]


class BookedOut(Answer):
    """The entry that was booked."""

    entry_id: str


@api.get(
    "/admin/books/settlements",
    "List settlements",
    query=BooksPageQuery,
    answer=SettlementList,
    sign_in=True,
    errors=_READ,
)
async def list_settlements(request: web.Request, query: BooksPageQuery) -> SettlementList:
    """What gateways have sent to the bank account."""
    check_reads(request)
    found = await request.app[SETTLEMENTS].page(after=query.after)
    return SettlementList(settlements=[_settlement_out(one) for one in found])


@api.post(
    "/admin/books/settlements",
    "Enter a settlement",
    body=NewSettlement,
    answer=SettlementOut,
    status=201,
    sign_in=True,
    confirm=True,
    errors=_CHANGE,
)
async def enter_settlement(request: web.Request, body: NewSettlement) -> SettlementOut:
    """Money of a gateway has arrived at the bank. The same reference again is a conflict."""
    actor = _changing(request)
    arrived = Arrived(
        body.gateway, body.arrived_on, body.amount_minor, body.fee_minor, body.reference
    )
    return _settlement_out(await request.app[SETTLEMENTS].enter(actor, arrived))


@api.get(
    "/admin/books/gateway-balances",
    "List what gateways said",
    answer=GatewayBalanceList,
    sign_in=True,
    errors=_READ,
)
async def list_balances(request: web.Request) -> GatewayBalanceList:
    """The last balances that admins compared with the books."""
    check_reads(request)
    found = await request.app[SETTLEMENTS].balances()
    return GatewayBalanceList(balances=[_balance_out(one) for one in found])


@api.post(
    "/admin/books/gateway-balances",
    "Compare with a gateway",
    body=NewGatewayBalance,
    answer=GatewayBalanceOut,
    status=201,
    sign_in=True,
    confirm=True,
    errors=_CHANGE,
)
async def note_balance(request: web.Request, body: NewGatewayBalance) -> GatewayBalanceOut:
    """Notes what a gateway says it holds, beside what the books say now. Books nothing."""
    actor = _changing(request)
    noted = await request.app[SETTLEMENTS].note_balance(actor, body.gateway, body.reported_minor)
    return _balance_out(noted)


@api.post(
    "/admin/books/owners-share",
    "Move the owner's share",
    body=OwnersMove,
    answer=BookedOut,
    status=201,
    sign_in=True,
    confirm=True,
    errors=_CHANGE,
)
async def move_owners_share(request: web.Request, body: OwnersMove) -> BookedOut:
    """What the owner took out of the bank account, or put in. The same `Idempotency-Key` counts
    once; nobody takes out what is owed to others.
    """
    actor = _changing(request)
    entry = await request.app[SETTLEMENTS].move_owners_share(
        actor, body.direction, body.amount_minor, body.reference, body.reason, _key(request)
    )
    return BookedOut(entry_id=entry.id)


@api.get(
    "/admin/books/corrections",
    "List corrections",
    query=BooksPageQuery,
    answer=CorrectionList,
    sign_in=True,
    errors=_READ,
)
async def list_corrections(request: web.Request, query: BooksPageQuery) -> CorrectionList:
    """Those that are booked, wait for a second admin, or were dropped."""
    check_reads(request)
    found = await request.app[CORRECTIONS].page(after=query.after)
    return CorrectionList(corrections=[_correction_out(one) for one in found])


@api.post(
    "/admin/books/corrections",
    "Correct the books",
    body=NewCorrection,
    answer=CorrectionOut,
    status=201,
    sign_in=True,
    confirm=True,
    errors=_CHANGE,
)
async def ask_correction(request: web.Request, body: NewCorrection) -> CorrectionOut:
    """Booked at once; above `money.two_admins_above`, and for one's own account, it waits until
    another admin agrees. The same `Idempotency-Key` answers the first one.
    """
    actor = _changing(request)
    asked = Asked(**body.model_dump())
    return _correction_out(await request.app[CORRECTIONS].ask(actor, asked, _key(request)))


@api.post(
    "/admin/books/corrections/{id}/approve",
    "Agree with a correction",
    answer=CorrectionOut,
    sign_in=True,
    confirm=True,
    errors=(Forbidden, NotFound, Conflict),
)
async def approve_correction(request: web.Request) -> CorrectionOut:
    """Only another admin than who asked for it."""
    actor = _changing(request)
    done = await request.app[CORRECTIONS].approve(actor, request.match_info["id"])
    return _correction_out(done)


@api.post(
    "/admin/books/corrections/{id}/reject",
    "Drop a correction",
    answer=CorrectionOut,
    sign_in=True,
    confirm=True,
    errors=(Forbidden, NotFound, Conflict),
)
async def reject_correction(request: web.Request) -> CorrectionOut:
    """One that waits; who asked for it may, too."""
    actor = _changing(request)
    done = await request.app[CORRECTIONS].reject(actor, request.match_info["id"])
    return _correction_out(done)


@api.post(
    "/admin/books/entries/{id}/reverse",
    "Reverse an entry",
    body=ReversalReason,
    answer=CorrectionOut,
    status=201,
    sign_in=True,
    confirm=True,
    errors=_CHANGE,
)
async def reverse_entry(request: web.Request, body: ReversalReason) -> CorrectionOut:
    """Books the opposite of what an admin entered: a settlement, the owner's share or a correction.
    Entries of payments, contributions and payouts are undone where those are decided.
    """
    actor = _changing(request)
    made = await request.app[CORRECTIONS].reverse(actor, request.match_info["id"], body.reason)
    return _correction_out(made)


def _changing(request: web.Request) -> Actor:
    check_reads(request)
    return acting(request, Action.CORRECT_BOOKS)


def _key(request: web.Request) -> str | None:
    return request.headers.get("Idempotency-Key")


def _settlement_out(one: Settlement) -> SettlementOut:
    return SettlementOut(**dataclasses.asdict(one))


def _balance_out(one: GatewayBalance) -> GatewayBalanceOut:
    return GatewayBalanceOut(**dataclasses.asdict(one), difference_minor=one.difference_minor)


def _correction_out(one: Correction) -> CorrectionOut:
    return CorrectionOut(**dataclasses.asdict(one))

"""One's own wallet over the API: what is in it, its history and its statements."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from pydantic import Field

from mediaserver.kernel import limits
from mediaserver.kernel.errors import NotFound
from mediaserver.money.currencies import money
from mediaserver.money.history import Movement, Wanted
from mediaserver.routes.api.operation import Answer, Operations, Query, caller
from mediaserver.routes.keys import HISTORY, WALLETS
from mediaserver.routes.money_view import wallet_config
from mediaserver.routes.payments_view import money_config

api = Operations("Money")

_MS_MAX = 2**53


class WalletOut(Answer):
    """A wallet. Its money can be given, never withdrawn."""

    balance_minor: int = Field(examples=[2500])
    currency: str = Field(examples=["USD"])
    balance: str = Field(description="The same, for people.", examples=["$25.00"])
    frozen: bool = Field(description="Nothing can be given from it for now.", examples=[False])


class HistoryQuery(Query):
    kind: Literal["topup", "tip", "donation", "transfer", "membership", "other"] | None = Field(
        None, description="Only those of this kind.", examples=["tip"]
    )
    channel: str | None = Field(
        None, description="A channel's slug.", max_length=limits.SLUG_CHARS_MAX
    )
    since_ms: int | None = Field(None, description="Only from this moment on.", ge=0, le=_MS_MAX)
    until_ms: int | None = Field(None, description="Only before this moment.", ge=0, le=_MS_MAX)
    after: str | None = Field(None, description="The `next` of the page before.", max_length=40)


class MovementOut(Answer):
    """Something that became of your money. `wallet_minor` is what it did to your wallet: nothing
    for a donation by card.
    """

    id: str
    kind: str = Field(examples=["tip"])
    at_ms: int
    amount_minor: int = Field(examples=[500])
    wallet_minor: int = Field(examples=[-500])
    currency: str = Field(examples=["USD"])
    amount: str = Field(examples=["$5.00"])
    state: str = Field(
        description="That of a payment or a contribution, or `booked`.", examples=["paid"]
    )
    channel: str | None = Field(description="A channel's slug, while it exists.")
    channel_name: str
    message: str = Field(examples=["Hello"])
    taken_back_minor: int = Field(examples=[0])


class HistoryOut(Answer):
    """What became of your money, newest first. `next` is for the following page."""

    movements: list[MovementOut]
    next: str | None


class LineOut(Answer):
    """One entry of a statement, with what was in the wallet afterwards."""

    id: str = Field(examples=["ent_0123456789abcdefghjk"])
    kind: str = Field(examples=["tip"])
    about: str = Field(description="A channel's name, or how the money came.")
    at_ms: int
    amount_minor: int = Field(examples=[-500])
    balance_minor: int = Field(examples=[2500])


class StatementOut(Answer):
    """A month of a wallet, in UTC. `others_minor` sums up entries that found no room."""

    month: str = Field(examples=["2026-11"])
    currency: str = Field(examples=["USD"])
    opening_minor: int = Field(examples=[3000])
    lines: list[LineOut]
    others: int = Field(examples=[0])
    others_minor: int = Field(examples=[0])
    closing_minor: int = Field(examples=[2500])


@api.get("/wallet", "Show your wallet", answer=WalletOut, sign_in=True, errors=(NotFound,))
async def show_wallet(request: web.Request) -> WalletOut:
    """What is in it. 404 where the site has no wallets."""
    wallet_config(request)
    held = await request.app[WALLETS].standing(caller(request))
    return WalletOut(
        balance_minor=held.balance_minor,
        currency=held.currency,
        balance=money(held.balance_minor, held.currency),
        frozen=held.frozen_for is not None,
    )


@api.get(
    "/wallet/history",
    "List what became of your money",
    query=HistoryQuery,
    answer=HistoryOut,
    sign_in=True,
    errors=(NotFound,),
)
async def list_history(request: web.Request, query: HistoryQuery) -> HistoryOut:
    """Money added, tips, donations, transfers, memberships, refunds, newest first."""
    money_config(request)
    wanted = Wanted(query.kind, query.channel, query.since_ms, query.until_ms)
    found = await request.app[HISTORY].page(caller(request), wanted, after=query.after)
    return HistoryOut(
        movements=[_movement(one) for one in found],
        next=found[-1].id if len(found) == limits.HISTORY_LISTED_MAX else None,
    )


def _movement(one: Movement) -> MovementOut:
    return MovementOut(
        id=one.id,
        kind=one.kind,
        at_ms=one.at_ms,
        amount_minor=one.amount_minor,
        wallet_minor=one.wallet_minor,
        currency=one.currency,
        amount=money(one.amount_minor, one.currency),
        state=one.state,
        channel=one.channel_slug,
        channel_name=one.channel_name,
        message=one.message,
        taken_back_minor=one.taken_back_minor,
    )


@api.get(
    "/wallet/statements/{month}",
    "Show a month's statement",
    answer=StatementOut,
    sign_in=True,
    errors=(NotFound,),
)
async def show_statement(request: web.Request) -> StatementOut:
    """Every entry of a month such as 2026-11, in UTC, from what was there to what was left."""
    wallet_config(request)
    stated = await request.app[WALLETS].statement(caller(request), request.match_info["month"])
    return StatementOut(
        month=stated.month,
        currency=stated.currency,
        opening_minor=stated.opening_minor,
        lines=[
            LineOut(
                id=line.entry_id,
                kind=line.kind,
                about=line.about,
                at_ms=line.at_ms,
                amount_minor=line.amount_minor,
                balance_minor=line.balance_minor,
            )
            for line in stated.lines
        ],
        others=stated.others,
        others_minor=stated.others_minor,
        closing_minor=stated.closing_minor,
    )

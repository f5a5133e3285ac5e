"""Tips, receipts and what a channel was given, over the API."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from pydantic import Field

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound
from mediaserver.money.contributions import Contribution, Words
from mediaserver.money.currencies import money
from mediaserver.money.receipts import Receipt
from mediaserver.money.supporters import Sought
from mediaserver.routes.api.operation import Answer, Body, Operations, Query, caller
from mediaserver.routes.keys import RECEIPTS, SUPPORTERS, TIPS
from mediaserver.routes.money_view import idempotency_key, wallet_config
from mediaserver.routes.payments_view import money_config

api = Operations("Money")

_MS_MAX = 2**53


class NewTip(Body):
    amount_minor: int = Field(
        description="In minor units of the site's currency: 500 are 5.00.",
        ge=1,
        le=limits.AMOUNT_MINOR_MAX,
        examples=[500],
    )
    message: str = Field("", max_length=limits.CONTRIBUTION_MESSAGE_CHARS_MAX, examples=["Hello"])
    anonymous: bool = Field(False, description="True: your name isn't shown to anybody.")


class ContributionOut(Answer):
    """A tip, a donation or a bank transfer to a channel, with what was booked."""

    id: str
    kind: str = Field(description="tip, donation or transfer", examples=["tip"])
    state: str = Field(description="open, declared, paid, rejected or failed", examples=["paid"])
    channel_name: str
    giver: str = Field(description="How you may see who gave it.", examples=["bob"])
    anonymous: bool
    message: str = Field(examples=["Hello"])
    amount_minor: int = Field(description="What was given.", examples=[500])
    amount: str = Field(examples=["$5.00"])
    commission_bps: int = Field(
        description="The rate in hundredths of a percent, as it was when this began.",
        examples=[2200],
    )
    commission_minor: int = Field(description="What the site keeps.", examples=[110])
    net_minor: int = Field(description="What the streamer gets.", examples=[390])
    taken_back_minor: int = Field(
        description="What of the amount was refunded or charged back.", examples=[0]
    )
    currency: str = Field(examples=["USD"])
    created_at_ms: int
    paid_at_ms: int | None


class SupportersQuery(Query):
    kind: Literal["tip", "donation", "transfer"] | None = Field(
        None, description="Only those of this kind.", examples=["tip"]
    )
    state: Literal["paid", "declared", "rejected"] | None = Field(
        None, description="Only those in this state.", examples=["paid"]
    )
    name: str | None = Field(
        None,
        description="A part of a giver's name; finds nobody who gave without it.",
        max_length=40,
        examples=["bob"],
    )
    least_minor: int | None = Field(
        None,
        description="Only those of this amount or more.",
        ge=0,
        le=limits.AMOUNT_MINOR_MAX,
        examples=[100],
    )
    most_minor: int | None = Field(
        None,
        description="Only those of this amount or less.",
        ge=0,
        le=limits.AMOUNT_MINOR_MAX,
        examples=[5000],
    )
    since_ms: int | None = Field(None, description="Only from this moment on.", ge=0, le=_MS_MAX)
    until_ms: int | None = Field(None, description="Only before this moment.", ge=0, le=_MS_MAX)
    after: str | None = Field(None, description="The `next` of the page before.", max_length=40)

    @property
    def sought(self) -> Sought:
        return Sought(**self.model_dump(exclude={"after"}))


class ContributionList(Answer):
    """What a channel was given, newest first. `next` is for the following page."""

    contributions: list[ContributionOut]
    next: str | None


class SumsOut(Answer):
    """What was paid, of what the filters find, without what was taken back: `gross_minor` is
    `commission_minor` and `net_minor` together. `direct_minor` came from bank to bank.
    """

    gifts: int
    gross_minor: int
    commission_minor: int
    net_minor: int
    taken_back_minor: int
    direct_minor: int
    currency: str = Field(examples=["USD"])


def contribution_out(given: Contribution, giver: str) -> ContributionOut:
    """`giver`: who it was, as far as the reader may know."""
    return ContributionOut(
        id=given.id,
        kind=given.kind,
        state=given.state,
        channel_name=given.channel_name,
        giver=giver,
        anonymous=given.is_anonymous,
        message=given.message,
        amount_minor=given.amount_minor,
        amount=money(given.amount_minor, given.currency),
        commission_bps=given.commission_bps,
        commission_minor=given.fee_minor,
        net_minor=given.net_minor,
        taken_back_minor=given.taken_back_minor,
        currency=given.currency,
        created_at_ms=given.created_at_ms,
        paid_at_ms=given.paid_at_ms,
    )


@api.post(
    "/channels/{slug}/tips",
    "Give a tip",
    body=NewTip,
    answer=ContributionOut,
    status=201,
    sign_in=True,
    errors=(NotFound, Forbidden, Conflict),
)
async def give_tip(request: web.Request, body: NewTip) -> ContributionOut:
    """Gives from your wallet to a channel, at once. With the header `Idempotency-Key` a request
    that is sent again gives once and answers the same.

    403 with the code `not_verified`, `own_channel`, `shut_out` or `takes_no_tips`; 409 with
    `insufficient_funds`, `frozen`, or `idempotency_key` when that key came with another tip.
    """
    wallet_config(request)
    words = Words.checked(body.message, is_anonymous=body.anonymous)
    given = await request.app[TIPS].give(
        caller(request),
        request.match_info["slug"],
        body.amount_minor,
        words,
        idempotency_key(request),
    )
    return contribution_out(given, given.sender_name)


@api.get(
    "/receipts/{id}",
    "Show a receipt",
    answer=ContributionOut,
    sign_in=True,
    errors=(NotFound,),
)
async def show_receipt(request: web.Request) -> ContributionOut:
    """One contribution that you gave, or that was given to you."""
    money_config(request)
    return _receipt(await request.app[RECEIPTS].get(caller(request), request.match_info["id"]))


def _receipt(receipt: Receipt) -> ContributionOut:
    return contribution_out(receipt.given, receipt.giver)


@api.get(
    "/channels/{slug}/contributions",
    "List what a channel was given",
    query=SupportersQuery,
    answer=ContributionList,
    sign_in=True,
    errors=(NotFound, Forbidden),
)
async def list_contributions(request: web.Request, query: SupportersQuery) -> ContributionList:
    """Tips, donations and transfers to your channel that were paid, declared or rejected."""
    money_config(request)
    found = await request.app[SUPPORTERS].page(
        caller(request), request.match_info["slug"], query.sought, after=query.after
    )
    return ContributionList(
        contributions=[contribution_out(one, one.public_name) for one in found],
        next=found[-1].id if len(found) == limits.HISTORY_LISTED_MAX else None,
    )


@api.get(
    "/channels/{slug}/contributions/sums",
    "Sum up what a channel was given",
    query=SupportersQuery,
    answer=SumsOut,
    sign_in=True,
    errors=(NotFound, Forbidden),
)
async def sum_contributions(request: web.Request, query: SupportersQuery) -> SumsOut:
    """The sums for the same filters, `state` and `after` aside."""
    config = money_config(request)
    sums = await request.app[SUPPORTERS].sums(
        caller(request), request.match_info["slug"], query.sought
    )
    return SumsOut(
        gifts=sums.gifts,
        gross_minor=sums.gross_minor,
        commission_minor=sums.fee_minor,
        net_minor=sums.net_minor,
        taken_back_minor=sums.taken_back_minor,
        direct_minor=sums.direct_minor,
        currency=config.currency,
    )

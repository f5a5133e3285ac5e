"""Earnings, bank details and payouts of one's own over the API."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.money.currencies import money
from mediaserver.money.earnings import Earned
from mediaserver.money.payout_accounts import BankDetails, PayoutAccount
from mediaserver.money.payout_rows import Payout
from mediaserver.routes.api.operation import Answer, Body, Operations, Query, caller
from mediaserver.routes.keys import EARNINGS, PAYOUT_ACCOUNTS, PAYOUTS
from mediaserver.routes.money_view import money_there, wanted_earnings

api = Operations("Earnings and payouts", Scope.ACCOUNT)


class DueOut(Answer):
    """So much becomes available on a day, UTC."""

    day_ms: int
    net_minor: int
    contributions: int


class ChannelEarningsOut(Answer):
    """What one channel brought in this month."""

    channel_name: str
    slug: str | None = Field(description="Null when the channel is deleted.")
    gross_minor: int
    net_minor: int


class EarningsOut(Answer):
    """How your money stands, in minor units of `currency`."""

    currency: str
    pending_minor: int = Field(description="Waits until it can't be charged back easily.")
    available_minor: int = Field(description="What you may ask for.")
    available: str = Field(description="The same for people.", examples=["$12.50"])
    on_hold_minor: int = Field(description="In a payout that is under way.")
    paid_out_minor: int
    direct_minor: int = Field(
        description="Transfers from bank to bank that you confirmed: they were never here."
    )
    month_net_minor: int = Field(description="Earned this month (UTC), after commission.")
    due: list[DueOut]
    channels: list[ChannelEarningsOut]


class EarnedQuery(Query):
    kind: Literal["tip", "donation", "transfer"] | None = Field(
        None, description="Only those of this kind.", examples=["tip"]
    )
    from_day: str = Field(
        "",
        alias="from",
        max_length=10,
        description="The first day of those, in UTC.",
        examples=["2026-11-01"],
    )
    until_day: str = Field(
        "",
        alias="until",
        max_length=10,
        description="The last day of those, in UTC.",
        examples=["2026-11-30"],
    )
    after: str | None = Field(
        None, max_length=limits.ID_CHARS_MAX, description="The last `id` of the page before."
    )


class EarnedOut(Answer):
    """Something that was given to you."""

    id: str
    kind: str
    channel_name: str
    name: str = Field(description="Who gave it; Somebody if they want no name there.")
    currency: str
    gross_minor: int
    commission_minor: int
    net_minor: int
    left_minor: int = Field(description="Net of what was refunded or charged back.")
    state: str = Field(description="pending, available, taken back, or direct.")
    created_at_ms: int
    matures_at_ms: int | None


class EarnedList(Answer):
    """Newest first."""

    earnings: list[EarnedOut]
    next: str | None


class PayoutAccountOut(Answer):
    """Where your payouts go; the whole of it is never shown again."""

    hint: str = Field(description="The last four digits.")
    country: str
    changed_at_ms: int


class MyPayoutAccount(Answer):
    """Null until you have entered one."""

    account: PayoutAccountOut | None


class NewPayoutAccount(Body):
    holder: str = Field(max_length=limits.BANK_HOLDER_CHARS_MAX, examples=["Alice Example"])
    account: str = Field(
        max_length=2 * limits.BANK_ACCOUNT_CHARS_MAX,
        description="IBAN, or the number of the account where there are none.",
        examples=["DE89 3704 0044 0532 0130 00"],
    )
    bank: str = Field(max_length=limits.BANK_NAME_CHARS_MAX, examples=["Example Bank"])
    routing: str = Field(
        "", max_length=40, description="BIC or routing number.", examples=["COBADEFFXXX"]
    )
    country: str = Field(max_length=2, description="Of the bank.", examples=["DE"])


class NewPayout(Body):
    amount_minor: int = Field(description="In minor units of the site's currency.", examples=[2500])


class PayoutQuery(Query):
    after: str | None = Field(
        None, max_length=limits.ID_CHARS_MAX, description="The last `id` of the page before."
    )


class PayoutOut(Answer):
    """A payout. `state`: requested, approved (a second admin looks at it), paid, rejected,
    cancelled or failed.
    """

    id: str
    amount_minor: int
    amount: str
    currency: str
    state: str
    hint: str = Field(description="The last digits of the account that it goes to.")
    bank_reference: str
    reason: str = Field(description="Why it was rejected, or failed.")
    created_at_ms: int
    decided_at_ms: int | None


class PayoutList(Answer):
    """Newest first."""

    payouts: list[PayoutOut]
    next: str | None


def payout_out(found: Payout) -> PayoutOut:
    return PayoutOut(
        id=found.id,
        amount_minor=found.amount_minor,
        amount=money(found.amount_minor, found.currency),
        currency=found.currency,
        state=found.state,
        hint=found.hint,
        bank_reference=found.bank_reference,
        reason=found.reason,
        created_at_ms=found.created_at_ms,
        decided_at_ms=found.decided_at_ms,
    )


@api.get("/earnings", "Show my earnings", answer=EarningsOut, sign_in=True, errors=(NotFound,))
async def show_earnings(request: web.Request) -> EarningsOut:
    """What you have earned over all your channels, and when it can be withdrawn."""
    found = await request.app[EARNINGS].overview(_reader(request))
    return EarningsOut(
        currency=found.currency,
        pending_minor=found.pending_minor,
        available_minor=found.available_minor,
        available=money(found.available_minor, found.currency),
        on_hold_minor=found.on_hold_minor,
        paid_out_minor=found.paid_out_minor,
        direct_minor=found.direct_minor,
        month_net_minor=found.month_net_minor,
        due=[
            DueOut(day_ms=one.day_ms, net_minor=one.net_minor, contributions=one.contributions)
            for one in found.due
        ],
        channels=[
            ChannelEarningsOut(
                channel_name=one.channel_name,
                slug=one.slug,
                gross_minor=one.gross_minor,
                net_minor=one.net_minor,
            )
            for one in found.channels
        ],
    )


@api.get(
    "/earnings/history",
    "List what I earned",
    query=EarnedQuery,
    answer=EarnedList,
    sign_in=True,
    errors=(Invalid, NotFound),
)
async def list_earnings(request: web.Request, query: EarnedQuery) -> EarnedList:
    """Every tip, donation and transfer to your channels, with what became of it."""
    wanted = wanted_earnings(query.kind or "", query.from_day, query.until_day)
    found = await request.app[EARNINGS].page(_reader(request), wanted, after=query.after)
    is_full = len(found) == limits.EARNINGS_LISTED_MAX
    return EarnedList(
        earnings=[_earned_out(one) for one in found],
        next=found[-1].contribution.id if is_full else None,
    )


@api.get(
    "/me/payout-account",
    "Show where my payouts go",
    answer=MyPayoutAccount,
    sign_in=True,
    errors=(NotFound,),
)
async def show_payout_account(request: web.Request) -> MyPayoutAccount:
    """The last digits of your bank account."""
    found = await request.app[PAYOUT_ACCOUNTS].find(_reader(request))
    return MyPayoutAccount(account=None if found is None else _account_out(found))


@api.put(
    "/me/payout-account",
    "Change where my payouts go",
    body=NewPayoutAccount,
    answer=PayoutAccountOut,
    sign_in=True,
    confirm=True,
    errors=(Forbidden, Invalid, NotFound),
)
async def change_payout_account(request: web.Request, body: NewPayoutAccount) -> PayoutAccountOut:
    """Kept encrypted; a mail warns you. Payouts that you asked for go where they were asked to."""
    money_there(request)
    details = BankDetails.checked(body.holder, body.account, body.bank, body.routing, body.country)
    return _account_out(await request.app[PAYOUT_ACCOUNTS].change(caller(request), details))


@api.delete(
    "/me/payout-account",
    "Remove my bank details",
    sign_in=True,
    confirm=True,
    errors=(Forbidden, NotFound),
)
async def remove_payout_account(request: web.Request) -> None:
    """Nothing happens when there are none."""
    money_there(request)
    await request.app[PAYOUT_ACCOUNTS].remove(caller(request))


@api.get(
    "/payouts",
    "List my payouts",
    query=PayoutQuery,
    answer=PayoutList,
    sign_in=True,
    errors=(NotFound,),
)
async def list_payouts(request: web.Request, query: PayoutQuery) -> PayoutList:
    """What you have asked for, and what became of it."""
    found = await request.app[PAYOUTS].page(_reader(request), after=query.after)
    is_full = len(found) == limits.PAYOUTS_LISTED_MAX
    return PayoutList(
        payouts=[payout_out(one) for one in found], next=found[-1].id if is_full else None
    )


@api.post(
    "/payouts",
    "Ask for a payout",
    body=NewPayout,
    answer=PayoutOut,
    status=201,
    sign_in=True,
    confirm=True,
    errors=(Forbidden, Invalid, Conflict, NotFound),
)
async def request_payout(request: web.Request, body: NewPayout) -> PayoutOut:
    """Puts the amount on hold until an admin has sent it. Takes a verified streamer with two-step
    log-in and bank details, one payout at a time. With the header `Idempotency-Key` a request that
    is sent again answers the first payout.
    """
    money_there(request)
    key = request.headers.get("Idempotency-Key")
    return payout_out(await request.app[PAYOUTS].request(caller(request), body.amount_minor, key))


@api.post(
    "/payouts/{id}/cancel",
    "Cancel my payout",
    answer=PayoutOut,
    sign_in=True,
    errors=(Conflict, Forbidden, NotFound),
)
async def cancel_payout(request: web.Request) -> PayoutOut:
    """As long as no admin has begun."""
    money_there(request)
    return payout_out(await request.app[PAYOUTS].cancel(caller(request), request.match_info["id"]))


def _reader(request: web.Request) -> User:
    money_there(request)
    user = caller(request)
    check(user, Action.READ_OWN_MONEY)
    return user


def _account_out(found: PayoutAccount) -> PayoutAccountOut:
    return PayoutAccountOut(
        hint=found.hint, country=found.country, changed_at_ms=found.changed_at_ms
    )


def _earned_out(one: Earned) -> EarnedOut:
    given = one.contribution
    return EarnedOut(
        id=given.id,
        kind=given.kind,
        channel_name=given.channel_name,
        name=given.public_name,
        currency=given.currency,
        gross_minor=given.amount_minor,
        commission_minor=given.fee_minor,
        net_minor=given.net_minor,
        left_minor=one.left_minor,
        state=one.state,
        created_at_ms=given.created_at_ms,
        matures_at_ms=given.matures_at_ms,
    )

"""Donations through a gateway, and transfers straight to a streamer, over the API."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Unavailable,
)
from mediaserver.money.contributions import Contribution, Words
from mediaserver.money.currencies import money
from mediaserver.money.donations import Gift
from mediaserver.money.gateways.manual import reference_code
from mediaserver.money.transfers import Declaration
from mediaserver.routes.api.operation import (
    Answer,
    Body,
    Operations,
    Query,
    caller,
    optional_caller,
)
from mediaserver.routes.api.payments import KEY_HEADER, PaymentOut, payment_out
from mediaserver.routes.keys import DONATIONS, TRANSFERS
from mediaserver.routes.payments_view import money_config

api = Operations("Money", Scope.ACCOUNT)


class NewTransfer(Body):
    amount_minor: int = Field(
        description="In minor units of the site's currency, such as cents.", examples=[1000]
    )
    message: str = Field(
        "",
        max_length=limits.CONTRIBUTION_MESSAGE_CHARS_MAX,
        description="Shown in the chat and on the stream.",
        examples=["For the new brushes."],
    )
    name: str = Field(
        "",
        max_length=limits.CONTRIBUTION_NAME_CHARS_MAX,
        description="Of a guest; members have theirs.",
    )
    anonymous: bool = Field(False, description="Whether the name stays hidden.")


class NewDonation(NewTransfer):
    gateway: str = Field(max_length=40, description="Name of a way to pay.", examples=["stripe"])
    email: str = Field(
        "", max_length=limits.EMAIL_CHARS_MAX, description="Of a guest, for the receipt."
    )


class TransferQuery(Query):
    open: bool = Field(True, description="Only those that aren't decided.")
    after: str | None = Field(
        None, max_length=100, description="Id of a transfer: only those behind it."
    )


class TransferOut(Answer):
    """A transfer from bank to bank that somebody has announced."""

    id: str
    reference: str = Field(description="What the donor writes in it.", examples=["7K2M9-D0Q4X"])
    name: str
    message: str
    amount_minor: int
    currency: str = Field(examples=["USD"])
    amount: str = Field(description="For people to read.", examples=["$10.00"])
    state: str = Field(description="declared, paid or rejected", examples=["declared"])
    created_at_ms: int


class TransferList(Answer):
    """Newest first."""

    transfers: list[TransferOut]


def transfer_out(given: Contribution) -> TransferOut:
    return TransferOut(
        id=given.id,
        reference=reference_code(given.id),
        name=given.public_name,
        message=given.message,
        amount_minor=given.amount_minor,
        currency=given.currency,
        amount=money(given.amount_minor, given.currency),
        state=given.state,
        created_at_ms=given.created_at_ms,
    )


@api.post(
    "/channels/{slug}/donations",
    "Donate to a channel",
    body=NewDonation,
    answer=PaymentOut,
    status=201,
    errors=(Forbidden, NotFound, Invalid, Conflict, RateLimited, Unavailable),
)
async def donate(request: web.Request, body: NewDonation) -> PaymentOut:
    """Opens a checkout; guests may, too. The commission is that of this moment. The same
    `Idempotency-Key` header with the same body answers the first payment again.
    """
    money_config(request)
    sender = await optional_caller(request)
    words = Words.checked(body.message, body.name, is_anonymous=body.anonymous)
    gift = Gift(
        request.match_info["slug"],
        body.amount_minor,
        body.gateway,
        words,
        body.email,
        request.remote or "",
    )
    key = request.headers.get(KEY_HEADER)
    return payment_out(await request.app[DONATIONS].start(sender, gift, key))


@api.post(
    "/channels/{slug}/transfers",
    "Announce a transfer to a streamer",
    body=NewTransfer,
    answer=TransferOut,
    status=201,
    errors=(Forbidden, NotFound, Invalid, Conflict, RateLimited),
)
async def announce_transfer(request: web.Request, body: NewTransfer) -> TransferOut:
    """Say that money is on its way to the streamer's own account; guests may, too. It counts once
    the streamer says that it came.
    """
    money_config(request)
    sender = await optional_caller(request)
    words = Words.checked(body.message, body.name, is_anonymous=body.anonymous)
    said = Declaration(request.match_info["slug"], body.amount_minor, words, request.remote or "")
    key = request.headers.get(KEY_HEADER)
    return transfer_out(await request.app[TRANSFERS].declare(sender, said, key))


@api.get(
    "/channels/{slug}/transfers",
    "List transfers to your channel",
    query=TransferQuery,
    answer=TransferList,
    sign_in=True,
    errors=(Forbidden, NotFound, Invalid),
)
async def list_transfers(request: web.Request, query: TransferQuery) -> TransferList:
    """What people say to have sent you."""
    money_config(request)
    found = await request.app[TRANSFERS].page(
        caller(request), request.match_info["slug"], only_open=query.open, after=query.after
    )
    return TransferList(transfers=[transfer_out(one) for one in found])


_DECIDES = (Forbidden, NotFound, Conflict)


@api.post(
    "/transfers/{id}/confirm",
    "Say that a transfer came",
    answer=TransferOut,
    sign_in=True,
    errors=_DECIDES,
)
async def confirm_transfer(request: web.Request) -> TransferOut:
    """Only the streamer may. It is shown like a donation, has no commission, and is no part of what
    you can withdraw: you have it already.
    """
    money_config(request)
    done = await request.app[TRANSFERS].confirm(caller(request), request.match_info["id"])
    return transfer_out(done)


@api.post(
    "/transfers/{id}/reject",
    "Say that a transfer didn't come",
    answer=TransferOut,
    sign_in=True,
    errors=_DECIDES,
)
async def reject_transfer(request: web.Request) -> TransferOut:
    """Only the streamer may."""
    money_config(request)
    done = await request.app[TRANSFERS].reject(caller(request), request.match_info["id"])
    return transfer_out(done)

"""Thanking who gave most, over the API."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound, RateLimited
from mediaserver.money.thanks import Biggest
from mediaserver.routes.api.operation import Answer, Body, Operations, caller
from mediaserver.routes.keys import THANKS
from mediaserver.routes.payments_view import money_config

api = Operations("Money", Scope.CHANNELS)


class NewThanks(Body):
    period: Literal["stream", "month", "all"] = Field(examples=["month"])
    message: str = Field(
        description="Plain text without links.",
        max_length=limits.THANKS_CHARS_MAX,
        examples=["You made my month. Thank you."],
    )


class BiggestOut(Answer):
    """Who gave most in a period, as you may see them."""

    period: str = Field(description="stream: the last one; month; all", examples=["month"])
    name: str = Field(examples=["bob"])
    amount_minor: int = Field(examples=[2500])
    currency: str = Field(examples=["USD"])
    thanked_at_ms: int | None


class BiggestList(Answer):
    """Who gave most: in the last stream, this month, ever."""

    biggest: list[BiggestOut]


def _out(one: Biggest, currency: str) -> BiggestOut:
    return BiggestOut(
        period=one.period,
        name=one.name,
        amount_minor=one.amount_minor,
        currency=currency,
        thanked_at_ms=one.thanked_at_ms,
    )


@api.get(
    "/channels/{slug}/thanks",
    "List whom to thank",
    answer=BiggestList,
    sign_in=True,
    errors=(NotFound, Forbidden),
)
async def list_biggest(request: web.Request) -> BiggestList:
    """Who gave most, for each period in which somebody with an account gave anything."""
    config = money_config(request)
    found = await request.app[THANKS].biggest(caller(request), request.match_info["slug"])
    return BiggestList(biggest=[_out(one, config.currency) for one in found])


@api.post(
    "/channels/{slug}/thanks",
    "Thank who gave most",
    body=NewThanks,
    sign_in=True,
    errors=(NotFound, Forbidden, Conflict, RateLimited),
)
async def send_thanks(request: web.Request, body: NewThanks) -> None:
    """Mails them your message, once for each period. You don't learn their address, and nothing
    about somebody who gave without a name.
    """
    money_config(request)
    await request.app[THANKS].send(
        caller(request), request.match_info["slug"], body.period, body.message
    )

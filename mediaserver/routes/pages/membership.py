"""The page of memberships: plans to compare, one's own, and what was paid for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.ids import new_word
from mediaserver.money.currencies import money
from mediaserver.routes.forms import FORM_ERRORS, FormError, form_errors, form_status, read_form
from mediaserver.routes.keys import CLOCK, CONFIG, PLANS, SUBSCRIPTIONS
from mediaserver.routes.membership_view import (
    charge_view,
    check_offered,
    choice_view,
    standing_view,
)
from mediaserver.routes.page import noticed, page, signed_in, viewer

_PAGE = "/membership"


async def show(request: web.Request) -> web.Response:
    return await _show(request, None)


async def join(request: web.Request) -> web.Response:
    async def act(user: User, form: dict[str, str]) -> None:
        await request.app[SUBSCRIPTIONS].subscribe(
            user, form.get("plan", ""), _seen(form), form.get("key") or None
        )

    return await _done(request, "membership-begun", act)


async def change(request: web.Request) -> web.Response:
    async def act(user: User, form: dict[str, str]) -> None:
        await request.app[SUBSCRIPTIONS].change(user, form.get("plan", ""), _seen(form))

    return await _done(request, "membership-changed", act)


async def cancel(request: web.Request) -> web.Response:
    async def act(user: User, _: dict[str, str]) -> None:
        await request.app[SUBSCRIPTIONS].cancel(user)

    return await _done(request, "membership-cancelled", act)


async def resume(request: web.Request) -> web.Response:
    async def act(user: User, _: dict[str, str]) -> None:
        await request.app[SUBSCRIPTIONS].resume(user)

    return await _done(request, "membership-resumed", act)


def _seen(form: dict[str, str]) -> int | None:
    """The price that the form showed."""
    typed = form.get("price_minor", "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= 13 else None


async def _done(
    request: web.Request, notice: str, act: Callable[[User, dict[str, str]], Awaitable[None]]
) -> web.Response:
    check_offered(request)
    user = signed_in(request)
    form = await read_form(request)
    try:
        await act(user, form)
    except FORM_ERRORS as error:
        return await _show(request, error)
    return noticed(request, _PAGE, notice)


async def _show(request: web.Request, error: FormError | None) -> web.Response:
    check_offered(request)
    user, now_ms = viewer(request), request.app[CLOCK].wall_ms()
    config = request.app[CONFIG]
    service = request.app[SUBSCRIPTIONS]
    standing = None if user is None else await service.standing(user)
    after = request.query.get("after")
    charges = [] if user is None else await service.charges(user, after=after)
    context = {
        "plans": [choice_view(one, standing, now_ms) for one in await request.app[PLANS].on_sale()],
        "own": None if standing is None else standing_view(standing),
        "wallet": "" if standing is None else money(standing.wallet_minor, config.money.currency),
        "is_premium_by_hand": standing is not None and standing.is_premium_by_hand,
        "channels_max": (
            config.accounts.channels_per_user_max,
            config.accounts.channels_per_premium_user_max,
        ),
        "charges": [charge_view(one) for one in charges],
        "is_first_page": after is None,
        "next_page": (
            charges[-1].id if len(charges) == limits.MEMBERSHIP_CHARGES_LISTED_MAX else ""
        ),
        "key": new_word(20),
        "is_test": not config.money.production,
        "errors": {} if error is None else {"": " ".join(form_errors(error).values())},
    }
    status = 200 if error is None else form_status(error)
    return page(request, "membership.html", context, status=status)


routes = [
    web.get(_PAGE, show),
    web.post(_PAGE, join),
    web.post(_PAGE + "/change", change),
    web.post(_PAGE + "/cancel", cancel),
    web.post(_PAGE + "/resume", resume),
]

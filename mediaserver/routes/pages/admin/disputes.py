"""Disputes at the admin desk: what is open, what to do about it, and opening a wallet again."""

from __future__ import annotations

from typing import get_args

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.kernel import limits
from mediaserver.money.currencies import money
from mediaserver.money.dispute_rows import State
from mediaserver.routes.forms import FORM_ERRORS, FormError
from mediaserver.routes.keys import DISPUTES, PAYMENT_VIEWS
from mediaserver.routes.money_view import money_there
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin

_PAGE = "/admin/disputes"


async def show_list(request: web.Request) -> web.Response:
    config = money_there(request)
    await admin(request, Action.DECIDE_PAYMENT)
    asked = request.query.get("state", "open")
    state: State = next((one for one in get_args(State) if one == asked), "open")
    found = await request.app[DISPUTES].page((state,), after=request.query.get("after"))
    is_full = len(found) == limits.DISPUTES_LISTED_MAX
    context = {
        "state": state,
        "disputes": found,
        "money": money,
        "next": found[-1].id if is_full else None,
        "is_test_money": not config.production,
    }
    return await admin_page(request, "disputes", context)


async def show_one(request: web.Request) -> web.Response:
    money_there(request)
    await admin(request, Action.DECIDE_PAYMENT)
    return await _one(request)


async def unfreeze(request: web.Request) -> web.Response:
    money_there(request)
    path = f"{_PAGE}/{request.match_info['id']}"
    actor = await confirmed_admin(request, Action.DECIDE_PAYMENT, path)
    try:
        await request.app[DISPUTES].unfreeze(actor, request.match_info["id"])
    except FORM_ERRORS as error:
        return await _one(request, error)
    return noticed(request, path, "wallet-unfrozen")


async def _one(request: web.Request, error: FormError | None = None) -> web.Response:
    found = await request.app[DISPUTES].get(request.match_info["id"])
    context = {
        "case": found,
        "one": found.dispute,
        "paid": found.paid,
        "payer": (await request.app[PAYMENT_VIEWS].of_any(found.paid.id)).payer,
        "money": money,
        "is_test_money": not money_there(request).production,
    }
    return await admin_page(request, "disputes", context, template="dispute", error=error)


routes = [
    web.get(_PAGE, show_list),
    web.get(_PAGE + "/{id}", show_one),
    web.post(_PAGE + "/{id}/unfreeze", unfreeze),
]

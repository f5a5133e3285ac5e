"""Plans of membership: new ones, prices, what is sold, who has them and what they bring."""

from __future__ import annotations

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.kernel import limits
from mediaserver.memberships.plans import Wanted
from mediaserver.money.currencies import currency_of, parsed_amount
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import CONFIG, PLANS, SUBSCRIPTIONS
from mediaserver.routes.membership_view import STATES, check_offered, selling_view
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import (
    acting_admin,
    admin,
    admin_page,
    confirmed_admin,
)

_PAGE = "/admin/plans"


async def show_plans(request: web.Request) -> web.Response:
    return await _plans(request)


async def make_plan(request: web.Request) -> web.Response:
    check_offered(request)
    actor = await confirmed_admin(request, Action.CHANGE_PLANS, _PAGE)
    form = await read_form(request)
    try:
        await request.app[PLANS].make(
            actor,
            form.get("name", ""),
            form.get("description", ""),
            _price(request, form),
            form.get("period", ""),
        )
    except FORM_ERRORS as error:
        return await _plans(request, "new", form, error)
    return noticed(request, _PAGE, "plan-made")


async def change_plan(request: web.Request) -> web.Response:
    check_offered(request)
    plan_id = request.match_info["id"]
    actor = await confirmed_admin(request, Action.CHANGE_PLANS, _PAGE)
    form = await read_form(request)
    try:
        wanted = Wanted(
            form.get("name"),
            form.get("description"),
            _price(request, form) if "price_minor" in form else None,
            form.get("state"),
        )
        await request.app[PLANS].change(actor, plan_id, wanted)
    except FORM_ERRORS as error:
        return await _plans(request, plan_id, form, error)
    return noticed(request, _PAGE, "saved")


async def move_plan(request: web.Request) -> web.Response:
    check_offered(request)
    actor = await acting_admin(request, Action.CHANGE_PLANS)
    form = await read_form(request)
    steps = {"up": -1, "down": 1}.get(form.get("to", ""), 0)
    await request.app[PLANS].move(actor, request.match_info["id"], steps)
    return noticed(request, _PAGE, "saved")


def _price(request: web.Request, form: dict[str, str]) -> int:
    currency = currency_of(request.app[CONFIG].money.currency)
    return parsed_amount(form.get("price_minor", ""), currency, "price_minor")


async def _plans(
    request: web.Request,
    failed: str = "",
    form: dict[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    check_offered(request)
    await admin(request, Action.CHANGE_PLANS)
    config = request.app[CONFIG].money
    context = {
        "plans": [selling_view(one) for one in await request.app[SUBSCRIPTIONS].selling()],
        "currency": config.currency,
        "is_test": not config.production,
        "states": [(value, label) for value, label in STATES.items() if value != "withdrawn"],
        "name_chars_max": limits.PLAN_NAME_CHARS_MAX,
        "description_chars_max": limits.PLAN_DESCRIPTION_CHARS_MAX,
        "notice_days": limits.MEMBERSHIP_PRICE_NOTICE_MS // limits.DAY_MS,
        "failed": failed,
    }
    return await admin_page(request, "plans", context, form=form, error=error)


routes = [
    web.get(_PAGE, show_plans),
    web.post(_PAGE, make_plan),
    web.post(_PAGE + "/{id}", change_plan),
    web.post(_PAGE + "/{id}/move", move_plan),
]

"""Payouts at the admin desk: who waits, where the money goes, and the decision."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.kernel import limits
from mediaserver.kernel.audit import Actor
from mediaserver.money.currencies import money
from mediaserver.money.payout_accounts import BankDetails
from mediaserver.money.payout_rows import OPEN, STATES
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import PAYOUT_DESK
from mediaserver.routes.money_view import money_there
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin

_PAGE = "/admin/payouts"


async def show_queue(request: web.Request) -> web.Response:
    config = money_there(request)
    await admin(request, Action.DECIDE_PAYOUT)
    shown = "decided" if request.query.get("show") == "decided" else "open"
    states = OPEN if shown == "open" else tuple(one for one in STATES if one not in OPEN)
    found = await request.app[PAYOUT_DESK].page(states, after=request.query.get("after"))
    is_full = len(found) == limits.PAYOUTS_LISTED_MAX
    context = {
        "shown": shown,
        "payouts": found,
        "money": money,
        "next": found[-1].id if is_full else None,
        "is_test_money": not config.production,
    }
    return await admin_page(request, "payouts", context)


async def show_one(request: web.Request) -> web.Response:
    money_there(request)
    await admin(request, Action.DECIDE_PAYOUT)
    return await _one(request)


async def reveal(request: web.Request) -> web.Response:
    actor = await _decider(request)
    details = await request.app[PAYOUT_DESK].reveal(actor, request.match_info["id"])
    return await _one(request, details=details)


async def approve(request: web.Request) -> web.Response:
    actor = await _decider(request)
    form = await read_form(request)
    try:
        made = await request.app[PAYOUT_DESK].approve(
            actor, request.match_info["id"], form.get("bank_reference", "")
        )
    except FORM_ERRORS as error:
        return await _one(request, form, error)
    notice = "payout-paid" if made.state == "paid" else "payout-approved"
    return noticed(request, f"{_PAGE}/{made.id}", notice)


async def reject(request: web.Request) -> web.Response:
    actor = await _decider(request)
    form = await read_form(request)
    try:
        made = await request.app[PAYOUT_DESK].reject(
            actor, request.match_info["id"], form.get("reason", "")
        )
    except FORM_ERRORS as error:
        return await _one(request, form, error)
    return noticed(request, f"{_PAGE}/{made.id}", "payout-rejected")


async def fail(request: web.Request) -> web.Response:
    actor = await _decider(request)
    form = await read_form(request)
    try:
        made = await request.app[PAYOUT_DESK].fail(
            actor, request.match_info["id"], form.get("reason", "")
        )
    except FORM_ERRORS as error:
        return await _one(request, form, error)
    return noticed(request, f"{_PAGE}/{made.id}", "payout-failed")


async def _decider(request: web.Request) -> Actor:
    money_there(request)
    back = f"{_PAGE}/{request.match_info['id']}"
    return await confirmed_admin(request, Action.DECIDE_PAYOUT, back)


async def _one(
    request: web.Request,
    form: Mapping[str, str] | None = None,
    error: FormError | None = None,
    details: BankDetails | None = None,
) -> web.Response:
    user = await admin(request, Action.DECIDE_PAYOUT)
    found = await request.app[PAYOUT_DESK].get(request.match_info["id"])
    context = {
        "case": found,
        "one": found.payout,
        "amount": money(found.payout.amount_minor, found.payout.currency),
        "details": details,
        "is_first": found.needs_two and found.payout.approved_by is None,
        "is_own_approval": found.payout.approved_by == user.id,
        "is_test_money": not money_there(request).production,
    }
    return await admin_page(request, "payouts", context, template="payout", form=form, error=error)


routes = [
    web.get(_PAGE, show_queue),
    web.get(_PAGE + "/{id}", show_one),
    web.post(_PAGE + "/{id}/reveal", reveal),
    web.post(_PAGE + "/{id}/approve", approve),
    web.post(_PAGE + "/{id}/reject", reject),
    web.post(_PAGE + "/{id}/fail", fail),
]

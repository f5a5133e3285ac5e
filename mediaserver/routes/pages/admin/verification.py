"""Verification at the admin desk: who waits, one request with its documents, the decision."""

from __future__ import annotations

import dataclasses
from typing import Any

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.channels.verifications import State, Verification
from mediaserver.kernel import limits
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import CONFIG, VERIFICATIONS
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin

_PAGE = "/admin/verification"
_STATES: dict[str, tuple[State, ...]] = {
    "waiting": ("submitted",),
    "decided": ("approved", "rejected"),
}


async def show_queue(request: web.Request) -> web.Response:
    await admin(request, Action.DECIDE_VERIFICATION)
    shown = request.query.get("show", "waiting")
    shown = shown if shown in _STATES else "waiting"
    found = await request.app[VERIFICATIONS].page(_STATES[shown], after=request.query.get("after"))
    is_full = len(found) == limits.VERIFICATIONS_LISTED_MAX
    context = {
        "shown": shown,
        "cases": [case_view(one) for one in found],
        "next": found[-1].id if is_full else None,
    }
    return await admin_page(request, "verification", context)


async def show_case(request: web.Request) -> web.Response:
    await admin(request, Action.DECIDE_VERIFICATION)
    return await _case(request)


async def approve(request: web.Request) -> web.Response:
    case_id = request.match_info["id"]
    actor = await confirmed_admin(request, Action.DECIDE_VERIFICATION, f"{_PAGE}/{case_id}")
    try:
        await request.app[VERIFICATIONS].approve(actor, case_id)
    except FORM_ERRORS as error:
        return await _case(request, error=error)
    return noticed(request, _PAGE, "verification-approved")


async def reject(request: web.Request) -> web.Response:
    case_id = request.match_info["id"]
    actor = await confirmed_admin(request, Action.DECIDE_VERIFICATION, f"{_PAGE}/{case_id}")
    form = await read_form(request)
    try:
        await request.app[VERIFICATIONS].reject(actor, case_id, form.get("reason", ""))
    except FORM_ERRORS as error:
        return await _case(request, form, error)
    return noticed(request, _PAGE, "verification-rejected")


async def withdraw(request: web.Request) -> web.Response:
    case_id = request.match_info["id"]
    actor = await confirmed_admin(request, Action.DECIDE_VERIFICATION, f"{_PAGE}/{case_id}")
    form = await read_form(request)
    try:
        await request.app[VERIFICATIONS].withdraw(actor, case_id, form.get("reason", ""))
    except FORM_ERRORS as error:
        return await _case(request, form, error)
    return noticed(request, f"{_PAGE}?show=decided", "verification-withdrawn")


def case_view(found: Verification) -> dict[str, Any]:
    """What templates show of a request."""
    return dataclasses.asdict(found)


async def _case(
    request: web.Request,
    form: dict[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    found = await request.app[VERIFICATIONS].get(request.match_info["id"])
    context = {
        "case": case_view(found),
        "keep_days": request.app[CONFIG].accounts.documents_keep_days,
        "reason_chars_max": limits.VERIFICATION_REASON_CHARS_MAX,
    }
    return await admin_page(
        request,
        "verification",
        context,
        template="verification_case",
        form=form,
        error=error,
    )


routes = [
    web.get(_PAGE, show_queue),
    web.get(f"{_PAGE}/{{id}}", show_case),
    web.post(f"{_PAGE}/{{id}}/approve", approve),
    web.post(f"{_PAGE}/{{id}}/reject", reject),
    web.post(f"{_PAGE}/{{id}}/withdraw", withdraw),
]

"""Appeals at the admin desk: those that wait, and one with the ban that it is against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import APPEALS, SANCTIONS
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin
from mediaserver.routes.trust_view import appeal_view, standing_view
from mediaserver.trust.appeals import State

_PAGE = "/admin/reports/appeals"
_LABELS = {"open": "Open", "accepted": "Accepted", "refused": "Refused"}


async def show_list(request: web.Request) -> web.Response:
    await admin(request, Action.DECIDE_REPORT)
    asked = request.query.get("state", "open")
    state: State | None = next((one for one in get_args(State) if one == asked), None)
    found = await request.app[APPEALS].page(state, after=request.query.get("after"))
    return await admin_page(
        request,
        "reports",
        {
            "appeals": [appeal_view(one) for one in found],
            "state": state or "all",
            "states": [*_LABELS.items(), ("all", "All")],
            "more": found[-1].id if len(found) == limits.APPEALS_LISTED_MAX else None,
        },
        template="appeals",
    )


async def show_one(request: web.Request) -> web.Response:
    await admin(request, Action.DECIDE_REPORT)
    return await _one(request, {}, None)


async def decide(request: web.Request) -> web.Response:
    appeal_id = request.match_info["id"]
    actor = await confirmed_admin(request, Action.SANCTION, f"{_PAGE}/{appeal_id}")
    form = await read_form(request)
    try:
        if form.get("decision") not in ("accept", "refuse"):
            raise Invalid("Choose what to do.", field="decision")
        await request.app[APPEALS].decide(
            actor,
            appeal_id,
            is_accepted=form["decision"] == "accept",
            answer=form.get("answer", ""),
        )
    except FORM_ERRORS as error:
        return await _one(request, form, error)
    return noticed(request, f"{_PAGE}/{appeal_id}", "appeal-decided")


async def _one(
    request: web.Request, form: Mapping[str, str], error: FormError | None
) -> web.Response:
    appeal = await request.app[APPEALS].get(request.match_info["id"])
    standing = await request.app[SANCTIONS].standing(appeal.username)
    context = {"appeal": appeal_view(appeal), "standing": standing_view(standing)}
    return await admin_page(request, "reports", context, template="appeal", form=form, error=error)


routes = [
    web.get(_PAGE, show_list),
    web.get(_PAGE + "/{id}", show_one),
    web.post(_PAGE + "/{id}/decide", decide),
]

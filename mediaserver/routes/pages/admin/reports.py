"""Reports at the admin desk: the queue, one case with its evidence, the decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.errors import Forbidden, Invalid
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import APPEALS, CASES
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin
from mediaserver.routes.trust_view import LENGTHS, STATES, ban_view, report_view, warning_view
from mediaserver.trust.cases import Case, Decision, Outcome
from mediaserver.trust.reasons import CHOICES
from mediaserver.trust.reports import State
from mediaserver.trust.targets import Kind

_PAGE = "/admin/reports"
_STATES: tuple[State, ...] = get_args(State)


async def queue(request: web.Request) -> web.Response:
    await admin(request, Action.DECIDE_REPORT)
    state = next((one for one in _STATES if one == request.query.get("state", "new")), None)
    kind = next((one for one in Kind if one == request.query.get("kind")), None)
    cases = request.app[CASES]
    found = await cases.page(state, kind, after=request.query.get("after"))
    return await admin_page(
        request,
        "reports",
        {
            "reports": [report_view(one) for one in found],
            "state": state or "all",
            "kind": "" if kind is None else str(kind),
            "kinds": [(str(one), one.label) for one in Kind],
            "states": [*STATES.items(), ("all", "All")],
            "counts": await cases.counts(),
            "open_appeals": await request.app[APPEALS].count_open(),
            "more": found[-1].id if len(found) == limits.REPORTS_LISTED_MAX else None,
        },
    )


async def show_case(request: web.Request) -> web.Response:
    user = await admin(request, Action.DECIDE_REPORT)
    return await _case(request, user, {}, None)


async def picture(request: web.Request) -> web.Response:
    await admin(request, Action.DECIDE_REPORT)
    data = await request.app[CASES].picture(request.match_info["id"])
    media_type = "image/webp" if data.startswith(b"RIFF") else "image/jpeg"
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=data, content_type=media_type, headers=headers)


async def take(request: web.Request) -> web.Response:
    user = await admin(request, Action.DECIDE_REPORT)
    return await _move(request, user, "report-taken", takes=True)


async def put_back(request: web.Request) -> web.Response:
    user = await admin(request, Action.DECIDE_REPORT)
    return await _move(request, user, "report-put-back", takes=False)


async def decide(request: web.Request) -> web.Response:
    report_id = request.match_info["id"]
    actor = await confirmed_admin(request, Action.DECIDE_REPORT, f"{_PAGE}/{report_id}")
    form = await read_form(request)
    try:
        decision = Decision(
            outcome=form.get("outcome", ""),
            answer=form.get("answer", ""),
            reason=form.get("reason", ""),
            text=form.get("text", ""),
            days=days_in(form),
        )
        await request.app[CASES].decide(actor, report_id, decision)
    except FORM_ERRORS as error:
        return await _case(request, await admin(request), form, error)
    except Forbidden as error:
        return await _case(request, await admin(request), form, Invalid(error.message))
    return noticed(request, f"{_PAGE}/{report_id}", "report-decided")


def days_in(form: Mapping[str, str]) -> int | None:
    """The length that was chosen; None for ever. Raises `Invalid`."""
    days = form.get("days", "")
    if days not in dict(LENGTHS):
        raise Invalid("Choose one of the list.", field="days")
    return int(days) if days else None


async def _move(request: web.Request, user: User, notice: str, *, takes: bool) -> web.Response:
    report_id = request.match_info["id"]
    actor = Actor(user.id, user.username, request.remote)
    cases = request.app[CASES]
    try:
        await (cases.take if takes else cases.put_back)(actor, report_id)
    except FORM_ERRORS as error:
        return await _case(request, user, {}, error)
    return noticed(request, f"{_PAGE}/{report_id}", notice)


async def _case(
    request: web.Request, user: User, form: Mapping[str, str], error: FormError | None
) -> web.Response:
    case = await request.app[CASES].case(request.match_info["id"])
    return await admin_page(
        request,
        "reports",
        {
            **_case_view(case),
            "is_mine": case.report.assignee_id == user.id,
            "outcomes": [(str(one), one.label) for one in Outcome],
            "reasons": CHOICES,
            "lengths": LENGTHS,
        },
        template="report",
        form=form,
        error=error,
    )


def _case_view(case: Case) -> dict[str, Any]:
    kept = case.evidence
    return {
        "report": report_view(case.report),
        "channel": case.channel,
        "is_on_air": case.is_on_air,
        "evidence": None
        if kept is None
        else {
            "facts": list(kept.facts.items()),
            "chat": kept.chat,
            "has_picture": kept.has_picture,
            "delete_at_ms": kept.delete_at_ms,
        },
        "alike": [report_view(one) for one in case.alike],
        "earlier": [report_view(one) for one in case.earlier],
        "warnings": [warning_view(one) for one in case.warnings],
        "bans": [ban_view(one) for one in case.bans],
    }


routes = [
    web.get(_PAGE, queue),
    web.get(_PAGE + "/{id}", show_case),
    web.get(_PAGE + "/{id}/picture", picture),
    web.post(_PAGE + "/{id}/take", take),
    web.post(_PAGE + "/{id}/put-back", put_back),
    web.post(_PAGE + "/{id}/decide", decide),
]

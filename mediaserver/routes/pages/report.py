"""Reporting something: the form that asks what is wrong, and what came of one's reports."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.routes.forms import FORM_ERRORS, FormError, form_again, read_form
from mediaserver.routes.keys import REPORTS
from mediaserver.routes.page import local_path, noticed, page, signed_in
from mediaserver.routes.pages.settings.frame import settings_page
from mediaserver.routes.trust_view import own_report_view
from mediaserver.trust.reasons import CHOICES
from mediaserver.trust.targets import Target

_SHOWN = ("kind", "id", "reason", "text")


async def ask(request: web.Request) -> web.Response:
    """What is reported stands behind the ?, so that the form has an address of its own."""
    user = signed_in(request)
    kind, target_id = request.query.get("kind", ""), request.query.get("id", "")
    target = await request.app[REPORTS].target(user, kind, target_id)
    form = {"kind": kind, "id": target_id, "reason": "", "text": ""}
    return page(request, "report.html", {"form": form, "errors": {}, **_about(target)})


async def take(request: web.Request) -> web.Response:
    user = signed_in(request)
    form = await read_form(request)
    reports = request.app[REPORTS]
    kind, target_id = form.get("kind", ""), form.get("id", "")
    target = await reports.target(user, kind, target_id)
    try:
        await reports.make(user, kind, target_id, form.get("reason", ""), form.get("text", ""))
    except FORM_ERRORS as error:
        return _again(request, form, error, target)
    return noticed(request, local_path(target.path), "reported")


async def mine(request: web.Request) -> web.Response:
    user = signed_in(request)
    found = await request.app[REPORTS].mine(user, after=request.query.get("after"))
    more = found[-1].id if len(found) == limits.REPORTS_LISTED_MAX else None
    context = {"reports": [own_report_view(one) for one in found], "more": more}
    return await settings_page(request, "reports", context)


def _again(
    request: web.Request, form: dict[str, str], error: FormError, target: Target
) -> web.Response:
    return form_again(request, "report.html", form, _SHOWN, error, _about(target))


def _about(target: Target) -> dict[str, Any]:
    return {
        "target": target.name,
        "kind_label": target.kind.label.lower(),
        "line": None if target.line is None else target.line.text,
        "back": target.path,
        "reasons": CHOICES,
    }


routes = [web.get("/report", ask), web.post("/report", take), web.get("/settings/reports", mine)]

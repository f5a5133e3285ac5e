"""What admins have told somebody: why they are banned and until when, their appeal, warnings."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.routes.errors import problem_of
from mediaserver.routes.forms import FORM_ERRORS, FormError, form_errors, read_form
from mediaserver.routes.keys import APPEALS, SANCTIONS
from mediaserver.routes.page import noticed, page, signed_in
from mediaserver.routes.trust_view import appeal_view, standing_view

_PAGE = "/appeal"


async def show(request: web.Request) -> web.Response:
    return await _show(request, {}, None)


async def send(request: web.Request) -> web.Response:
    user = signed_in(request)
    form = await read_form(request)
    try:
        await request.app[APPEALS].make(user, form.get("ban", ""), form.get("text", ""))
    except FORM_ERRORS as error:
        return await _show(request, form, error)
    return noticed(request, _PAGE, "appealed")


async def _show(
    request: web.Request, form: Mapping[str, str], error: FormError | None
) -> web.Response:
    user = signed_in(request)
    standing = await request.app[SANCTIONS].own(user)
    appeals = request.app[APPEALS]
    appeal = None if standing.ban is None else await appeals.against(standing.ban.id)
    context = {
        "standing": standing_view(standing),
        "appeal": None if appeal is None else appeal_view(appeal),
        "chars_max": limits.APPEAL_TEXT_CHARS_MAX,
        "form": {"text": form.get("text", "")},
        "errors": {} if error is None else form_errors(error),
    }
    status = 200 if error is None else problem_of(error).status
    return page(request, "appeal.html", context, status=status)


routes = [web.get(_PAGE, show), web.post(_PAGE, send)]

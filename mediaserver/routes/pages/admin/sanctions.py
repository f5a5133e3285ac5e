"""Warnings and bans of one person at the admin desk."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.kernel.errors import Forbidden, Invalid
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import SANCTIONS
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin
from mediaserver.routes.pages.admin.reports import days_in
from mediaserver.routes.trust_view import LENGTHS, standing_view
from mediaserver.trust.reasons import CHOICES

_PAGE = "/admin/users/{username}/sanctions"


async def show(request: web.Request) -> web.Response:
    await admin(request, Action.SANCTION)
    return await _show(request, {}, None)


async def give(request: web.Request) -> web.Response:
    """One form for all that can be done: `do` is warn, ban, change or lift."""
    username = request.match_info["username"]
    back = _PAGE.replace("{username}", username)
    actor = await confirmed_admin(request, Action.SANCTION, back)
    form = await read_form(request)
    sanctions = request.app[SANCTIONS]
    reason, text = form.get("reason", ""), form.get("text", "")
    try:
        match form.get("do"):
            case "warn":
                warned = await sanctions.warn(actor, username, reason, text)
                notice = "warned" if warned.ban is None else "warned-and-banned"
            case "ban":
                await sanctions.ban(actor, username, reason, text, days_in(form))
                notice = "banned"
            case "change":
                await sanctions.change_end(actor, form.get("ban", ""), days_in(form))
                notice = "saved"
            case "lift":
                await sanctions.lift(actor, form.get("ban", ""))
                notice = "unbanned"
            case _:
                raise Invalid("Choose what to do.", field="do")
    except FORM_ERRORS as error:
        return await _show(request, form, error)
    except Forbidden as error:
        return await _show(request, form, Invalid(error.message))
    return noticed(request, back, notice)


async def _show(
    request: web.Request, form: Mapping[str, str], error: FormError | None
) -> web.Response:
    standing = await request.app[SANCTIONS].standing(request.match_info["username"])
    return await admin_page(
        request,
        "users",
        {"standing": standing_view(standing), "reasons": CHOICES, "lengths": LENGTHS},
        template="sanctions",
        form=form,
        error=error,
    )


routes = [web.get(_PAGE, show), web.post(_PAGE, give)]

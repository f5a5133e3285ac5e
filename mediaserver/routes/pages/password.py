"""A forgotten password: the address, then the mailed code with a new password."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from mediaserver.kernel.ids import is_id
from mediaserver.routes.cookies import FORGOTTEN
from mediaserver.routes.forms import FORM_ERRORS, FormError, form_again, read_form
from mediaserver.routes.keys import ACCOUNTS, CONFIG
from mediaserver.routes.page import noticed, page, redirect, see_other


async def forgotten_page(request: web.Request) -> web.Response:
    return page(request, "password.html", {"form": {}, "errors": {}})


async def forgotten(request: web.Request) -> web.Response:
    form = await read_form(request)
    try:
        sent = await request.app[ACCOUNTS].credentials.forget_password(
            form.get("email", ""), address=request.remote or ""
        )
    except FORM_ERRORS as error:
        return form_again(request, "password.html", form, ("email",), error, {})
    response = see_other("/password/new")
    FORGOTTEN.leave(request, response, sent.handle, "/login")
    return response


async def reset_page(request: web.Request) -> web.Response:
    handle = request.query.get("handle", "")
    if is_id(handle, "otc"):  # a link in a mail that an admin had sent
        response = see_other("/password/new")
        FORGOTTEN.leave(request, response, handle, "/login")
        return response
    if not FORGOTTEN.value(request):
        redirect("/password")
    return _reset_form(request, {})


async def reset(request: web.Request) -> web.Response:
    form = await read_form(request)
    try:
        await request.app[ACCOUNTS].credentials.reset_password(
            FORGOTTEN.value(request),
            form.get("code", ""),
            form.get("password", ""),
            address=request.remote or "",
        )
    except FORM_ERRORS as error:
        return _reset_form(request, form, error)
    response = noticed(request, "/login", "password-changed")
    FORGOTTEN.clear(request, response)
    return response


def _reset_form(
    request: web.Request, form: Mapping[str, str], error: FormError | None = None
) -> web.Response:
    """The code stays where the password alone is refused."""
    context = {"keeps_mail": not request.app[CONFIG].mail.smtp_host}
    if error is None:
        return page(request, "password_new.html", {"form": {}, "errors": {}, **context})
    shown = ("code",) if getattr(error, "field", None) == "password" else ()
    return form_again(request, "password_new.html", form, shown, error, context)


routes = [
    web.get("/password", forgotten_page),
    web.post("/password", forgotten),
    web.get("/password/new", reset_page),
    web.post("/password/new", reset),
]

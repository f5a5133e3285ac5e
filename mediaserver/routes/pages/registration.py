"""Register: name, address and password, then the code that was mailed."""

from __future__ import annotations

from aiohttp import web

from mediaserver.kernel.errors import Invalid
from mediaserver.routes.cookies import REGISTRATION
from mediaserver.routes.forms import FORM_ERRORS, FormError, form_again, read_form
from mediaserver.routes.keys import ACCOUNTS, CONFIG
from mediaserver.routes.page import local_path, noticed, page, redirect, see_other, viewer
from mediaserver.routes.pages.login import logged_in


async def register_page(request: web.Request) -> web.Response:
    target = local_path(request.query.get("next", ""))
    if viewer(request) is not None:
        redirect(target)
    context = {"form": {}, "errors": {}, "next": target, "closed": _is_closed(request)}
    return page(request, "register.html", context)


async def register(request: web.Request) -> web.Response:
    form = await read_form(request)
    target = local_path(form.get("next", ""))
    try:
        made = await request.app[ACCOUNTS].registrations.begin(
            form.get("username", ""),
            form.get("email", ""),
            form.get("password", ""),
            address=request.remote or "",
            replaces=REGISTRATION.value(request),
        )
    except FORM_ERRORS as error:
        more = {"next": target, "closed": _is_closed(request)}
        return form_again(request, "register.html", form, ("username", "email"), error, more)
    response = see_other("/register/code")
    REGISTRATION.leave(request, response, made.handle, target)
    return response


async def code_page(request: web.Request) -> web.Response:
    return await _code_form(request)


async def code(request: web.Request) -> web.Response:
    form = await read_form(request)
    try:
        user = await request.app[ACCOUNTS].registrations.confirm(
            REGISTRATION.value(request), form.get("code", ""), address=request.remote or ""
        )
    except FORM_ERRORS as error:
        return await _code_form(request, error)
    response = await logged_in(request, user, REGISTRATION.target(request))
    REGISTRATION.clear(request, response)
    return response


async def resend(request: web.Request) -> web.Response:
    try:
        made = await request.app[ACCOUNTS].registrations.resend(
            REGISTRATION.value(request), address=request.remote or ""
        )
    except FORM_ERRORS as error:
        return await _code_form(request, error)
    response = noticed(request, "/register/code", "code-sent")
    REGISTRATION.leave(request, response, made.handle, REGISTRATION.target(request))
    return response


async def _code_form(request: web.Request, error: FormError | None = None) -> web.Response:
    email = await request.app[ACCOUNTS].registrations.email_of(REGISTRATION.value(request))
    if email is None:
        redirect("/register")
    context = {"email": email, "keeps_mail": not request.app[CONFIG].mail.smtp_host}
    if error is None:
        return page(request, "register_code.html", {"form": {}, "errors": {}, **context})
    if isinstance(error, Invalid) and error.code == "registration_over":
        redirect("/register")
    return form_again(request, "register_code.html", {}, (), error, context)


def _is_closed(request: web.Request) -> bool:
    return request.app[CONFIG].accounts.registration == "closed"


routes = [
    web.get("/register", register_page),
    web.post("/register", register),
    web.get("/register/code", code_page),
    web.post("/register/code", code),
    web.post("/register/code/resend", resend),
]

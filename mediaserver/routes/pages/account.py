"""Log in, register, log out, and the choice of dark or light."""

from __future__ import annotations

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Unauthorized
from mediaserver.routes.cookies import (
    clear_session_cookie,
    end_session,
    set_session_cookie,
    start_session,
)
from mediaserver.routes.errors import problem_of
from mediaserver.routes.keys import CONFIG, USERS
from mediaserver.routes.page import (
    FORM_ERRORS,
    FormError,
    form_errors,
    local_path,
    noticed,
    page,
    read_form,
    redirect,
    see_other,
    viewer,
)
from mediaserver.routes.render import THEMES


async def login_page(request: web.Request) -> web.Response:
    target = local_path(request.query.get("next", ""))
    if viewer(request) is not None:
        redirect(target)
    return page(request, "login.html", {"form": {}, "errors": {}, "next": target})


async def login(request: web.Request) -> web.Response:
    form = await read_form(request)
    target = local_path(form.get("next", ""))
    try:
        user = await request.app[USERS].log_in(
            form.get("username", ""), form.get("password", ""), address=request.remote or ""
        )
    except FORM_ERRORS as error:
        return _again(request, "login.html", form, error, {"next": target})
    response = see_other(target)
    set_session_cookie(request, response, await start_session(request, user))
    return response


async def register_page(request: web.Request) -> web.Response:
    target = local_path(request.query.get("next", ""), "/studio")
    if viewer(request) is not None:
        redirect(target)
    return page(
        request,
        "register.html",
        {"form": {}, "errors": {}, "next": target, "closed": _is_closed(request)},
    )


async def register(request: web.Request) -> web.Response:
    form = await read_form(request)
    target = local_path(form.get("next", ""), "/studio")
    try:
        user = await request.app[USERS].register(
            form.get("username", ""),
            form.get("email", ""),
            form.get("password", ""),
            address=request.remote or "",
        )
    except FORM_ERRORS as error:
        more = {"next": target, "closed": _is_closed(request)}
        return _again(request, "register.html", form, error, more)
    response = see_other(target)
    set_session_cookie(request, response, await start_session(request, user))
    return response


async def logout(request: web.Request) -> web.Response:
    await end_session(request)
    response = noticed(request, "/", "logged-out")
    clear_session_cookie(request, response)
    return response


async def choose_theme(request: web.Request) -> web.Response:
    form = await read_form(request)
    response = see_other(local_path(form.get("next", "")))
    chosen = form.get("theme", "")
    if chosen in THEMES:
        response.set_cookie(
            "theme",
            chosen,
            max_age=limits.THEME_MAX_AGE_S,
            path="/",
            secure=request.secure,
            httponly=True,
            samesite="Lax",
        )
    return response


def _again(
    request: web.Request,
    template: str,
    form: dict[str, str],
    error: FormError,
    more: dict[str, object],
) -> web.Response:
    """The form as it was typed, without the password, and what is wrong with it."""
    problem = problem_of(error)
    shown = {name: form.get(name, "") for name in ("username", "email")}
    response = page(
        request,
        template,
        {"form": shown, "errors": form_errors(error), **more},
        status=422 if isinstance(error, Unauthorized) else problem.status,
    )
    if "Retry-After" in problem.headers:
        response.headers["Retry-After"] = problem.headers["Retry-After"]
    return response


def _is_closed(request: web.Request) -> bool:
    return request.app[CONFIG].accounts.registration == "closed"


routes = [
    web.get("/login", login_page),
    web.post("/login", login),
    web.get("/register", register_page),
    web.post("/register", register),
    web.post("/logout", logout),
    web.post("/theme", choose_theme),
]

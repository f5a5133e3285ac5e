"""Log in, in one step or two; log out; confirm once more that it is you."""

from __future__ import annotations

from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Unauthorized
from mediaserver.routes.cookies import (
    FIRST_STEP,
    log_out,
    set_session_cookie,
    start_session,
)
from mediaserver.routes.errors import problem_of
from mediaserver.routes.forms import FORM_ERRORS, form_again, read_form
from mediaserver.routes.keys import ACCOUNTS, HELD_FORMS, SESSION
from mediaserver.routes.page import (
    local_path,
    noticed,
    page,
    redirect,
    see_other,
    signed_in,
    viewer,
)


async def login_page(request: web.Request) -> web.Response:
    target = local_path(request.query.get("next", ""))
    if viewer(request) is not None:
        redirect(target)
    form = {"username": request.query.get("username", "")[: limits.EMAIL_CHARS_MAX]}
    return page(request, "login.html", {"form": form, "errors": {}, "next": target})


async def login(request: web.Request) -> web.Response:
    form = await read_form(request)
    target = local_path(form.get("next", ""))
    accounts = request.app[ACCOUNTS]
    try:
        user = await accounts.users.log_in(
            form.get("username", ""), form.get("password", ""), address=request.remote or ""
        )
    except FORM_ERRORS as error:
        return form_again(request, "login.html", form, ("username",), error, {"next": target})
    if (await accounts.second_factor.standing(user)).is_on:
        response = see_other("/login/code")
        FIRST_STEP.leave(request, response, accounts.tokens.issue_first_step(user), target)
        return response
    return await logged_in(request, user, target)


async def code_page(request: web.Request) -> web.Response:
    if await _user_of_first_step(request) is None:
        redirect("/login")
    return page(request, "login_code.html", {"form": {}, "errors": {}})


async def code(request: web.Request) -> web.Response:
    form = await read_form(request)
    user = await _user_of_first_step(request)
    if user is None:
        redirect("/login")
    try:
        await request.app[ACCOUNTS].second_factor.check(user, form.get("code", ""))
    except FORM_ERRORS as error:
        return form_again(request, "login_code.html", form, (), error, {})
    response = await logged_in(request, user, FIRST_STEP.target(request))
    FIRST_STEP.clear(request, response)
    return response


async def logout(request: web.Request) -> web.Response:
    response = noticed(request, "/", "logged-out")
    await log_out(request, response)
    return response


async def confirm_page(request: web.Request) -> web.Response:
    return await _confirm_form(request, local_path(request.query.get("next", ""), "/settings"))


async def confirm(request: web.Request) -> web.Response:
    user = signed_in(request)
    form = await read_form(request)
    target = local_path(form.get("next", ""), "/settings")
    accounts = request.app[ACCOUNTS]
    opened = request[SESSION]
    assert opened is not None
    try:
        if (await accounts.second_factor.standing(user)).is_on:
            await accounts.second_factor.check(user, form.get("code", ""), log_in=opened.id)
        else:
            await accounts.credentials.confirm_password(
                user,
                form.get("password", ""),
                log_in=opened.id,
                address=request.remote or "",
            )
    except FORM_ERRORS as error:
        field = "password" if "password" in form else "code"
        if isinstance(error, Unauthorized):
            return await _confirm_form(request, target, {field: error.message}, 422)
        return await _confirm_form(request, target, {"": error.message}, problem_of(error).status)
    held = request.app[HELD_FORMS].take(opened.id, target)
    response = (
        see_other(target) if held is None else page(request, "confirmed.html", {"held": held})
    )
    set_session_cookie(request, response, await accounts.sessions.confirm(opened))
    return response


async def _confirm_form(
    request: web.Request, target: str, errors: dict[str, str] | None = None, status: int = 200
) -> web.Response:
    user = signed_in(request)
    has_app = (await request.app[ACCOUNTS].second_factor.standing(user)).is_on
    opened = request[SESSION]
    is_kept = opened is not None and request.app[HELD_FORMS].waits(opened.id, target)
    context = {
        "form": {},
        "errors": errors or {},
        "next": target,
        "has_app": has_app,
        "is_kept": is_kept,
    }
    return page(request, "confirm.html", context, status=status)


async def logged_in(request: web.Request, user: User, target: str) -> web.Response:
    """Send somebody who has shown who they are on, with a fresh session."""
    response = see_other(target)
    set_session_cookie(request, response, await start_session(request, user))
    return response


async def _user_of_first_step(request: web.Request) -> User | None:
    token = FIRST_STEP.value(request)
    return await request.app[ACCOUNTS].tokens.user_of_first_step(token) if token else None


routes = [
    web.get("/login", login_page),
    web.post("/login", login),
    web.get("/login/code", code_page),
    web.post("/login/code", code),
    web.post("/logout", logout),
    web.get("/confirm", confirm_page),
    web.post("/confirm", confirm),
]

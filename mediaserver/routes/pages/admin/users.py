"""Accounts: finding one, and what an admin may do with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from aiohttp import web

from mediaserver.accounts.administration import ROLES, Administration
from mediaserver.accounts.permissions import Action, role_of
from mediaserver.accounts.user_list import Show
from mediaserver.kernel import limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.errors import Invalid
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import ACCOUNTS, CHANNELS, PERSONAL_DATA
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin

_PAGE = "/admin/users"
_SHOWN = {
    Show.ALL: "Everybody",
    Show.NORMAL: "Normal",
    Show.PREMIUM: "Premium",
    Show.ADMIN: "Admins",
    Show.BANNED: "Banned",
}


async def list_users(request: web.Request) -> web.Response:
    await admin(request, Action.CHANGE_USERS)
    search = request.query.get("q", "").strip()
    asked = request.query.get("show", "")
    show = Show(asked) if asked in {str(one) for one in Show} else Show.ALL
    after = request.query.get("after")
    found = await _administration(request).page(search=search, show=show, after=after)
    filters = {"q": search, "show": str(show)}
    is_full = len(found) == limits.USERS_LISTED_MAX
    context = {
        "users": found,
        "search": search,
        "show": str(show),
        "shown": [(str(one), label) for one, label in _SHOWN.items()],
        "is_first": after is None,
        "first": f"{_PAGE}?{urlencode(filters)}",
        "next": f"{_PAGE}?{urlencode(filters | {'after': found[-1].id})}" if is_full else "",
    }
    return await admin_page(request, "users", context)


async def show_user(request: web.Request) -> web.Response:
    return await _user(request)


async def set_role(request: web.Request) -> web.Response:
    async def change(actor: Actor, username: str) -> None:
        form = await read_form(request)
        await _administration(request).set_role(actor, username, form.get("role", ""))

    return await _change(request, change, "role-changed")


async def log_out(request: web.Request) -> web.Response:
    return await _change(request, _administration(request).end_sessions, "user-logged-out")


async def reset_second_factor(request: web.Request) -> web.Response:
    change = _administration(request).reset_second_factor
    return await _change(request, change, "user-second-factor-off")


async def send_password_code(request: web.Request) -> web.Response:
    return await _change(request, _administration(request).send_password_code, "code-mailed")


async def delete_user(request: web.Request) -> web.Response:
    actor = await confirmed_admin(request, Action.CHANGE_USERS, _path(request))
    form = await read_form(request)
    dossier = await _administration(request).dossier(request.match_info["username"])
    try:
        if form.get("username", "").strip().lower() != dossier.user.username:
            raise Invalid("Type the name of the account.", field="username")
        await request.app[PERSONAL_DATA].delete(dossier.user, by=actor)
    except FORM_ERRORS as error:
        return await _user(request, error)
    return noticed(request, _PAGE, "user-deleted")


async def _change(
    request: web.Request, change: Callable[[Actor, str], Awaitable[None]], notice: str
) -> web.Response:
    """One change of the account that the address names, and back to its page."""
    actor = await confirmed_admin(request, Action.CHANGE_USERS, _path(request))
    try:
        await change(actor, request.match_info["username"])
    except FORM_ERRORS as error:
        return await _user(request, error)
    return noticed(request, _path(request), notice)


async def _user(request: web.Request, error: FormError | None = None) -> web.Response:
    viewer = await admin(request, Action.CHANGE_USERS)
    dossier = await _administration(request).dossier(request.match_info["username"])
    context = {
        "account": dossier.user,
        "role": role_of(dossier.user).label,
        "roles": [(label, label.capitalize()) for label in ROLES],
        "has_app": dossier.has_app,
        "devices": dossier.devices,
        "channels": await request.app[CHANNELS].list_owned(dossier.user),
        "is_self": dossier.user.id == viewer.id,
    }
    return await admin_page(request, "users", context, template="user", error=error)


def _administration(request: web.Request) -> Administration:
    return request.app[ACCOUNTS].administration


def _path(request: web.Request) -> str:
    """The page of the account that the address names."""
    return f"{_PAGE}/{request.match_info['username']}"


routes = [
    web.get(_PAGE, list_users),
    web.get(_PAGE + "/{username}", show_user),
    web.post(_PAGE + "/{username}/role", set_role),
    web.post(_PAGE + "/{username}/log-out", log_out),
    web.post(_PAGE + "/{username}/second-factor", reset_second_factor),
    web.post(_PAGE + "/{username}/password-code", send_password_code),
    web.post(_PAGE + "/{username}/delete", delete_user),
]

"""The cookies of an account: the session, and what one step of a form leaves for the next."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from aiohttp import web

from mediaserver.accounts.sessions import NewSession
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.routes.host_cookies import clear_host_cookie, host_cookie, set_host_cookie
from mediaserver.routes.keys import ACCOUNTS, VIEWER
from mediaserver.routes.page import local_path

SESSION_COOKIE = "sid"

_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,128}")


def session_token(request: web.Request) -> str | None:
    token = host_cookie(request, SESSION_COOKIE)
    return token if _TOKEN.fullmatch(token) else None


async def start_session(request: web.Request, user: User) -> NewSession:
    """A fresh session for `user`; the one the browser came with ends."""
    return await request.app[ACCOUNTS].sessions.start(
        user,
        address=request.remote or "",
        user_agent=request.headers.get("User-Agent", ""),
        replaces=session_token(request),
    )


async def log_out(request: web.Request, response: web.StreamResponse) -> None:
    """End the session, and leave nothing of it in the browser. Pages of somebody who is logged in
    are never stored there; what an older browser kept all the same is cleared.
    """
    token = session_token(request)
    if token is not None:
        await request.app[ACCOUNTS].sessions.end(token)
    request[VIEWER] = None
    clear_session_cookie(request, response)
    for step in STEPS:
        step.clear(request, response)
    response.headers["Clear-Site-Data"] = '"cache"'


def set_session_cookie(
    request: web.Request, response: web.StreamResponse, session: NewSession
) -> None:
    set_host_cookie(request, response, SESSION_COOKIE, session.token, session.max_age_s)


def clear_session_cookie(request: web.Request, response: web.StreamResponse) -> None:
    clear_host_cookie(request, response, SESSION_COOKIE)


class StepCookie:
    """What a browser has to bring along from one step to the next: a value, and where to go when
    it is done.
    """

    def __init__(self, name: str, max_age_s: int) -> None:
        self._name = name
        self._max_age_s = max_age_s

    def leave(
        self, request: web.Request, response: web.StreamResponse, value: str, target: str
    ) -> None:
        value = f"{value}|{quote(target, safe='')}"
        set_host_cookie(request, response, self._name, value, self._max_age_s)

    def value(self, request: web.Request) -> str:
        """Empty if there is none."""
        return host_cookie(request, self._name).partition("|")[0]

    def target(self, request: web.Request, default: str = "/") -> str:
        return local_path(unquote(host_cookie(request, self._name).partition("|")[2]), default)

    def clear(self, request: web.Request, response: web.StreamResponse) -> None:
        clear_host_cookie(request, response, self._name)


FIRST_STEP = StepCookie("first-step", limits.FIRST_STEP_S)
"""The password was right; the code of the authenticator app is owed."""

REGISTRATION = StepCookie("registration", limits.REGISTRATION_MS // 1000)
"""The handle of a registration whose code is owed."""

FORGOTTEN = StepCookie("forgotten", limits.CODE_MS // 1000)
"""The handle of a forgotten password."""

NEW_EMAIL = StepCookie("new-email", limits.CODE_MS // 1000)
"""The handle of an address that is to be confirmed."""

STEPS = (FIRST_STEP, REGISTRATION, FORGOTTEN, NEW_EMAIL)

"""The session cookie. On https it is bound to this host by the __Host- prefix."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from aiohttp import web

from mediaserver.accounts.sessions import NewSession
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.routes.keys import ACCOUNTS, VIEWER
from mediaserver.routes.page import local_path

_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,128}")


def cookie_name(request: web.Request) -> str:
    return "__Host-sid" if request.secure else "sid"


def session_token(request: web.Request) -> str | None:
    token = request.cookies.get(cookie_name(request))
    return token if token is not None and _TOKEN.fullmatch(token) else None


async def start_session(request: web.Request, user: User) -> NewSession:
    """A fresh session for `user`; the one the browser came with ends."""
    return await request.app[ACCOUNTS].sessions.start(
        user,
        address=request.remote or "",
        user_agent=request.headers.get("User-Agent", ""),
        replaces=session_token(request),
    )


async def end_session(request: web.Request) -> None:
    token = session_token(request)
    if token is not None:
        await request.app[ACCOUNTS].sessions.end(token)
    request[VIEWER] = None


def set_session_cookie(
    request: web.Request, response: web.StreamResponse, session: NewSession
) -> None:
    response.set_cookie(
        cookie_name(request),
        session.token,
        max_age=session.max_age_s,
        path="/",
        secure=request.secure,
        httponly=True,
        samesite="Lax",
    )


def clear_session_cookie(request: web.Request, response: web.StreamResponse) -> None:
    response.del_cookie(
        cookie_name(request), path="/", secure=request.secure, httponly=True, samesite="Lax"
    )


class PathCookie:
    """What a browser has to bring along from one step to the next: a value, and where to go when
    it is done. Only the pages under `path` get it, and no script.
    """

    def __init__(self, name: str, path: str, max_age_s: int) -> None:
        self._name = name
        self._path = path
        self._max_age_s = max_age_s

    def leave(
        self, request: web.Request, response: web.StreamResponse, value: str, target: str
    ) -> None:
        response.set_cookie(
            self._name,
            f"{value}|{quote(target, safe='')}",
            max_age=self._max_age_s,
            path=self._path,
            secure=request.secure,
            httponly=True,
            samesite="Lax",
        )

    def value(self, request: web.Request) -> str:
        """Empty if there is none."""
        return request.cookies.get(self._name, "").partition("|")[0]

    def target(self, request: web.Request, default: str = "/") -> str:
        return local_path(unquote(request.cookies.get(self._name, "").partition("|")[2]), default)

    def clear(self, request: web.Request, response: web.StreamResponse) -> None:
        response.del_cookie(
            self._name, path=self._path, secure=request.secure, httponly=True, samesite="Lax"
        )


FIRST_STEP = PathCookie("first-step", "/login", limits.FIRST_STEP_S)
"""The password was right; the code of the authenticator app is owed."""

REGISTRATION = PathCookie("registration", "/register", limits.REGISTRATION_MS // 1000)
"""The handle of a registration whose code is owed."""

FORGOTTEN = PathCookie("forgotten", "/password", limits.CODE_MS // 1000)
"""The handle of a forgotten password."""

NEW_EMAIL = PathCookie("new-email", "/settings", limits.CODE_MS // 1000)
"""The handle of an address that is to be confirmed."""

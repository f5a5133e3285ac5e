"""The session cookie. On https it is bound to this host by the __Host- prefix."""

from __future__ import annotations

import re

from aiohttp import web

from mediaserver.accounts.sessions import NewSession
from mediaserver.accounts.users import User
from mediaserver.routes.keys import SESSIONS, VIEWER

_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,128}")


def cookie_name(request: web.Request) -> str:
    return "__Host-sid" if request.secure else "sid"


def session_token(request: web.Request) -> str | None:
    token = request.cookies.get(cookie_name(request))
    return token if token is not None and _TOKEN.fullmatch(token) else None


async def start_session(request: web.Request, user: User) -> NewSession:
    """A fresh session for `user`; the one the browser came with ends."""
    return await request.app[SESSIONS].start(
        user,
        address=request.remote or "",
        user_agent=request.headers.get("User-Agent", ""),
        replaces=session_token(request),
    )


async def end_session(request: web.Request) -> None:
    token = session_token(request)
    if token is not None:
        await request.app[SESSIONS].end(token)
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

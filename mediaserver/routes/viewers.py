"""Who counts as a viewer: a cookie that the channel page sets and the playlist requests bring back.

So two people behind one address count twice, and one who reloads counts once. It lasts as long as
the browser runs and is never stored or joined with an account.
"""

from __future__ import annotations

import re

from aiohttp import hdrs, web

from mediaserver.kernel import limits
from mediaserver.kernel.ids import new_secret
from mediaserver.routes.host_cookies import host_cookie, set_host_cookie

_COOKIE = "viewer"
_VALUE = re.compile(r"[A-Za-z0-9_-]{16,64}")

_PREVIEW = "X-Preview"
"""Sent by the studio's own player (hls-source.js): streamers don't count as their own viewers. A
WebSocket can't send it, so instant-source.js asks with ?preview=1."""


def mark_viewer(request: web.Request, response: web.StreamResponse) -> None:
    """Give a browser that has none its viewer cookie."""
    if _cookie(request) is None:
        value = new_secret(limits.VIEWER_COOKIE_BITS)
        set_host_cookie(request, response, _COOKIE, value)


def viewer_of(request: web.Request) -> str | None:
    """A stable key of whoever asks for a playlist; None if that is no viewer.

    Players that keep no cookies are told apart by address and program.
    """
    if _PREVIEW in request.headers or "preview" in request.query:
        return None
    agent = request.headers.get(hdrs.USER_AGENT, "")
    return _cookie(request) or f"{request.remote}|{agent}"[: limits.VIEWER_KEY_CHARS_MAX]


def _cookie(request: web.Request) -> str | None:
    value = host_cookie(request, _COOKIE)
    return value if _VALUE.fullmatch(value) else None

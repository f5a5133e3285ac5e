"""What every page handler uses: the visitor, the body, the answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import quote

from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Unauthorized
from mediaserver.routes.host_cookies import host_cookie
from mediaserver.routes.keys import BALANCE, CONFIG, RENDERER, RTMP_PORT, UNREAD, VIEWER
from mediaserver.routes.notices import WRONG, leave_notice, notice_of, take_notice
from mediaserver.routes.render import CSP_PAGE, THEMES

THEME_COOKIE = "theme"

_LOCAL_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")


def viewer(request: web.Request) -> User | None:
    """Who looks at the page, if signed in."""
    return request.get(VIEWER)


def signed_in(request: web.Request) -> User:
    """Who looks at the page. Sends everybody else to the log-in page."""
    user = viewer(request)
    if user is None:
        if request.method in ("GET", "HEAD"):
            redirect(f"/login?next={quote(request.path_qs, safe='/')}")
        raise Unauthorized("Log in first.")
    return user


def theme(request: web.Request) -> str:
    chosen = host_cookie(request, THEME_COOKIE)
    return chosen if chosen in THEMES else "auto"


def page(
    request: web.Request,
    template: str,
    context: Mapping[str, Any],
    *,
    status: int = 200,
    csp: str = CSP_PAGE,
) -> web.Response:
    """Render `template`; never cached by anyone but the browser that asked."""
    user = viewer(request)
    notice = notice_of(request) if status == 200 else ""
    html = request.app[RENDERER].html(
        template,
        user=user,
        theme=theme(request),
        path=request.path,
        unread=request.get(UNREAD, 0),
        context={
            "notice": notice,
            "notices_wrong": WRONG,
            "balance": request.get(BALANCE),
            "takes_accounts": request.app[CONFIG].accounts.registration == "open",
            **context,
        },
    )
    response = web.Response(
        text=html,
        status=status,
        content_type="text/html",
        headers={
            "Content-Security-Policy": csp,
            "Cache-Control": "no-cache, private" if user is None else "no-store",
            "Vary": "Cookie",
        },
    )
    if notice:
        take_notice(request, response)
    return response


def redirect(location: str) -> NoReturn:
    """Send the browser to a path of this site, from wherever this is called."""
    raise web.HTTPSeeOther(location)


def see_other(location: str) -> web.Response:
    """The answer to a form that was taken."""
    return web.Response(status=303, headers={"Location": location, "Cache-Control": "no-store"})


def noticed(request: web.Request, location: str, notice: str) -> web.Response:
    """`see_other`, and the page there says `notice`, a name in notices.py."""
    response = see_other(location)
    leave_notice(request, response, notice)
    return response


def local_path(target: str, default: str = "/") -> str:
    """`target` if it is a path of this site, else `default`: never another host, never a header."""
    return target if len(target) <= 2_000 and _LOCAL_PATH.fullmatch(target) else default


async def read_body(request: web.Request) -> bytes:
    """The whole body; one that trickles in is given up."""
    try:
        async with asyncio.timeout(limits.REQUEST_BODY_TIMEOUT_S):
            return await request.read()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error


async def read_file(request: web.Request, media_types: Sequence[str]) -> bytes:
    """A file that is the whole body, said to be of one of these types, such as "image/*"; what it
    really is, the feature finds out.
    """
    kind = request.content_type.partition("/")[0] + "/*"
    if request.content_type not in media_types and kind not in media_types:
        raise web.HTTPUnsupportedMediaType
    try:
        async with asyncio.timeout(limits.UPLOAD_TIMEOUT_S):
            return await request.read()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error


def site_host(request: web.Request) -> str:
    """The host by which people reach the site, without a port; brackets round IPv6."""
    host = site_url(request).partition("://")[2]
    return host[: host.index("]") + 1] if host.startswith("[") else host.partition(":")[0]


def site_url(request: web.Request) -> str:
    """Where people reach the site, without a slash at the end."""
    return request.app[CONFIG].site.public_url or f"{request.scheme}://{request.host}"


def rtmp_server_url(request: web.Request) -> str:
    """What goes into "Server" in OBS."""
    return f"rtmp://{site_host(request)}:{request.app[RTMP_PORT]}/live"

"""How every cookie of the site is set: not for scripts, not for other sites and, over HTTPS, bound
to this very host by the __Host- prefix, so that no subdomain can plant one.

Used by all that keep something in a browser: cookies.py, notices.py, viewers.py, gates.py and the
theme. Knows nothing of what the values mean.
"""

from __future__ import annotations

from aiohttp import web


def host_cookie_name(request: web.Request, name: str) -> str:
    """`name` as the browser knows it."""
    return f"__Host-{name}" if request.secure else name


def host_cookie(request: web.Request, name: str) -> str:
    """The value that the browser brought; empty if there is none."""
    return request.cookies.get(host_cookie_name(request, name), "")


def set_host_cookie(
    request: web.Request,
    response: web.StreamResponse,
    name: str,
    value: str,
    max_age_s: int | None = None,
) -> None:
    """Without `max_age_s` it lasts until the browser is closed."""
    response.set_cookie(
        host_cookie_name(request, name),
        value,
        max_age=max_age_s,
        path="/",
        secure=request.secure,
        httponly=True,
        samesite="Lax",
    )


def clear_host_cookie(request: web.Request, response: web.StreamResponse, name: str) -> None:
    response.del_cookie(
        host_cookie_name(request, name),
        path="/",
        secure=request.secure,
        httponly=True,
        samesite="Lax",
    )

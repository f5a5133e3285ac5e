"""Asking once more who it is, before what is dangerous: a page's session must be confirmed."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from mediaserver.accounts.sessions import Session
from mediaserver.kernel import limits
from mediaserver.routes.keys import CLOCK, SESSION
from mediaserver.routes.page import redirect, signed_in


class MustConfirm(web.HTTPSeeOther):
    """A form was sent that asks who it is first; the middleware `held_forms` keeps it."""

    def __init__(self, back: str) -> None:
        super().__init__(f"/confirm?next={quote(back, safe='/')}")
        self.back = back


def session_of(request: web.Request) -> Session:
    """The session of who is logged in; sends everybody else to the log-in page."""
    signed_in(request)
    opened = request[SESSION]
    assert opened is not None
    return opened


def confirmed(request: web.Request, back: str, *, within_ms: int | None = None) -> Session:
    """The session, if it gave the password or a code just now; else it is asked for first.

    The browser comes back to the page it asked for. A form is kept meanwhile and offered to be sent
    then; `back` is the page that it is on.
    `within_ms`: how long ago it may be, if not `CONFIRMED_MS`.
    """
    opened = session_of(request)
    bound_ms = limits.CONFIRMED_MS if within_ms is None else within_ms
    if request.app[CLOCK].wall_ms() - opened.confirmed_at_ms >= bound_ms:
        if request.method not in ("GET", "HEAD"):
            raise MustConfirm(back)
        redirect(f"/confirm?next={quote(request.path_qs, safe='/')}")
    return opened

"""What the pages of one's own account share: the way round, and forms that come back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import quote

from aiohttp import web

from mediaserver.accounts.sessions import Session
from mediaserver.kernel import limits
from mediaserver.routes.errors import problem_of
from mediaserver.routes.forms import FormError, form_errors
from mediaserver.routes.keys import ACCOUNTS, CLOCK, SESSION
from mediaserver.routes.page import page, redirect, signed_in


async def settings_page(
    request: web.Request,
    section: str,
    context: Mapping[str, Any],
    *,
    failed: str = "",
    form: Mapping[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    """Render `settings/{section}.html`. `failed` names the form that comes back with `error`."""
    user = signed_in(request)
    profile = await request.app[ACCOUNTS].profiles.of(user)
    return page(
        request,
        f"settings/{section}.html",
        {
            "section": section,
            "account": {
                "username": user.username,
                "email": user.email,
                "is_banned": user.is_banned,
                "avatar": profile.avatar,
            },
            "failed": failed,
            "form": dict(form or {}),
            "errors": form_errors(error) if error is not None else {},
            **context,
        },
        status=problem_of(error).status if error is not None else 200,
    )


def session_of(request: web.Request) -> Session:
    """The session of who is logged in; sends everybody else to the log-in page."""
    signed_in(request)
    opened = request[SESSION]
    assert opened is not None
    return opened


def confirmed(request: web.Request) -> Session:
    """The session, if it gave the password or a code just now; else it is asked for first, and the
    browser comes back to the page that the form is on.
    """
    opened = session_of(request)
    if request.app[CLOCK].wall_ms() - opened.confirmed_at_ms >= limits.CONFIRMED_MS:
        _ask(request)
    return opened


def _ask(request: web.Request) -> NoReturn:
    back = "/settings/" + request.path.removeprefix("/settings/").partition("/")[0]
    target = request.path_qs if request.method in ("GET", "HEAD") else back
    redirect(f"/confirm?next={quote(target, safe='/')}")

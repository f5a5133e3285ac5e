"""What the pages of one's own account share: the way round, and forms that come back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from mediaserver.accounts.sessions import Session
from mediaserver.routes import confirming
from mediaserver.routes.forms import FormError, form_errors, form_status
from mediaserver.routes.keys import ACCOUNTS
from mediaserver.routes.page import page, signed_in


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
        status=form_status(error) if error is not None else 200,
    )


def confirmed(request: web.Request) -> Session:
    """The session, confirmed just now; a form comes back to the page that it is on."""
    page_name = request.path.removeprefix("/settings/").partition("/")[0]
    return confirming.confirmed(request, f"/settings/{page_name}")

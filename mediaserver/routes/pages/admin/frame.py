"""What the pages of the admin desk share: who may, the way round, forms that come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.audit import Actor
from mediaserver.routes import confirming
from mediaserver.routes.duty import lacks_second_factor
from mediaserver.routes.errors import problem_of
from mediaserver.routes.forms import FormError, form_errors
from mediaserver.routes.keys import ACCOUNTS, CONFIG
from mediaserver.routes.page import page, redirect, signed_in
from mediaserver.routes.render import CSP_PAGE

MONEY = "Money"
"""The group of pages that aren't there on a site without money."""

MENU: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    ("", (("overview", "Overview", "layout-dashboard"),)),
    (
        "People",
        (
            ("users", "Users", "users"),
            ("verification", "Verification", "badge-check"),
            ("reports", "Reports", "flag"),
        ),
    ),
    (
        "Content",
        (
            ("live", "Live streams", "radio"),
            ("categories", "Categories", "layout-grid"),
            ("emotes", "Emotes", "smile"),
            ("policies", "Policies", "scale"),
        ),
    ),
    (
        "Site",
        (
            ("settings", "Settings", "settings"),
            ("mail", "Mail", "mail"),
            ("jobs", "Jobs", "list-checks"),
            ("storage", "Storage", "hard-drive"),
            ("backups", "Backups", "archive"),
            ("checkup", "Check-up", "stethoscope"),
            ("webhooks", "Webhooks", "webhook"),
        ),
    ),
    (
        MONEY,
        (
            ("payments", "Payments", "inbox"),
            ("payouts", "Payouts", "send"),
            ("refunds", "Refunds", "undo-2"),
            ("disputes", "Disputes", "shield-alert"),
            ("plans", "Plans", "crown"),
            ("books", "Books", "book-open"),
        ),
    ),
    (
        "Records",
        (
            ("statistics", "Statistics", "chart-line"),
            ("audit", "Audit log", "scroll-text"),
        ),
    ),
)
"""Groups of pages: title; name, label and icon of each. The name is the path below /admin and the
template below web/templates/admin."""


async def admin(request: web.Request, action: Action = Action.USE_ADMIN_DESK) -> User:
    """Who is at the desk, if they may do `action`. Raises `Forbidden`; where settings ask every
    admin for a second factor, one without is sent to set it up first, and one who has been away or
    here for long gives the password or a code once more.
    """
    user = signed_in(request)
    check(replace(user, is_off_duty=False), action)
    if await lacks_second_factor(request, user):
        redirect("/settings/security/app")
    confirming.confirmed(request, "/admin", within_ms=limits.DESK_CONFIRMED_MS)
    return user


async def acting_admin(request: web.Request, action: Action) -> Actor:
    """`admin` as the audit log names them, for what is easily undone."""
    user = await admin(request, action)
    return Actor(user.id, user.username, request.remote)


async def confirmed_admin(request: web.Request, action: Action, back: str) -> Actor:
    """`admin`, who gave the password or a code just now, as the audit log names them. `back`: the
    page of the form, where the browser goes once they did.
    """
    await admin(request, action)
    opened = confirming.confirmed(request, back)
    return Actor(opened.user.id, opened.user.username, request.remote)


async def admin_page(
    request: web.Request,
    section: str,
    context: Mapping[str, Any],
    *,
    template: str = "",
    form: Mapping[str, str] | None = None,
    error: FormError | None = None,
    csp: str = CSP_PAGE,
) -> web.Response:
    """Render `admin/{template or section}.html` in the frame; `form` comes back with `error`."""
    user = await admin(request)
    standing = await request.app[ACCOUNTS].second_factor.standing(user)
    return page(
        request,
        f"admin/{template or section}.html",
        {
            "section": section,
            "menu": _menu(request),
            "is_asked_for_app": not standing.is_on,
            "form": dict(form or {}),
            "errors": form_errors(error) if error is not None else {},
            **context,
        },
        status=problem_of(error).status if error is not None else 200,
        csp=csp,
    )


def _menu(request: web.Request) -> list[tuple[str, tuple[tuple[str, str, str], ...]]]:
    is_with_money = request.app[CONFIG].money.enabled
    return [(title, pages) for title, pages in MENU if is_with_money or title != MONEY]

"""Webhooks of the whole site: the pages of routes/pages/webhooks.py at the admin desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.routes.forms import FormError
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin
from mediaserver.routes.pages.webhooks import Place, routes_at
from mediaserver.webhooks.webhooks import Asker

_PAGE = "/admin/webhooks"


async def _open(request: web.Request, *, changing: bool) -> Place:
    """Whoever says where the site's events go, gives the password once more."""
    user = await admin(request, Action.CHANGE_SITE_WEBHOOKS)
    if changing:
        hook_id = request.match_info.get("id")
        back = f"{_PAGE}/{hook_id}" if hook_id else _PAGE
        await confirmed_admin(request, Action.CHANGE_SITE_WEBHOOKS, back)

    async def render(
        template: str, context: Mapping[str, Any], error: FormError | None
    ) -> web.Response:
        return await admin_page(request, "webhooks", context, template=template, error=error)

    return Place(Asker(user, address=request.remote), _PAGE, render)


routes = routes_at(_PAGE, _open)

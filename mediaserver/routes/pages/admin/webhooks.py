"""Webhooks of the whole site: the pages of routes/pages/webhooks.py at the admin desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.routes.forms import FormError
from mediaserver.routes.pages.admin.frame import admin, admin_page
from mediaserver.routes.pages.webhooks import Place, routes_at
from mediaserver.webhooks.webhooks import Asker


async def _open(request: web.Request) -> Place:
    user = await admin(request, Action.CHANGE_SITE_WEBHOOKS)

    async def render(
        template: str, context: Mapping[str, Any], error: FormError | None
    ) -> web.Response:
        return await admin_page(request, "webhooks", context, template=template, error=error)

    return Place(Asker(user, address=request.remote), "/admin/webhooks", render)


routes = routes_at("/admin/webhooks", _open)

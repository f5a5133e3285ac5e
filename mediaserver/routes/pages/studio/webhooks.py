"""Webhooks of a channel: the pages of routes/pages/webhooks.py in the frame of the studio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from mediaserver.routes.forms import FormError
from mediaserver.routes.pages.studio.frame import Returned, open_studio, studio_page
from mediaserver.routes.pages.webhooks import Place, routes_at
from mediaserver.webhooks.webhooks import Asker


async def _open(request: web.Request, *, changing: bool) -> Place:
    studio = await open_studio(request)

    async def render(
        template: str, context: Mapping[str, Any], error: FormError | None
    ) -> web.Response:
        returned = None if error is None else Returned(template, {}, error)
        return await studio_page(
            request, studio, "webhooks", context, template=template, returned=returned
        )

    asker = Asker(studio.user, studio.channel.slug, request.remote)
    return Place(asker, studio.path("webhooks"), render)


routes = routes_at("/studio/{slug}/webhooks", _open)

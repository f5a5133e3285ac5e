"""The first page of the admin desk: what waits, and how the site is."""

from __future__ import annotations

from aiohttp import web

from mediaserver.routes.keys import BACKUPS, LIVE, OVERVIEW, STORAGE_METER
from mediaserver.routes.live_view import watchable
from mediaserver.routes.pages.admin.frame import admin, admin_page


async def show_overview(request: web.Request) -> web.Response:
    await admin(request)
    overview = request.app[OVERVIEW]
    live = watchable(request.app[LIVE])
    context = {
        "waiting": await overview.waiting(),
        "facts": await overview.facts(),
        "backups": await request.app[BACKUPS].standing(),
        "storage": await request.app[STORAGE_METER].use(),
        "streams": len(live),
        "viewers": sum(status.viewers for status in live),
    }
    return await admin_page(request, "overview", context)


routes = [web.get("/admin", show_overview)]

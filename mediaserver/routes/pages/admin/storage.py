"""What takes room on the disk."""

from __future__ import annotations

from aiohttp import web

from mediaserver.routes.keys import STORAGE_METER
from mediaserver.routes.pages.admin.frame import admin, admin_page


async def show_storage(request: web.Request) -> web.Response:
    await admin(request)
    return await admin_page(request, "storage", {"storage": await request.app[STORAGE_METER].use()})


routes = [web.get("/admin/storage", show_storage)]

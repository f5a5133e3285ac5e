"""The first page of the admin desk: what waits, and how the site is."""

from __future__ import annotations

from aiohttp import web

from mediaserver.routes.pages.admin.frame import admin_page


async def show_overview(request: web.Request) -> web.Response:
    return await admin_page(request, "overview", {})


routes = [web.get("/admin", show_overview)]

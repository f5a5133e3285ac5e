"""What the channel is called and what its page says."""

from __future__ import annotations

from aiohttp import web

from mediaserver.kernel.errors import Conflict, Invalid
from mediaserver.routes.keys import CHANNELS
from mediaserver.routes.page import noticed, read_form
from mediaserver.routes.pages.studio.frame import Returned, desk_page, open_desk


async def show_settings(request: web.Request) -> web.Response:
    return await desk_page(request, await open_desk(request), "settings", {})


async def change_settings(request: web.Request) -> web.Response:
    desk = await open_desk(request)
    form = await read_form(request)
    try:
        await request.app[CHANNELS].update(
            desk.user,
            desk.channel.slug,
            name=form.get("name"),
            description=form.get("description"),
        )
    except (Invalid, Conflict) as error:
        returned = Returned("channel", form, error)
        return await desk_page(request, desk, "settings", {}, returned=returned)
    return noticed(request, desk.path("settings"), "saved")


routes = [
    web.get("/studio/{slug}/settings", show_settings),
    web.post("/studio/{slug}/settings", change_settings),
]

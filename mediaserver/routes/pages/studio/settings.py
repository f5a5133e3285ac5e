"""What the channel is called and what its page says."""

from __future__ import annotations

from aiohttp import web

from mediaserver.kernel.errors import Conflict, Invalid
from mediaserver.routes.keys import CHANNELS, CONFIG
from mediaserver.routes.page import noticed, read_form
from mediaserver.routes.pages.studio.frame import Returned, Studio, open_studio, studio_page


async def show_settings(request: web.Request) -> web.Response:
    return await _settings(request, await open_studio(request))


async def change_settings(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    form = await read_form(request)
    try:
        await request.app[CHANNELS].update(
            studio.user,
            studio.channel.slug,
            name=form.get("name"),
            description=form.get("description"),
        )
    except (Invalid, Conflict) as error:
        return await _settings(request, studio, Returned("channel", form, error))
    return noticed(request, studio.path("settings"), "saved")


async def change_start(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    form = await read_form(request)
    await request.app[CHANNELS].update(
        studio.user, studio.channel.slug, starts_automatically="starts_automatically" in form
    )
    return noticed(request, studio.path("settings"), "saved")


async def _settings(
    request: web.Request, studio: Studio, returned: Returned | None = None
) -> web.Response:
    context = {"dvr_minutes": getattr(request.app[CONFIG].media, "dvr_minutes", 0)}
    return await studio_page(request, studio, "settings", context, returned=returned)


routes = [
    web.get("/studio/{slug}/settings", show_settings),
    web.post("/studio/{slug}/settings", change_settings),
    web.post("/studio/{slug}/settings/start", change_start),
]

"""What the channel is called and what its page says."""

from __future__ import annotations

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Invalid, TooLarge
from mediaserver.routes.confirming import confirmed
from mediaserver.routes.forms import FORM_ERRORS, read_form
from mediaserver.routes.keys import BACK_SOON, CHANNELS, CONFIG, DELETION
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.studio.frame import Returned, Studio, open_studio, studio_page
from mediaserver.routes.uploads import read_upload


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


async def put_back_soon(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    try:
        upload = await read_upload(request, "picture", limits.BACK_SOON_UPLOAD_BYTES_MAX)
        await request.app[BACK_SOON].put(studio.user, studio.channel.slug, upload.file)
    except (*FORM_ERRORS, TooLarge) as error:
        return await _settings(request, studio, Returned("back-soon", {}, error, "picture"))
    return noticed(request, studio.path("settings"), "saved")


async def remove_back_soon(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    await request.app[BACK_SOON].remove(studio.user, studio.channel.slug)
    return noticed(request, studio.path("settings"), "saved")


async def delete_channel(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    confirmed(request, studio.path("settings"))
    form = await read_form(request)
    if form.get("slug", "").strip().lower().removeprefix("@") != studio.channel.slug:
        error = Invalid("Type the name as it is written here.", field="slug")
        return await _settings(request, studio, Returned("delete", form, error))
    await request.app[DELETION].delete(studio.user, studio.channel.slug)
    return noticed(request, "/studio", "channel-deleted")


async def _settings(
    request: web.Request, studio: Studio, returned: Returned | None = None
) -> web.Response:
    context = {"dvr_minutes": request.app[CONFIG].media.dvr_minutes}
    return await studio_page(request, studio, "settings", context, returned=returned)


UPLOADS = {
    "/studio/{slug}/settings/back-soon": (
        limits.BACK_SOON_UPLOAD_BYTES_MAX + limits.REQUEST_BODY_BYTES_MAX
    )
}
"""The picture, and the form round it."""

routes = [
    web.get("/studio/{slug}/settings", show_settings),
    web.post("/studio/{slug}/settings", change_settings),
    web.post("/studio/{slug}/settings/start", change_start),
    web.post("/studio/{slug}/settings/delete", delete_channel),
    web.post("/studio/{slug}/settings/back-soon", put_back_soon),
    web.post("/studio/{slug}/settings/back-soon/remove", remove_back_soon),
]

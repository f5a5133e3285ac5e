"""The desk itself: preview, state, what the stream is about, and the one button that matters."""

from __future__ import annotations

import dataclasses

from aiohttp import web

from mediaserver.kernel.errors import Conflict, Invalid
from mediaserver.routes.keys import CHANNELS, LIVE, SHOWN_ONCE, STREAM_KEYS
from mediaserver.routes.live_view import live_view
from mediaserver.routes.page import noticed, read_form, rtmp_server_url, signed_in
from mediaserver.routes.pages.studio.frame import Desk, Returned, desk_page, open_desk
from mediaserver.routes.pages.studio.making import new_channel_page
from mediaserver.routes.render import CSP_PLAYER

_STOPPED = "The stream was ended from the studio."


async def first_desk(request: web.Request) -> web.Response:
    """The desk of the first own channel; without one, the form that makes it."""
    user = signed_in(request)
    owned = await request.app[CHANNELS].list_owned(user)
    return await _desk(request, Desk(user, owned[0])) if owned else await new_channel_page(request)


async def show_desk(request: web.Request) -> web.Response:
    return await _desk(request, await open_desk(request))


async def change_stream(request: web.Request) -> web.Response:
    desk = await open_desk(request)
    form = await read_form(request)
    try:
        await request.app[CHANNELS].update(desk.user, desk.channel.slug, title=form.get("title"))
    except (Invalid, Conflict) as error:
        return await _desk(request, desk, Returned("stream", form, error))
    return noticed(request, desk.path(), "saved")


async def end_stream(request: web.Request) -> web.Response:
    desk = await open_desk(request)
    ended = request.app[LIVE].stop(desk.channel.slug, _STOPPED)
    return noticed(request, desk.path(), "stream-ended" if ended else "stream-not-live")


async def _desk(request: web.Request, desk: Desk, returned: Returned | None = None) -> web.Response:
    view = live_view(desk.channel, request.app[LIVE], for_owner=True)
    new_key = request.app[SHOWN_ONCE].take(desk.user.id, desk.channel.slug)
    keys = await request.app[STREAM_KEYS].list_active(desk.user, desk.channel.slug)
    return await desk_page(
        request,
        desk,
        "desk",
        {
            "live": None if view is None else dataclasses.asdict(view),
            "welcome": request.query.get("welcome") == "1",
            "server_url": rtmp_server_url(request),
            "keys": [dataclasses.asdict(key) for key in keys],
            "new_key": None if new_key is None else dataclasses.asdict(new_key),
        },
        returned=returned,
        csp=CSP_PLAYER,
    )


routes = [
    web.get("/studio", first_desk),
    web.get("/studio/{slug}", show_desk),
    web.post("/studio/{slug}", change_stream),
    web.post("/studio/{slug}/end", end_stream),
]

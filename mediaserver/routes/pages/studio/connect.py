"""What an encoder needs: the server's address and stream keys."""

from __future__ import annotations

import dataclasses

from aiohttp import web

from mediaserver.kernel.errors import Conflict, Invalid
from mediaserver.routes.keys import SHOWN_ONCE, STREAM_KEYS
from mediaserver.routes.page import noticed, read_form, rtmp_server_url
from mediaserver.routes.pages.studio.frame import Desk, Returned, desk_page, open_desk
from mediaserver.routes.shown_once import NewKey


async def show_keys(request: web.Request) -> web.Response:
    return await _connect(request, await open_desk(request))


async def create_stream_key(request: web.Request) -> web.Response:
    desk = await open_desk(request)
    form = await read_form(request)
    try:
        made, secret = await request.app[STREAM_KEYS].create(
            desk.user, desk.channel.slug, form.get("name", "")
        )
    except (Invalid, Conflict) as error:
        return await _connect(request, desk, Returned("key", form, error))
    request.app[SHOWN_ONCE].put(desk.user.id, desk.channel.slug, NewKey(made.name, secret))
    return noticed(request, desk.path("connect"), "key-made")


async def revoke_stream_key(request: web.Request) -> web.Response:
    desk = await open_desk(request)
    await request.app[STREAM_KEYS].revoke(desk.user, desk.channel.slug, request.match_info["id"])
    return noticed(request, desk.path("connect"), "key-revoked")


async def _connect(
    request: web.Request, desk: Desk, returned: Returned | None = None
) -> web.Response:
    new_key = request.app[SHOWN_ONCE].take(desk.user.id, desk.channel.slug)
    keys = await request.app[STREAM_KEYS].list_active(desk.user, desk.channel.slug)
    return await desk_page(
        request,
        desk,
        "connect",
        {
            "server_url": rtmp_server_url(request),
            "keys": [dataclasses.asdict(key) for key in keys],
            "new_key": None if new_key is None else dataclasses.asdict(new_key),
        },
        returned=returned,
    )


routes = [
    web.get("/studio/{slug}/connect", show_keys),
    web.post("/studio/{slug}/keys", create_stream_key),
    web.post("/studio/{slug}/keys/{id}/revoke", revoke_stream_key),
]

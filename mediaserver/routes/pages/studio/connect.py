"""What an encoder needs: the server's address and stream keys."""

from __future__ import annotations

import dataclasses

from aiohttp import web

from mediaserver.kernel.errors import Conflict, Invalid
from mediaserver.routes.forms import read_form
from mediaserver.routes.keys import SHOWN_ONCE, STREAM_KEYS
from mediaserver.routes.page import noticed, rtmp_server_url
from mediaserver.routes.pages.studio.frame import Returned, Studio, open_studio, studio_page
from mediaserver.routes.shown_once import NewKey


async def show_keys(request: web.Request) -> web.Response:
    return await _connect(request, await open_studio(request))


async def create_stream_key(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    form = await read_form(request)
    try:
        made, secret = await request.app[STREAM_KEYS].create(
            studio.user, studio.channel.slug, form.get("name", "")
        )
    except (Invalid, Conflict) as error:
        return await _connect(request, studio, Returned("key", form, error))
    request.app[SHOWN_ONCE].put(studio.user.id, studio.channel.slug, NewKey(made.name, secret))
    return noticed(request, studio.path("connect"), "key-made")


async def revoke_stream_key(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    await request.app[STREAM_KEYS].revoke(
        studio.user, studio.channel.slug, request.match_info["id"]
    )
    return noticed(request, studio.path("connect"), "key-revoked")


async def _connect(
    request: web.Request, studio: Studio, returned: Returned | None = None
) -> web.Response:
    new_key = request.app[SHOWN_ONCE].take(studio.user.id, studio.channel.slug)
    keys = await request.app[STREAM_KEYS].list_active(studio.user, studio.channel.slug)
    return await studio_page(
        request,
        studio,
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

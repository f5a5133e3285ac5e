"""The studio: a streamer's channels, server address and stream keys."""

from __future__ import annotations

import dataclasses
from typing import Any

from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel.errors import Conflict, Invalid
from mediaserver.routes.errors import problem_of
from mediaserver.routes.keys import CHANNELS, LIVE, SHOWN_ONCE, STREAM_KEYS
from mediaserver.routes.live_view import live_view
from mediaserver.routes.page import (
    form_errors,
    noticed,
    page,
    read_form,
    rtmp_server_url,
    signed_in,
)
from mediaserver.routes.render import CSP_PLAYER
from mediaserver.routes.shown_once import NewKey


async def studio(request: web.Request) -> web.Response:
    """The first own channel; without one, the form that makes it."""
    user = signed_in(request)
    owned = await request.app[CHANNELS].list_owned(user)
    return await _studio(request, user, owned[0] if owned else None)


async def studio_channel(request: web.Request) -> web.Response:
    user = signed_in(request)
    channel = await request.app[CHANNELS].get_managed(user, request.match_info["slug"])
    return await _studio(request, user, channel)


async def create_channel(request: web.Request) -> web.Response:
    user = signed_in(request)
    form = await read_form(request)
    try:
        channel = await request.app[CHANNELS].create(
            user, form.get("slug", ""), form.get("name", "") or form.get("slug", "")
        )
    except (Invalid, Conflict) as error:
        owned = await request.app[CHANNELS].list_owned(user)
        return await _studio(request, user, owned[0] if owned else None, form=form, error=error)
    _, secret = await request.app[STREAM_KEYS].create(user, channel.slug, "OBS")
    request.app[SHOWN_ONCE].put(user.id, channel.slug, NewKey("OBS", secret))
    return noticed(request, f"/studio/{channel.slug}", "channel-made")


async def change_channel(request: web.Request) -> web.Response:
    user = signed_in(request)
    slug = request.match_info["slug"]
    form = await read_form(request)
    try:
        await request.app[CHANNELS].update(
            user,
            slug,
            name=form.get("name"),
            title=form.get("title"),
            description=form.get("description"),
        )
    except (Invalid, Conflict) as error:
        channel = await request.app[CHANNELS].get_managed(user, slug)
        return await _studio(request, user, channel, form=form, error=error)
    return noticed(request, f"/studio/{slug}", "saved")


async def create_stream_key(request: web.Request) -> web.Response:
    user = signed_in(request)
    slug = request.match_info["slug"]
    form = await read_form(request)
    try:
        made, secret = await request.app[STREAM_KEYS].create(user, slug, form.get("name", ""))
    except (Invalid, Conflict) as error:
        channel = await request.app[CHANNELS].get_managed(user, slug)
        general = Conflict(error.message)  # "name" is a field of another form on this page
        return await _studio(request, user, channel, error=general)
    request.app[SHOWN_ONCE].put(user.id, slug, NewKey(made.name, secret))
    return noticed(request, f"/studio/{slug}", "key-made")


async def revoke_stream_key(request: web.Request) -> web.Response:
    user = signed_in(request)
    slug = request.match_info["slug"]
    await request.app[STREAM_KEYS].revoke(user, slug, request.match_info["id"])
    return noticed(request, f"/studio/{slug}", "key-revoked")


async def _studio(
    request: web.Request,
    user: User,
    channel: Channel | None,
    *,
    form: dict[str, str] | None = None,
    error: Invalid | Conflict | None = None,
) -> web.Response:
    context: dict[str, Any] = {
        "channels": [
            {"slug": owned.slug, "name": owned.name}
            for owned in await request.app[CHANNELS].list_owned(user)
        ],
        "channel": None,
        "server_url": rtmp_server_url(request),
        "keys": [],
        "new_key": None,
        "live": None,
        "welcome": request.query.get("welcome") == "1",
        "errors": {} if error is None else form_errors(error),
        "form": form or {},
    }
    if channel is not None:
        view = live_view(channel, request.app[LIVE], for_owner=True)
        new_key = request.app[SHOWN_ONCE].take(user.id, channel.slug)
        context |= {
            "channel": {
                "slug": channel.slug,
                "name": channel.name,
                "title": channel.title,
                "description": channel.description,
                "owner": channel.owner,
            },
            "keys": [
                dataclasses.asdict(key)
                for key in await request.app[STREAM_KEYS].list_active(user, channel.slug)
            ],
            "new_key": None if new_key is None else dataclasses.asdict(new_key),
            "live": None if view is None else dataclasses.asdict(view),
        }
    return page(
        request,
        "studio.html",
        context,
        status=200 if error is None else problem_of(error).status,
        csp=CSP_PLAYER,
    )


routes = [
    web.get("/studio", studio),
    web.post("/studio/channels", create_channel),
    web.get("/studio/{slug}", studio_channel),
    web.post("/studio/{slug}", change_channel),
    web.post("/studio/{slug}/keys", create_stream_key),
    web.post("/studio/{slug}/keys/{id}/revoke", revoke_stream_key),
]

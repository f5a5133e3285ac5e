"""The channel page, where people watch."""

from __future__ import annotations

import dataclasses

from aiohttp import web

from mediaserver.routes.keys import CHANNELS, LIVE, STREAMS
from mediaserver.routes.live_view import live_view
from mediaserver.routes.page import page, redirect, viewer
from mediaserver.routes.pages.chat import room
from mediaserver.routes.render import CSP_PLAYER
from mediaserver.routes.viewers import mark_viewer


async def channel_page(request: web.Request) -> web.Response:
    slug = request.match_info["slug"]
    if slug != slug.lower():
        redirect(f"/@{(await request.app[CHANNELS].get(slug.lower())).slug}")
    channel = await request.app[CHANNELS].get(slug)
    user = viewer(request)
    is_owner = user is not None and user.id == channel.owner_id
    view = live_view(channel, request.app[LIVE], for_owner=False)  # what everybody sees
    last_live = await request.app[STREAMS].last_live_at_ms([channel.id])
    response = page(
        request,
        "channel.html",
        {
            "channel": {
                "slug": channel.slug,
                "name": channel.name,
                "title": channel.title,
                "description": channel.description,
                "owner": channel.owner,
                "last_live_at_ms": last_live.get(channel.id),
            },
            "live": None if view is None else dataclasses.asdict(view),
            "is_owner": is_owner,
            "studio_url": f"/studio/{channel.slug}",
            "room": await room(request, channel, user),
            # set by theatre.js and watch.js; rendered, so that nothing jumps
            "theatre": request.cookies.get("theatre") == "1",
            "chat_hidden": request.cookies.get("chat") == "hidden",
        },
        csp=CSP_PLAYER,
    )
    mark_viewer(request, response)
    return response


routes = [web.get("/@{slug}", channel_page)]

"""The channel page, where people watch."""

from __future__ import annotations

import dataclasses

from aiohttp import web

from mediaserver.routes.keys import CHANNELS, LIVE
from mediaserver.routes.live_view import live_view
from mediaserver.routes.page import page, redirect, viewer
from mediaserver.routes.render import CSP_PLAYER


async def channel_page(request: web.Request) -> web.Response:
    slug = request.match_info["slug"]
    if slug != slug.lower():
        redirect(f"/@{(await request.app[CHANNELS].get(slug.lower())).slug}")
    channel = await request.app[CHANNELS].get(slug)
    user = viewer(request)
    is_owner = user is not None and user.id == channel.owner_id
    view = live_view(channel, request.app[LIVE], for_owner=is_owner)
    return page(
        request,
        "channel.html",
        {
            "channel": {
                "slug": channel.slug,
                "name": channel.name,
                "title": channel.title,
                "description": channel.description,
                "owner": channel.owner,
            },
            "live": None if view is None else dataclasses.asdict(view),
            "is_owner": is_owner,
            "studio_url": f"/studio/{channel.slug}",
        },
        csp=CSP_PLAYER,
    )


routes = [web.get("/@{slug}", channel_page)]

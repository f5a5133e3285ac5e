"""The home page: who is live, and which channels there are."""

from __future__ import annotations

import dataclasses

from aiohttp import web

from mediaserver.routes.keys import CHANNELS, LIVE, SETUP, STREAMS
from mediaserver.routes.live_view import cards, watchable
from mediaserver.routes.page import page
from mediaserver.routes.render import CSP_PLAYER


async def home(request: web.Request) -> web.Response:
    live = watchable(request.app[LIVE])
    channels = request.app[CHANNELS]
    live_cards = cards(live, await channels.list_by_slug([status.channel for status in live]))
    on_air = {card.slug for card in live_cards}
    offline = [channel for channel in await channels.list_all() if channel.slug not in on_air]
    last_live = await request.app[STREAMS].last_live_at_ms([channel.id for channel in offline])
    return page(
        request,
        "home.html",
        {
            "live": [dataclasses.asdict(card) for card in live_cards],
            "channels": [
                {
                    "slug": channel.slug,
                    "name": channel.name,
                    "description": channel.description,
                    "last_live_at_ms": last_live.get(channel.id),
                }
                for channel in offline
            ],
            "needs_setup": await request.app[SETUP].is_needed(),
        },
    )


async def patterns(request: web.Request) -> web.Response:
    """Every component in every state, for those who draw them."""
    return page(request, "patterns.html", {}, csp=CSP_PLAYER)


routes = [web.get("/", home), web.get("/-/patterns", patterns)]

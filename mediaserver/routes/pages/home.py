"""The home page: who is live, what comes, and which categories and channels there are."""

from __future__ import annotations

import dataclasses

from aiohttp import web

from mediaserver.routes.home_view import category_tiles, channel_links
from mediaserver.routes.keys import ACCOUNTS, CHANNELS, LIVE, SCHEDULE
from mediaserver.routes.live_view import cards, watchable
from mediaserver.routes.page import page
from mediaserver.routes.render import CSP_PLAYER
from mediaserver.routes.schedule_view import upcoming_view


async def home(request: web.Request) -> web.Response:
    live = watchable(request.app[LIVE])
    channels = request.app[CHANNELS]
    streaming = await channels.list_by_slug([status.channel for status in live])
    live_cards = cards(live, streaming)
    on_air = {card.slug for card in live_cards}
    offline = [channel for channel in await channels.list_all() if channel.slug not in on_air]
    return page(
        request,
        "home.html",
        {
            "live": [dataclasses.asdict(card) for card in live_cards],
            "upcoming": [
                upcoming_view(channel, occurrence)
                for channel, occurrence in await request.app[SCHEDULE].upcoming()
            ],
            "categories": await category_tiles(request, streaming),
            "channels": await channel_links(request, offline),
            "needs_setup": await request.app[ACCOUNTS].setup.is_needed(),
        },
    )


async def patterns(request: web.Request) -> web.Response:
    """Every component in every state, for those who draw them."""
    return page(request, "patterns.html", {}, csp=CSP_PLAYER)


routes = [web.get("/", home), web.get("/-/patterns", patterns)]

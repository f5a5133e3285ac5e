"""The page of one category, and the list of all of them."""

from __future__ import annotations

import dataclasses

from aiohttp import web

from mediaserver.routes.home_view import category_tiles, channel_links
from mediaserver.routes.keys import CATEGORIES, CHANNELS, LIVE, SCHEDULE
from mediaserver.routes.live_view import cards, watchable
from mediaserver.routes.page import page, redirect
from mediaserver.routes.schedule_view import upcoming_view


async def category_page(request: web.Request) -> web.Response:
    slug = request.match_info["slug"]
    category = await request.app[CATEGORIES].get(slug.lower())
    if slug != category.slug:
        redirect(f"/category/{category.slug}")
    channels = await request.app[CHANNELS].list_in_category(category.id)
    live = cards(watchable(request.app[LIVE]), channels)
    on_air = {card.slug for card in live}
    return page(
        request,
        "category.html",
        {
            "category": dataclasses.asdict(category),
            "live": [dataclasses.asdict(card) for card in live],
            "upcoming": [
                upcoming_view(channel, occurrence)
                for channel, occurrence in await request.app[SCHEDULE].upcoming(category.id)
            ],
            "channels": await channel_links(
                request, [one for one in channels if one.slug not in on_air]
            ),
        },
    )


async def categories_page(request: web.Request) -> web.Response:
    live = watchable(request.app[LIVE])
    on_air = await request.app[CHANNELS].list_by_slug([status.channel for status in live])
    return page(request, "categories.html", {"categories": await category_tiles(request, on_air)})


routes = [
    web.get("/category", categories_page),
    web.get("/category/{slug}", category_page),
]

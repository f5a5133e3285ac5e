"""Lists that the home page shares with the pages of categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from aiohttp import web

from mediaserver.channels.channels import Channel
from mediaserver.routes.channel_view import category_link
from mediaserver.routes.keys import CATEGORIES, STREAMS


async def channel_links(request: web.Request, channels: Sequence[Channel]) -> list[dict[str, Any]]:
    """Channels that are not live, each with when it was."""
    last_live = await request.app[STREAMS].last_live_at_ms([channel.id for channel in channels])
    return [
        {
            "slug": channel.slug,
            "name": channel.name,
            "is_verified": channel.is_verified,
            "description": channel.description,
            "category": category_link(channel),
            "last_live_at_ms": last_live.get(channel.id),
        }
        for channel in channels
    ]


async def category_tiles(request: web.Request, on_air: Iterable[Channel]) -> list[dict[str, Any]]:
    """All categories, those with the most live streams first."""
    count = Counter(channel.category_slug for channel in on_air)
    categories = await request.app[CATEGORIES].list_all()
    categories.sort(key=lambda category: -count[category.slug])  # stable: else as they stand
    return [
        {
            "slug": category.slug,
            "name": category.name,
            "icon": category.icon,
            "live": count[category.slug],
        }
        for category in categories
    ]

"""What every page of a channel tells about it: the heading, its numbers, what comes next."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from mediaserver.channels.channels import Channel
from mediaserver.channels.information import FLAGS
from mediaserver.routes.keys import CHANNELS, FOLLOWS, SCHEDULE, STREAMS, TEAMS
from mediaserver.routes.page import redirect, viewer
from mediaserver.routes.schedule_view import occurrence_view


async def asked_channel(request: web.Request, tail: str = "") -> Channel:
    """The channel of `/@{slug}` + `tail`; another spelling is sent to the right one."""
    slug = request.match_info["slug"]
    channel = await request.app[CHANNELS].get(slug.lower())
    if slug != channel.slug:
        redirect(f"/@{channel.slug}{tail}")
    return channel


async def channel_view(request: web.Request, channel: Channel) -> dict[str, Any]:
    """The context that all pages of a channel share."""
    user = viewer(request)
    follows = request.app[FOLLOWS]
    last_live = await request.app[STREAMS].last_live_at_ms([channel.id])
    following = await request.app[SCHEDULE].next_of(channel.id)
    return {
        "channel": {
            "slug": channel.slug,
            "name": channel.name,
            "title": channel.title,
            "description": channel.description,
            "owner": channel.owner,
            "is_verified": channel.is_verified,
            "category": category_link(channel),
            "tags": channel.tags,
            "not_general_reason": channel.not_general_reason,
            "followers": await follows.count(channel.id),
            "last_live_at_ms": last_live.get(channel.id),
            **{name: getattr(channel, name) for name in FLAGS},
        },
        "follows": user is not None and await follows.is_following(user, channel.id),
        "is_owner": user is not None and user.id == channel.owner_id,
        "teams": [
            {"slug": one.slug, "name": one.name}
            for one in await request.app[TEAMS].of_channel(channel.id)
        ],
        "studio_url": f"/studio/{channel.slug}",
        "next_entry": None if following is None else occurrence_view(following),
    }


def category_link(channel: Channel) -> dict[str, str] | None:
    """Slug and name of the channel's category."""
    if channel.category is None or channel.category_slug is None:
        return None
    return {"slug": channel.category_slug, "name": channel.category}

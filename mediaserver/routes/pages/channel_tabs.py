"""The other pages of a channel: its schedule, also as a calendar file, and its videos."""

from __future__ import annotations

import dataclasses
import hashlib

from aiohttp import web

from mediaserver.channels.calendar import calendar_of
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.routes.channel_view import asked_channel, channel_view
from mediaserver.routes.keys import CLOCK, LIVE, SCHEDULE
from mediaserver.routes.live_view import cards, is_watchable
from mediaserver.routes.page import page, site_url
from mediaserver.routes.schedule_view import occurrence_view


async def schedule_page(request: web.Request) -> web.Response:
    channel = await asked_channel(request, "/schedule")
    now_ms = request.app[CLOCK].wall_ms()
    calendar_url = f"{site_url(request)}/@{channel.slug}/schedule.ics"
    return page(
        request,
        "schedule.html",
        {
            **await channel_view(request, channel),
            "live": _card(request, channel),
            "tab": "schedule",
            "occurrences": [
                occurrence_view(one, now_ms)
                for one in await request.app[SCHEDULE].occurrences(channel.id)
            ],
            # subscribes in programs that know the scheme; the file itself works everywhere
            "subscribe_url": "webcal://" + calendar_url.partition("://")[2],
        },
    )


async def calendar_file(request: web.Request) -> web.Response:
    channel = await asked_channel(request, "/schedule.ics")
    entries = await request.app[SCHEDULE].entries(channel.id)
    text = calendar_of(channel, entries, f"{site_url(request)}/@{channel.slug}")
    tag = hashlib.sha256(text).hexdigest()[:32]
    headers = {
        "ETag": f'"{tag}"',
        "Cache-Control": f"public, max-age={limits.CALENDAR_MAX_AGE_S}",
        "Content-Disposition": f'inline; filename="{channel.slug}.ics"',
    }
    if any(known.value == tag for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=text, content_type="text/calendar", charset="utf-8", headers=headers)


async def videos_page(request: web.Request) -> web.Response:
    channel = await asked_channel(request, "/videos")
    return page(
        request,
        "videos.html",
        {
            **await channel_view(request, channel),
            "live": _card(request, channel),
            "tab": "videos",
        },
    )


def _card(request: web.Request, channel: Channel) -> dict[str, object] | None:
    """The channel's live stream, if there is one to watch."""
    status = request.app[LIVE].status(channel.slug)
    if status is None or not is_watchable(status):
        return None
    return dataclasses.asdict(cards([status], [channel])[0])


routes = [
    web.get("/@{slug}/schedule", schedule_page),
    web.get("/@{slug}/schedule.ics", calendar_file),
    web.get("/@{slug}/videos", videos_page),
]

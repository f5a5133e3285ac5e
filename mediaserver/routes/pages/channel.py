"""The channel page, where people watch, and the forms on it: follow, unfollow, the gate."""

from __future__ import annotations

import dataclasses
from typing import Any

from aiohttp import web

from mediaserver.channels.channels import Channel
from mediaserver.routes.channel_view import asked_channel, channel_view
from mediaserver.routes.forms import read_form
from mediaserver.routes.gates import gate_of, let_in, pass_gate
from mediaserver.routes.host_cookies import host_cookie
from mediaserver.routes.keys import ALERTS, FOLLOWS, LIVE, STREAMS
from mediaserver.routes.live_view import live_view
from mediaserver.routes.money_view import way_to_give
from mediaserver.routes.page import local_path, noticed, page, see_other, signed_in, viewer
from mediaserver.routes.pages.chat import room
from mediaserver.routes.render import CSP_PLAYER
from mediaserver.routes.viewers import mark_viewer


async def channel_page(request: web.Request) -> web.Response:
    channel = await asked_channel(request)
    view = live_view(channel, request.app[LIVE], for_owner=False)  # what everybody sees
    running = None if view is None else await request.app[STREAMS].running(channel.id)
    response = page(
        request,
        "channel.html",
        {
            **await channel_view(request, channel),
            "live": None if view is None else dataclasses.asdict(view),
            "stream_id": running.id if running is not None and running.live_at_ms else None,
            "stream_description": "" if running is None else running.description,
            "way_to_give": await way_to_give(request, channel),
            "gate": gate_of(request, channel),
            "tab": "about",
            "support": await _support(request, channel),
            "room": await room(request, channel, viewer(request)),
            # set by theatre.js and watch.js; rendered, so that nothing jumps
            "theatre": host_cookie(request, "theatre") == "1",
            "chat_hidden": host_cookie(request, "chat") == "hidden",
        },
        csp=CSP_PLAYER,
    )
    mark_viewer(request, response)
    let_in(request, response, channel)
    return response


async def _support(request: web.Request, channel: Channel) -> dict[str, Any] | None:
    """The goal and this month's tippers of a channel that may receive money."""
    alerts = request.app[ALERTS]
    if not (alerts.is_on and channel.is_verified):
        return None
    return (await alerts.support(channel.id)).for_viewers()


async def without_slash(request: web.Request) -> web.Response:
    """`/@name/` is written by hand and by some programs."""
    channel = await asked_channel(request)
    return see_other(f"/@{channel.slug}")


async def follow(request: web.Request) -> web.Response:
    return await _follow(request, follows=True)


async def unfollow(request: web.Request) -> web.Response:
    return await _follow(request, follows=False)


async def _follow(request: web.Request, *, follows: bool) -> web.Response:
    user = signed_in(request)
    channel = await asked_channel(request)
    form = await read_form(request)
    change = request.app[FOLLOWS].follow if follows else request.app[FOLLOWS].unfollow
    await change(user, channel.slug)
    back = local_path(form.get("next", ""), f"/@{channel.slug}")
    return noticed(request, back, "followed" if follows else "unfollowed")


async def open_gate(request: web.Request) -> web.Response:
    channel = await asked_channel(request)
    form = await read_form(request)
    target = local_path(form.get("next", ""), f"/@{channel.slug}")
    response = see_other(target)
    ticket = pass_gate(request, response, channel)
    if target == f"/embed/{channel.slug}":  # a frame in another site's page has no cookies
        response.headers["Location"] = f"{target}?gate={ticket}"
    return response


routes = [
    web.get("/@{slug}", channel_page),
    web.get("/@{slug}/", without_slash),
    web.post("/@{slug}/follow", follow),
    web.post("/@{slug}/unfollow", unfollow),
    web.post("/@{slug}/gate", open_gate),
]

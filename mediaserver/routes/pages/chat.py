"""The chat by itself: in a window of its own, and inside other sites' pages.

`room` is what every page with a chat hands to its template, so that the chat is complete when the
page is, and its last lines can be read without JavaScript.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.chat.events import ChatEvent
from mediaserver.routes.keys import CHANNELS, CHAT, LIVE
from mediaserver.routes.live_view import live_view
from mediaserver.routes.page import page, viewer
from mediaserver.routes.render import CSP_PAGE, CSP_PLAYER
from mediaserver.routes.viewers import mark_viewer

_HUES = 12


def name_hue(username: str) -> int:
    """One of 12 colours by name (FNV-1a, 32 bits); chat-events.js says the same."""
    value = 0x811C9DC5
    for byte in username.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value % _HUES


async def room(request: web.Request, channel: Channel, user: User | None) -> dict[str, Any]:
    """What the chat of `channel` is for `user` now, as the socket's `join` answers it."""
    joined = await request.app[CHAT].join(channel, user)
    return {
        "sequence": joined.sequence,
        "events": [_event(event) for event in joined.events],
        "pinned": None if joined.pinned is None else _event(joined.pinned),
        "rules": dataclasses.asdict(joined.rules),
        "emotes": [dataclasses.asdict(emote) for emote in joined.emotes],
        "commands": [dataclasses.asdict(command) for command in joined.commands],
        "you": dataclasses.asdict(joined.you),
    }


def _event(event: ChatEvent) -> dict[str, Any]:
    fields = event.as_json()
    if event.author is not None:
        fields["author"]["hue"] = name_hue(event.author.username)
    return fields


def _framed(policy: str) -> str:
    """Other sites may show the page in a frame."""
    return policy.replace("frame-ancestors 'none'", "frame-ancestors *")


async def popout(request: web.Request) -> web.Response:
    channel = await request.app[CHANNELS].get(request.match_info["slug"])
    return page(request, "chat.html", await _alone(request, channel, viewer(request)))


async def embed_chat(request: web.Request) -> web.Response:
    """To read only: a page of another site must not be able to write in a visitor's name."""
    channel = await request.app[CHANNELS].get(request.match_info["slug"])
    context = await _alone(request, channel, None) | {"kind": "read"}
    return page(request, "chat.html", context, csp=_framed(CSP_PAGE))


async def _alone(request: web.Request, channel: Channel, user: User | None) -> dict[str, Any]:
    return {
        "channel": {"slug": channel.slug, "name": channel.name},
        "room": await room(request, channel, user),
        "kind": "alone",
    }


async def embed(request: web.Request) -> web.Response:
    """The player alone, for other sites' pages."""
    channel = await request.app[CHANNELS].get(request.match_info["slug"])
    view = live_view(channel, request.app[LIVE], for_owner=False)
    response = page(
        request,
        "embed.html",
        {
            "channel": {"slug": channel.slug, "name": channel.name},
            "live": None if view is None else dataclasses.asdict(view),
        },
        csp=_framed(CSP_PLAYER),
    )
    mark_viewer(request, response)
    return response


routes = [
    web.get("/popout/{slug}/chat", popout),
    web.get("/embed/{slug}", embed),
    web.get("/embed/{slug}/chat", embed_chat),
]

"""The chat by itself: in a window of its own, inside other sites' pages, in streaming software.

`room` is what every page with a chat hands to its template, so that the chat is complete when the
page is, and its last lines can be read without JavaScript.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.channels.display_tokens import Kind, Opened
from mediaserver.chat.events import ChatEvent
from mediaserver.kernel.errors import NotFound, Unauthorized
from mediaserver.routes.gates import gate_of, let_in, ticket_of
from mediaserver.routes.keys import ALERTS, CHANNELS, CHAT, DISPLAY_TOKENS, LIVE
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
        "kept": [dataclasses.asdict(line) for line in await request.app[ALERTS].kept(channel.id)],
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
    ticket = ticket_of(request, channel)
    view = live_view(channel, request.app[LIVE], for_owner=False, ticket=ticket)
    response = page(
        request,
        "embed.html",
        {
            "channel": {"slug": channel.slug, "name": channel.name},
            "live": None if view is None else dataclasses.asdict(view),
            "gate": gate_of(request, channel),
            "ticket": ticket,
        },
        csp=_framed(CSP_PLAYER),
    )
    mark_viewer(request, response)
    let_in(request, response, channel)
    return response


async def overlay(request: web.Request) -> web.Response:
    """A browser source of streaming software: lines over the picture, nothing else."""
    opened = await opened_by_token(request, "overlay")
    context = {"channel": {"slug": opened.channel.slug, "name": opened.channel.name}}
    return secret(page(request, "overlay/chat.html", context))


async def dock(request: web.Request) -> web.Response:
    """A dock of streaming software: the whole chat, as whoever made its token."""
    opened = await opened_by_token(request, "dock")
    context = await _alone(request, opened.channel, opened.user)
    context["token"] = request.match_info["token"]
    return secret(page(request, "chat.html", context))


async def opened_by_token(request: web.Request, kind: Kind) -> Opened:
    """What the token in the address opens. Raises `NotFound`: a wrong one is a wrong address."""
    try:
        return await request.app[DISPLAY_TOKENS].open(kind, request.match_info["token"])
    except Unauthorized as error:
        raise NotFound(
            "This link doesn't work any more. The channel's studio has the new one."
        ) from error


def secret(response: web.Response) -> web.Response:
    """Neither kept on disk nor told to the sites that its links lead to."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


routes = [
    web.get("/overlay/{token}/chat", overlay),
    web.get("/dock/{token}", dock),
    web.get("/popout/{slug}/chat", popout),
    web.get("/embed/{slug}", embed),
    web.get("/embed/{slug}/chat", embed_chat),
]

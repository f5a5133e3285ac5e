"""Emotes over the API. Their pictures: routes/pictures.py."""

from __future__ import annotations

import dataclasses

from aiohttp import web

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.chat.events import Emote
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound, RateLimited, Unavailable
from mediaserver.routes.api.chat import channel_of
from mediaserver.routes.api.operation import Answer, Operations, caller
from mediaserver.routes.keys import EMOTES

api = Operations("Emotes", Scope.CHANNELS)

_WRITES = (Conflict, Forbidden, NotFound, RateLimited, Unavailable)


class EmoteOut(Answer):
    """A small picture that stands for `:code:` in a line."""

    code: str
    url: str
    width: int
    height: int
    animated: bool
    channel: bool


class EmoteList(Answer):
    """Emotes by code."""

    emotes: list[EmoteOut]


def _emote(emote: Emote) -> EmoteOut:
    return EmoteOut(**dataclasses.asdict(emote))


def _found(emotes: tuple[Emote, ...], code: str) -> EmoteOut:
    for emote in emotes:
        if emote.code == code:
            return _emote(emote)
    raise NotFound("There is no such emote.", code="emote_not_found")


@api.get("/channels/{slug}/emotes", "List emotes", answer=EmoteList, errors=(NotFound,))
async def list_channel_emotes(request: web.Request) -> EmoteList:
    """What may be used in the channel: its own (`channel` is true) and the site's."""
    emotes = await request.app[EMOTES].list_all(await channel_of(request))
    return EmoteList(emotes=[_emote(emote) for emote in emotes])


@api.get("/channels/{slug}/emotes/{code}", "Show an emote", answer=EmoteOut, errors=(NotFound,))
async def show_channel_emote(request: web.Request) -> EmoteOut:
    """One emote that may be used in the channel."""
    emotes = await request.app[EMOTES].list_all(await channel_of(request))
    return _found(emotes, request.match_info["code"])


@api.put(
    "/channels/{slug}/emotes/{code}",
    "Make an emote",
    upload_bytes_max=limits.EMOTE_UPLOAD_BYTES_MAX,
    answer=EmoteOut,
    sign_in=True,
    errors=_WRITES,
)
async def put_channel_emote(request: web.Request, picture: bytes) -> EmoteOut:
    """Takes a PNG, WebP or GIF, also an animated one, and makes it at most 112 pixels wide and
    high. The code has 2 to 24 of a-z, 0-9 and _. Only the owner may.
    """
    return _emote(
        await request.app[EMOTES].put(
            caller(request), await channel_of(request), request.match_info["code"], picture
        )
    )


@api.delete("/channels/{slug}/emotes/{code}", "Remove an emote", sign_in=True, errors=_WRITES)
async def remove_channel_emote(request: web.Request) -> None:
    """Lines that use it show its :code: from then on. Only the owner may."""
    await request.app[EMOTES].remove(
        caller(request), await channel_of(request), request.match_info["code"]
    )


@api.get("/emotes", "List the site's emotes", answer=EmoteList)
async def list_site_emotes(request: web.Request) -> EmoteList:
    """What may be used in every channel."""
    emotes = await request.app[EMOTES].list_all(None)
    return EmoteList(emotes=[_emote(emote) for emote in emotes])


@api.get("/emotes/{code}", "Show an emote of the site", answer=EmoteOut, errors=(NotFound,))
async def show_site_emote(request: web.Request) -> EmoteOut:
    """One emote that may be used in every channel."""
    return _found(await request.app[EMOTES].list_all(None), request.match_info["code"])


@api.put(
    "/emotes/{code}",
    "Make an emote of the site",
    scope=Scope.ADMIN,
    upload_bytes_max=limits.EMOTE_UPLOAD_BYTES_MAX,
    answer=EmoteOut,
    sign_in=True,
    errors=_WRITES,
)
async def put_site_emote(request: web.Request, picture: bytes) -> EmoteOut:
    """For every channel, from the next visit on. Only an admin may."""
    return _emote(
        await request.app[EMOTES].put(
            caller(request), None, request.match_info["code"], picture, request.remote
        )
    )


@api.delete(
    "/emotes/{code}",
    "Remove an emote of the site",
    scope=Scope.ADMIN,
    sign_in=True,
    confirm=True,
    errors=_WRITES,
)
async def remove_site_emote(request: web.Request) -> None:
    """Only an admin may."""
    await request.app[EMOTES].remove(
        caller(request), None, request.match_info["code"], request.remote
    )

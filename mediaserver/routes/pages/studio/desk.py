"""The desk itself: preview, state, what the stream is about, and the one button that matters."""

from __future__ import annotations

import dataclasses

from aiohttp import web

from mediaserver.accounts.permissions import Rank
from mediaserver.channels.information import FLAGS, split_tags
from mediaserver.channels.streams import STOPPED
from mediaserver.kernel.errors import Conflict, Invalid
from mediaserver.routes.forms import read_form
from mediaserver.routes.gates import let_in
from mediaserver.routes.keys import (
    CHANNELS,
    DESK,
    LIVE,
    SHOWN_ONCE,
    STREAM_KEYS,
)
from mediaserver.routes.live_view import live_view
from mediaserver.routes.page import noticed, redirect, rtmp_server_url
from mediaserver.routes.pages.chat import room
from mediaserver.routes.pages.studio.frame import (
    Returned,
    Studio,
    category_options,
    open_studio,
    reachable,
    studio_page,
    working,
)
from mediaserver.routes.pages.studio.health import health_of
from mediaserver.routes.pages.studio.making import new_channel_page
from mediaserver.routes.render import CSP_PLAYER

_FIELDS = ("title", "category", "tags", *FLAGS, "not_general_reason")


async def first_desk(request: web.Request) -> web.Response:
    """The desk of the first own channel, else what there is to moderate, else the form that makes
    a channel."""
    user = working(request)
    owned = await request.app[CHANNELS].list_owned(user)
    if owned:
        rank = await request.app[DESK].rank(user, owned[0])
        return await _desk(request, Studio(user, owned[0], rank))
    if trusted := await reachable(request, user):
        redirect(trusted[0]["path"])
    return await new_channel_page(request)


async def show_desk(request: web.Request) -> web.Response:
    studio = await open_studio(request, Rank.MODERATOR)
    if studio.rank < Rank.OWNER:
        redirect(studio.path("chat"))
    return await _desk(request, studio)


async def change_stream(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    form = await read_form(request)
    try:
        await request.app[CHANNELS].update(
            studio.user,
            studio.channel.slug,
            title=form.get("title"),
            category=form.get("category"),
            tags=split_tags(form.get("tags", "")),
            brand_promotion="brand_promotion" in form,
            recorded_content="recorded_content" in form,
            age_restricted="age_restricted" in form,
            not_general="not_general" in form,
            not_general_reason=form.get("not_general_reason"),
        )
    except (Invalid, Conflict) as error:
        return await _desk(request, studio, Returned("stream", form, error))
    return noticed(request, studio.path(), "saved")


async def start_stream(request: web.Request) -> web.Response:
    """What is held becomes public."""
    studio = await open_studio(request)
    started = request.app[LIVE].start(studio.channel.slug)
    return noticed(request, studio.path(), "stream-started" if started else "encoder-away")


async def end_stream(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    ended = request.app[LIVE].stop(studio.channel.slug, STOPPED)
    return noticed(request, studio.path(), "stream-ended" if ended else "stream-not-live")


async def _desk(
    request: web.Request, studio: Studio, returned: Returned | None = None
) -> web.Response:
    channel = studio.channel
    stream = (
        {**dataclasses.asdict(channel), "tags": ", ".join(channel.tags)}
        | {"category": channel.category_slug or ""}
        if returned is None
        else {name: returned.given.get(name, "") for name in _FIELDS}
    )
    view = live_view(studio.channel, request.app[LIVE], for_owner=True)
    new_key = request.app[SHOWN_ONCE].take(studio.user.id, studio.channel.slug)
    keys = await request.app[STREAM_KEYS].list_active(studio.user, studio.channel.slug)
    response = await studio_page(
        request,
        studio,
        "desk",
        {
            "stream": stream,
            "categories": await category_options(request, studio.channel),
            "room": await room(request, channel, studio.user),
            "health": health_of(request, channel.slug),
            "live": None if view is None else dataclasses.asdict(view),
            "server_url": rtmp_server_url(request),
            "keys": [dataclasses.asdict(key) for key in keys],
            "new_key": None if new_key is None else dataclasses.asdict(new_key),
        },
        returned=returned,
        csp=CSP_PLAYER,
    )
    let_in(request, response, channel)
    return response


routes = [
    web.get("/studio", first_desk),
    web.get("/studio/{slug}", show_desk),
    web.post("/studio/{slug}", change_stream),
    web.post("/studio/{slug}/start", start_stream),
    web.post("/studio/{slug}/end", end_stream),
]

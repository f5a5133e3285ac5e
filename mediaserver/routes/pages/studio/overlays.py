"""The chat elsewhere: in the picture, as a dock in OBS, on other sites, in a window of its own."""

from __future__ import annotations

import dataclasses
from html import escape

from aiohttp import web

from mediaserver.channels.channels import Channel
from mediaserver.routes.confirming import confirmed
from mediaserver.routes.forms import FORM_ERRORS, read_form
from mediaserver.routes.keys import DISPLAY_TOKENS, SHOWN_ONCE
from mediaserver.routes.page import noticed, site_url
from mediaserver.routes.pages.studio.frame import Returned, Studio, open_studio, studio_page
from mediaserver.routes.shown_once import NewKey


async def show_overlays(request: web.Request) -> web.Response:
    return await _overlays(request, await open_studio(request))


async def regenerate_overlay(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    await request.app[DISPLAY_TOKENS].regenerate_overlay(studio.user, studio.channel.slug)
    return noticed(request, studio.path("overlays"), "overlay-made")


async def create_dock(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    confirmed(request, studio.path("overlays"))
    form = await read_form(request)
    try:
        made, secret = await request.app[DISPLAY_TOKENS].create_dock(
            studio.user, studio.channel.slug, form.get("name", "")
        )
    except FORM_ERRORS as error:
        return await _overlays(request, studio, Returned("dock", form, error, "name"))
    dock = NewKey(made.name, f"{site_url(request)}/dock/{secret}")
    request.app[SHOWN_ONCE].put(studio.user.id, _place(studio), dock)
    return noticed(request, studio.path("overlays"), "dock-made")


async def revoke_dock(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    await request.app[DISPLAY_TOKENS].revoke_dock(
        studio.user, studio.channel.slug, request.match_info["id"]
    )
    return noticed(request, studio.path("overlays"), "dock-revoked")


async def _overlays(
    request: web.Request, studio: Studio, returned: Returned | None = None
) -> web.Response:
    slug, site = studio.channel.slug, site_url(request)
    tokens = request.app[DISPLAY_TOKENS]
    overlay = await tokens.overlay(studio.user, slug)
    docks = await tokens.list_docks(studio.user, slug)
    new_dock = request.app[SHOWN_ONCE].take(studio.user.id, _place(studio))
    return await studio_page(
        request,
        studio,
        "overlays",
        {
            "overlay_url": f"{site}/overlay/{overlay}/chat",
            "docks": [dataclasses.asdict(dock) for dock in docks],
            "new_dock": None if new_dock is None else dataclasses.asdict(new_dock),
            "embed": _embed(site, studio.channel),
            "popout_url": f"/popout/{slug}/chat",
        },
        returned=returned,
    )


def _place(studio: Studio) -> str:
    """Where the new dock waits to be shown; a slug holds no space."""
    return f"{studio.channel.slug} dock"


def _embed(site: str, channel: Channel) -> dict[str, str]:
    """HTML for other sites."""
    name = escape(channel.name)
    url = f"{site}/embed/{channel.slug}"
    return {
        "player": f'<iframe src="{url}" width="640" height="360" '
        f'allow="autoplay; fullscreen; picture-in-picture" title="{name}, live"></iframe>',
        "chat": f'<iframe src="{url}/chat" width="360" height="600" '
        f'title="Chat of {name}"></iframe>',
    }


routes = [
    web.get("/studio/{slug}/overlays", show_overlays),
    web.post("/studio/{slug}/overlays/regenerate", regenerate_overlay),
    web.post("/studio/{slug}/docks", create_dock),
    web.post("/studio/{slug}/docks/{id}/revoke", revoke_dock),
]

"""The teams of a channel: invitations to answer, those it is in, forming one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.routes.forms import read_form
from mediaserver.routes.keys import INVITATIONS, TEAMS
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.studio.frame import Returned, Studio, open_studio, studio_page


async def show_teams(request: web.Request) -> web.Response:
    return await _teams(request, await open_studio(request))


async def form_team(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    form = await read_form(request)
    try:
        made = await request.app[TEAMS].form(
            studio.user,
            studio.channel.slug,
            form.get("slug", ""),
            form.get("name", ""),
            form.get("about", ""),
        )
    except (Invalid, Conflict) as error:
        return await _teams(request, studio, Returned("team", form, error))
    return noticed(request, f"/team/{made.slug}/manage", "team-formed")


async def accept(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    form = await read_form(request)
    try:
        await request.app[INVITATIONS].accept(
            studio.user, studio.channel.slug, form.get("team", "")
        )
    except (Conflict, NotFound) as error:
        return await _teams(request, studio, Returned("answer", form, error))
    return noticed(request, studio.path("teams"), "team-joined")


async def decline(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    form = await read_form(request)
    with suppress(NotFound):  # it was withdrawn meanwhile
        await request.app[INVITATIONS].decline(
            studio.user, studio.channel.slug, form.get("team", "")
        )
    return noticed(request, studio.path("teams"), "team-declined")


async def leave(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    form = await read_form(request)
    try:
        await request.app[TEAMS].leave(studio.user, studio.channel.slug, form.get("team", ""))
    except (Conflict, NotFound) as error:
        return await _teams(request, studio, Returned("answer", form, error))
    return noticed(request, studio.path("teams"), "team-left")


async def _teams(
    request: web.Request, studio: Studio, returned: Returned | None = None
) -> web.Response:
    joined = await request.app[TEAMS].of_channel(studio.channel.id)
    led = await request.app[TEAMS].owned(studio.user)
    context: Mapping[str, object] = {
        "joined": [
            dataclasses.asdict(one) | {"is_own": one.owner_id == studio.channel.owner_id}
            for one in joined
        ],
        "led_elsewhere": [dataclasses.asdict(one) for one in led if one not in joined],
        "invitations": [
            dataclasses.asdict(one.team) | {"asked_at_ms": one.created_at_ms}
            for one in await request.app[INVITATIONS].of_channel(studio.channel)
        ],
        "name_chars_max": limits.TEAM_NAME_CHARS_MAX,
        "about_chars_max": limits.TEAM_ABOUT_CHARS_MAX,
    }
    return await studio_page(request, studio, "teams", context, returned=returned)


routes = [
    web.get("/studio/{slug}/teams", show_teams),
    web.post("/studio/{slug}/teams", form_team),
    web.post("/studio/{slug}/teams/accept", accept),
    web.post("/studio/{slug}/teams/decline", decline),
    web.post("/studio/{slug}/teams/leave", leave),
]

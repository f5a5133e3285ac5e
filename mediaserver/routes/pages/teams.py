"""A team's page, where its live streams are, and the page on which its owner leads it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web

from mediaserver.accounts.permissions import Action, Thing, can
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, NotFound
from mediaserver.routes.confirming import confirmed
from mediaserver.routes.errors import problem_of
from mediaserver.routes.forms import FORM_ERRORS, FormError, form_errors, read_form
from mediaserver.routes.home_view import channel_links
from mediaserver.routes.keys import INVITATIONS, LIVE, TEAMS
from mediaserver.routes.live_view import cards, watchable
from mediaserver.routes.page import noticed, page, redirect, signed_in, viewer


async def team_page(request: web.Request) -> web.Response:
    slug = request.match_info["slug"]
    if slug != slug.lower():
        redirect(f"/team/{slug.lower()}")
    found = await request.app[TEAMS].get(slug)
    channels = [one.channel for one in await request.app[TEAMS].members(found)]
    live = cards(watchable(request.app[LIVE]), channels)
    on_air = {card.slug for card in live}
    offline = [one for one in channels if one.slug not in on_air]
    return page(
        request,
        "team.html",
        {
            "team": dataclasses.asdict(found),
            "live": [dataclasses.asdict(card) for card in live],
            "channels": await channel_links(request, offline),
            "count": len(channels),
            "may_manage": can(viewer(request), Action.MANAGE_TEAM, Thing(found.owner_id)),
        },
    )


async def manage_page(request: web.Request) -> web.Response:
    return await _manage(request)


async def change_team(request: web.Request) -> web.Response:
    user, form = signed_in(request), await read_form(request)
    slug = request.match_info["slug"]
    try:
        await request.app[TEAMS].change(user, slug, name=form.get("name"), about=form.get("about"))
    except FORM_ERRORS as error:
        return await _manage(request, "team", form, error)
    return noticed(request, _path(request), "saved")


async def invite(request: web.Request) -> web.Response:
    user, form = signed_in(request), await read_form(request)
    slug = request.match_info["slug"]
    await request.app[TEAMS].get_managed(user, slug)
    try:
        await request.app[INVITATIONS].invite(user, slug, form.get("channel", ""))
    except FORM_ERRORS as error:
        return await _manage(request, "invite", form, error)
    except NotFound as error:
        return await _manage(request, "invite", form, Invalid(error.message, field="channel"))
    return noticed(request, _path(request), "team-invited")


async def withdraw(request: web.Request) -> web.Response:
    user, form = signed_in(request), await read_form(request)
    slug = request.match_info["slug"]
    await request.app[TEAMS].get_managed(user, slug)
    with suppress(NotFound):  # it was answered meanwhile
        await request.app[INVITATIONS].withdraw(user, slug, form.get("channel", ""))
    return noticed(request, _path(request), "team-withdrawn")


async def remove_member(request: web.Request) -> web.Response:
    user, form = signed_in(request), await read_form(request)
    try:
        await request.app[TEAMS].remove(user, request.match_info["slug"], form.get("channel", ""))
    except FORM_ERRORS as error:
        return await _manage(request, "members", form, error)
    return noticed(request, _path(request), "team-removed")


async def hand_over(request: web.Request) -> web.Response:
    user = confirmed(request, _path(request)).user
    form = await read_form(request)
    slug = request.match_info["slug"]
    try:
        await request.app[TEAMS].hand_over(user, slug, form.get("channel", ""))
    except FORM_ERRORS as error:
        return await _manage(request, "hand-over", form, error)
    return noticed(request, f"/team/{slug}", "team-handed-over")


async def delete_team(request: web.Request) -> web.Response:
    user = confirmed(request, _path(request)).user
    await request.app[TEAMS].delete(user, request.match_info["slug"])
    return noticed(request, "/studio", "team-deleted")


async def _manage(
    request: web.Request,
    failed: str = "",
    form: Mapping[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    found = await request.app[TEAMS].get_managed(signed_in(request), request.match_info["slug"])
    members = await request.app[TEAMS].members(found)
    context: dict[str, Any] = {
        "team": dataclasses.asdict(found),
        "members": [_member(one.channel.slug, one.channel.name, one.role) for one in members],
        "heirs": [
            (one.channel.slug, one.channel.name)
            for one in members
            if one.channel.owner_id != found.owner_id
        ],
        "invitations": [
            {
                "slug": one.channel.slug,
                "name": one.channel.name,
                "created_at_ms": one.created_at_ms,
            }
            for one in await request.app[INVITATIONS].of_team(found)
        ],
        "members_max": limits.TEAM_MEMBERS_MAX,
        "name_chars_max": limits.TEAM_NAME_CHARS_MAX,
        "about_chars_max": limits.TEAM_ABOUT_CHARS_MAX,
        "failed": failed,
        "form": dict(form or {}),
        "errors": form_errors(error) if error is not None else {},
    }
    return page(
        request,
        "team_manage.html",
        context,
        status=problem_of(error).status if error is not None else 200,
    )


def _member(slug: str, name: str, role: str) -> dict[str, str]:
    return {"slug": slug, "name": name, "role": role}


def _path(request: web.Request) -> str:
    return f"/team/{request.match_info['slug']}/manage"


routes = [
    web.get("/team/{slug}", team_page),
    web.get("/team/{slug}/manage", manage_page),
    web.post("/team/{slug}/manage", change_team),
    web.post("/team/{slug}/invite", invite),
    web.post("/team/{slug}/withdraw", withdraw),
    web.post("/team/{slug}/remove", remove_member),
    web.post("/team/{slug}/hand-over", hand_over),
    web.post("/team/{slug}/delete", delete_team),
]

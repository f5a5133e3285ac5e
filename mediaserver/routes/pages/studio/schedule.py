"""The schedule of a channel: announce, change, skip once, cancel."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiohttp import web

from mediaserver.channels.schedule import Given
from mediaserver.channels.timetable import (
    UTC_ZONE,
    Entry,
    Occurrence,
    local_to_ms,
    time_zones,
    zone_of,
)
from mediaserver.kernel import limits
from mediaserver.routes.forms import FORM_ERRORS, read_form
from mediaserver.routes.keys import SCHEDULE
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.studio.frame import (
    Returned,
    Studio,
    category_options,
    number_in,
    open_studio,
    studio_page,
)

_DURATIONS_MIN = (30, 45, 60, 90, 120, 150, 180, 240, 300, 360, 480, 720)
_USUAL_MIN = 120
_REGIONS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian")
_ZONES = (
    UTC_ZONE,
    *sorted(zone for zone in time_zones() if zone.partition("/")[0] in (*_REGIONS, "Pacific")),
)
"""Names as people know them, without the old ones such as EST5EDT."""

_FIELDS = ("title", "starts", "duration_min", "time_zone", "repeat", "category")


async def show_schedule(request: web.Request) -> web.Response:
    return await _schedule(request, await open_studio(request))


async def add_entry(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    form = await read_form(request)
    try:
        await request.app[SCHEDULE].create(studio.user, studio.channel.slug, _given(form))
    except FORM_ERRORS as error:
        return await _schedule(request, studio, returned=Returned("entry", form, error))
    return noticed(request, studio.path("schedule"), "announced")


async def show_entry(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    return await _schedule(request, studio, editing=request.match_info["id"])


async def change_entry(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    form = await read_form(request)
    entry_id = request.match_info["id"]
    try:
        await request.app[SCHEDULE].change(studio.user, studio.channel.slug, entry_id, _given(form))
    except FORM_ERRORS as error:
        returned = Returned("entry", form, error)
        return await _schedule(request, studio, editing=entry_id, returned=returned)
    return noticed(request, studio.path("schedule"), "saved")


async def cancel_entry(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    await request.app[SCHEDULE].remove(studio.user, studio.channel.slug, request.match_info["id"])
    return noticed(request, studio.path("schedule"), "cancelled")


async def skip_once(request: web.Request) -> web.Response:
    """One time of a weekly entry doesn't take place, or does again."""
    studio = await open_studio(request)
    form = await read_form(request)
    is_cancelled = form.get("is_cancelled") == "1"
    await request.app[SCHEDULE].cancel(
        studio.user,
        studio.channel.slug,
        request.match_info["id"],
        number_in(form, "starts_at_ms") or 0,
        is_cancelled=is_cancelled,
    )
    return noticed(request, studio.path("schedule"), "skipped" if is_cancelled else "saved")


def _given(form: Mapping[str, str]) -> Given:
    """Raises `Invalid`."""
    time_zone = form.get("time_zone", UTC_ZONE)
    return Given(
        title=form.get("title", ""),
        category=form.get("category", ""),
        starts_at_ms=local_to_ms(form.get("starts", ""), time_zone),
        duration_min=number_in(form, "duration_min"),
        repeat=form.get("repeat", "none"),
        time_zone=time_zone,
    )


async def _schedule(
    request: web.Request,
    studio: Studio,
    *,
    editing: str | None = None,
    returned: Returned | None = None,
) -> web.Response:
    schedule = request.app[SCHEDULE]
    entries = await schedule.entries(studio.channel.id)
    times: dict[str, list[Occurrence]] = {}
    for one in await schedule.occurrences(studio.channel.id):
        times.setdefault(one.entry.id, []).append(one)
    edited = next((entry for entry in entries if entry.id == editing), None)
    if editing is not None and edited is None:
        raise web.HTTPNotFound
    given = _of_entry(edited) if edited else _blank(studio, entries)
    if returned is not None:
        given |= {name: returned.given[name] for name in _FIELDS if name in returned.given}
    duration_min = given["duration_min"]
    durations = {str(minutes) for minutes in _DURATIONS_MIN} | {duration_min}
    return await studio_page(
        request,
        studio,
        "schedule",
        {
            "entries": [_shown(entry, times.get(entry.id, [])) for entry in entries],
            "editing": editing,
            "given": given,
            "categories": await category_options(request, edited),
            "durations": sorted((minutes for minutes in durations if minutes.isdigit()), key=int),
            "time_zones": [(zone, zone.replace("_", " ")) for zone in _ZONES],
        },
        returned=returned,
    )


def _shown(entry: Entry, times: list[Occurrence]) -> dict[str, Any]:
    """An entry with the next times of it."""
    next_times = [
        {"starts_at_ms": one.starts_at_ms, "is_cancelled": one.is_cancelled}
        for one in times[: limits.TIMES_OF_ENTRY_SHOWN]
    ]
    first = {"starts_at_ms": entry.starts_at_ms, "is_cancelled": False}
    return dataclasses.asdict(entry) | {"times": next_times or [first]}


def _of_entry(entry: Entry) -> dict[str, str]:
    local = datetime.fromtimestamp(entry.starts_at_ms / 1000, zone_of(entry))
    return {
        "title": entry.title,
        "starts": local.strftime("%Y-%m-%dT%H:%M"),
        "duration_min": str(entry.duration_min),
        "time_zone": entry.time_zone,
        "repeat": entry.repeat,
        "category": entry.category_slug or "",
    }


def _blank(studio: Studio, entries: list[Entry]) -> dict[str, str]:
    """As the channel is now and as it was scheduled last; a script guesses the zone otherwise."""
    return {
        "title": "",
        "starts": "",
        "duration_min": str(entries[-1].duration_min if entries else _USUAL_MIN),
        "time_zone": entries[-1].time_zone if entries else UTC_ZONE,
        "repeat": "none",
        "category": studio.channel.category_slug or "",
    }


routes = [
    web.get("/studio/{slug}/schedule", show_schedule),
    web.post("/studio/{slug}/schedule", add_entry),
    web.get("/studio/{slug}/schedule/{id}", show_entry),
    web.post("/studio/{slug}/schedule/{id}", change_entry),
    web.post("/studio/{slug}/schedule/{id}/cancel", cancel_entry),
    web.post("/studio/{slug}/schedule/{id}/skip", skip_once),
]

"""How the stream does: the page that js/studio-charts.js draws half an hour into."""

from __future__ import annotations

import dataclasses
from typing import Any

from aiohttp import web

from mediaserver.accounts.permissions import Rank
from mediaserver.routes.keys import STREAM_HEALTH
from mediaserver.routes.pages.studio.frame import open_studio, studio_page


async def show_health(request: web.Request) -> web.Response:
    studio = await open_studio(request, Rank.MODERATOR)
    context = {"health": health_of(request, studio.channel.slug)}
    return await studio_page(request, studio, "health", context)


def health_of(request: web.Request, slug: str) -> dict[str, Any] | None:
    """The newest measurement, as templates take it; None while nothing is measured."""
    health = request.app[STREAM_HEALTH].current(slug)
    return None if health is None else dataclasses.asdict(health)


routes = [web.get("/studio/{slug}/health", show_health)]

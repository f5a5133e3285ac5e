"""What waits for an admin, over the API."""

from __future__ import annotations

import dataclasses

from aiohttp import web
from pydantic import Field

import mediaserver
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel.errors import Forbidden
from mediaserver.routes.api.operation import Answer, Operations
from mediaserver.routes.keys import LIVE, OVERVIEW
from mediaserver.routes.live_view import watchable

api = Operations("Admin", Scope.ADMIN)


class WaitingOut(Answer):
    """So much of one kind waits. `path`: the page where it is seen to."""

    name: str = Field(examples=["dead-mail"])
    count: int = Field(examples=[2])
    text: str = Field(examples=["mails could not be sent"])
    path: str = Field(examples=["/admin/mail"])


class OverviewOut(Answer):
    """How the site is."""

    waiting: list[WaitingOut]
    version: str
    uptime_ms: int
    users: int
    channels: int
    live_streams: int
    viewers: int


@api.get(
    "/admin/overview", "Show what waits", answer=OverviewOut, sign_in=True, errors=(Forbidden,)
)
async def show_overview(request: web.Request) -> OverviewOut:
    """What waits for an admin, and a few facts about the site."""
    overview = request.app[OVERVIEW]
    facts = await overview.facts()
    live = watchable(request.app[LIVE])
    return OverviewOut(
        waiting=[WaitingOut(**dataclasses.asdict(one)) for one in await overview.waiting()],
        version=mediaserver.__version__,
        uptime_ms=facts.uptime_ms,
        users=facts.users,
        channels=facts.channels,
        live_streams=len(live),
        viewers=sum(status.viewers for status in live),
    )

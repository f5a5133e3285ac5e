"""How the site was used, over the API."""

from __future__ import annotations

import dataclasses
from typing import Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel.errors import Forbidden, Invalid
from mediaserver.routes.api.operation import Answer, Operations, Query, caller
from mediaserver.routes.keys import STATISTICS

api = Operations("Admin: statistics", Scope.ADMIN)


class StatisticsQuery(Query):
    days: Literal["7", "30", "90"] = Field("30", description="How many, today included.")


class DayOut(Answer):
    """One day in UTC. `live_ms`: all its streams together."""

    begins_at_ms: int
    registered: int
    active_people: int = Field(description="Who was logged in and looked at a page.")
    streams: int
    live_ms: int
    peak_viewers: int = Field(description="Most viewers at once, over all streams.")
    messages: int


class BusiestOut(Answer):
    """A channel and how much it was live."""

    slug: str
    name: str
    streams: int
    live_ms: int


class StatisticsOut(Answer):
    """Oldest day first; the busiest channels first."""

    days: list[DayOut]
    busiest: list[BusiestOut]


@api.get(
    "/admin/statistics",
    "Show statistics",
    query=StatisticsQuery,
    answer=StatisticsOut,
    sign_in=True,
    errors=(Forbidden, Invalid),
)
async def show_statistics(request: web.Request, query: StatisticsQuery) -> StatisticsOut:
    """People, streams, viewers and messages day by day."""
    check(caller(request), Action.READ_STATISTICS)
    report = await request.app[STATISTICS].of_last(int(query.days))
    return StatisticsOut(
        days=[DayOut(**dataclasses.asdict(day)) for day in report.days],
        busiest=[BusiestOut(**dataclasses.asdict(one)) for one in report.busiest],
    )

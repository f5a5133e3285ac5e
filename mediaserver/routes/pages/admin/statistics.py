"""How the site was used: charts, the same as a table, and as CSV."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.admin.statistics import RANGES, Day
from mediaserver.routes.csv import csv_lines
from mediaserver.routes.keys import STATISTICS
from mediaserver.routes.pages.admin.frame import admin, admin_page

_PAGE = "/admin/statistics"
_CHARTS = (
    ("registered", "New accounts"),
    ("active_people", "People who were here"),
    ("streams", "Streams"),
    ("live_hours", "Hours live"),
    ("peak_viewers", "Most viewers at once"),
    ("messages", "Chat messages"),
)
_HOUR_MS = 3600 * 1000


async def show_statistics(request: web.Request) -> web.Response:
    await admin(request, Action.READ_STATISTICS)
    days = _days(request)
    report = await request.app[STATISTICS].of_last(days)
    rows = [(_date(day), _values(day)) for day in report.days]
    context = {
        "days": days,
        "ranges": RANGES,
        "charts": [(name, label, _summary(name, rows)) for name, label in _CHARTS],
        "rows": rows,
        "busiest": report.busiest,
        "is_empty": not any(any(values.values()) for _, values in rows),
    }
    return await admin_page(request, "statistics", context)


async def download_csv(request: web.Request) -> web.Response:
    await admin(request, Action.READ_STATISTICS)
    report = await request.app[STATISTICS].of_last(_days(request))
    names = [name for name, _ in _CHARTS]
    rows = [("day", *names)]
    lines = csv_lines(rows) + csv_lines(
        (_date(day), *(_values(day)[name] for name in names)) for day in report.days
    )
    return web.Response(
        text=lines,
        content_type="text/csv",
        headers={
            "Content-Disposition": 'attachment; filename="statistics.csv"',
            "Cache-Control": "no-store",
        },
    )


def _days(request: web.Request) -> int:
    asked = request.query.get("days", "")
    return int(asked) if asked in {str(days) for days in RANGES} else RANGES[1]


def _values(day: Day) -> dict[str, float]:
    return {
        "registered": day.registered,
        "active_people": day.active_people,
        "streams": day.streams,
        "live_hours": round(day.live_ms / _HOUR_MS, 1),
        "peak_viewers": day.peak_viewers,
        "messages": day.messages,
    }


def _summary(name: str, rows: list[tuple[str, dict[str, float]]]) -> str:
    """What stands beside the name of a chart: the sum, or the most where a sum says nothing."""
    values = [values[name] for _, values in rows]
    if name in ("active_people", "peak_viewers"):
        return f"at most {max(values):,.0f}"
    return f"{sum(values):,.1f}" if name == "live_hours" else f"{sum(values):,.0f}"


def _date(day: Day) -> str:
    return f"{datetime.fromtimestamp(day.begins_at_ms / 1000, UTC):%Y-%m-%d}"


routes = [
    web.get(_PAGE, show_statistics),
    web.get(f"{_PAGE}/statistics.csv", download_csv),
]

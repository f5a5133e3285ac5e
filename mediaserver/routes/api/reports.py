"""Reporting over the API: say that something breaks the rules, and see what came of it."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited
from mediaserver.routes.api.operation import Answer, Body, Operations, Query, caller
from mediaserver.routes.keys import REPORTS
from mediaserver.trust.reasons import Reason
from mediaserver.trust.reports import Report
from mediaserver.trust.targets import Kind

api = Operations("Reports")


class NewReport(Body):
    kind: str = Field(
        max_length=40, description=f"One of: {', '.join(Kind)}.", examples=["channel"]
    )
    id: str = Field(
        max_length=100,
        description="Of a stream or a line its id, of a channel its slug, of a person their name.",
        examples=["alice-tv"],
    )
    reason: str = Field(
        max_length=40, description=f"One of: {', '.join(Reason)}.", examples=["spam"]
    )
    text: str = Field(
        "",
        max_length=limits.REPORT_TEXT_CHARS_MAX,
        description="What is wrong; needed where the reason is other.",
    )


class ReportOut(Answer):
    """A report as whoever made it sees it."""

    id: str
    kind: str
    about: str = Field(description="In words.")
    reason: str
    text: str
    state: str = Field(description="new, assigned (somebody is on it) or decided.")
    upheld: bool | None = Field(description="Whether it broke the rules; null until decided.")
    answer: str
    created_at_ms: int
    decided_at_ms: int | None


class ReportList(Answer):
    """One's own reports, newest first."""

    reports: list[ReportOut]


class PageQuery(Query):
    after: str | None = Field(
        None, max_length=100, description="Id of an entry: only those behind it."
    )


def report_out(report: Report) -> ReportOut:
    is_decided = report.state == "decided"
    return ReportOut(
        id=report.id,
        kind=report.kind,
        about=report.target,
        reason=report.reason,
        text=report.text,
        state=report.state,
        upheld=report.outcome != "dismissed" if is_decided else None,
        answer=report.outcome_text,
        created_at_ms=report.created_at_ms,
        decided_at_ms=report.decided_at_ms,
    )


@api.post(
    "/reports",
    "Report something",
    body=NewReport,
    answer=ReportOut,
    status=201,
    sign_in=True,
    errors=(Forbidden, NotFound, Invalid, Conflict, RateLimited),
)
async def report_something(request: web.Request, body: NewReport) -> ReportOut:
    """Admins see how it was at this moment. Reporting the same thing again within a day answers
    with the report that there is."""
    made = await request.app[REPORTS].make(
        caller(request), body.kind, body.id, body.reason, body.text
    )
    return report_out(made)


@api.get("/me/reports", "My reports", query=PageQuery, answer=ReportList, sign_in=True)
async def my_reports(request: web.Request, query: PageQuery) -> ReportList:
    """What you have reported, and what came of it."""
    found = await request.app[REPORTS].mine(caller(request), after=query.after)
    return ReportList(reports=[report_out(one) for one in found])

"""Reports over the API as admins work on them: the queue, one case, the decision."""

from __future__ import annotations

from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.routes.api.operation import Answer, Body, Operations, Query, acting
from mediaserver.routes.api.sanctions import BanOut, WarningOut, ban_out, warning_out
from mediaserver.routes.keys import CASES
from mediaserver.trust.cases import Decision, Outcome
from mediaserver.trust.reports import Report
from mediaserver.trust.targets import Kind

api = Operations("Decisions on reports", Scope.ADMIN)

_READS = (Forbidden, NotFound)


class QueueQuery(Query):
    state: Literal["new", "assigned", "decided"] | None = Field(
        None, description="Only those that stand like this."
    )
    kind: Literal["stream", "channel", "chat_line", "user"] | None = Field(
        None, description="Only those about such a thing."
    )
    after: str | None = Field(
        None, max_length=100, description="Id of a report: only those behind it."
    )


class DecisionBody(Body):
    outcome: str = Field(
        max_length=40, description=f"One of: {', '.join(Outcome)}.", examples=["warned"]
    )
    answer: str = Field(
        "",
        max_length=limits.SANCTION_TEXT_CHARS_MAX,
        description="For who reported; never say what followed for whom.",
    )
    reason: str = Field(
        "", max_length=40, description="Of a warning, a ban or an end; empty: that of the report."
    )
    text: str = Field(
        "",
        max_length=limits.SANCTION_TEXT_CHARS_MAX,
        description="For whom it concerns, in your own words.",
    )
    days: int | None = Field(
        None, description=f"Length of a ban, 1 to {limits.BAN_DAYS_MAX}; null has no end."
    )


class QueuedOut(Answer):
    """A report in the queue. People are user names, null when the account is gone."""

    id: str
    kind: str
    target_id: str
    about: str
    reason: str
    text: str
    state: str
    outcome: str | None
    answer: str
    reporter: str | None
    owner: str | None = Field(description="Who answers for it.")
    assignee: str | None
    created_at_ms: int
    decided_at_ms: int | None


class Queue(Answer):
    """Those that wait oldest first, all others newest first; `counts` by state."""

    reports: list[QueuedOut]
    counts: dict[str, int]


class EvidenceOut(Answer):
    """How it was at that moment."""

    facts: dict[str, Any]
    chat: list[dict[str, Any]] = Field(
        description="Lines with at_ms, username, text, is_removed, is_it (the reported one)."
    )
    picture_url: str | None
    delete_at_ms: int | None


class CaseOut(Answer):
    """A report with all that helps to decide it."""

    report: QueuedOut
    is_on_air: bool = Field(description="It is about a stream that runs now, and can be ended.")
    evidence: EvidenceOut | None
    alike: list[QueuedOut] = Field(description="Other reports of the same thing.")
    earlier: list[QueuedOut] = Field(description="Reports of other things of the same person.")
    warnings: list[WarningOut]
    bans: list[BanOut]


def queued_out(report: Report) -> QueuedOut:
    return QueuedOut(
        id=report.id,
        kind=report.kind,
        target_id=report.target_id,
        about=report.target,
        reason=report.reason,
        text=report.text,
        state=report.state,
        outcome=report.outcome,
        answer=report.outcome_text,
        reporter=report.reporter,
        owner=report.owner,
        assignee=report.assignee,
        created_at_ms=report.created_at_ms,
        decided_at_ms=report.decided_at_ms,
    )


@api.get(
    "/admin/reports",
    "List reports",
    query=QueueQuery,
    answer=Queue,
    sign_in=True,
    errors=(Forbidden, Invalid),
)
async def list_reports(request: web.Request, query: QueueQuery) -> Queue:
    """The queue, by state and kind."""
    acting(request, Action.DECIDE_REPORT)
    cases = request.app[CASES]
    found = await cases.page(
        query.state, Kind(query.kind) if query.kind else None, after=query.after
    )
    return Queue(reports=[queued_out(one) for one in found], counts=await cases.counts())


@api.get(
    "/admin/reports/{id}",
    "Show a report",
    answer=CaseOut,
    sign_in=True,
    errors=_READS,
)
async def show_report(request: web.Request) -> CaseOut:
    """With its evidence, and what else is known of the same thing and the same person."""
    acting(request, Action.DECIDE_REPORT)
    case = await request.app[CASES].case(request.match_info["id"])
    kept = case.evidence
    return CaseOut(
        report=queued_out(case.report),
        is_on_air=case.is_on_air,
        evidence=None
        if kept is None
        else EvidenceOut(
            facts=kept.facts,
            chat=kept.chat,
            picture_url=f"/admin/reports/{case.report.id}/picture" if kept.has_picture else None,
            delete_at_ms=kept.delete_at_ms,
        ),
        alike=[queued_out(one) for one in case.alike],
        earlier=[queued_out(one) for one in case.earlier],
        warnings=[warning_out(one, names=True) for one in case.warnings],
        bans=[ban_out(one, names=True) for one in case.bans],
    )


@api.post(
    "/admin/reports/{id}/take",
    "Take a report",
    answer=QueuedOut,
    sign_in=True,
    errors=(*_READS, Conflict),
)
async def take_report(request: web.Request) -> QueuedOut:
    """Others see that you are on it."""
    actor = acting(request, Action.DECIDE_REPORT)
    return queued_out(await request.app[CASES].take(actor, request.match_info["id"]))


@api.post(
    "/admin/reports/{id}/put-back",
    "Put a report back",
    answer=QueuedOut,
    sign_in=True,
    errors=(*_READS, Conflict),
)
async def put_back_report(request: web.Request) -> QueuedOut:
    """It waits for somebody again, whoever had taken it."""
    actor = acting(request, Action.DECIDE_REPORT)
    return queued_out(await request.app[CASES].put_back(actor, request.match_info["id"]))


@api.post(
    "/admin/reports/{id}/decide",
    "Decide a report",
    body=DecisionBody,
    answer=QueuedOut,
    sign_in=True,
    confirm=True,
    errors=(*_READS, Invalid, Conflict),
)
async def decide_report(request: web.Request, body: DecisionBody) -> QueuedOut:
    """Closes all open reports of the same thing; whoever made one is told whether it broke the
    rules."""
    actor = acting(request, Action.DECIDE_REPORT)
    decision = Decision(body.outcome, body.answer, body.reason, body.text, body.days)
    decided = await request.app[CASES].decide(actor, request.match_info["id"], decision)
    return queued_out(decided)

"""What pages tell about reports, warnings, bans and appeals."""

from __future__ import annotations

from typing import Any

from mediaserver.trust.appeals import Appeal
from mediaserver.trust.bans import Ban
from mediaserver.trust.cases import Outcome
from mediaserver.trust.reports import Report
from mediaserver.trust.sanctions import Standing
from mediaserver.trust.warnings import GivenWarning

LENGTHS = (
    ("1", "1 day"),
    ("3", "3 days"),
    ("7", "1 week"),
    ("14", "2 weeks"),
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "1 year"),
    ("", "For ever"),
)
"""Days and label of the bans that pages offer."""

STATES = {"new": "New", "assigned": "Taken", "decided": "Decided"}


def report_view(report: Report) -> dict[str, Any]:
    """A report as admins see it."""
    return {
        "id": report.id,
        "kind": report.kind.label,
        "target": report.target,
        "reason": report.reason.label,
        "reason_value": str(report.reason),
        "text": report.text,
        "state": report.state,
        "state_label": STATES[report.state],
        "outcome": None if report.outcome is None else Outcome(report.outcome).label,
        "outcome_text": report.outcome_text,
        "created_at_ms": report.created_at_ms,
        "decided_at_ms": report.decided_at_ms,
        "reporter": report.reporter,
        "owner": report.owner,
        "assignee": report.assignee,
    }


def own_report_view(report: Report) -> dict[str, Any]:
    """A report as whoever made it sees it: whether it broke the rules, not what followed."""
    is_decided = report.state == "decided"
    return {
        "target": report.target,
        "reason": report.reason.label,
        "text": report.text,
        "is_decided": is_decided,
        "is_upheld": is_decided and report.outcome != Outcome.DISMISSED,
        "answer": report.outcome_text,
        "created_at_ms": report.created_at_ms,
    }


def warning_view(warning: GivenWarning) -> dict[str, Any]:
    return {
        "reason": warning.reason.label,
        "text": warning.text,
        "given_by": warning.given_by,
        "given_at_ms": warning.given_at_ms,
        "report_id": warning.report_id,
    }


def ban_view(ban: Ban) -> dict[str, Any]:
    return {
        "id": ban.id,
        "reason": ban.reason.label,
        "text": ban.text,
        "from_ms": ban.from_ms,
        "until_ms": ban.until_ms,
        "lifted_at_ms": ban.lifted_at_ms,
        "given_by": ban.given_by,
        "report_id": ban.report_id,
    }


def standing_view(standing: Standing) -> dict[str, Any]:
    """Warnings and bans of one person; the macros of macros/trust.html show it."""
    return {
        "username": standing.user.username,
        "is_admin": standing.user.is_admin,
        "strikes": standing.strikes,
        "strikes_max": standing.strikes_max,
        "ban": None if standing.ban is None else ban_view(standing.ban),
        "warnings": [warning_view(one) for one in standing.warnings],
        "bans": [ban_view(one) for one in standing.bans],
    }


def appeal_view(appeal: Appeal) -> dict[str, Any]:
    return {
        "id": appeal.id,
        "username": appeal.username,
        "text": appeal.text,
        "state": appeal.state,
        "answer": appeal.answer,
        "created_at_ms": appeal.created_at_ms,
        "decided_at_ms": appeal.decided_at_ms,
        "ban": ban_view(appeal.ban),
    }

"""Made-up data for the pages about reports, warnings, bans and appeals; see gallery_pages.py."""

from __future__ import annotations

from typing import Any

from gallery_studio import DAY_MS, MINUTE_MS

from mediaserver.routes.pages.admin.frame import MENU
from mediaserver.routes.trust_view import LENGTHS, STATES
from mediaserver.trust.reasons import CHOICES

# name → (path, template, cases)
TRUST_PAGES = {
    "report": ("/report", "report.html", ["channel", "line", "errors"]),
    "settings-reports": ("/settings/reports", "settings/reports.html", ["some", "none"]),
    "appeal": ("/appeal", "appeal.html", ["banned", "sent", "refused", "warned", "errors"]),
    "admin-reports": ("/admin/reports", "admin/reports.html", ["some", "none"]),
    "admin-report": ("/admin/reports/rpt_1", "admin/report.html", ["new", "decided", "errors"]),
    "admin-appeals": ("/admin/reports/appeals", "admin/appeals.html", ["some", "none"]),
    "admin-appeal": (
        "/admin/reports/appeals/apl_1",
        "admin/appeal.html",
        ["open", "accepted"],
    ),
    "admin-sanctions": (
        "/admin/users/kofi/sanctions",
        "admin/sanctions.html",
        ["none", "banned", "errors"],
    ),
}

USER = {"username": "kofi", "is_admin": False, "is_banned": False}
ADMIN = {"username": "mira", "is_admin": True, "is_banned": False}


def _ban(now_ms: int, *, is_over: bool = False) -> dict[str, Any]:
    return {
        "id": "ban_1",
        "reason": "Hate against a group of people",
        "text": "You were warned twice about what you say of others.",
        "from_ms": now_ms - 2 * DAY_MS,
        "until_ms": now_ms + 5 * DAY_MS,
        "lifted_at_ms": now_ms - DAY_MS if is_over else None,
        "given_by": "mira",
        "report_id": "rpt_1",
    }


def _warning(now_ms: int) -> dict[str, Any]:
    return {
        "reason": "Spam or fraud",
        "text": "Please stop posting the same link.",
        "given_by": "mira",
        "given_at_ms": now_ms - 20 * DAY_MS,
        "report_id": None,
    }


def _standing(now_ms: int, case: str) -> dict[str, Any]:
    is_banned = case in ("banned", "sent", "refused")
    ban = _ban(now_ms) if is_banned else None
    return {
        "username": "kofi",
        "is_admin": False,
        "strikes": 0 if case == "none" else 1,
        "strikes_max": 3,
        "ban": ban,
        "warnings": [] if case == "none" else [_warning(now_ms)],
        "bans": [ban] if ban else [],
    }


def _report(now_ms: int, number: int = 1, *, is_decided: bool = False) -> dict[str, Any]:
    return {
        "id": f"rpt_{number}",
        "kind": "Channel",
        "target": "the channel Kofi Plays Chess",
        "reason": "Harassment or threats",
        "reason_value": "harassment",
        "text": "From minute 12 on he tells people to write to somebody at work.",
        "state": "decided" if is_decided else "new",
        "state_label": "Decided" if is_decided else "New",
        "outcome": "Warned" if is_decided else None,
        "outcome_text": "Thank you for telling us." if is_decided else "",
        "created_at_ms": now_ms - number * 7 * MINUTE_MS,
        "decided_at_ms": now_ms - MINUTE_MS if is_decided else None,
        "reporter": "joan",
        "owner": "kofi",
        "assignee": None,
    }


def _appeal(now_ms: int, state: str = "open") -> dict[str, Any]:
    return {
        "id": "apl_1",
        "username": "kofi",
        "text": "Somebody else had my password that evening. I have a new one now.",
        "state": state,
        "answer": "" if state == "open" else "We have read the log once more.",
        "created_at_ms": now_ms - DAY_MS,
        "decided_at_ms": None if state == "open" else now_ms - MINUTE_MS,
        "ban": _ban(now_ms, is_over=state == "accepted"),
    }


def _evidence(now_ms: int) -> dict[str, Any]:
    lines = [("joan", "why would you say that"), ("kofi", "write to them all"), ("ana", "stop it")]
    return {
        "facts": [
            ("Channel", "kofi"),
            ("Title", "Blitz until I lose three in a row"),
            ("Live since", now_ms - 90 * MINUTE_MS),
            ("Viewers", 312),
            ("Answers for it", "kofi"),
        ],
        "chat": [
            {
                "at_ms": now_ms - 8 * MINUTE_MS,
                "username": name,
                "text": text,
                "is_removed": name == "kofi",
                "is_it": False,
            }
            for name, text in lines
        ],
        "has_picture": False,
        "delete_at_ms": None,
    }


def trust_context(template: str, case: str, now_ms: int) -> dict[str, Any]:
    """The made-up context of one case of one page."""
    wrong = {"": "Something is not right here."} if case == "errors" else {}
    admin = {
        "user": ADMIN,
        "section": "reports",
        "menu": MENU,
        "is_asked_for_app": False,
        "form": {},
        "errors": wrong,
        "reasons": CHOICES,
        "lengths": LENGTHS,
        "more": None,
    }
    account = {"username": "kofi", "email": "kofi@example.org", "is_banned": False, "avatar": None}
    match template:
        case "report.html":
            return {
                "user": USER,
                "form": {"kind": "channel", "id": "kofi", "reason": "", "text": ""},
                "errors": {"text": "Say in a few words what is wrong."} if wrong else {},
                "target": "the channel Kofi Plays Chess",
                "kind_label": "channel",
                "line": "write to them all" if case == "line" else None,
                "back": "/@kofi",
                "reasons": CHOICES,
            }
        case "settings/reports.html":
            return {
                "user": USER,
                "account": account,
                "section": "reports",
                "form": {},
                "errors": {},
                "failed": "",
                "more": None,
                "reports": [
                    {**_report(now_ms, number), "is_decided": number > 1, "is_upheld": number > 2}
                    | {"answer": "Thank you." if number > 1 else ""}
                    for number in (1, 2, 3)
                ]
                if case == "some"
                else [],
            }
        case "appeal.html":
            shown = "banned" if case == "errors" else case
            sent = {"sent": "open", "refused": "refused"}.get(case)
            return {
                "user": {**USER, "is_banned": case != "warned"},
                "standing": _standing(now_ms, shown),
                "appeal": _appeal(now_ms, sent) if sent else None,
                "chars_max": 2_000,
                "form": {},
                "errors": {"text": "Say why the ban should be lifted."} if wrong else {},
            }
        case "admin/reports.html":
            some = case == "some"
            return admin | {
                "reports": [_report(now_ms, one) for one in (3, 2, 1)] if some else [],
                "state": "new",
                "kind": "",
                "kinds": [("stream", "Stream"), ("channel", "Channel"), ("user", "Person")],
                "states": [*STATES.items(), ("all", "All")],
                "counts": {"new": 3, "decided": 1_204} if some else {},
                "open_appeals": 2 if some else 0,
            }
        case "admin/report.html":
            is_decided = case == "decided"
            return admin | {
                "report": _report(now_ms, is_decided=is_decided),
                "channel": "kofi",
                "evidence": None if is_decided else _evidence(now_ms),
                "is_on_air": True,
                "alike": [_report(now_ms, 2)],
                "earlier": [_report(now_ms, 4, is_decided=True)],
                "warnings": [_warning(now_ms)],
                "bans": [],
                "is_mine": False,
                "outcomes": [],
            }
        case "admin/appeals.html":
            return admin | {
                "appeals": [_appeal(now_ms)] if case == "some" else [],
                "state": "open",
                "states": [("open", "Open"), ("accepted", "Accepted"), ("all", "All")],
            }
        case "admin/appeal.html":
            return admin | {
                "appeal": _appeal(now_ms, case),
                "standing": _standing(now_ms, "banned"),
            }
        case _:
            return admin | {"section": "users", "standing": _standing(now_ms, case)}

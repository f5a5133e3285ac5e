"""Made-up data for the pages about rules, streamers and teams; see gallery_pages.py."""

from __future__ import annotations

from typing import Any

from gallery_studio import DAY_MS, policies

from mediaserver.routes.pages.admin.frame import MENU

# name → (path, template, cases)
PEOPLE_PAGES = {
    "rules": ("/rules", "rules.html", ["plain"]),
    "team": ("/team/night-owls", "team.html", ["live", "quiet"]),
    "team-manage": ("/team/night-owls/manage", "team_manage.html", ["some", "alone", "errors"]),
    "streamer": (
        "/settings/streamer",
        "settings/streamer.html",
        ["new", "changed", "ask", "sent", "rejected", "verified", "errors"],
    ),
    "admin-verification": (
        "/admin/verification",
        "admin/verification.html",
        ["waiting", "decided", "none"],
    ),
    "admin-verification-case": (
        "/admin/verification/ver_1",
        "admin/verification_case.html",
        ["submitted", "approved", "rejected", "errors"],
    ),
    "admin-policies": ("/admin/policies", "admin/policies.html", ["plain"]),
    "admin-policy": ("/admin/policies/content", "admin/policy.html", ["plain", "errors"]),
}

USER = {"username": "mira", "is_admin": False}
ADMIN = {"username": "mira", "is_admin": True}


def _documents(now_ms: int, *, are_deleted: bool = False) -> list[dict[str, Any]]:
    gone_ms = now_ms - DAY_MS if are_deleted else None
    return [
        {"id": "doc_1", "kind": "pdf", "bytes": 812_400, "deleted_at_ms": gone_ms},
        {"id": "doc_2", "kind": "picture", "bytes": 431_000, "deleted_at_ms": gone_ms},
    ]


def _request(now_ms: int, state: str) -> dict[str, Any]:
    is_open = state == "submitted"
    return {
        "id": "ver_1",
        "username": "mira",
        "legal_name": "Mira Haugen",
        "note": "I paint under my own name.\nMy site links here.",
        "state": state,
        "submitted_at_ms": now_ms - 3 * DAY_MS,
        "decided_at_ms": None if is_open else now_ms - 2 * DAY_MS,
        "decided_by": None if is_open else "lena_k",
        "reason": "The name on the letter can't be read." if state == "rejected" else "",
        "documents": _documents(now_ms, are_deleted=state == "rejected"),
    }


def people_context(template: str, case: str, now_ms: int) -> dict[str, Any]:
    """The made-up context of one case of one page."""
    rules = policies(now_ms)
    form = {"form": {}, "errors": {}, "failed": ""}
    frame = {"section": "policies", "menu": MENU, "is_asked_for_app": True}
    admin = {**form, **frame, "user": ADMIN}
    match template:
        case "rules.html":
            return {"policies": rules}
        case "team.html":
            live = case == "live"
            return {
                "team": TEAM,
                "live": [_card(now_ms, "mira", "Mira Paints")] if live else [],
                "channels": [_link("ana", "Ana Outside"), _link("lab", "The Lab")],
                "count": 3 if live else 2,
                "may_manage": live,
                "user": USER if live else None,
            }
        case "team_manage.html":
            return {**form, **_team_manage(case, now_ms)}
        case "admin/policies.html":
            return {**admin, "policies": rules}
        case "admin/policy.html":
            return {
                **admin,
                "kind": "content",
                "label": "Content policy",
                "versions": [rules[1], rules[1] | {"version": 1}],
                "title_chars_max": 80,
                "body_chars_max": 20_000,
                "form": {"title": rules[1]["title"], "body": rules[1]["body"]},
                "errors": {"body": "This can't be empty."} if case == "errors" else {},
            }
        case "admin/verification.html":
            states = {"waiting": ["submitted"], "decided": ["approved", "rejected"]}.get(case, [])
            return {
                **admin,
                "section": "verification",
                "shown": "decided" if case == "decided" else "waiting",
                "cases": [_request(now_ms, state) for state in states],
                "next": "ver_1" if case == "waiting" else None,
            }
        case "admin/verification_case.html":
            return {
                **admin,
                "section": "verification",
                "case": _request(now_ms, "submitted" if case == "errors" else case),
                "keep_days": 30,
                "reason_chars_max": 500,
                "errors": {"reason": "Tell them why: they read it."} if case == "errors" else {},
            }
        case _:
            return form | _streamer(case, now_ms)


TEAM = {
    "slug": "night-owls",
    "name": "Night Owls",
    "about": "We stream when the town sleeps: paint, electronics and long walks.",
    "owner": "mira",
}


def _card(now_ms: int, slug: str, name: str) -> dict[str, Any]:
    return {
        "slug": slug,
        "channel_name": name,
        "is_verified": True,
        "title": "Boats in the fog",
        "thumbnail_url": f"/picture/{slug}.svg",
        "started_at_ms": now_ms - 3_754_000,
        "viewers": 41,
        "state": "live",
        "category": "Art",
        "category_slug": "art",
        "tags": ["boats"],
    }


def _link(slug: str, name: str) -> dict[str, Any]:
    return {
        "slug": slug,
        "name": name,
        "description": "Slow mornings",
        "is_verified": slug == "lab",
        "last_live_at_ms": None,
    }


def _team_manage(case: str, now_ms: int) -> dict[str, Any]:
    others = [] if case == "alone" else [("ana", "Ana Outside"), ("lab", "The Lab")]
    is_wrong = case == "errors"
    return {
        "user": USER,
        "team": TEAM,
        "members": [
            {"slug": "mira", "name": "Mira Paints", "role": "owner"},
            *({"slug": slug, "name": name, "role": "member"} for slug, name in others),
        ],
        "heirs": others,
        "invitations": []
        if case == "alone"
        else [{"slug": "kofi", "name": "Kofi Plays Chess", "created_at_ms": now_ms - DAY_MS}],
        "members_max": 50,
        "name_chars_max": 60,
        "about_chars_max": 2000,
        "failed": "invite" if is_wrong else "",
        "form": {"channel": "nobody"} if is_wrong else {},
        "errors": {"channel": "There is no such channel."} if is_wrong else {},
    }


def _streamer(case: str, now_ms: int) -> dict[str, Any]:
    rules = policies(now_ms)
    account = {"username": "mira", "email": "m@example.org", "is_banned": False, "avatar": None}
    accepted = [one | {"accepted_at_ms": now_ms - 3 * DAY_MS} for one in rules]
    state = {"sent": "submitted", "rejected": "rejected", "verified": "approved"}.get(case)
    return {
        "user": USER,
        "section": "streamer",
        "account": account,
        "has_channel": case != "new",
        "policies": {"new": rules, "changed": rules[1:]}.get(case, []),
        "accepted": {"new": [], "changed": accepted[:1]}.get(case, accepted),
        "is_verified": case == "verified",
        "requests": [_request(now_ms, state)] if state else [],
        "waiting": _documents(now_ms) if case == "errors" else [],
        "documents_max": 4,
        "megabytes_max": 10,
        "name_chars_max": 120,
        "note_chars_max": 1000,
        "keep_days": 30,
        "failed": "verification" if case == "errors" else "",
        "errors": {"legal_name": "This can't be empty."} if case == "errors" else {},
    }

"""Made-up data for the pages about rules, streamers and teams; see gallery_pages.py."""

from __future__ import annotations

from typing import Any

from gallery_studio import DAY_MS, policies

# name → (path, template, cases)
PEOPLE_PAGES = {
    "rules": ("/rules", "rules.html", ["plain"]),
    "streamer": ("/settings/streamer", "settings/streamer.html", ["new", "changed", "accepted"]),
    "admin-policies": ("/admin/policies", "admin/policies.html", ["plain"]),
    "admin-policy": ("/admin/policies/content", "admin/policy.html", ["plain", "errors"]),
}

USER = {"username": "mira", "is_admin": False}
ADMIN = {"username": "mira", "is_admin": True}
SECTIONS = [("overview", "Overview", "layout-dashboard"), ("policies", "Policies", "scroll-text")]


def people_context(template: str, case: str, now_ms: int) -> dict[str, Any]:
    """The made-up context of one case of one page."""
    rules = policies(now_ms)
    form = {"form": {}, "errors": {}, "failed": ""}
    admin = {**form, "user": ADMIN, "section": "policies", "sections": SECTIONS}
    match template:
        case "rules.html":
            return {"policies": rules}
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
        case _:
            account = {"username": "mira", "email": "m@example.org", "is_banned": False}
            accepted = [one | {"accepted_at_ms": now_ms - 3 * DAY_MS} for one in rules]
            return {
                **form,
                "user": USER,
                "section": "streamer",
                "account": account | {"avatar": None},
                "has_channel": case != "new",
                "policies": {"new": rules, "changed": rules[1:]}.get(case, []),
                "accepted": {"new": [], "changed": accepted[:1]}.get(case, accepted),
            }

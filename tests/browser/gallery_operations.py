"""Made-up data for the operator's pages; see gallery_pages.py."""

from __future__ import annotations

from typing import Any

from mediaserver.admin.backups import Failure, Running
from mediaserver.admin.doctor.finding import bad, ok, warn
from mediaserver.routes.pages.admin.frame import MENU

# name → (path, template, cases)
OPERATIONS_PAGES = {
    "admin-backups": (
        "/admin/backups",
        "admin/backups.html",
        ["none", "some", "running", "failed"],
    ),
    "admin-checkup": ("/admin/checkup", "admin/checkup.html", ["well", "wrong"]),
}

_HOUR_MS = 3_600_000


def operations_context(template: str, case: str, now_ms: int) -> dict[str, Any]:
    """The made-up context of one case of one page."""
    section = template.removeprefix("admin/").removesuffix(".html")
    more = _backups(case, now_ms) if section == "backups" else _checkup(case)
    return {
        "form": {},
        "errors": {},
        "user": {"username": "mira", "is_admin": True},
        "section": section,
        "menu": MENU,
        "is_asked_for_app": False,
        **more,
    }


def _backups(case: str, now_ms: int) -> dict[str, Any]:
    made = [] if case == "none" else range(3)
    reason = "The backup needs 4,210 MB in /mnt/disk/backups, and 611 MB are free."
    return {
        "backups": [
            {
                "name": f"mediaserver-2026111{9 - day}-030000.tar",
                "size": "1.8 GB",
                "created_at_ms": now_ms - (24 * day + 5) * _HOUR_MS,
                "is_faulty": day == 2,
            }
            for day in made
        ],
        "running": Running(now_ms - 4_000, "Copying the database") if case == "running" else None,
        "failure": Failure(now_ms - _HOUR_MS, reason, now_ms) if case == "failed" else None,
        "due_at_ms": now_ms + 19 * _HOUR_MS,
        "every_hours": 24,
        "keep": 7,
        "folder": "/mnt/disk/backups",
        "free": "611.0 MB" if case == "failed" else "212.4 GB",
    }


def _checkup(case: str) -> dict[str, Any]:
    wrong = [
        bad(
            "proxy",
            "Proxy",
            "A proxy at 127.0.0.1 isn't believed, so everybody counts as one address.",
            'Set trusted_proxies = ["127.0.0.1"] under [http] in config.toml, then start again.',
        ),
        warn("free_space", "Free space", "611 MB are free on the storage's disk.", "Make room."),
    ]
    return {
        "wrong": wrong if case == "wrong" else [],
        "well": [
            ok("python", "Python", "3.11.7, with mediaserver 0.1.0."),
            ok("database", "Database", "SQLite, 38.2 MB, WAL, whole, schema 0011."),
            ok("backups", "Backups", "7 in /mnt/disk/backups; the newest is 5 h old."),
        ],
        "has_mail_server": case == "wrong",
    }

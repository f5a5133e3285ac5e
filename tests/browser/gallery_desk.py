"""Made-up data for the pages of the admin desk; see gallery.py."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mediaserver.admin.overview import Facts, Waiting
from mediaserver.admin.roles import permissions
from mediaserver.admin.storage_use import measure
from mediaserver.channels.categories import Category
from mediaserver.channels.category_changes import ICONS, Used
from mediaserver.kernel.clock import SystemClock
from mediaserver.kernel.config import Config
from mediaserver.kernel.settings import Settings
from mediaserver.routes.pages.admin.frame import MENU

DESK_PAGES = {
    "desk": ("/admin", "admin/overview.html", ["quiet", "waiting"]),
    "desk-users": ("/admin/users", "admin/users.html", ["many", "none"]),
    "desk-user": ("/admin/users/kofi", "admin/user.html", ["plain", "errors"]),
    "desk-live": ("/admin/live", "admin/live.html", ["busy", "none", "errors"]),
    "desk-categories": ("/admin/categories", "admin/categories.html", ["plain", "errors"]),
    "desk-emotes": ("/admin/emotes", "admin/emotes.html", ["none", "errors"]),
    "desk-settings": ("/admin/settings", "admin/settings.html", ["plain", "errors"]),
    "desk-mail": ("/admin/mail", "admin/mail.html", ["kept", "dead", "none"]),
    "desk-jobs": ("/admin/jobs", "admin/jobs.html", ["dead", "none"]),
    "desk-storage": ("/admin/storage", "admin/storage.html", ["plain"]),
    "desk-statistics": ("/admin/statistics", "admin/statistics.html", ["busy", "empty"]),
    "desk-audit": ("/admin/audit", "admin/audit.html", ["some", "none", "broken", "errors"]),
}

_DAY_MS = 24 * 3600 * 1000
_HOUR_MS = 3600 * 1000


def desk_context(template: str, case: str, now_ms: int) -> dict[str, Any]:
    """The made-up context of one case of one page."""
    page = template.removeprefix("admin/").removesuffix(".html")
    frame: dict[str, Any] = {
        "user": {"username": "lena_k", "is_admin": True},
        "section": "users" if page == "user" else page,
        "menu": MENU,
        "is_asked_for_app": False,
        "form": {},
        "errors": {},
        "failed": "",
        "first": f"/admin/{page}",
        "next": f"/admin/{page}?after=x",
        "is_first": case not in ("dead", "some"),
    }
    return frame | _MAKE[page](case, now_ms)


def _account(name: str, now_ms: int, **more: bool) -> Any:
    given = {"is_admin": False, "is_premium": False, "is_banned": False} | more
    return SimpleNamespace(
        id=f"usr_{name}",
        username=name,
        email=f"{name}@example.org",
        created_at_ms=now_ms - 9 * _DAY_MS,
        **given,
    )


def _overview(case: str, now_ms: int) -> dict[str, Any]:
    waiting = [
        Waiting("dead-mail", 2, "mails could not be sent", "/admin/mail"),
        Waiting("reports", 1, "report waits", "/admin/reports"),
    ]
    return {
        "waiting": waiting if case == "waiting" else [],
        "facts": Facts(1 if case == "quiet" else 48_211, 96, 93_600_000),
        "backups": SimpleNamespace(
            backups=[] if case == "quiet" else [SimpleNamespace(created_at_ms=now_ms - _HOUR_MS)],
            failure=SimpleNamespace(reason="The disk is full.") if case == "waiting" else None,
        ),
        "storage": measure(Path(__file__).parent, None, now_ms),
        "streams": 4,
        "viewers": 310,
    }


def _users(case: str, now_ms: int) -> dict[str, Any]:
    return {
        "users": []
        if case == "none"
        else [
            _account("lena_k", now_ms, is_admin=True),
            _account("kofi", now_ms, is_premium=True),
            _account("a_rather_long_name_here1", now_ms, is_banned=True),
            _account("joan", now_ms),
        ],
        "search": "nobody" if case == "none" else "",
        "show": "all",
        "shown": [("all", "Everybody"), ("admin", "Admins")],
    }


def _user(case: str, now_ms: int) -> dict[str, Any]:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
    return {
        "account": _account("kofi", now_ms, is_premium=True),
        "role": "premium",
        "roles": [("normal", "Normal"), ("premium", "Premium"), ("admin", "Admin")],
        "has_app": True,
        "devices": [
            SimpleNamespace(
                user_agent=agent,
                kind="browser",
                address="192.0.2.7",
                seen_at_ms=now_ms - _HOUR_MS,
                created_at_ms=now_ms - _DAY_MS,
            )
        ],
        "channels": [SimpleNamespace(slug="kofi", name="Kofi Plays Chess", title="Blitz")],
        "is_self": case == "errors",
        "errors": {"username": "Type the name of the account."} if case == "errors" else {},
    }


def _live(case: str, now_ms: int) -> dict[str, Any]:
    channel = SimpleNamespace(
        slug="mira", name="Mira Paints", title="Harbour at dusk", owner="mira"
    )
    status = SimpleNamespace(
        state="live", viewers=1284, started_at_ms=now_ms - _HOUR_MS, width=1920, height=1080
    )
    advice = "Keyframes come every 8.3 s. Set the keyframe interval in OBS to 2 s."
    health = SimpleNamespace(bitrate_bps=6_020_000, verdict="warn", advice=advice)
    other = SimpleNamespace(slug="kofi", name="Kofi", title="", owner="kofi")
    held = SimpleNamespace(
        state="held", viewers=0, started_at_ms=now_ms - 90_000, width=None, height=None
    )
    failed = case == "errors"
    return {
        "streams": [] if case == "none" else [(status, channel, health), (held, other, None)],
        "failed": "mira" if failed else "",
        "errors": {"reason": "This can't be empty."} if failed else {},
    }


def _categories(case: str, now_ms: int) -> dict[str, Any]:
    return {
        "categories": [
            Used(Category("cat_1", "art", "Art", "palette"), 12),
            Used(Category("cat_2", "games", "Games", "gamepad-2"), 1),
            Used(Category("cat_3", "radio", "Radio", "radio", is_hidden=True), 0),
        ],
        "icons": [(name, name.replace("-", " ")) for name in ICONS],
        "failed": "new" if case == "errors" else "",
        "form": {"name": "Art", "icon": "tag"} if case == "errors" else {},
        "errors": {"name": "There is a category with that name."} if case == "errors" else {},
    }


def _emotes(case: str, now_ms: int) -> dict[str, Any]:
    wrong = {"picture": "That isn't a picture."} if case == "errors" else {}
    return {"emotes": [], "emotes_max": 100, "errors": wrong, "form": {"code": "wave"}}


def _settings(case: str, now_ms: int) -> dict[str, Any]:
    found = Settings(None, SystemClock(), Config()).list()  # type: ignore[arg-type]
    sections = dict.fromkeys(one.key.split(".")[0] for one in found)
    wrong = case == "errors"
    return {
        "groups": [
            (name, name.capitalize(), [one for one in found if one.key.startswith(f"{name}.")])
            for name in sections
        ],
        "labels": {one.key: one.key.split(".")[1].replace("_", " ") for one in found},
        "failed": "media.streams_max" if wrong else "",
        "given": "0" if wrong else "",
        "wrong": "Use 1 or more." if wrong else "",
        "permissions": permissions(),
        "channels_max": (5, 10),
    }


def _mail(case: str, now_ms: int) -> dict[str, Any]:
    kept = SimpleNamespace(
        id="mail_1",
        to="joan@example.org",
        subject="4821 9930 is your code · Lantern",
        body="Hello joan,\n\nyour code for Lantern is\n\n    4821 9930\n",
        created_at_ms=now_ms - 60_000,
    )
    dead = SimpleNamespace(
        id="job_1",
        to="nobody@example.org",
        state="dead",
        attempts=10,
        run_at_ms=now_ms,
        created_at_ms=now_ms - _DAY_MS,
        last_error="550 nobody of that name here",
    )
    return {
        "smtp_host": "mail.example.org" if case == "dead" else "",
        "kept": [kept] if case == "kept" else [],
        "queue": [dead] if case == "dead" else [],
        "is_queue_first": True,
        "queue_next": "",
    }


def _jobs(case: str, now_ms: int) -> dict[str, Any]:
    dead = SimpleNamespace(
        id="job_2",
        kind="webhook",
        attempts=10,
        created_at_ms=now_ms - _DAY_MS,
        ended_at_ms=now_ms - _HOUR_MS,
        last_error="It took too long.",
    )
    return {
        "dead": [dead] if case == "dead" else [],
        "kinds": [("mail", {"done": 48, "waiting": 2}), ("webhook", {"dead": 1})],
    }


def _storage(case: str, now_ms: int) -> dict[str, Any]:
    return {"storage": measure(Path(__file__).parent, None, now_ms)}


def _statistics(case: str, now_ms: int) -> dict[str, Any]:
    charts = {
        "registered": "New accounts",
        "active_people": "People who were here",
        "streams": "Streams",
        "live_hours": "Hours live",
        "peak_viewers": "Most viewers at once",
        "messages": "Chat messages",
    }
    first = now_ms // _DAY_MS - 29
    rows = []
    for offset in range(30):
        day = datetime.fromtimestamp((first + offset) * _DAY_MS / 1000, UTC)
        value = 0 if case == "empty" else (offset * 7) % 13 + 2
        rows.append((f"{day:%Y-%m-%d}", dict.fromkeys(charts, value)))
    busiest = SimpleNamespace(slug="mira", name="Mira Paints", live_ms=9 * _HOUR_MS, streams=4)
    return {
        "days": 30,
        "ranges": (7, 30, 90),
        "charts": [(name, label, "120") for name, label in charts.items()],
        "rows": rows,
        "busiest": [] if case == "empty" else [busiest],
        "is_empty": case == "empty",
    }


def _audit(case: str, now_ms: int) -> dict[str, Any]:
    entry = {
        "sequence": 812,
        "at_ms": now_ms - _HOUR_MS,
        "actor": "lena_k",
        "action": "user.role",
        "target": "kofi",
        "details": {"before": "normal", "after": "premium"},
        "address": "192.0.2.7",
    }
    broken = SimpleNamespace(sequence=12, reason="changed") if case == "broken" else None
    filters = dict.fromkeys(("action", "actor", "target", "from", "until"), "")
    return {
        "phrases": {"user.role": "changed the role of"},
        "entries": [] if case == "none" else [entry, entry | {"details": {}, "address": None}],
        "checked": SimpleNamespace(entries=812, broken=broken) if case != "none" else None,
        "is_filtered": False,
        "query": "",
        "form": filters,
        "errors": {"from": "Write a day as 2026-11-20."} if case == "errors" else {},
    }


_MAKE = {
    "overview": _overview,
    "users": _users,
    "user": _user,
    "live": _live,
    "categories": _categories,
    "emotes": _emotes,
    "settings": _settings,
    "mail": _mail,
    "jobs": _jobs,
    "storage": _storage,
    "statistics": _statistics,
    "audit": _audit,
}

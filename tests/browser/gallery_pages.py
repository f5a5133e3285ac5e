"""Made-up data for every page but the studio's; see gallery.py.

`PAGES` names the pages and their cases, `context_of` gives what the handlers would.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from gallery_desk import DESK_PAGES, desk_context
from gallery_money import MONEY_PAGES, money_context
from gallery_operations import OPERATIONS_PAGES, operations_context
from gallery_people import PEOPLE_PAGES, people_context
from gallery_studio import STUDIO_PAGES, MadeUp, studio_context
from gallery_trust import TRUST_PAGES, trust_context
from gallery_webhooks import WEBHOOK_PAGES, notices_page

from mediaserver.realtime.asyncapi import document
from mediaserver.routes.api.live import LiveOut
from mediaserver.routes.pages.events import outline

PEOPLE = [
    ("mira", "Mira Paints", "Watercolour from the harbour, slowly and with too much tea", 1284),
    ("kofi", "Kofi Plays Chess", "Blitz until I lose three in a row", 312),
    ("nordlys", "Nordlys Radio", "Northern field recordings", 57),
    ("builds", "Small Builds", "Restoring a 1978 synth, day four: the power supply bites back", 41),
    ("rahim", "Rahim Cooks", "শুক্রবারের রান্না: biryani for twelve", 9),
    ("tern", "Tern", "", 1),
]
ABOUT: list[tuple[str | None, list[str]]] = [
    ("Art", ["watercolour", "boats", "relaxed", "English"]),
    ("Board games", ["chess", "blitz"]),
    ("Radio", []),
    ("Crafts", ["electronics", "repair", "soldering", "synth", "a rather long tag here"]),
    ("Cooking", ["বাংলা"]),
    (None, []),
]
QUIET = [
    ("ana", "Ana Outside", "Trail runs and slow mornings in the hills", 26),
    ("lab", "The Lab", "Electronics on Thursdays", 24 * 5),
    ("owl", "Owl Hours", "", None),
]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def card(index: int, **changes: Any) -> dict[str, Any]:
    slug, name, title, viewers = PEOPLE[index]
    category, tags = ABOUT[index]
    given = {
        "slug": slug,
        "channel_name": name,
        "is_verified": index in (0, 3),
        "title": title,
        "thumbnail_url": f"/picture/{slug}.svg",
        "started_at_ms": now_ms() - (index * 2_800_000 + 754_000),
        "viewers": viewers,
        "state": "live",
        "category": category,
        "category_slug": category and category.lower().replace(" ", "-"),
        "tags": tags,
        "brand_promotion": index == 3,
        "recorded_content": index == 2,
        "age_restricted": index == 4,
        "not_general": False,
    }
    return given | changes


CATEGORIES = [
    ("just-chatting", "Just chatting", "messages-square"),
    ("games", "Games", "gamepad-2"),
    ("board-games", "Board games", "dices"),
    ("music", "Music", "music"),
    ("radio", "Radio", "radio"),
    ("art", "Art", "palette"),
    ("crafts", "Crafts", "hammer"),
    ("software", "Software", "code"),
    ("science", "Science", "flask-conical"),
    ("learning", "Learning", "graduation-cap"),
    ("cooking", "Cooking", "chef-hat"),
    ("outdoors", "Outdoors", "leaf"),
]
ANNOUNCED = [
    ("ana", "Ana Outside", "Sunrise over the north ridge, if the fog lifts", "Outdoors", 2),
    ("mira", "Mira Paints", "Boats, part three", "Art", 3),
    (
        "lab",
        "The Lab",
        "A radio from the attic: does it still receive?",
        "Science",
        1,
    ),
    ("rahim", "Rahim Cooks", "শুক্রবারের রান্না", "Cooking", 2),
    ("kofi", "Kofi Plays Chess", "Simul against twelve viewers", None, 4),
]


def live_view(state: str, **changes: Any) -> dict[str, Any]:
    on = state in {"live", "reconnecting", "held"}
    given = {
        "state": state,
        "playlist_url": "/live/mira/index.m3u8" if on else None,
        "instant_url": None,
        "poster_url": "/picture/mira.svg" if on else None,
        "title": PEOPLE[0][2],
        "started_at_ms": now_ms() - 4_354_000,
        "viewers": 1284 if on else 0,
        "video_codec": "avc1.64001f",
        "audio_codec": "mp4a.40.2",
        "width": 1280,
        "height": 720,
        "warning": None,
        "broadcast_id": "b1",
        "dvr_url": None,
        "dvr_window_s": 0,
        "full": False,
        "back_soon_url": None,
    }
    return given | changes


def picture(slug: str) -> str:
    """A quiet landscape as SVG, in a hue of its own, standing in for a thumbnail."""
    seed = hashlib.sha256(slug.encode()).digest()
    hue = seed[0] * 360 // 256
    hills = "".join(
        f'<path d="M0 {y} C 160 {y - seed[i + 1] // 3}, 320 {y + seed[i + 5] // 4}, 640 '
        f'{y - seed[i + 9] // 3} V360 H0 Z" fill="hsl({hue + i * 12} 35% {34 - i * 8}%)"/>'
        for i, y in enumerate((210, 255, 300))
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 360" width="640" height="360">'
        f'<defs><linearGradient id="s" x2="0" y2="1"><stop stop-color="hsl({hue + 40} 60% 62%)"/>'
        f'<stop offset="1" stop-color="hsl({hue} 55% 82%)"/></linearGradient></defs>'
        f'<rect width="640" height="360" fill="url(#s)"/><circle cx="{120 + seed[15]}" cy="120" '
        f'r="42" fill="hsl({hue + 60} 90% 92%)"/>{hills}</svg>'
    )


USER = {"username": "mira", "is_admin": True}
CHANNEL = {
    "slug": "mira",
    "name": "Mira Paints",
    "title": PEOPLE[0][2],
    "description": "Watercolour and ink, mostly boats and weather. New pictures on Tuesday and "
    "Friday evenings.\n\nQuestions about paper and brushes are welcome.",
    "owner": "mira",
    "is_verified": True,
}
FORM_ERRORS = {
    "": "Some fields need another look.",
    "username": "Someone already has this name.",
    "password": "Use at least 8 characters.",
}
FORM = {"username": "mira", "email": "mira@example.org", "channel_name": "Mira", "channel_slug": ""}


def _at(days: float) -> int:
    """A moment so many days from now, on a whole hour."""
    at_ms = now_ms() + round(days * 86_400_000)
    return at_ms - at_ms % 3_600_000


def _announced(index: int, days: float, **changes: Any) -> dict[str, Any]:
    """A scheduled stream, as the handlers hand it to the templates."""
    slug, name, title, category, hours = ANNOUNCED[index]
    start_ms = _at(days)
    end_ms = start_ms + hours * 3_600_000
    given = {
        "entry_id": f"sch_{index}",
        "slug": slug,
        "channel_name": name,
        "title": title,
        "category": category,
        "category_slug": category and category.lower(),
        "repeat": "none",
        "starts_at_ms": start_ms,
        "ends_at_ms": end_ms,
        "is_now": False,
        "is_cancelled": False,
    }
    return given | changes


def _upcoming() -> list[dict[str, Any]]:
    return [_announced(n, 0.2 + n * 1.7) for n in range(len(ANNOUNCED))]


def _categories(case: str) -> list[dict[str, Any]]:
    live = {"art": 2, "music": 1, "cooking": 1, "board-games": 1} if case == "many" else {}
    tiles = [
        {"slug": slug, "name": name, "icon": icon, "live": live.get(slug, 0)}
        for slug, name, icon in CATEGORIES
    ]
    return sorted(tiles, key=lambda tile: -tile["live"])


def _home(case: str) -> dict[str, Any]:
    count = {"one": 1, "two": 2, "many": len(PEOPLE)}.get(case, 0)
    live = [card(i) for i in range(count)]
    if count > 2:
        live[-1] |= {"state": "starting", "thumbnail_url": None, "started_at_ms": now_ms() - 4000}
    channels = [
        {
            "slug": slug,
            "name": name,
            "description": description,
            "last_live_at_ms": hours and now_ms() - hours * 3_600_000,
        }
        for slug, name, description, hours in QUIET
    ]
    return {
        "live": live,
        "upcoming": [] if case in {"setup", "fresh", "one"} else _upcoming(),
        "categories": _categories(case),
        "channels": [] if case in {"setup", "fresh"} else channels,
        "needs_setup": case == "setup",
        "user": USER if case == "many" else None,
    }


def _category(case: str) -> dict[str, Any]:
    home = _home(case)
    return {
        "category": {"id": "cat_art", "slug": "art", "name": "Art", "icon": "palette"},
        "live": home["live"][:3],
        "upcoming": [] if case == "bare" else home["upcoming"][1:2],
        "channels": [] if case == "bare" else home["channels"][:2],
        "user": home["user"],
    }


def _tab(template: str, case: str) -> dict[str, Any]:
    weekly = [_announced(1, 0.1 + 7 * week, repeat="weekly") for week in range(4)]
    weekly[0] |= {"is_now": True}
    weekly[2] |= {"is_cancelled": True}
    once = [_announced(n, 1 + n) for n in (0, 2, 3)]
    shown = sorted(weekly + once, key=lambda one: one["starts_at_ms"])
    return {
        "channel": CHANNEL
        | {"followers": 1204, "last_live_at_ms": now_ms() - 2 * 86_400_000, "category": None},
        "follows": case == "live",
        "is_owner": case == "own",
        "studio_url": "/studio/mira",
        "live": card(0) if case == "live" else None,
        "tab": template.removesuffix(".html"),
        "next_entry": once[0] if case == "next" else None,
        "occurrences": [] if case in {"empty", "own"} else shown,
        "subscribe_url": "webcal://live.example.org/@mira/schedule.ics",
        "user": None if case == "empty" else USER,
    }


ON_AIR = {
    "live": live_view("live"),
    "hevc": live_view("live", video_codec="hvc1.1.6.L93.B0"),
    "sound": live_view("live", video_codec=None, width=None, height=None, poster_url=None),
    "starting": live_view("starting"),
    "reconnecting": live_view("reconnecting"),
    "ended": live_view("ended"),
}


JOAN = {"username": "joan", "is_admin": False}
MEMBERS = {"live", "offline", "reconnecting"}
"""Cases in which joan is logged in."""


def _channel(case: str) -> dict[str, Any]:
    channel = CHANNEL | {"last_live_at_ms": now_ms() - 2 * 86_400_000}
    if case == "bare":
        channel |= {"description": "", "title": "", "last_live_at_ms": None}
    return {
        "channel": channel,
        "live": ON_AIR.get(case),
        "is_owner": case == "starting",
        "studio_url": "/studio/mira",
        "user": USER if case == "starting" else JOAN if case in MEMBERS else None,
        "room": room(case),
        "mock_chat": {"live": "life", "offline": "quiet"}.get(case, "pinned"),
        "follows": False,
        "next_entry": {"title": "Boats in the fog", "starts_at_ms": now_ms() + 2 * 86_400_000}
        if case == "offline"
        else None,
        "gate": {"kind": "age", "is_not_general": True, "reason": "Life drawing with a model."}
        if case == "gate"
        else None,
    }


def room(case: str) -> dict[str, Any]:
    """What one gets on joining the chat: as the page is rendered, before chat-mock.js goes on."""
    is_member = case in MEMBERS
    you = {
        "username": "mira" if case == "starting" else "joan" if is_member else None,
        "role": "owner" if case == "starting" else "viewer",
        "can_write": is_member or case == "starting",
        "why_not": None if is_member else "Log in to write here.",
        "code": None if is_member or case == "starting" else "sign_in",
        "until_ms": None,
        "slow_s": 0,
        "next_at_ms": None,
        "follows": False,
    }
    lines = [("mira", "owner", "Good evening. Low tide today."), ("kofi", "viewer", "lovely light")]
    events = [
        {
            "sequence": sequence,
            "kind": "message",
            "id": f"msg_{sequence}",
            "at_ms": now_ms() - 60_000,
            "author": {"id": f"usr_{name}", "username": name, "role": role, "hue": sequence},
            "text": text,
            "reply_to": None,
            "removed": False,
            "data": {},
        }
        for sequence, (name, role, text) in enumerate(lines, 1)
    ]
    return {
        "events": [] if case == "bare" else events,
        "sequence": 2,
        "pinned": None,
        "rules": None,
        "emotes": [],
        "commands": [],
        "you": you,
    }


def _form(case: str, **more: Any) -> dict[str, Any]:
    wrong = case == "errors"
    return {"form": FORM if wrong else {}, "errors": FORM_ERRORS if wrong else {}, **more}


def context_of(template: str, case: str) -> dict[str, Any]:
    """The made-up context of one case of one page, as in the contract of the handlers."""
    match template:
        case "home.html":
            return _home(case)
        case "category.html":
            return _category(case)
        case "categories.html":
            return {"categories": _categories("many")}
        case "schedule.html" | "videos.html":
            return _tab(template, case)
        case "channel.html":
            return _channel(case)
        case _ if template.startswith("studio/"):
            section = template[len("studio/") : -len(".html")]
            return studio_context(
                section,
                case,
                MadeUp(now_ms(), CHANNEL, USER, live_view, room("starting")),
            )
        case _ if template in {page for _, page, _ in TRUST_PAGES.values()}:
            return trust_context(template, case, now_ms())
        case _ if template in {page for _, page, _ in OPERATIONS_PAGES.values()}:
            return operations_context(template, case, now_ms())
        case _ if template.startswith("money/"):
            return money_context(template, case, now_ms())
        case "notices.html":
            return notices_page(case, now_ms())
        case _ if template in {page for _, page, _ in PEOPLE_PAGES.values()}:
            return people_context(template, case, now_ms())
        case _ if template in {page for _, page, _ in DESK_PAGES.values()}:
            return desk_context(template, case, now_ms())
        case "events.html":
            return outline(document("Lantern", LiveOut))
        case "chat.html":
            kind = "read" if case == "read" else "alone"
            member = "live" if case == "member" else "guest"
            channel = {"slug": "mira", "name": "Mira Paints"}
            return {"channel": channel, "room": room(member), "kind": kind, "mock_chat": "pinned"}
        case "embed.html":
            asked = {"kind": "not_general", "is_not_general": True, "reason": "Talks about war."}
            gate = asked if case == "gate" else None
            return {"channel": CHANNEL, "live": ON_AIR.get(case), "gate": gate}
        case "setup.html":
            return _form(case, step="token" if case == "token" else "account")
        case "login.html":
            errors = {"": "Username or password is wrong."}
            return _form(case, next="/") | ({"errors": errors} if case == "errors" else {})
        case "register.html":
            return _form(case, next="/@mira", closed=case == "closed")
        case "error.html":
            return {
                "status": 404,
                "title": "This page does not exist",
                "message": "The address may be mistyped, or the channel has moved.",
                "action": {"href": "/", "label": "See who is live"},
            }
        case _:
            return {}


# name → (path, template); the case is the part of the query after ?case=
PAGES = {
    "home": ("/", "home.html", ["many", "one", "two", "quiet", "fresh", "setup"]),
    "category": ("/category/art", "category.html", ["many", "one", "quiet", "bare"]),
    "categories": ("/category", "categories.html", ["plain"]),
    "schedule": ("/@mira/schedule", "schedule.html", ["full", "live", "empty", "own"]),
    "videos": ("/@mira/videos", "videos.html", ["empty", "next"]),
    "channel": (
        "/@mira",
        "channel.html",
        ["live", "offline", "bare", "starting", "reconnecting", "ended", "gate"],
    ),
    "popout": ("/popout/mira/chat", "chat.html", ["member", "guest", "read"]),
    "embed": ("/embed/mira", "embed.html", ["live", "offline", "gate"]),
    **STUDIO_PAGES,
    **WEBHOOK_PAGES,
    **MONEY_PAGES,
    **PEOPLE_PAGES,
    **TRUST_PAGES,
    **OPERATIONS_PAGES,
    **DESK_PAGES,
    "setup": ("/setup", "setup.html", ["token", "account", "errors"]),
    "login": ("/login", "login.html", ["plain", "errors"]),
    "register": ("/register", "register.html", ["plain", "errors", "closed"]),
    "error": ("/missing", "error.html", ["plain"]),
    "patterns": ("/-/patterns", "patterns.html", ["plain"]),
    "api": ("/api/docs", "api_docs.html", ["plain"]),
    "events": ("/api/events", "events.html", ["plain"]),
}

"""Renders every template with made-up data, for looking at pages without the rest of the server.

Used by the page tests and by hand: `python tests/browser/gallery.py` serves it,
`python tests/browser/gallery.py --shots FOLDER` takes a screenshot of every case. It sends the
same Content-Security-Policy as the real pages. `Scene.live` is what the live API answers; tests
change it.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from gallery_studio import STUDIO_PAGES, MadeUp, feed, studio_context
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from yarl import URL

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # by hand it runs without an installation

from mediaserver.realtime.asyncapi import document  # noqa: E402
from mediaserver.routes.api.live import LiveOut  # noqa: E402
from mediaserver.routes.moments import iso_moment, utc_moment  # noqa: E402
from mediaserver.routes.pages.events import outline  # noqa: E402
from mediaserver.routes.static import StaticFiles  # noqa: E402

TEMPLATES = ROOT / "web" / "templates"
STATIC = StaticFiles(ROOT / "web" / "static")
STRICT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# media-chrome writes <style> into its shadow roots and takes no nonce
PLAYER_POLICY = STRICT_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
PLAYER_TEMPLATES = {"channel.html", "studio/desk.html", "patterns.html", "embed.html"}

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


@dataclass(slots=True)
class Scene:
    """What the made-up site shows. Tests change it while pages are open."""

    live: dict[str, Any] | None = None  # None: what the asking page was rendered with
    streams: list[dict[str, Any]] = field(default_factory=list)
    media: Path | None = None  # folder served under /live/
    past: Any = None  # past.Past, under /live/mira/past/
    full: bool = False  # no further viewer gets a playlist
    answer_status: int = 200
    asked: int = 0


SCENE = web.AppKey("scene", Scene)


def card(index: int, **changes: Any) -> dict[str, Any]:
    slug, name, title, viewers = PEOPLE[index]
    category, tags = ABOUT[index]
    given = {
        "slug": slug,
        "channel_name": name,
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


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    environment.filters.update(utc_moment=utc_moment, iso_moment=iso_moment)
    environment.globals["static"] = STATIC.url
    return environment


ENVIRONMENT = _environment()
USER = {"username": "mira", "is_admin": True}
CHANNEL = {
    "slug": "mira",
    "name": "Mira Paints",
    "title": PEOPLE[0][2],
    "description": "Watercolour and ink, mostly boats and weather. New pictures on Tuesday and "
    "Friday evenings.\n\nQuestions about paper and brushes are welcome.",
    "owner": "mira",
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
    "setup": ("/setup", "setup.html", ["token", "account", "errors"]),
    "login": ("/login", "login.html", ["plain", "errors"]),
    "register": ("/register", "register.html", ["plain", "errors", "closed"]),
    "error": ("/missing", "error.html", ["plain"]),
    "patterns": ("/-/patterns", "patterns.html", ["plain"]),
    "api": ("/api/docs", "api_docs.html", ["plain"]),
    "events": ("/api/events", "events.html", ["plain"]),
}


def render(template: str, path: str, case: str, theme: str, **more: Any) -> str:
    context = {
        "site": {"name": "Lantern", "description": "Live from the harbour town.", "accent": ""},
        "user": None,
        "theme": theme,
        "path": path,
        "version": "0.1.0",
        "now_ms": now_ms(),
        "notices": False,  # no server to tell any
        "notice": "Saved." if case == "keys" else "",
    }
    return ENVIRONMENT.get_template(template).render(context | context_of(template, case) | more)


async def _page(request: web.Request) -> web.Response:
    path, template, cases = PAGES[request.match_info.route.name or ""]
    theme = request.cookies.get("theme", "auto")
    case = request.query.get("case", cases[0])
    more: dict[str, Any] = {
        "theatre": request.cookies.get("theatre") == "1",
        "chat_hidden": request.cookies.get("chat") == "hidden",
    }
    if "chat" in request.query:  # a script of chat-mock.js
        more["mock_chat"] = request.query["chat"]
    text = render(template, path, case, theme, **more)
    policy = PLAYER_POLICY if template in PLAYER_TEMPLATES else STRICT_POLICY
    return web.Response(
        text=text, content_type="text/html", headers={"Content-Security-Policy": policy}
    )


async def _live(request: web.Request) -> web.Response:
    scene = request.app[SCENE]
    scene.asked += 1
    if scene.answer_status != 200:
        return web.json_response({"error": {"code": "unavailable", "message": "-"}}, status=503)
    if scene.live is not None:
        return web.json_response(scene.live)
    page = URL(request.headers.get("Referer", "/"))
    kind = {"/studio": "studio/desk.html", "/embed/mira": "embed.html"}.get(
        page.path, "channel.html"
    )
    live = context_of(kind, page.query.get("case", ""))["live"]
    return web.json_response(live or {"state": "offline"})


async def _streams(request: web.Request) -> web.Response:
    return web.json_response({"streams": request.app[SCENE].streams})


async def _picture(request: web.Request) -> web.Response:
    return web.Response(text=picture(request.match_info["slug"]), content_type="image/svg+xml")


async def _past(request: web.Request) -> web.Response:
    past, name = request.app[SCENE].past, request.match_info["name"]
    data = past.file(name) if past is not None else None
    if data is None:
        raise web.HTTPNotFound
    kind = "application/vnd.apple.mpegurl" if name.endswith(".m3u8") else "video/mp4"
    return web.Response(body=data, content_type=kind, headers={"Cache-Control": "no-store"})


async def _media(request: web.Request) -> web.StreamResponse:
    folder = request.app[SCENE].media
    name = request.match_info["name"]
    if request.app[SCENE].full:
        raise web.HTTPServiceUnavailable
    if folder is None or not (folder / name).is_file():
        raise web.HTTPNotFound
    kind = "application/vnd.apple.mpegurl" if name.endswith(".m3u8") else "video/mp4"
    return web.Response(
        body=(folder / name).read_bytes(), content_type=kind, headers={"Cache-Control": "no-store"}
    )


async def _posted(request: web.Request) -> web.Response:
    """A form of the studio: taken, or not when a field says "wrong"."""
    asked_from = URL(request.headers["Referer"])
    template = next(page[1] for page in PAGES.values() if page[0] == asked_from.path)
    given = await request.post()
    case = "errors" if "wrong" in given.values() else asked_from.query.get("case", "")
    more = {} if case == "errors" else {"notice": "Saved."}
    text = render(template, asked_from.path, case, "auto", **more)
    return web.Response(text=text, content_type="text/html")


async def _feed(request: web.Request) -> web.Response:
    case = URL(request.headers.get("Referer", "/")).query.get("case")
    return web.json_response(feed(now_ms(), is_idle=case not in {"live", "held", "reconnecting"}))


async def _static(request: web.Request) -> web.Response:
    if request.match_info["name"].endswith("/js/studio-feed.js"):
        text = (Path(__file__).parent / "studio_feed.js").read_text()
        return web.Response(text=text, content_type="text/javascript")
    return await STATIC.answer(request, request.match_info["name"])


async def _theme(request: web.Request) -> web.Response:
    given = await request.post()
    response = web.Response(status=303, headers={"Location": str(given["next"])})
    response.set_cookie("theme", str(given["theme"]), path="/", samesite="Lax")
    return response


async def _openapi(_request: web.Request) -> web.Response:
    answer = {"responses": {"200": {"description": "Streams that are live"}}}
    return web.json_response(
        {
            "openapi": "3.1.0",
            "info": {"title": "Lantern", "version": "1"},
            "paths": {"/api/v1/live": {"get": {"summary": "Who is live", **answer}}},
        }
    )


def application(scene: Scene) -> web.Application:
    app = web.Application()
    app[SCENE] = scene
    for name, (path, _template, _cases) in PAGES.items():
        app.router.add_get(path, _page, name=name)
    app.router.add_get("/api/v1/channels/{slug}/live", _live)
    app.router.add_get("/api/v1/live", _streams)
    app.router.add_get("/api/openapi.json", _openapi)
    app.router.add_get("/picture/{slug}.svg", _picture)
    app.router.add_get("/back-soon/{slug}.webp", _picture)
    app.router.add_get("/made-up/feed", _feed)
    app.router.add_post("/studio/{rest:.*}", _posted)
    app.router.add_get("/live/mira/{name}", _media)
    app.router.add_get("/live/mira/past/{name}", _past)
    app.router.add_post("/theme", _theme)
    app.router.add_get("/static/{name:.+}", _static)
    return app


async def start(scene: Scene, port: int = 0) -> tuple[web.AppRunner, str]:
    """Serves on loopback. Returns the runner, to clean up, and the base address."""
    runner = web.AppRunner(application(scene), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"wide": (1440, 900), "phone": (390, 844)}


async def shoot(browser: Any, base: str, folder: Path, only: str = "") -> int:
    """Screenshots of every case, theme and size. Returns how many."""
    taken = 0
    for size, (width, height) in SIZES.items():
        for theme in ("dark", "light"):
            context = await browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=theme,
                has_touch=size == "phone",
                is_mobile=size == "phone",
            )
            await context.add_cookies([{"name": "theme", "value": theme, "url": base}])
            page = await context.new_page()
            for name, (path, _template, cases) in PAGES.items():
                for case in cases:
                    if only and only not in f"{name}-{case}-{size}-{theme}":
                        continue
                    await page.goto(f"{base}{path}?case={case}")
                    await page.wait_for_timeout(500)
                    target = folder / f"{name}-{case}-{size}-{theme}.png"
                    await page.screenshot(path=target, full_page=True)
                    taken += 1
            await context.close()
    return taken


async def _main() -> None:
    parser = argparse.ArgumentParser(description="The pages with made-up data.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--shots", type=Path, help="take screenshots into this folder, then end")
    parser.add_argument("--only", default="", help="only cases whose name holds this")
    options = parser.parse_args()
    runner, base = await start(Scene(streams=[card(i) for i in range(1, 4)]), options.port)
    try:
        if options.shots is None:
            print(base)
            await asyncio.Event().wait()
            return
        from playwright.async_api import async_playwright

        options.shots.mkdir(parents=True, exist_ok=True)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
            print(await shoot(browser, base, options.shots, options.only), "screenshots")
            await browser.close()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_main())

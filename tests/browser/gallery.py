"""Renders every template with made-up data, for looking at pages without the rest of the server.

Used by the page tests and by hand: `python tests/browser/gallery.py` serves it,
`python tests/browser/gallery.py --shots FOLDER` takes a screenshot of every case. It sends the
same Content-Security-Policy as the real pages. `Scene.live` is what the live API answers; tests
change it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from gallery_studio import feed
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from yarl import URL

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # by hand it runs without an installation

from gallery_pages import PAGES, card, context_of, now_ms, picture  # noqa: E402

from mediaserver.routes.moments import iso_moment, utc_moment  # noqa: E402
from mediaserver.routes.programs import program  # noqa: E402
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


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    environment.filters.update(utc_moment=utc_moment, iso_moment=iso_moment, program=program)
    environment.globals["static"] = STATIC.url
    return environment


ENVIRONMENT = _environment()


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
        return web.json_response(
            {"error": {"code": "unavailable", "message": "-"}}, status=scene.answer_status
        )
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


async def _socket(request: web.Request) -> web.StreamResponse:
    """Greets the check-up as Engine.IO does; nobody else gets a connection here."""
    if "checkup" not in request.query:
        raise web.HTTPNotFound
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_str("0{}")
    await socket.receive()
    return socket


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
    app.router.add_get("/socket.io/", _socket)
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

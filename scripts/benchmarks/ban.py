"""Banned while live: how long until the encoder is cut off, the picture is gone for who watches in
Chromium, and the site has nothing more of the stream to give.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser, Page, async_playwright

from benchmarks.latency import CHROMIUM_FLAGS
from benchmarks.processes import module
from benchmarks.report import Report, percentile, progress
from mediaserver.kernel.config import Config
from mediaserver.server import run_command
from tests.functional.site import Site

_PASSWORD = "correct horse battery"
_WAYS = ("instant", "hls")
_START_TIMEOUT_S = 30.0
_GONE_TIMEOUT_S = 20.0
_WATCH_S = 4.0
_POLL_S = 0.01
_PICTURE_GONE_S_MAX = 3.0
_ENCODER_CUT_S_MAX = 2.0

_FRAMES = "document.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0"
_PICTURE_GONE = """() => {
    const player = document.querySelector('live-player');
    return !player || !['live', 'playing', 'loading'].includes(player.stats.state);
}"""


@dataclass(slots=True)
class Figures:
    """Seconds from the moment the admin's request is sent."""

    answered: list[float] = field(default_factory=list)
    encoder: list[float] = field(default_factory=list)
    media: list[float] = field(default_factory=list)
    picture: dict[str, list[float]] = field(default_factory=lambda: {way: [] for way in _WAYS})


def add_options(group: Any) -> None:
    group.add_argument("--bans", type=int, default=10, help="of a live streamer (%(default)s)")


def run(options: argparse.Namespace, folder: Path) -> Report:
    figures = asyncio.run(_run(options.bans, folder))
    report = Report(
        "ban",
        "seconds from an admin's ban of a live streamer",
        ("", "median", "worst"),
    )
    for text, series in (
        ("the admin has the answer", figures.answered),
        ("the encoder is cut off", figures.encoder),
        ("playlist, picture and page answer 404", figures.media),
        *((f"the picture is gone in Chromium, {way}", figures.picture[way]) for way in _WAYS),
    ):
        report.rows.append((text, f"{percentile(series, 0.5):.2f}", f"{max(series):.2f}"))
    pictures = max(seconds for series in figures.picture.values() for seconds in series)
    report.goals = [
        (
            f"picture gone within {_PICTURE_GONE_S_MAX:g} s, worst is {pictures:.2f}",
            pictures <= _PICTURE_GONE_S_MAX,
        ),
        (
            f"encoder cut off within {_ENCODER_CUT_S_MAX:g} s, worst is {max(figures.encoder):.2f}",
            max(figures.encoder) <= _ENCODER_CUT_S_MAX,
        ),
    ]
    report.notes.append(
        f"{options.bans} bans of one streamer each, live with 640x360 at 2.5 Mb/s; one page that "
        "plays instantly and one that plays HLS. The encoder is FFmpeg's RTMP writer: it is cut "
        "off when its process has ended. A picture is gone when the player has left its live "
        "state and no frame is shown any more."
    )
    return report


async def _run(bans: int, folder: Path) -> Figures:
    names = [f"streamer{number}" for number in range(bans)]
    await _make_streamers(folder / "storage", names)
    site = Site(folder / "storage")
    await asyncio.to_thread(site.start)
    figures = Figures()
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=list(CHROMIUM_FLAGS)
            )
            for number, name in enumerate(names):
                progress(f"ban: {number + 1} of {bans}")
                await _ban_one(site, browser, name, folder / "log", figures)
            await browser.close()
    finally:
        await asyncio.to_thread(site.stop)
    return figures


async def _make_streamers(storage: Path, names: list[str]) -> None:
    config = Config.model_validate({"storage": {"path": storage}})
    for name in names:
        person = {"username": name, "email": f"{name}@example.org", "password": _PASSWORD}
        await run_command(config, "user", {**person, "is_admin": False})
        await run_command(config, "channel", {"owner": name, "slug": name, "name": name})


async def _ban_one(site: Site, browser: Browser, name: str, log: Path, figures: Figures) -> None:
    key = await _key(site, name)
    publisher_options = {
        "url": f"rtmp://127.0.0.1:{site.rtmp_port}/live/{key}",
        "seconds": 2 * _START_TIMEOUT_S + _WATCH_S + _GONE_TIMEOUT_S,
    }
    with module("clock_publisher", publisher_options, log=log) as encoder:
        await asyncio.to_thread(encoder.says, 20)
        await site.wait_state(name, "live", _START_TIMEOUT_S)
        pages = {way: await _watch(browser, f"{site.url}/@{name}", way) for way in _WAYS}
        await asyncio.sleep(_WATCH_S)
        began = time.monotonic()

        async def since(what: str, holds: Callable[[], Awaitable[bool]]) -> float:
            while not await holds():
                if time.monotonic() - began > _GONE_TIMEOUT_S:
                    raise RuntimeError(f"{what}: not within {_GONE_TIMEOUT_S:g} s of the ban")
                await asyncio.sleep(_POLL_S)
            return time.monotonic() - began

        async def ban() -> float:
            order = {"reason": "spam", "text": "Nothing but adverts.", "days": 7}
            status, answer = await site.api("POST", f"/api/v1/admin/users/{name}/bans", order)
            assert status in (200, 201), (status, answer)
            return time.monotonic() - began

        async def is_cut_off() -> bool:
            return not encoder.is_running

        answered, cut_off, nothing_left, *pictures = await asyncio.gather(
            ban(),
            since("the encoder is cut off", is_cut_off),
            since("nothing is left", lambda: _nothing_left(site, name)),
            *(
                since(f"the picture is gone, {way}", lambda page=page: _is_gone(page))
                for way, page in pages.items()
            ),
        )
    figures.answered.append(answered)
    figures.encoder.append(cut_off)
    figures.media.append(nothing_left)
    for (way, page), seconds in zip(pages.items(), pictures, strict=True):
        figures.picture[way].append(seconds)
        await page.context.close()


async def _key(site: Site, name: str) -> str:
    async with aiohttp.ClientSession(site.url) as http:
        login = {"username": name, "password": _PASSWORD}
        async with http.post("/api/v1/auth/login", json=login) as response:
            token = (await response.json())["access_token"]
        keys = f"/api/v1/channels/{name}/stream-keys"
        headers = {"Authorization": f"Bearer {token}"}
        async with http.post(keys, json={"name": "bench"}, headers=headers) as response:
            response.raise_for_status()
            return str((await response.json())["key"])


async def _watch(browser: Browser, address: str, way: str) -> Page:
    """A page of somebody new that shows the stream in this way."""
    context = await browser.new_context(viewport={"width": 800, "height": 600})
    await context.add_init_script(f"localStorage.playback = '{way}'")
    page = await context.new_page()
    await page.goto(address)
    deadline = time.monotonic() + _START_TIMEOUT_S
    state = f"({_FRAMES}) > 30 && document.querySelector('live-player').stats.way"
    while await page.evaluate(state) != way:
        if time.monotonic() > deadline:
            raise RuntimeError(f"no picture by {way} within {_START_TIMEOUT_S:g} s")
        await asyncio.sleep(0.1)
    return page


async def _is_gone(page: Page) -> bool:
    if not await page.evaluate(_PICTURE_GONE):
        return False
    frames = await page.evaluate(_FRAMES)
    await asyncio.sleep(2 / 30)  # two frames' time
    return bool(await page.evaluate(_FRAMES) == frames)


async def _nothing_left(site: Site, name: str) -> bool:
    paths = (f"/live/{name}/index.m3u8", f"/live/{name}/thumbnail.jpg", f"/@{name}")
    async with aiohttp.ClientSession(site.url) as http:
        for path in paths:
            async with http.get(path) as response:
                if response.status != 404:
                    return False
    return True

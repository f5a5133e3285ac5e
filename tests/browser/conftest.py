"""One Chromium for the run, a made-up site per test, and a page that fails on any complaint."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from accessibility import fetch_axe
from gallery import CHROMIUM, CHROMIUM_ARGS, Scene, start
from playwright.async_api import Browser, Page, async_playwright
from visitors import Visitors, close

from tests.functional.site import MakeSite, Site

PUBLISH_START_S = 30


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield chromium
        await close(chromium)


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The accessibility checker's source."""
    return fetch_axe(tmp_path_factory.mktemp("axe"))


@pytest.fixture(scope="session")
def town(make_site: MakeSite) -> Site:
    """A real server with room for many accounts from one address."""
    return make_site(limits={"REGISTER_PER_ADDRESS_BURST": 1000})


@pytest_asyncio.fixture(loop_scope="session")
async def visitors(browser: Browser, town: Site) -> AsyncIterator[Visitors]:
    """People at that server. No page of theirs may have failed, nor the server."""
    since = len(town.log)
    visitors = Visitors(browser, town)
    yield visitors
    await visitors.aclose()
    assert visitors.complaints == []
    assert town.serious(since) == []


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest_asyncio.fixture(loop_scope="session")
async def base(scene: Scene) -> AsyncIterator[str]:
    runner, address = await start(scene)
    yield address
    await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(
    browser: Browser, base: str, scene: Scene
) -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    """Opens a path at a size. At the end no page may have complained in its console.

    Media that the scene has none of, and what a test adds to `open_page.missing`, may be missing.
    """
    complaints: list[tuple[str, str]] = []
    missing = [] if scene.media else ["/live/mira/"]
    contexts = []

    async def opened(path: str, width: int = 1440, height: int = 900, **options: Any) -> Page:
        context = await browser.new_context(
            viewport={"width": width, "height": height}, base_url=base, **options
        )
        contexts.append(context)
        page = await context.new_page()
        page.on(
            "console",
            lambda m: (
                m.type in {"error", "warning"} and complaints.append((m.text, m.location["url"]))
            ),
        )
        page.on("pageerror", lambda error: complaints.append((str(error), "")))
        await page.goto(path)
        return page

    opened.missing = missing  # type: ignore[attr-defined]
    yield opened
    for context in contexts:
        await close(context)
    assert [c for c in complaints if not any(part in c[1] for part in missing)] == []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def picture(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Path]:
    """A folder with a live plain HLS playlist of a test picture with sound."""
    async for folder in _publish(tmp_path_factory.mktemp("picture"), with_picture=True):
        yield folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sound(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Path]:
    """The same, sound only."""
    async for folder in _publish(tmp_path_factory.mktemp("sound"), with_picture=False):
        yield folder


async def _publish(folder: Path, *, with_picture: bool) -> AsyncIterator[Path]:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("ffmpeg is not installed")
    video = ["-re", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25"]
    encode = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p"]
    process = await asyncio.create_subprocess_exec(
        *[ffmpeg, "-loglevel", "error"],
        *(video if with_picture else []),
        *["-re", "-f", "lavfi", "-i", "sine=f=330"],
        *(encode if with_picture else []),
        *["-c:a", "aac", "-f", "hls", "-hls_time", "1", "-hls_list_size", "20"],
        *["-hls_segment_type", "fmp4", "-hls_flags", "delete_segments+program_date_time"],
        str(folder / "index.m3u8"),
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PUBLISH_START_S):
            while not (folder / "index4.m4s").exists():
                await asyncio.sleep(0.1)
        yield folder
    finally:
        process.terminate()
        await process.wait()

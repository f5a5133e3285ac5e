"""The main pages of a site with life in it show their parts; `--save-screenshots` keeps pictures.

`scripts/test tests/browser/test_screenshots.py --save-screenshots docs/screenshots` makes those of
the documentation, from a real server with real streams.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from lively import CHANNELS, PINNED, Lively
from PIL import Image
from playwright.async_api import Browser, Page, expect
from visitors import PHONE, Visitors, field, lines

from tests.functional.site import MakeSite

pytestmark = [
    pytest.mark.browser,
    pytest.mark.alone,
    pytest.mark.asyncio(loop_scope="session"),
]

Keep = Callable[[Page, str], Awaitable[None]]
PLAYING_MS = 60_000
BYTES_MAX = 300_000
ALL_ON_AIR = tuple(made.slug for made in CHANNELS if made.scene is not None)[:4]
VIEWERS = {"mira": 41, "small-builds": 23, "ridge-walk": 12, "night-desk": 17}


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest) -> Path | None:
    given = request.config.getoption("--save-screenshots")
    return Path(given) if given else None


@pytest.fixture(scope="module")
def on_air(folder: Path | None) -> tuple[str, ...]:
    """One channel is enough when no pictures are kept."""
    return ALL_ON_AIR if folder else ALL_ON_AIR[:1]


@pytest.fixture
def keep(folder: Path | None) -> Keep:
    async def keep(page: Page, name: str) -> None:
        """A picture of the window as `name`, if pictures were asked for."""
        if folder is None:
            return
        await page.wait_for_timeout(3500)  # pictures have faded in, charts have points
        await expect(page.locator(".player-wait:visible")).to_have_count(0, timeout=PLAYING_MS)
        shot = Image.open(io.BytesIO(await page.screenshot()))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.webp"
        shot.convert("RGB").save(path, "WEBP", quality=88, method=6)
        assert path.stat().st_size < BYTES_MAX

    return keep


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lively(
    browser: Browser,
    make_site: MakeSite,
    folder: Path | None,
    on_air: tuple[str, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Lively]:
    """The site with those channels on air."""
    site = make_site(
        config={"site": {"name": "Lantern", "description": "Live from the harbour town."}},
        limits={"REGISTER_PER_ADDRESS_BURST": 1000},
    )
    visitors = Visitors(browser, site, numbered=False)
    town = Lively(site, visitors)
    try:
        await town.fill()
        pictures = tmp_path_factory.mktemp("scenes")
        async with town.on_air(pictures, *on_air, height=720 if folder else 360):
            yield town
    finally:
        await visitors.aclose()
    assert visitors.complaints == []


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def audience(lively: Lively, on_air: tuple[str, ...]) -> AsyncIterator[None]:
    """Others watch too. At the end browsers go: one that plays costs as much as a publisher."""
    await lively.watched({slug: VIEWERS[slug] for slug in on_air})
    yield
    await lively.visitors.close_browsers()


async def playing(page: Page) -> None:
    await page.wait_for_function(
        "() => document.querySelector('live-player')?.stats?.currentTime > 1", timeout=PLAYING_MS
    )


async def turn_up(page: Page) -> None:
    """With sound, as who stays watches; where the browser began without."""
    button = page.get_by_role("button", name="Tap for sound")
    if await button.is_visible():
        await button.click()
        await expect(button).to_be_hidden()
        await page.locator(".chat-head").hover()  # the player's bar goes away


async def thumbnails(page: Page, count: int) -> None:
    """Every card on air has its picture."""
    await page.wait_for_function(
        """count => [...document.querySelectorAll('img[src*="/live/"]')]
          .filter(image => image.complete && image.naturalWidth > 0).length >= count""",
        arg=count,
        timeout=PLAYING_MS,
    )


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_home(lively: Lively, keep: Keep, on_air: tuple[str, ...], theme: str) -> None:
    page = await lively.visitors.browse("/", lively.people["joan"], color_scheme=theme)
    await expect(page.locator("article.card[data-slug=mira]")).to_contain_text("Mira Paints")
    for text in ("Groundnut soup for six", "Art"):
        await expect(page.get_by_text(text).first).to_be_visible()
    await thumbnails(page, len(on_air))
    await keep(page, "home" if theme == "dark" else "home-light")


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_watch_live(lively: Lively, keep: Keep, theme: str) -> None:
    page = await lively.visitors.browse("/", lively.people["joan"], color_scheme=theme)
    if theme == "light":
        await page.get_by_role("button", name="Light").click()
        await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    await page.goto("/@mira")
    await playing(page)
    await expect(page.get_by_role("heading", level=1)).to_have_text(CHANNELS[0].title)
    await expect(page.locator("[data-viewers]").first).to_contain_text("viewer")
    await expect(page.locator(".chat-pinned")).to_contain_text(PINNED)
    await expect(lines(page).last).to_be_in_viewport()
    await expect(lines(page, "the small boat is mine").first).to_be_attached()
    await expect(page.locator("img.emote").first).to_be_attached()
    await expect(field(page)).to_be_in_viewport(ratio=1)
    await turn_up(page)
    await keep(page, "watch-live" if theme == "dark" else "watch-live-light")


async def test_watch_offline(lively: Lively, keep: Keep) -> None:
    page = await lively.visitors.browse("/@kofi-cooks", lively.people["ines"])
    await expect(page.get_by_role("heading", level=1)).to_have_text("Groundnut soup for six")
    await expect(page.locator("live-player")).to_contain_text("Next: Groundnut soup for six")
    await expect(page.get_by_role("button", name="Kofi Cooks").first).to_be_visible()
    await expect(field(page)).to_be_in_viewport(ratio=1)
    await keep(page, "watch-offline")


async def test_watch_phone(lively: Lively, keep: Keep) -> None:
    page = await lively.visitors.browse(
        "/@mira", lively.people["joan"], PHONE, device_scale_factor=2
    )
    await playing(page)
    for part in (page.locator("live-player"), field(page)):
        await expect(part).to_be_in_viewport(ratio=1)
    await expect(lines(page).last).to_be_in_viewport()
    await keep(page, "watch-phone")


async def test_theatre(lively: Lively, keep: Keep) -> None:
    page = await lively.visitors.browse("/@mira", lively.people["joan"])
    await playing(page)
    await page.locator("live-player").focus()
    await page.keyboard.press("t")
    box = await page.locator("live-player").bounding_box()
    assert box
    assert (box["x"], box["y"], box["height"]) == (0, 0, 900)
    await expect(field(page)).to_be_in_viewport(ratio=1)
    await turn_up(page)
    await keep(page, "theatre")


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_studio(lively: Lively, keep: Keep, theme: str) -> None:
    page = await lively.visitors.browse("/studio/mira", lively.people["mira"], color_scheme=theme)
    await expect(page.locator(".studio-state-text")).to_contain_text("You are live")
    await expect(page.get_by_role("heading", name="Health")).to_be_visible()
    await expect(page.get_by_label("Title")).to_have_value(CHANNELS[0].title)
    await expect(lines(page).last).to_be_in_viewport()
    await playing(page)
    await keep(page, "studio" if theme == "dark" else "studio-light")


async def test_schedule(lively: Lively, keep: Keep) -> None:
    page = await lively.visitors.browse(
        "/@mira/schedule", lively.people["joan"], color_scheme="dark"
    )
    for text in ("Boats in the fog", "Mixing greys, for beginners"):
        await expect(page.get_by_text(text).first).to_be_visible()
    await expect(page.get_by_role("link", name="calendar").first).to_be_visible()
    await keep(page, "schedule")

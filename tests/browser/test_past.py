"""Rewinding in a real browser: the bar, pauses, the keyboard, and moments that are gone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from gallery import Scene
from gallery_pages import live_view, now_ms
from past import Past, encoded_past
from playwright.async_api import Page, expect
from test_player import Open, hears, shows, stats

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

AGO_S = 150
WINDOW_S = 120
SEEK_S = 5  # on a busy machine; a quiet one needs well under one second
GONE = "That moment is no longer kept. This is the earliest one."


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def recording(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Past]:
    async with encoded_past(tmp_path_factory.mktemp("past")) as past:
        yield past


@pytest.fixture
def on_air(scene: Scene, picture: Path, recording: Past) -> Scene:
    """Live for two and a half minutes, of which two can be rewound."""
    recording.begin(AGO_S, WINDOW_S)
    scene.media, scene.past = picture, recording
    scene.live = past_view()
    return scene


def past_view(**changes: Any) -> dict[str, Any]:
    return live_view(
        "live",
        started_at_ms=now_ms() - AGO_S * 1000,
        dvr_url="/live/mira/past/dvr.m3u8",
        dvr_window_s=WINDOW_S,
        **changes,
    )


async def watching(open_page: Open, scene: Scene, **options: Any) -> Page:
    page = await open_page("/@mira?case=live", **options)
    await shows(page, "live")
    await hears(page, scene, "live", **{k: v for k, v in past_view().items() if k != "state"})
    await expect(page.locator("[data-past]")).to_be_visible()
    return page


async def go_back(page: Page, seconds: float) -> None:
    """As a drag of the bar."""
    await page.evaluate(
        """(seconds) => {
            const range = document.querySelector("[data-past] input");
            range.value = String(Number(range.max) - seconds);
            range.dispatchEvent(new Event("input", { bubbles: true }));
            range.dispatchEvent(new Event("change", { bubbles: true }));
        }""",
        seconds,
    )


async def behind(page: Page, way: str, low_s: float, high_s: float) -> None:
    """Plays that way, so far behind, and moves."""
    now: dict[str, Any] = {}
    try:
        async with asyncio.timeout(SEEK_S):
            while not (
                now.get("state") == "live"
                and now["way"] == way
                and low_s * 1000 <= now["latencyMs"] <= high_s * 1000
            ):
                await page.wait_for_timeout(50)
                now = await stats(page)
            at = now["currentTime"]
            while abs(now["currentTime"] - at) < 0.3:
                await page.wait_for_timeout(50)
                now = await stats(page)
    except TimeoutError:
        raise AssertionError(f"not {way}, {low_s} to {high_s} s behind: {now}") from None


async def test_the_bar_goes_back_and_the_button_to_live(on_air: Scene, open_page: Open) -> None:
    page = await watching(open_page, on_air)
    bar = page.get_by_role("slider", name="Rewind")
    await expect(bar).to_have_attribute("aria-valuetext", "Live")
    await expect(page.get_by_role("button", name="Back to live")).to_be_hidden()
    await go_back(page, 60)
    await expect(page.locator("[data-past] output")).to_have_text("−1:00")
    await behind(page, "dvr", 56, 66)
    await expect(page.locator("media-live-button")).not_to_have_attribute("mediatimeislive", "")
    # within what is loaded, and far from it
    await go_back(page, 50)
    await behind(page, "dvr", 46, 55)
    await go_back(page, 100)
    await behind(page, "dvr", 96, 106)
    await page.locator("live-player").focus()
    await page.keyboard.press("i")
    await expect(page.get_by_role("region", name="Stream details")).to_contain_text("DVR (HLS)")
    await page.get_by_role("button", name="Back to live").click()
    await behind(page, "hls", 0, 15)
    await expect(bar).to_have_attribute("aria-valuetext", "Live")
    await expect(page.get_by_role("button", name="Back to live")).to_be_hidden()


async def test_a_pause_keeps_the_place(on_air: Scene, open_page: Open) -> None:
    page = await watching(open_page, on_air)
    await go_back(page, 60)
    await behind(page, "dvr", 56, 66)
    await page.locator("live-player").focus()
    await page.keyboard.press("k")
    await shows(page, "paused")
    before = await stats(page)
    await page.wait_for_timeout(3_000)
    await page.keyboard.press("k")
    await shows(page, "live")
    after = await stats(page)
    assert after["way"] == "dvr"
    assert 0 <= after["currentTime"] - before["currentTime"] < 2
    assert after["latencyMs"] - before["latencyMs"] > 2_500
    await page.keyboard.press("l")
    await behind(page, "hls", 0, 15)


async def test_a_pause_of_the_live_picture_keeps_its_place_too(
    on_air: Scene, open_page: Open
) -> None:
    page = await watching(open_page, on_air)
    await page.locator("live-player").focus()
    await page.keyboard.press("k")
    await shows(page, "paused")
    paused = await stats(page)
    await page.wait_for_timeout(4_000)
    await expect(page.locator("[data-past]")).to_have_attribute("data-behind", "")
    await page.keyboard.press("k")
    await behind(page, "hls", paused["latencyMs"] / 1000 + 3, paused["latencyMs"] / 1000 + 8)
    await page.evaluate("document.querySelector('live-player video').pause()")
    await page.wait_for_timeout(21_000 - 4_000)
    await page.keyboard.press("k")
    await behind(page, "dvr", 20, 45)


async def test_the_keyboard(on_air: Scene, open_page: Open) -> None:
    page = await watching(open_page, on_air)
    await page.locator("live-player").focus()
    await page.keyboard.press("Shift+ArrowLeft")
    await behind(page, "dvr", 58, 76)
    await page.keyboard.press("ArrowLeft")
    await behind(page, "dvr", 63, 82)
    await page.keyboard.press("Shift+ArrowRight")
    await behind(page, "hls", 3, 25)
    await page.keyboard.press("l")
    await behind(page, "hls", 0, 15)
    bar = page.get_by_role("slider", name="Rewind")
    await bar.focus()
    await bar.press("PageDown")
    await bar.press("PageDown")
    await bar.press("PageDown")
    await behind(page, "dvr", 25, 42)
    await expect(bar).to_have_attribute("aria-valuetext", re.compile(r"^\d+ s behind live$"))
    await bar.press("End")
    await behind(page, "hls", 0, 15)


async def test_a_moment_that_is_no_longer_kept(on_air: Scene, open_page: Open) -> None:
    """Less is kept than the bar believes: the earliest moment plays, and one hears why."""
    assert isinstance(on_air.past, Past)
    page = await watching(open_page, on_air)
    on_air.past.window_s = 60
    await go_back(page, 110)
    await expect(page.get_by_role("status").filter(has_text=GONE)).to_be_visible()
    await behind(page, "dvr", 44, 60)


async def test_the_window_leaves_a_viewer_behind(on_air: Scene, open_page: Any) -> None:
    """The segment that comes next is gone by now: on with the earliest moment."""
    assert isinstance(on_air.past, Past)
    open_page.missing.append("/live/mira/past/")
    page = await watching(open_page, on_air)
    await go_back(page, 100)
    await behind(page, "dvr", 95, 107)
    on_air.past.window_s = 30
    await expect(page.locator("[data-say]")).to_have_text(GONE, timeout=30_000)
    await behind(page, "dvr", 14, 32)


async def test_a_past_that_is_gone_leaves_the_live_picture(on_air: Scene, open_page: Any) -> None:
    assert isinstance(on_air.past, Past)
    open_page.missing.append("/live/mira/past/")
    page = await watching(open_page, on_air)
    on_air.past.gone = True
    await go_back(page, 60)
    await expect(page.locator("[data-say]")).to_contain_text("is gone")
    await behind(page, "hls", 0, 15)


async def test_on_a_phone(on_air: Scene, open_page: Open) -> None:
    page = await watching(open_page, on_air, width=390, height=844, has_touch=True)
    await go_back(page, 60)
    await behind(page, "dvr", 56, 66)
    await page.locator("live-player").hover()
    bar = await page.locator("[data-past] input").bounding_box()
    button = await page.get_by_role("button", name="Back to live").bounding_box()
    assert bar is not None
    assert button is not None
    assert bar["width"] > 120
    assert button["x"] + button["width"] <= 390
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_there_is_no_bar_without_a_past(on_air: Scene, open_page: Open) -> None:
    on_air.live = live_view("live")
    page = await open_page("/@mira?case=live")
    await shows(page, "live")
    await expect(page.locator("[data-past]")).to_be_hidden()
    # and a minute is not much either
    await hears(
        page, on_air, "live", dvr_url="/x", dvr_window_s=120, started_at_ms=now_ms() - 9_000
    )
    await expect(page.locator("[data-past]")).to_be_hidden()


async def test_a_full_server_says_so(scene: Scene, picture: Path, open_page: Any) -> None:
    open_page.missing.append("/live/mira/")
    scene.media, scene.full = picture, True
    scene.live = live_view("live", full=True)
    page = await open_page("/@mira?case=live")
    await shows(page, "loading")
    await hears(page, scene, "live", full=True)
    await shows(page, "retrying")
    await expect(page.locator('[data-layer="retrying"]')).to_contain_text("No place is free")
    scene.full = False
    await page.get_by_role("button", name="Try now").click()
    await shows(page, "live")


async def test_the_channels_picture_while_its_encoder_is_away(
    scene: Scene, open_page: Open
) -> None:
    scene.live = live_view("reconnecting", playlist_url=None, back_soon_url="/picture/mira.svg")
    page = await open_page("/@mira?case=starting")
    await hears(page, scene, "reconnecting", playlist_url=None, back_soon_url="/picture/mira.svg")
    await shows(page, "reconnecting")
    layer = page.locator('[data-layer="reconnecting"]')
    await expect(layer).to_have_css("background-image", re.compile("/picture/mira.svg"))
    await hears(page, scene, "reconnecting", playlist_url=None)
    await expect(layer).not_to_have_css("background-image", re.compile("/picture/mira.svg"))


async def test_a_step_while_paused_stays_paused(on_air: Scene, open_page: Open) -> None:
    page = await watching(open_page, on_air)
    await page.locator("live-player").focus()
    await page.keyboard.press("k")
    await shows(page, "paused")
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("Shift+ArrowLeft")
    await page.wait_for_function("() => document.querySelector('live-player').stats.way === 'dvr'")
    await page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    await page.wait_for_timeout(1500)
    await shows(page, "paused", 1)
    assert (await stats(page))["stalls"] == 0
    await page.keyboard.press("k")
    await shows(page, "live")
    assert (await stats(page))["way"] == "dvr"

"""Rewinding a real stream: from instant playback into the recording on disk, and back."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect
from test_live import START_DEADLINE_S, demo_publisher, stats, until

from tests.functional.site import Site

pytestmark = [
    pytest.mark.browser,
    pytest.mark.alone,
    pytest.mark.asyncio(loop_scope="session"),
]

BACK_S = 25


async def test_back_into_the_recording_and_to_live_again(browser: Browser, site: Site) -> None:
    channel = await site.new_channel()
    context = await browser.new_context(base_url=site.url)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    async with demo_publisher(channel):
        await site.wait_state(channel.slug, "live", START_DEADLINE_S)
        await page.goto(f"/@{channel.slug}")
        await until(page, "stats.state === 'live' && stats.way === 'instant'", START_DEADLINE_S)
        bar = page.locator("[data-past] input")
        await expect(bar).to_be_visible(timeout=60_000)
        await until(page, f"stats.currentTime > {BACK_S + 10}", 2 * START_DEADLINE_S)
        await page.evaluate(
            """(seconds) => {
                const range = document.querySelector("[data-past] input");
                range.value = String(Number(range.max) - seconds);
                range.dispatchEvent(new Event("change", { bubbles: true }));
            }""",
            BACK_S,
        )
        await until(page, "stats.state === 'live' && stats.way === 'dvr'", START_DEADLINE_S)
        there = await stats(page)
        assert BACK_S - 2 < there["latencyMs"] / 1000 < BACK_S + 15
        await until(page, f"stats.currentTime > {there['currentTime'] + 4}", START_DEADLINE_S)
        # still one viewer, whichever way they watch
        await expect(page.locator("[data-viewers]").first).to_have_text("1 viewer")

        await page.locator("live-player").focus()
        await page.keyboard.press("l")
        await until(
            page,
            "stats.state === 'live' && stats.way === 'instant' && stats.latencyMs < 5000",
            START_DEADLINE_S,
        )
    assert complaints == []
    await context.close()

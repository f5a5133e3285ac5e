"""Instant playback in a real browser: it is how one watches, and HLS is there when it fails."""

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

# Each shown picture and when, so that a test sees for how long there was none.
WATCH_PICTURES = """
window.shown = [];
const look = () => {
  const video = document.querySelector("video");
  if (!video) return void setTimeout(look, 5);
  const frame = (now) => {
    shown.push(now);
    video.requestVideoFrameCallback(frame);
  };
  video.requestVideoFrameCallback(frame);
};
look();
"""
LONGEST = """(since) => {
  const seen = shown.filter((at) => at >= since);
  return Math.max(...seen.slice(1).map((at, i) => at - seen[i]));
}"""
SWITCH_MS_MAX = 1_000


async def test_it_plays_at_once_and_falls_back_and_comes_back(browser: Browser, site: Site) -> None:
    channel = await site.new_channel()
    context = await browser.new_context(base_url=site.url)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.add_init_script(WATCH_PICTURES)
    # A socket that a test can end: the server's side stays as it is.
    await page.add_init_script(
        """
        window.sockets = [];
        window.WebSocket = class extends WebSocket {
          constructor(...given) {
            super(...given);
            if (this.url.includes("/instant")) sockets.push(this);
          }
        };
        """
    )
    async with demo_publisher(channel):
        await site.wait_state(channel.slug, "live", START_DEADLINE_S)
        await page.goto(f"/@{channel.slug}")
        await until(page, "stats.state === 'live' && stats.way === 'instant'", START_DEADLINE_S)
        begun = await stats(page)
        await until(page, f"stats.currentTime > {begun['currentTime'] + 5}", START_DEADLINE_S)
        playing = await stats(page)
        assert playing["way"] == "instant"
        await expect(page.locator("[data-viewers]").first).to_have_text("1 viewer")

        # The connection breaks: HLS goes on.
        since = await page.evaluate("performance.now()")
        await page.evaluate("sockets.at(-1).close()")
        await until(page, "stats.state === 'live' && stats.way === 'hls'", START_DEADLINE_S)
        there = await stats(page)
        await until(page, f"stats.currentTime > {there['currentTime'] + 1}", START_DEADLINE_S)
        assert await page.evaluate(LONGEST, since) <= SWITCH_MS_MAX

        # And instant playback is back after a while, by itself.
        since = await page.evaluate("performance.now()")
        await until(page, "stats.state === 'live' && stats.way === 'instant'", START_DEADLINE_S)
        back = await stats(page)
        await until(page, f"stats.currentTime > {back['currentTime'] + 2}", START_DEADLINE_S)
        assert await page.evaluate(LONGEST, since) <= SWITCH_MS_MAX
        await expect(page.locator(".player-still")).to_have_count(0)
        await expect(page.locator("[data-viewers]").first).to_have_text("1 viewer")
    assert complaints == []
    await context.close()


async def test_it_follows_the_encoder_and_goes_back_in_time(browser: Browser, site: Site) -> None:
    channel = await site.new_channel()
    context = await browser.new_context(base_url=site.url)
    page = await context.new_page()
    async with demo_publisher(channel):
        await site.wait_state(channel.slug, "live", START_DEADLINE_S)
        await page.goto(f"/@{channel.slug}")
        await until(page, "stats.state === 'live' && stats.way === 'instant'", START_DEADLINE_S)
        await until(page, "stats.way === 'instant' && stats.currentTime > 2", START_DEADLINE_S)

        # What lies behind the live moment is with HLS, and "Live" comes back.
        await page.locator("live-player").focus()
        await page.keyboard.press("ArrowLeft")
        await until(page, "stats.state === 'live' && stats.way === 'hls'", START_DEADLINE_S)
        await until(page, "stats.edgeMs > 3000", START_DEADLINE_S)
        await page.keyboard.press("l")
        await until(page, "stats.state === 'live' && stats.way === 'instant'", START_DEADLINE_S)

        # The details say which way it is.
        await page.keyboard.press("i")
        await expect(page.locator('[data-stat="way"]')).to_have_text("Instant")

        # So may the viewer.
        await page.get_by_role("button", name="Settings", exact=True).click()
        await page.get_by_role("radio", name="Low latency").check()
        await until(page, "stats.state === 'live' && stats.way === 'hls'", START_DEADLINE_S)
        await page.get_by_role("radio", name="Automatic").check()
        await until(page, "stats.state === 'live' && stats.way === 'instant'", START_DEADLINE_S)

    # The encoder drops and is back: the same connection goes on with the next epoch.
    await until(page, "stats.state === 'reconnecting'", START_DEADLINE_S)
    async with demo_publisher(channel):
        await until(page, "stats.state === 'live'", START_DEADLINE_S)
        back = await stats(page)
        assert back["way"] == "instant"
        await until(page, f"stats.currentTime > {back['currentTime'] + 3}", START_DEADLINE_S)
        status, _ = await site.api("POST", f"/api/v1/channels/{channel.slug}/stop")
        assert status < 300
        await until(page, "stats.state === 'ended'", START_DEADLINE_S)
    await context.close()

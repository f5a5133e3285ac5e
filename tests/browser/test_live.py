"""The main job in a real browser: an encoder publishes, the page plays, loses and regains it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.functional.site import Channel, Site
from tests.rtmp.publishers import ROOT, pyav_publisher

pytestmark = [
    pytest.mark.browser,
    pytest.mark.alone,
    pytest.mark.asyncio(loop_scope="session"),
]

PLAY_S = 60
START_DEADLINE_S = 30.0


@asynccontextmanager
async def demo_publisher(channel: Channel, height: int = 360) -> AsyncIterator[None]:
    """Our own publisher, as `serve --demo` runs it. Small, as other tests share the machine."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mediaserver.media.testcard", "-"),
        *("--width", str(height * 16 // 9), "--height", str(height)),
        stdin=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdin is not None
    process.stdin.write(f"{channel.publish_url}\n".encode())
    await process.stdin.drain()
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # it has ended when the server ended the stream
            process.terminate()
        await process.wait()


async def stats(page: Page) -> dict[str, Any]:
    """What the player says of itself."""
    found = await page.evaluate("document.querySelector('live-player').stats")
    assert isinstance(found, dict)
    return found


async def until(page: Page, condition: str, deadline_s: float) -> None:
    """Wait for a condition on `stats`, such as `stats.state === 'live'`."""
    script = f"""() => {{
        const stats = document.querySelector('live-player')?.stats;
        return Boolean(stats && {condition});
    }}"""
    try:
        await page.wait_for_function(script, timeout=deadline_s * 1000, polling=100)
    except Exception as error:
        raise AssertionError(f"{condition}: {await stats(page)}") from error


async def test_watching_a_stream(browser: Browser, site: Site) -> None:
    """By HLS, which has more in its buffer than a busy machine needs (test_instant.py has the
    other way)."""
    channel = await site.new_channel()
    await site.api(
        "PATCH",
        f"/api/v1/channels/{channel.slug}",
        {
            "name": "Aurora",
            "title": "Northern lights, all night",
            "description": "Slow colours and a quiet chord. The clock is this server's, "
            "so you can see how far behind live you are.",
        },
    )
    context = await browser.new_context(
        viewport={"width": 1440, "height": 900}, color_scheme="dark", base_url=site.url
    )
    page = await context.new_page()
    await page.add_init_script("localStorage.playback = 'hls'")
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))

    await page.goto(f"/@{channel.slug}")
    await until(page, "stats.state === 'offline'", START_DEADLINE_S)

    # The page was there first: it starts by itself when the encoder connects.
    async with demo_publisher(channel):
        await until(page, "stats.state === 'live' && stats.currentTime > 0", START_DEADLINE_S)
        begun = await stats(page)
        await until(
            page,
            f"stats.currentTime >= {begun['currentTime'] + PLAY_S}",
            2 * PLAY_S + START_DEADLINE_S,
        )
        played = await stats(page)
        assert played["way"] == "hls"
        assert played["stalls"] == begun["stalls"]
        assert played["decodedAudioBytes"] > begun["decodedAudioBytes"]
        assert played["decodedVideoFrames"] > begun["decodedVideoFrames"]
        await expect(page.locator("[data-viewers]").first).to_have_text("1 viewer")

    # The encoder drops: the page says so, and carries on when it is back, without a reload.
    await until(page, "stats.state === 'reconnecting'", START_DEADLINE_S)
    before = await stats(page)
    async with demo_publisher(channel):
        await until(page, "stats.state === 'live'", START_DEADLINE_S)
        back = await stats(page)
        assert back["broadcastId"] == before["broadcastId"]
        await until(page, f"stats.currentTime > {back['currentTime'] + 5}", START_DEADLINE_S)

        # The streamer ends it.
        status, _ = await site.api("POST", f"/api/v1/channels/{channel.slug}/stop")
        assert status < 300
        await until(page, "stats.state === 'ended'", START_DEADLINE_S)
    assert complaints == []
    await context.close()


async def test_home_shows_what_is_live(browser: Browser, site: Site) -> None:
    channel = await site.new_channel()
    async with demo_publisher(channel):
        await site.wait_state(channel.slug, "live", START_DEADLINE_S)
        context = await browser.new_context(base_url=site.url)
        page = await context.new_page()
        await page.goto("/")
        card = page.locator(f'a[href="/@{channel.slug}"]').first
        await expect(card).to_be_visible()
        picture = page.locator(f'img[src*="/live/{channel.slug}/thumbnail.jpg"]').first
        await expect(picture).to_have_js_property("complete", value=True, timeout=30_000)
        await page.wait_for_function(
            "slug => document.querySelector(`img[src*='/live/${slug}/']`).naturalWidth > 0",
            arg=channel.slug,
            timeout=30_000,
        )
        await card.click()
        await until(page, "stats.state === 'live' && stats.currentTime > 0", START_DEADLINE_S)
        await context.close()


async def test_other_tracks_after_a_return(browser: Browser, site: Site) -> None:
    """The encoder comes back with a slow picture and no sound, then as it was: it plays on."""
    channel = await site.new_channel()
    context = await browser.new_context(base_url=site.url)
    page = await context.new_page()
    publishers = (
        demo_publisher(channel),
        pyav_publisher(channel.publish_url, fps=1, size="320x240", audio=None),
        demo_publisher(channel),
    )
    for number, publisher in enumerate(publishers):
        async with publisher:
            if not number:
                await page.goto(f"/@{channel.slug}")
            await until(page, "stats.server === 'live'", START_DEADLINE_S)
            resumed = await stats(page)
            await until(
                page,
                f"stats.state === 'live' && stats.currentTime > {resumed['currentTime'] + 4}",
                2 * START_DEADLINE_S,
            )
        await until(page, "stats.server === 'reconnecting'", START_DEADLINE_S)
    await context.close()


@pytest.mark.parametrize("way", ["hls", "instant"])
async def test_watching_behind_a_gate(browser: Browser, site: Site, way: str) -> None:
    """The media want a ticket, which the answer to the question brings: to the page by cookie."""
    channel = await site.new_channel()
    await site.api("PATCH", f"/api/v1/channels/{channel.slug}", {"age_restricted": True})
    context = await browser.new_context(base_url=site.url)
    page = await context.new_page()
    await page.add_init_script(f"localStorage.playback = '{way}'")
    async with demo_publisher(channel):
        await site.wait_state(channel.slug, "live", START_DEADLINE_S)
        await page.goto(f"/@{channel.slug}")
        assert (await page.request.get(channel.playlist_url)).status == 403
        await page.get_by_role("button", name="I am 18 or older").click()
        await until(page, "stats.state === 'live' && stats.currentTime > 0", START_DEADLINE_S)
        assert (await stats(page))["way"] == way
        assert (await page.request.get(channel.playlist_url)).status == 200
    await context.close()


async def test_watching_behind_a_gate_in_a_frame(browser: Browser, site: Site) -> None:
    """Without cookies, as in another site's page: the ticket is in the addresses."""
    channel = await site.new_channel()
    await site.api("PATCH", f"/api/v1/channels/{channel.slug}", {"age_restricted": True})
    context = await browser.new_context(base_url=site.url)
    page = await context.new_page()
    await page.add_init_script("localStorage.playback = 'hls'")
    async with demo_publisher(channel):
        await site.wait_state(channel.slug, "live", START_DEADLINE_S)
        await page.goto(f"/embed/{channel.slug}")
        await page.get_by_role("button", name="I am 18 or older").click()
        await page.wait_for_url("**/embed/*?gate=*")
        await context.clear_cookies()
        await page.reload()
        await until(page, "stats.state === 'live' && stats.currentTime > 0", START_DEADLINE_S)
    await context.close()

"""A streamer's own look at what is on air, or about to be, against a real server."""

from __future__ import annotations

import pytest
from test_live import START_DEADLINE_S, demo_publisher, until
from visitors import Visitors

from tests.functional.site import Channel, Site

pytestmark = [
    pytest.mark.browser,
    pytest.mark.alone,
    pytest.mark.asyncio(loop_scope="session"),
]

PLAYS = "stats.server === 'held' && stats.state === 'live' && stats.currentTime > 0"


async def test_a_held_stream_plays_for_its_streamer(visitors: Visitors, town: Site) -> None:
    mira = await visitors.streamer("mira", starts_automatically=False)
    slug = mira.username
    _, made = await mira.api("POST", f"/channels/{slug}/stream-keys", {"name": "OBS"})
    url = f"rtmp://127.0.0.1:{town.rtmp_port}/live/{made['key']}"
    channel = Channel(slug, made["key"], made["id"], url, "")
    page = await visitors.browse(f"/studio/{slug}", mira)
    await until(page, "stats.state === 'offline'", START_DEADLINE_S)
    async with demo_publisher(channel):
        await until(page, PLAYS, START_DEADLINE_S)
        await page.reload()
        await until(page, PLAYS, START_DEADLINE_S)
        await page.get_by_role("button", name="Go live").click()
        await until(
            page,
            "stats.server === 'live' && stats.state === 'live' && stats.currentTime > 1",
            START_DEADLINE_S,
        )
        await page.get_by_role("button", name="End stream").click()
        await page.get_by_role("dialog").get_by_role("button", name="End stream").click()
        await until(page, "stats.state === 'ended'", START_DEADLINE_S)
    async with demo_publisher(channel):  # the next one is held anew, where the last one ended
        await until(page, PLAYS, START_DEADLINE_S)

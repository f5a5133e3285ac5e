"""Health of a real stream: what is measured of its encoder, and what players say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.functional.conftest import MakeSite
from tests.functional.site import Channel, Site
from tests.functional.streams import viewer
from tests.hls.client import with_query
from tests.rtmp.clips import encoded, looped
from tests.rtmp.publishers import wire_publisher

DEADLINE_S = 60.0


async def health_when(
    site: Site, channel: Channel, holds: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The newest measurement, once there is one like that."""
    health: dict[str, Any] | None = None
    try:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                _, answer = await site.api("GET", f"/api/v1/channels/{channel.slug}/health")
                health = answer["health"]
                if health is not None and holds(health):
                    return health
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"not so in time: {health}") from None


async def test_encoder_viewers_and_reports(make_site: MakeSite) -> None:
    site = make_site(limits={"HEALTH_INTERVAL_S": 0.5})
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url), viewer(channel) as client:
        await client.play(media_s=4, deadline_s=DEADLINE_S)
        assert client.media_url is not None
        for session in ("one", "two"):
            said = f'bl=1200,mtp=25400,ltc=1700,sid="{session}"' + (
                ",bs" if session == "two" else ""
            )
            assert (await client.get(with_query(client.media_url, {"CMCD": said}))).status == 200
        health = await health_when(
            site, channel, lambda one: one["fps"] and one["viewers_stalling_pct"] is not None
        )
        assert health["state"] == "live"
        assert 28 <= health["fps"] <= 32
        assert health["keyframe_interval_ms"] == 2_000
        assert (health["width"], health["height"]) == (320, 180)
        assert health["viewers"] == 1
        assert (health["latency_p50_ms"], health["viewers_stalling_pct"]) == (1_700, 50.0)
        assert health["uplink_bps"] > 0
        assert health["verdict"] in {"good", "warn"}
    health = await health_when(site, channel, lambda one: one["state"] == "reconnecting")
    assert health["verdict"] == "bad"


async def test_keyframes_that_are_far_apart(make_site: MakeSite) -> None:
    site = make_site(limits={"HEALTH_INTERVAL_S": 0.5})
    channel = await site.new_channel()
    rare = looped(await encoded(gop_s=8))
    async with wire_publisher(channel.publish_url, rare):
        health = await health_when(site, channel, lambda one: one["keyframe_interval_ms"] > 5_000)
    assert health["keyframe_interval_ms"] == 8_000

"""A full server: one more viewer hears so, those inside and the streamer notice nothing."""

from __future__ import annotations

import json

import aiohttp

from tests.functional.conftest import MakeSite
from tests.functional.streams import viewer
from tests.rtmp.publishers import wire_publisher

PREVIEW = {"X-Preview": "1"}


async def test_one_viewer_and_no_more(make_site: MakeSite) -> None:
    site = make_site(config={"media": {"viewers_max": 1}})
    channel = await site.new_channel()
    live_url = f"/api/v1/channels/{channel.slug}/live"
    async with wire_publisher(channel.publish_url), viewer(channel) as inside:
        assert (await site.api("GET", live_url))[1]["full"] is False
        await inside.play(media_s=3, deadline_s=60)
        assert (await site.api("GET", live_url))[1]["full"] is True
        assert inside.media_url is not None
        agent = {"User-Agent": "another player"}
        async with aiohttp.ClientSession(headers=agent) as outside:
            for url in (
                channel.playlist_url,
                inside.media_url,
                inside.media_url.replace("media.m3u8", "dvr.m3u8"),
            ):
                async with outside.get(url) as answer:
                    assert answer.status == 503, url
                    assert answer.headers["Access-Control-Allow-Origin"] == "*"
                    assert answer.headers["Cache-Control"] == "no-cache"
                    assert answer.headers["Retry-After"] == "5"
                    error = json.loads(await answer.text())["error"]
                assert error["code"] == "full"
                assert error["message"].endswith(".")
                async with outside.get(url, headers=PREVIEW) as answer:
                    assert answer.status == 200, "a streamer's own look"
        playback = await inside.play(media_s=6, deadline_s=60)
    playback.assert_clean()
    assert not playback.gone

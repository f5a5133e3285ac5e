"""Rewinding: the past of a stream from disk, its limits, and a disk that gives out."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import aiohttp
import pytest

from tests.functional.conftest import MakeSite
from tests.functional.site import Channel, Site
from tests.functional.streams import READY_DEADLINE_S, probe, viewer
from tests.hls.client import PLAYLIST_TYPE, LiveHlsClient
from tests.hls.playlist import read_media_playlist
from tests.rtmp.clips import clip, looped
from tests.rtmp.publishers import wire_publisher
from tests.rtmp.wire import PublishUrl, open_publisher

DEADLINE_S = 60.0
MINUTE = {
    "config": {"media": {"dvr_minutes": 1, "window_s": 30}},
    # So that a stream's past is soon on disk alone, and what left the window is soon gone.
    "limits": {"BROADCAST_BYTES_MAX": 100_000, "DVR_RETIRED_S": 0.0},
}


@pytest.fixture
def minute(make_site: MakeSite) -> Site:
    """A server that keeps a minute."""
    return make_site(**MINUTE)  # type: ignore[arg-type]  # one dict of two kinds


async def dvr_url(site: Site, channel: Channel) -> str:
    """The playlist to rewind in, once there is one."""
    async with asyncio.timeout(READY_DEADLINE_S):
        while True:
            _, live = await site.api("GET", f"/api/v1/channels/{channel.slug}/live")
            if live["dvr_url"]:
                return site.url + str(live["dvr_url"])
            await asyncio.sleep(0.1)


async def segment_count(client: LiveHlsClient, url: str) -> int:
    answer = await client.get(url)
    return len(read_media_playlist(answer.text)[0].full) if answer.status == 200 else 0


async def segments_made(client: LiveHlsClient, url: str) -> int:
    """How many segments of 2 s the stream has had, those before the window included."""
    answer = await client.get(url)
    if answer.status != 200:
        return 0
    playlist, _ = read_media_playlist(answer.text)
    return playlist.media_sequence + len(playlist.full)


async def test_a_real_stream_can_be_rewound(site: Site, tmp_path: Path) -> None:
    """The strict checker follows the playlist; segments are those of the live window."""
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url), viewer(channel) as live:
        url = await dvr_url(site, channel)
        async with LiveHlsClient(channel.playlist_url, low_latency=False) as past:
            past.media_url = url
            past.checker.declares_independent_segments = True
            playback = await past.play(media_s=14, deadline_s=DEADLINE_S)
        playback.assert_clean()
        assert len(playback.epochs) == 1
        await probe(playback, tmp_path)
        answer = await live.get(url)
        assert answer.content_type == PLAYLIST_TYPE
        assert answer.headers["cache-control"] == "public, max-age=1"
        assert answer.headers["vary"] == "Accept-Encoding"
        delta = await live.get(url + "?_HLS_skip=YES")
        assert delta.status == 200
        await site.api("POST", f"/api/v1/channels/{channel.slug}/stop")
        async with asyncio.timeout(DEADLINE_S):  # once the last segment is written
            while not (await live.get(url)).text.endswith("#EXT-X-ENDLIST\n"):
                await asyncio.sleep(0.05)


async def test_the_past_comes_from_disk_in_ranges(minute: Site) -> None:
    channel = await minute.new_channel()
    publisher = await open_publisher(channel.publish_url)
    try:
        await publisher.send_tags(looped(clip(), seconds=100), speed=None)
        async with viewer(channel) as client:
            url = await dvr_url(minute, channel)
            async with asyncio.timeout(DEADLINE_S):
                while await segments_made(client, url) < 49:  # all: the window moves no more
                    await asyncio.sleep(0.1)
            playlist, malformed = read_media_playlist((await client.get(url)).text)
            assert not malformed
            assert 60 <= playlist.duration_with_parts < 64
            folder = url.rpartition("/")[0]
            old, first = f"{folder}/{playlist.media_sequence - 2}.m4s", playlist.full[0].uri
            assert (await client.get(old)).status == 404, "beyond the window"
            live = read_media_playlist((await client.get(f"{folder}/media.m3u8")).text)[0]
            assert live.media_sequence > playlist.media_sequence + 10, "memory has forgotten it"
            whole = await client.get(f"{folder}/{first}")
            assert whole.status == 200
            assert whole.content_type == "video/mp4"
            assert whole.headers["accept-ranges"] == "bytes"
            assert "immutable" in whole.headers["cache-control"]
            assert whole.headers["access-control-allow-origin"] == "*"
            async with aiohttp.ClientSession() as http:
                ask = {"Range": "bytes=100-299"}
                async with http.get(f"{folder}/{first}", headers=ask) as response:
                    assert response.status == 206
                    assert await response.read() == whole.body[100:300]
                async with http.get(f"{folder}/{first}", headers={"Range": "bytes=9999999-"}) as no:
                    assert no.status == 416
                async with http.head(f"{folder}/{first}") as head:
                    assert head.content_length == len(whole.body)
            for name in ("999999.m4s", "0.m4s", "../1.m4s", "init-9.mp4", "1.0.m4s", "dvr.m4s"):
                assert (await client.get(f"{folder}/{name}")).status == 404, name
            assert (await client.get(f"{folder}x/dvr.m3u8")).status == 404
    finally:
        await publisher.stop(PublishUrl.parse(channel.publish_url).name)
        await publisher.close()


async def test_the_folder_goes_with_the_stream(make_site: MakeSite) -> None:
    site = make_site(config={"media": {"grace_s": 1}}, limits={"ENDED_KEEP_S": 1.0})
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url), viewer(channel):
        url = await dvr_url(site, channel)
        session = url.split("/")[-2]
        folder = site.storage / "dvr" / session
        assert folder.is_dir()
    async with asyncio.timeout(DEADLINE_S):
        while folder.exists():
            await asyncio.sleep(0.1)


async def test_a_disk_that_fails_costs_the_past_only(site: Site) -> None:
    """The folder vanishes under the recording and a file takes its place."""
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url), viewer(channel) as live:
        url = await dvr_url(site, channel)
        folder = site.storage / "dvr" / url.split("/")[-2]
        mark = len(site.log)
        shutil.rmtree(folder)
        folder.write_bytes(b"in the way")
        async with asyncio.timeout(DEADLINE_S):
            while True:
                _, view = await site.api("GET", f"/api/v1/channels/{channel.slug}/live")
                if view["warning"]:
                    break
                await asyncio.sleep(0.1)
        assert view["warning"].startswith("Viewers can't rewind this stream any more: the disk")
        assert (view["state"], view["dvr_url"]) == ("live", None)
        assert (await live.get(url)).status == 404
        playback = await live.play(media_s=8, deadline_s=DEADLINE_S)
        lines = [one for one in site.log[mark:] if "rewind" in one["event"]]
        assert [(one["level"], one["channel"]) for one in lines] == [("warning", channel.slug)]
    playback.assert_clean()
    assert len(playback.epochs) == 1
    folder.unlink()


async def test_switched_off(make_site: MakeSite) -> None:
    site = make_site(config={"media": {"dvr_minutes": 0}})
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url), viewer(channel) as client:
        await client.play(media_s=4, deadline_s=DEADLINE_S)
        _, live = await site.api("GET", f"/api/v1/channels/{channel.slug}/live")
        assert live["dvr_url"] is None
        assert client.media_url is not None
        url = client.media_url.replace("media.m3u8", "dvr.m3u8")
        assert (await client.get(url)).status == 404
        assert not (site.storage / "dvr").exists()

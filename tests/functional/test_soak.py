"""Three streams beside each other for three minutes, judged all the time: no rule is ever broken.

One with B-frames, one with a keyframe every 8 s only, one whose encoder is lost and comes back.
They run in parallel against one server, so that the whole takes three minutes once.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from tests.functional.site import Site
from tests.functional.streams import probe, viewer
from tests.hls.client import LiveHlsClient, Playback
from tests.rtmp.clips import encoded, looped
from tests.rtmp.publishers import (
    PublisherProcess,
    WirePublisher,
    ffmpeg_path,
    ffmpeg_publisher,
    pyav_publisher,
    wire_publisher,
)

MEDIA_S = 180.0
DEADLINE_S = 2 * MEDIA_S + 120  # encoders fall behind on a busy machine


async def b_frames(site: Site) -> Playback:
    channel = await site.new_channel()
    async with (
        pyav_publisher(channel.publish_url, bframes=2, seconds=DEADLINE_S) as publisher,
        viewer(channel, fetch_segments=True, fetch_removed=True) as client,
    ):
        playback = await client.play(media_s=MEDIA_S, deadline_s=DEADLINE_S)
        assert publisher.returncode is None, publisher.stderr
    assert len(playback.epochs) == 1, playback.describe()
    assert playback.removed_fetched > 0
    return playback


async def long_gops(site: Site) -> Playback:
    channel = await site.new_channel()
    url = channel.publish_url
    publisher: AbstractAsyncContextManager[PublisherProcess | WirePublisher]
    if ffmpeg_path() is not None:
        publisher = ffmpeg_publisher(url, gop_s=8, bframes=2, seconds=DEADLINE_S, size="320x180")
    else:
        publisher = wire_publisher(url, looped(await encoded(gop_s=8, bframes=2)))
    async with publisher, viewer(channel, long_gop=True, fetch_segments=True) as client:
        playback = await client.play(media_s=MEDIA_S, deadline_s=DEADLINE_S)
    assert len(playback.epochs) == 1, playback.describe()
    return playback


async def restarts(site: Site) -> Playback:
    """60 s, a reset connection, 60 s, a stop button, 60 s: three epochs of one playlist."""
    channel = await site.new_channel()
    async with LiveHlsClient(channel.playlist_url, fetch_segments=True) as client:
        for life in range(3):
            tags = looped(await encoded(bframes=2 if life == 1 else 0), start_ms=life * 1000)
            async with wire_publisher(channel.publish_url, tags) as publisher:
                await client.wait_ready(40)
                playback = await client.play(
                    until=lambda so_far, life=life: (  # type: ignore[misc]
                        len(so_far.epochs) == life + 1
                        and so_far.epochs[life].duration_s >= MEDIA_S / 3
                    ),
                    deadline_s=DEADLINE_S,
                )
                if life == 0:
                    await publisher.drop()
            await site.wait_state(channel.slug, "reconnecting", 20)
    assert [epoch.checker.init.audio is not None for epoch in playback.epochs] == [True] * 3
    return playback


async def test_three_minutes(site: Site, tmp_path: Path) -> None:
    playbacks = await asyncio.gather(b_frames(site), long_gops(site), restarts(site))
    for playback in playbacks:
        playback.assert_clean()
        assert playback.media_s >= MEDIA_S
        assert playback.segments_compared > 20
        await probe(playback, tmp_path)

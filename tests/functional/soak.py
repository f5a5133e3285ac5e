"""Three streams beside each other, judged all the time: no rule is ever broken.

One with B-frames, one with a keyframe every 8 s only, one whose encoder is lost and comes back.
They run in parallel against one server. The tests take a minute of it, `scripts/bench soak` more.
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


def deadline_s(media_s: float) -> float:
    """Encoders fall behind on a busy machine."""
    return 2 * media_s + 120


async def soak(site: Site, folder: Path, media_s: float) -> list[Playback]:
    """Play all three until each has lasted `media_s`. Raises `AssertionError` for a broken rule."""
    playbacks = await asyncio.gather(
        b_frames(site, media_s), long_gops(site, media_s), restarts(site, media_s)
    )
    for playback in playbacks:
        playback.assert_clean()
        assert playback.media_s >= media_s
        assert playback.segments_compared > media_s / 9
        await probe(playback, folder)
    return playbacks


async def b_frames(site: Site, media_s: float) -> Playback:
    channel = await site.new_channel()
    async with (
        pyav_publisher(channel.publish_url, bframes=2, seconds=deadline_s(media_s)) as publisher,
        viewer(channel, fetch_segments=True, fetch_removed=True) as client,
    ):
        playback = await client.play(media_s=media_s, deadline_s=deadline_s(media_s))
        assert publisher.returncode is None, publisher.stderr
    assert len(playback.epochs) == 1, playback.describe()
    assert playback.removed_fetched > 0
    return playback


async def long_gops(site: Site, media_s: float) -> Playback:
    channel = await site.new_channel()
    url = channel.publish_url
    publisher: AbstractAsyncContextManager[PublisherProcess | WirePublisher]
    if ffmpeg_path() is not None:
        publisher = ffmpeg_publisher(
            url, gop_s=8, bframes=2, seconds=deadline_s(media_s), size="320x180"
        )
    else:
        publisher = wire_publisher(url, looped(await encoded(gop_s=8, bframes=2)))
    async with publisher, viewer(channel, long_gop=True, fetch_segments=True) as client:
        playback = await client.play(media_s=media_s, deadline_s=deadline_s(media_s))
    assert len(playback.epochs) == 1, playback.describe()
    return playback


async def restarts(site: Site, media_s: float) -> Playback:
    """A third, a reset connection, a third, a stop, a third: three epochs of one playlist."""
    channel = await site.new_channel()
    async with LiveHlsClient(channel.playlist_url, fetch_segments=True) as client:
        for life in range(3):
            tags = looped(await encoded(bframes=2 if life == 1 else 0), start_ms=life * 1000)
            async with wire_publisher(channel.publish_url, tags) as publisher:
                await client.wait_ready(40)
                playback = await client.play(
                    until=lambda so_far, life=life: (  # type: ignore[misc]
                        len(so_far.epochs) == life + 1
                        and so_far.epochs[life].duration_s >= media_s / 3
                    ),
                    deadline_s=deadline_s(media_s),
                )
                if life == 0:
                    await publisher.drop()
            await site.wait_state(channel.slug, "reconnecting", 20)
    assert [epoch.checker.init.audio is not None for epoch in playback.epochs] == [True] * 3
    return playback

"""Players drop requests all the time; that is nothing to log."""

from __future__ import annotations

import asyncio
from urllib.parse import urljoin, urlsplit

from tests.functional.site import Site
from tests.functional.streams import viewer
from tests.rtmp.publishers import wire_publisher

REQUESTS = 40


async def test_requests_that_are_dropped_while_they_wait(site: Site) -> None:
    """Each asks for the part that comes next and is gone when it comes. The fixture that watches
    every server's log fails for a traceback."""
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url), viewer(channel) as client:
        await client.play(media_s=2, deadline_s=60)
        playlist = client.checker.playlist
        assert playlist is not None
        assert client.media_url is not None
        path = urlsplit(urljoin(client.media_url, playlist.part_hints[0])).path
        for _ in range(REQUESTS):
            _, writer = await asyncio.open_connection("127.0.0.1", site.http_port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await writer.drain()
            writer.transport.abort()
        await client.play(media_s=4, deadline_s=60)

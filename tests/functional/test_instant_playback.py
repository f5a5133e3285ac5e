"""Instant playback over WebSocket: encoder to client, and how it is refused or ends."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from tests.functional.conftest import MakeSite
from tests.functional.site import Channel, Site, until
from tests.functional.streams import healthy_stream
from tests.instant_messages import EpochHead, FragmentMessage, read_message
from tests.rtmp.clips import encoded, looped
from tests.rtmp.publishers import wire_publisher

DEADLINE_S = 30.0
SLOW_LIMITS = {"INSTANT_UNSENT_BYTES_MAX": 64 * 1024, "INSTANT_STUCK_S": 1.0}


class Client:
    """One viewer: what it was sent, in order."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        self.connection = connection
        self.heads: list[EpochHead] = []
        self.fragments: list[FragmentMessage] = []
        self.answers: list[dict[str, float]] = []

    async def read(self, fragments: int = 0, answers: int = 0, heads: int = 0) -> None:
        """Until there are so many."""
        async with asyncio.timeout(DEADLINE_S):
            while (
                len(self.fragments) < fragments
                or len(self.answers) < answers
                or len(self.heads) < heads
            ):
                message = await self.connection.receive()
                if message.type is aiohttp.WSMsgType.TEXT:
                    self.answers.append(json.loads(message.data))
                    continue
                assert message.type is aiohttp.WSMsgType.BINARY, message
                read = read_message(message.data)
                if isinstance(read, EpochHead):
                    self.heads.append(read)
                else:
                    self.fragments.append(read)

    async def closed(self) -> int | None:
        """Reads on until the server closes; its code."""
        async with asyncio.timeout(DEADLINE_S):
            while (await self.connection.receive()).type in (
                aiohttp.WSMsgType.BINARY,
                aiohttp.WSMsgType.TEXT,
            ):
                pass
        return self.connection.close_code


@asynccontextmanager
async def watching(site: Site, path: str) -> AsyncIterator[Client]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(site.url + path, max_msg_size=0) as connection,
    ):
        yield Client(connection)


def path_of(channel: Channel) -> str:
    return f"/live/{channel.slug}/instant"


async def live_with_instant(site: Site, channel: Channel) -> str:
    live = await site.wait_state(channel.slug, "live", DEADLINE_S)
    assert live["instant_url"] == path_of(channel)
    return path_of(channel)


async def test_pictures_come_one_by_one_from_the_last_keyframe(site: Site) -> None:
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url):
        path = await live_with_instant(site, channel)
        async with watching(site, path) as client:
            await client.read(fragments=90)
            (head,) = client.heads
            assert head.about["mime"].startswith('video/mp4; codecs="avc1.')
            assert client.fragments[0].keyframe
            sequences = [one.sequence for one in client.fragments]
            assert all(b == a + 1 for a, b in pairwise(sequences))
            assert head.init.video is not None
            for one in client.fragments[-30:]:
                media = one.media(head.init)
                video = media.track(head.init.video.track_id)
                assert video is not None
                assert len(video.samples) == 1
            received = [one.received_ms for one in client.fragments]
            assert received == sorted(received)
            await client.connection.send_str('{"clock": 12.5}')
            await client.read(answers=1)
            assert client.answers[0]["clock"] == 12.5
            assert abs(client.answers[0]["server_ms"] - received[-1]) < 60_000


async def test_a_viewer_counts_once_over_both_ways_and_a_preview_never(site: Site) -> None:
    channel = await site.new_channel()
    headers = {"Cookie": "viewer=abcdefghijklmnopqrst", "User-Agent": "test"}
    async with wire_publisher(channel.publish_url):
        path = await live_with_instant(site, channel)
        async with watching(site, path + "?preview=1") as client:
            await client.read(fragments=10)
            assert (await site.live(channel.slug))["viewers"] == 0
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.ws_connect(site.url + path, max_msg_size=0) as connection,
        ):
            await Client(connection).read(fragments=10)
            assert (await site.live(channel.slug))["viewers"] == 1
            async with session.get(channel.playlist_url) as answer:
                lines = (await answer.text()).splitlines()
            media = f"{site.url}/live/{channel.slug}/{lines[-1]}"
            async with session.get(media) as answer:
                assert answer.status == 200
            assert (await site.live(channel.slug))["viewers"] == 1


async def test_offline_is_not_found(site: Site) -> None:
    channel = await site.new_channel()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(site.url + path_of(channel))
        assert refused.value.status == 404
        async with session.get(f"{site.url}/live/{channel.slug}/x/instant") as answer:
            assert answer.status == 404


async def test_without_upgrade(site: Site) -> None:
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url):
        path = await live_with_instant(site, channel)
        async with aiohttp.ClientSession() as session, session.get(site.url + path) as answer:
            assert answer.status == 426


async def test_the_session_has_an_address_of_its_own(site: Site) -> None:
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url):
        await live_with_instant(site, channel)
        async with (
            aiohttp.ClientSession() as session,
            session.get(channel.playlist_url) as answer,
        ):
            name = (await answer.text()).splitlines()[-1].split("/")[0]
        async with watching(site, f"/live/{channel.slug}/{name}/instant") as client:
            await client.read(fragments=10)


async def test_the_end_says_so(site: Site) -> None:
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url):
        path = await live_with_instant(site, channel)
        async with watching(site, path) as client:
            await client.read(fragments=10)
            await site.api("POST", f"/api/v1/channels/{channel.slug}/stop")
            assert await client.closed() == 4000


async def test_a_returning_encoder_begins_a_new_epoch(site: Site) -> None:
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url):
        path = await live_with_instant(site, channel)
    async with watching(site, path) as client, wire_publisher(channel.publish_url):
        seen = len(client.fragments)
        await client.read(heads=1)
        await client.read(fragments=seen + 30)
        head = client.heads[-1]
        last = client.fragments[-1]
        assert last.epoch == head.number
        assert client.connection.close_code is None


async def test_no_room(make_site: MakeSite) -> None:
    site = make_site(config={"media": {"instant_viewers_max": 1}})
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url):
        path = await live_with_instant(site, channel)
        async with watching(site, path) as first:
            await first.read(fragments=5)
            assert (await site.live(channel.slug))["instant_url"] is None
            async with watching(site, path) as second:
                assert await second.closed() == 4001
            await first.read(fragments=20)
        await until_room(site, channel)
        async with watching(site, path) as third:
            await third.read(fragments=5)


async def until_room(site: Site, channel: Channel) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while (await site.live(channel.slug))["instant_url"] is None:
            await asyncio.sleep(0.05)


async def test_off(make_site: MakeSite) -> None:
    site = make_site(config={"media": {"instant_viewers_max": 0}})
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url):
        live = await site.wait_state(channel.slug, "live", DEADLINE_S)
        assert live["instant_url"] is None
        async with watching(site, path_of(channel)) as client:
            assert await client.closed() == 4001


@pytest.mark.alone  # who reads must keep up
async def test_viewers_who_stop_reading_cost_nobody_a_picture(make_site: MakeSite) -> None:
    site = make_site(limits=SLOW_LIMITS)
    channel = await site.new_channel()
    tags = looped(await encoded(size="640x360", bitrate_kbps=4_000))
    async with (
        wire_publisher(channel.publish_url, tags),
        healthy_stream(site) as healthy,
    ):
        path = await live_with_instant(site, channel)
        stuck = [_stuck(site, path) for _ in range(5)]
        try:
            async with watching(site, path) as client:
                await client.read(fragments=300)
                sequences = [one.sequence for one in client.fragments]
                assert all(b == a + 1 for a, b in pairwise(sequences))
            await until(
                lambda: sum(_is_cut(one) for one in stuck) == len(stuck),
                "all who don't read are sent away",
                DEADLINE_S,
            )
        finally:
            for one in stuck:
                one.close()
        await healthy.check()


def _stuck(site: Site, path: str) -> socket.socket:
    """A viewer who asks and then doesn't read."""
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.connect(("127.0.0.1", site.http_port))
    wire.sendall(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    wire.setblocking(False)
    return wire


def _is_cut(wire: socket.socket) -> bool:
    """Whether the server has reset it. Nothing is read."""
    return wire.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0 or _state(wire) != 1


def _state(wire: socket.socket) -> int:
    """TCP_INFO's state; 1 is established."""
    return wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0]


async def test_too_many_questions(site: Site) -> None:
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url):
        path = await live_with_instant(site, channel)
        async with watching(site, path) as client:
            for nonsense in ("", "null", "[]", '{"clock": "x"}', '{"time": 1}', "\x00"):
                await client.connection.send_str(nonsense)
            await client.read(fragments=10)
            for number in range(30):
                await client.connection.send_str(json.dumps({"clock": number}))
            assert await client.closed() == 1008


async def test_a_long_question(site: Site) -> None:
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url):
        path = await live_with_instant(site, channel)
        async with watching(site, path) as client:
            await client.connection.send_str("x" * 4096)
            assert await client.closed() == 1009


async def test_the_server_stops_though_somebody_watches(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.start()
    try:
        channel = await site.new_channel()
        async with wire_publisher(channel.publish_url):
            path = await live_with_instant(site, channel)
            async with watching(site, path) as client:
                await client.read(fragments=10)
                stopping = asyncio.create_task(asyncio.to_thread(site.stop))
                assert await client.closed() == 1001
                assert await stopping == 0
    finally:
        site.stop()
    assert not site.serious(), site.log_text()

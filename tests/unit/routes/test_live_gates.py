"""The gate before /live/: tickets, memory, caches, and playlists that carry a ticket on."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from mediaserver.channels.channels import Channel, ChannelChanged
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.events import Events
from mediaserver.kernel.vault import Vault
from mediaserver.routes import middlewares
from mediaserver.routes.gate_tickets import Tickets
from mediaserver.routes.hls import GATED, PLAYLIST_TYPE
from mediaserver.routes.instant import STILL_ADMITTED
from mediaserver.routes.live_gates import LiveGates, with_query
from mediaserver.trust.bans import Banned

PLAYLIST = """#EXTM3U
#EXT-X-MAP:URI="init-1.mp4"
#EXTINF:6.0,
1.m4s
#EXT-X-PART:DURATION=0.5,URI="2.0.m4s",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="2.1.m4s"

media.m3u8?x=1
"""
CARRIED = """#EXTM3U
#EXT-X-MAP:URI="init-1.mp4?gate=TICKET"
#EXTINF:6.0,
1.m4s?gate=TICKET
#EXT-X-PART:DURATION=0.5,URI="2.0.m4s?gate=TICKET",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="2.1.m4s?gate=TICKET"

media.m3u8?x=1&gate=TICKET
"""
PATH = "/live/alice-tv/index.m3u8"
MEDIA = "/live/alice-tv/session/1.m4s"
CHANNEL = Channel(
    id="chn_1", slug="alice-tv", name="Alice", owner_id="usr_1", owner="alice", created_at_ms=1
)


class FakeChannels:
    """One channel that a test changes, with how often it was looked up."""

    def __init__(self) -> None:
        self.channel = CHANNEL
        self.looks = 0

    async def find(self, slug: str) -> Channel:
        self.looks += 1
        if slug != self.channel.slug:
            raise NotFound("There is no such channel.")
        return self.channel

    def change(self, events: Events, **changes: Any) -> None:
        self.channel = dataclasses.replace(self.channel, **changes)
        events.publish(ChannelChanged(self.channel.id, self.channel.slug))


class Live:
    def status(self, channel: str) -> object | None:
        return object() if channel in ("alice-tv", "gone") else None


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def channels() -> FakeChannels:
    return FakeChannels()


@pytest.fixture
def tickets(clock: FakeClock) -> Tickets:
    return Tickets(Vault(b"k" * 32), clock)


@pytest.fixture
async def client(
    channels: FakeChannels, tickets: Tickets, events: Events
) -> AsyncIterator[TestClient[Any, Any]]:
    async def playlist(request: web.Request) -> web.Response:
        body, headers = PLAYLIST.encode(), {"Cache-Control": "no-cache"}
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            body, headers = gzip.compress(body), headers | {"Content-Encoding": "gzip"}
        return web.Response(body=body, content_type=PLAYLIST_TYPE, headers=headers)

    async def media(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"media", headers={"X-Gated": str(request.get(GATED, False))})

    async def instant(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            await socket.send_str(str(await request[STILL_ADMITTED]()))
        return socket

    gates = LiveGates(channels, Live(), tickets, events)
    app = web.Application(middlewares=[middlewares.errors])
    app.add_routes(
        gates.guard(
            [
                web.get("/live/{channel}/index.m3u8", playlist),
                web.get("/live/{channel}/instant", instant),
                web.get("/live/{channel}/{session}/{name}", media),
            ]
        )
    )
    async with TestClient(TestServer(app)) as made:
        yield made


async def test_a_stream_for_everybody_is_looked_up_once(
    client: TestClient[Any, Any], channels: FakeChannels
) -> None:
    for _ in range(3):
        response = await client.get(PATH)
        assert (response.status, response.headers["Cache-Control"]) == (200, "no-cache")
        assert "Vary" not in response.headers
        assert (await client.get(MEDIA)).headers["X-Gated"] == "False"
    assert channels.looks == 1
    assert (await client.get("/live/nobody/index.m3u8")).status == 200, "the route says 404"
    assert channels.looks == 1, "strangers cost no look"


async def test_without_a_ticket_nothing_comes(
    client: TestClient[Any, Any], channels: FakeChannels, tickets: Tickets, events: Events
) -> None:
    assert (await client.get(PATH)).status == 200
    channels.change(events, age_restricted=True)
    wrong, _ = tickets.issue("second", ["age"])
    weak, _ = tickets.issue("alice-tv", ["not_general"])
    right, _ = tickets.issue("alice-tv", ["age"])
    forged = right.replace("age", "age-not_general")
    for ticket in ("", "x", "age", ".", "..", "a.b.c", "é", wrong, weak, forged, right + "0"):
        for path in (PATH, MEDIA):
            response = await client.get(path, params={"gate": ticket})
            assert response.status == 403, ticket
            assert (await response.json())["error"]["code"] == "gate"
            assert response.headers["Cache-Control"] == "no-store"
    assert (await client.get(PATH)).status == 403
    for path in (PATH, MEDIA):
        response = await client.get(path, headers={"Cookie": f"gate_live={right}"})
        assert response.status == 200
        assert response.headers["Cache-Control"].startswith("private")
        assert "Cookie" in response.headers["Vary"]
    assert channels.looks == 2
    channels.change(events, not_general=True)
    headers = {"Cookie": f"gate_live={right}"}
    assert (await client.get(PATH, headers=headers)).status == 403, "it asks more now"
    channels.change(events, age_restricted=False, not_general=False)
    assert (await client.get(PATH)).status == 200


async def test_who_watches_already_is_asked_too(
    client: TestClient[Any, Any], channels: FakeChannels, tickets: Tickets, events: Events
) -> None:
    """A connection that stays open looks again whether it is still admitted."""
    right, _ = tickets.issue("alice-tv", ["age"])
    async with (
        client.ws_connect("/live/alice-tv/instant") as without,
        client.ws_connect("/live/alice-tv/instant", params={"gate": right}) as with_ticket,
    ):

        async def admitted() -> list[str]:
            for socket in (without, with_ticket):
                await socket.send_str("?")
            return [await socket.receive_str() for socket in (without, with_ticket)]

        assert await admitted() == ["True", "True"]
        channels.change(events, age_restricted=True)
        assert await admitted() == ["False", "True"]
        channels.change(events, is_hidden=True)
        assert await admitted() == ["False", "False"]


async def test_a_ticket_ends(
    client: TestClient[Any, Any],
    channels: FakeChannels,
    tickets: Tickets,
    events: Events,
    clock: FakeClock,
) -> None:
    channels.change(events, age_restricted=True)
    ticket, expires_at_ms = tickets.issue("alice-tv", ["age"])
    clock.advance(limits.GATE_MAX_AGE_S * 1000 - 1_000)
    assert clock.wall_ms() < expires_at_ms
    assert (await client.get(PATH, params={"gate": ticket})).status == 200
    clock.advance(1_000)
    assert (await client.get(PATH, params={"gate": ticket})).status == 403


async def test_a_playlist_carries_the_ticket_of_its_address(
    client: TestClient[Any, Any], channels: FakeChannels, tickets: Tickets, events: Events
) -> None:
    channels.change(events, age_restricted=True)
    ticket, _ = tickets.issue("alice-tv", ["age"])
    for encoding in ("identity", "gzip"):
        headers = {"Accept-Encoding": encoding}
        response = await client.get(PATH, params={"gate": ticket}, headers=headers)
        assert await response.text() == CARRIED.replace("TICKET", ticket)
    response = await client.get(PATH, headers={"Cookie": f"gate_live={ticket}"})
    assert await response.text() == PLAYLIST, "a cookie goes along by itself"
    assert with_query(PLAYLIST, {"gate": "TICKET"}) == CARRIED


async def test_the_media_of_somebody_banned_stop(
    client: TestClient[Any, Any], channels: FakeChannels, events: Events
) -> None:
    assert (await client.get(PATH)).status == 200
    channels.channel = dataclasses.replace(channels.channel, is_hidden=True)
    events.publish(Banned("usr_1", {"chn_1": "alice-tv"}))
    assert (await client.get(PATH)).status == 404
    assert (await client.get(MEDIA)).status == 404


async def test_a_channel_that_is_gone(client: TestClient[Any, Any]) -> None:
    assert (await client.get("/live/gone/index.m3u8")).status == 200, "the route says 404"


async def test_what_changes_while_it_is_looked_up_is_looked_up_again(
    client: TestClient[Any, Any],
    channels: FakeChannels,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = channels.find

    async def slow(slug: str) -> Channel:
        found = await find(slug)
        if channels.looks == 1:
            channels.change(events, age_restricted=True)
        return found

    monkeypatch.setattr(channels, "find", slow)
    assert (await client.get(PATH)).status == 200, "asked before it was so"
    assert (await client.get(PATH)).status == 403

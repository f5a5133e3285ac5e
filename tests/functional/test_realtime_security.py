"""What strangers send to /socket.io/ is answered or cut, and none of it is an error of ours."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from mediaserver.chat.events import ChatEvent, ChatEvents
from mediaserver.kernel import limits
from tests.functional.platform_site import Person, Site, running_site
from tests.functional.socket_peer import connected, line

CUT = 1006
HANDSHAKE = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture(autouse=True)
def log_lines() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as lines:
        yield lines
    assert not [one for one in lines if one["log_level"] in ("error", "critical")], lines


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as site:
        yield site


async def handshake_status(site: Site, headers: dict[str, str]) -> int:
    try:
        async with connected(site.person(), headers=headers):
            return 101
    except aiohttp.WSServerHandshakeError as error:
        return error.status


async def test_who_leaves_during_the_handshake_is_no_error(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    prepare = web.WebSocketResponse.prepare

    async def leave(self: web.WebSocketResponse, request: web.Request) -> AbstractStreamWriter:
        if request.transport is not None:
            request.transport.abort()
        return await prepare(self, request)

    with monkeypatch.context() as patched:
        patched.setattr(web.WebSocketResponse, "prepare", leave)
        with pytest.raises(aiohttp.ClientError):
            async with connected(site.person()):
                pass
    async with connected(site.person(), "/chat"):
        pass
    assert [one for one in caplog.records if one.name.startswith("aiohttp")] == []


# who may connect ----------------------------------------------------------------------------------


async def test_pages_of_other_sites_may_not_connect(site: Site) -> None:
    own = f"http://127.0.0.1:{site.server.http_port}"
    assert await handshake_status(site, {"Origin": own}) == 101
    for origin in ("https://evil.example", "null", f"{own}.evil.example", "https://127.0.0.1"):
        assert await handshake_status(site, {"Origin": origin}) == 403
        status, text, _ = await site.person().get(HANDSHAKE, headers={"Origin": origin})
        assert (status, json.loads(text)["error"]["code"]) == (403, "cross_site")
    assert await handshake_status(site, {"Sec-Fetch-Site": "cross-site"}) == 403


async def test_another_site_uses_no_cookie_of_ours(site: Site) -> None:
    alice = await site.streamer()
    headers = {"Origin": "https://evil.example"}
    with pytest.raises(aiohttp.WSServerHandshakeError):
        async with connected(alice, "/chat", headers=headers):
            pass


async def test_tickets(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = await site.streamer()
    _, good = await alice.api("POST", "/realtime/ticket")
    monkeypatch.setattr(limits, "REALTIME_TICKET_S", 0)
    _, expired = await alice.api("POST", "/realtime/ticket")
    refused: list[Any] = [expired["ticket"], alice.token, good["ticket"] + "x", "", 5, ["x"], {}]
    for ticket in refused:
        async with connected(site.person()) as peer:
            assert not await peer.enter("/chat", {"ticket": ticket})
            assert peer.refused["data"]["code"] in ("invalid_token", "token_expired")
    async with connected(site.person(), "/chat", auth={"ticket": good["ticket"]}) as peer:
        assert (await peer.ask("join", {"channel": "alice"}))["you"]["username"] == "alice"
    # A ticket is no access token.
    alice.token = good["ticket"]
    assert (await alice.api("GET", "/me"))[0] == 401
    assert (await site.person().api("POST", "/realtime/ticket"))[0] == 401


async def test_five_hundred_connections_from_one_address(site: Site) -> None:
    visitor = site.person()
    url = visitor.base.join(URL("/socket.io/?EIO=4&transport=websocket"))

    async def connect() -> aiohttp.ClientWebSocketResponse | int:
        try:
            return await visitor.http.ws_connect(url)
        except aiohttp.WSServerHandshakeError as error:
            return error.status

    visitor.http._connector._limit = 0  # type: ignore[union-attr]  # the test's own client
    found = await asyncio.gather(*(connect() for _ in range(500)))
    opened = [one for one in found if not isinstance(one, int)]
    assert len(opened) == 100
    assert {one for one in found if isinstance(one, int)} == {503}
    for websocket in opened[:10]:
        await websocket.close()
    async with asyncio.timeout(20):
        while isinstance(again := await connect(), int):  # the places are free again
            await asyncio.sleep(0.02)
    await again.close()


async def test_connections_over_all_are_bounded(tmp_path: Path) -> None:
    async with (
        running_site(tmp_path, chat={"connections_max": 2}) as site,
        connected(site.person()),
        connected(site.person()),
    ):
        status, text, _ = await site.person().get(HANDSHAKE)
        assert (status, json.loads(text)["error"]["code"]) == (503, "full")


async def test_a_connection_without_a_namespace_ends(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REALTIME_ENTER_TIMEOUT_S", 0.05)
    async with connected(site.person()) as peer:
        assert not await peer.enter("/nothing")
        assert await peer.closed() == CUT


# what they send -----------------------------------------------------------------------------------


async def test_forged_rooms_and_users(site: Site) -> None:
    alice, bob = await site.streamer(), await site.member("bob")
    async with connected(bob, "/chat") as peer:
        for channel in ("nobody", "chn_1", "../alice", "Alice", "", "a" * 31, 5, None, ["alice"]):
            answer = await peer.ask("join", {"channel": channel})
            assert answer["error"]["code"] in ("channel_not_found", "invalid")
        for more in ({"user": "alice"}, {"user_id": 1}, {"author": {"username": "alice"}}):
            answer = await peer.ask("say", line("it is me, alice", 1, **more))
            assert answer["error"]["code"] == "invalid"
        said = await peer.ask("say", line("it is me", 2))
        assert said["ok"]
    async with connected(alice, "/chat") as peer:
        (event,) = (await peer.ask("join", {"channel": "alice"}))["events"]
        assert event["author"]["username"] == "bob"
    async with connected(site.person(), "/chat") as anonymous:
        assert (await anonymous.ask("say", line("hi", 1)))["error"]["code"] == "sign_in"
        clear = {"channel": "alice", "action": {"type": "clear"}}
        assert (await anonymous.ask("act", clear))["error"]["code"] == "sign_in"


async def test_lines_that_are_refused(site: Site) -> None:
    alice = await site.streamer()
    texts: list[Any] = ["", "   ", "x" * 501, "x" * 5000, "a\nb", "a\x00b", "\u202e\u202e", 5]
    texts.append("a" + "\u0301" * 2_000)
    for text in texts:
        async with connected(alice, "/chat") as peer:
            answer = await peer.ask("say", line(text, 1))
            assert (answer["error"]["code"], answer["error"]["field"]) == ("invalid", "text")


async def test_text_comes_back_as_it_was_written_but_for_its_direction(site: Site) -> None:
    alice = await site.streamer()
    text = '<script>alert(1)</script> "&amp;" \u202eevil\u202c \U0001f44b'
    async with connected(alice, "/chat") as peer:
        await peer.ask("join", {"channel": "alice"})
        assert (await peer.ask("say", line(text, 1)))["ok"]
        (event,) = await peer.lines(1)
        assert event["text"] == '<script>alert(1)</script> "&amp;" evil \U0001f44b'


NONSENSE = [
    "42",
    "42/chat",
    "42/chat,",
    "42/chat,[]",
    "42/chat,{}",
    "42/chat,[5]",
    '42/chat,["join"',
    '42/chat,["connect",{}]',
    '42/chat,["disconnect"]',
    '42/chat,999999999999999999999999["join"]x',
    "42/chat," + "[" * 8000,
    '451-/chat,["say",{"_placeholder":true,"num":0}]',
    "459999999999-/chat,[]",
    "43/chat,1[]",
    "44/chat,{}",
    "40/chat,[]",
    "4",
    "49",
    "4x",
    "9",
    "0{}",
    "x",
    "",
    "\u00b2",
]


async def test_nonsense_ends_the_connection(site: Site, log_lines: list[Any]) -> None:
    for packet in NONSENSE:
        log_lines.clear()
        async with connected(site.person(), "/chat") as peer:
            await peer.send(packet)
            assert await peer.closed() == CUT, packet
        await _is_logged(log_lines, "sent")


WRONG: list[tuple[str, Any, str]] = [
    ("nothing", {}, "unknown_event"),
    ("__init__", {}, "unknown_event"),
    ("join", None, "invalid"),
    ("join", [], "invalid"),
    ("join", "alice", "invalid"),
    ("join", {}, "invalid"),
    ("join", {"channel": "alice", "after": -1}, "invalid"),
    ("join", {"channel": "alice", "after": 2**60}, "invalid"),
    ("join", {"channel": "alice", "after": "1"}, "invalid"),
    ("join", {"channel": "alice", "after": 1.5}, "invalid"),
    ("act", {"channel": "alice", "action": {"type": "explode"}}, "invalid"),
    ("act", {"channel": "alice", "action": {"type": "ban"}}, "invalid"),
    ("act", {"channel": "alice", "action": {"type": "timeout", "username": "b"}}, "invalid"),
    ("act", {"channel": "alice", "action": {"type": "rules", "slow_s": -1}}, "invalid"),
    ("report", {"channel": "alice", "way": "dial-up", "latency_ms": 1, "stalls": 0}, "invalid"),
]


async def test_wrong_payloads_are_answered(site: Site) -> None:
    alice = await site.streamer()
    for event, payload, code in WRONG:
        async with connected(alice, "/chat") as peer:
            assert (await peer.ask(event, payload))["error"]["code"] == code, (event, payload)


async def test_events_for_a_namespace_that_was_not_entered_go_nowhere(site: Site) -> None:
    async with connected(site.person(), "/chat") as peer:
        await peer.send('42/studio,7["watch",{"channel":"alice"}]')
        await peer.send('42/overlay,8["hello",{}]')
        assert (await peer.ask("join", {"channel": "x"}))["error"]["code"] == "channel_not_found"
        assert 7 not in peer._acks
        assert 8 not in peer._acks


async def test_a_frame_of_a_mebibyte(site: Site, log_lines: list[Any]) -> None:
    async with connected(site.person(), "/chat") as peer:
        await peer.send('42/chat,["say",{"text":"' + "x" * (1 << 20) + '"}]')
        assert await peer.closed() in (1009, CUT)
    await _is_logged(log_lines, "sent too large a message")


async def test_binary_data(site: Site, log_lines: list[Any]) -> None:
    async with connected(site.person(), "/chat") as peer:
        await peer.websocket.send_bytes(bytes(100))
        assert await peer.closed() == CUT
    await _is_logged(log_lines, "sent binary data")


async def test_two_hundred_events_a_second(
    site: Site, log_lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REALTIME_PACKETS_PER_S", 0.001)  # the test's speed is no matter
    await site.streamer()
    async with (
        connected(site.person(), "/chat") as peer,
        connected(site.person(), "/chat") as other,
    ):
        numbers = [await peer.emit("join", {"channel": "alice"}) for _ in range(200)]
        answers = [await peer.ack(number) for number in numbers[:70]]
        burst = limits.REALTIME_PACKETS_BURST - 1  # entering was one
        assert [one["ok"] for one in answers] == [True] * burst + [False] * (70 - burst)
        assert {one["error"]["code"] for one in answers[burst:]} == {"rate_limited"}
        assert answers[-1]["error"]["retry_after_s"] >= 1
        assert await peer.closed() == CUT
        assert (await other.ask("join", {"channel": "alice"}))["ok"]  # nobody else's trouble
    await _is_logged(log_lines, "sent far too much")


async def test_lines_beyond_the_pace_of_a_person(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REALTIME_SAY_PER_S", 0.001)
    alice = await site.streamer()
    async with connected(alice, "/chat") as peer:
        numbers = [await peer.emit("say", line(f"line {index}", index)) for index in range(8)]
        answers = [await peer.ack(number) for number in numbers]
        assert [one["ok"] for one in answers] == [True] * 5 + [False] * 3
        assert answers[-1]["error"]["code"] == "rate_limited"


async def test_rooms_of_one_connection_are_bounded(site: Site) -> None:
    for name in ("alice", "bob"):
        somebody = await site.streamer(name)
        for index in range(4):
            await somebody.make_channel(f"{name}-{index}")
    async with connected(site.person(), "/chat") as peer:
        slugs = [name + more for name in ("alice", "bob") for more in ("", "-0", "-1", "-2")]
        for slug in slugs:
            assert (await peer.ask("join", {"channel": slug}))["ok"]
        answer = await peer.ask("join", {"channel": "bob-3"})
        assert answer["error"]["code"] == "too_many_rooms"
        assert (await peer.ask("leave", {"channel": "alice"}))["ok"]
        assert (await peer.ask("join", {"channel": "bob-3"}))["ok"]


# who doesn't read ---------------------------------------------------------------------------------


def big_events(channel_id: str, sequence: int) -> ChatEvents:
    event = ChatEvent(sequence, "notice", f"msg_{sequence}", 0, None, "x" * 500)
    return ChatEvents(channel_id, "alice", (event,) * 100)


async def test_who_stops_reading_is_cut_and_nobody_else_waits(
    site: Site, log_lines: list[Any]
) -> None:
    alice = await site.streamer()
    _, channel = await alice.api("GET", "/channels/alice")
    assert site.media.events is not None
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(deaf, ("127.0.0.1", site.server.http_port))
    with deaf:
        await loop.sock_sendall(
            deaf,
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        for text in ("40/chat,", '42/chat,1["join",{"channel":"alice"}]'):
            payload = text.encode()
            await loop.sock_sendall(deaf, bytes((0x81, 0x80 | len(payload), 0, 0, 0, 0)) + payload)
        async with connected(alice, "/chat") as reader:
            await reader.ask("join", {"channel": "alice"})
            for sequence in range(1, 41):  # 40 packets of 60 KiB
                site.media.events.publish(big_events(channel["id"], sequence))
                assert (await reader.event("events"))["events"][0]["sequence"] == sequence
            await _is_logged(log_lines, "reads too slowly")


async def test_who_stops_polling_is_cut(
    site: Site, log_lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REALTIME_QUEUE_PACKETS_MAX", 5)
    alice = await site.streamer()
    _, channel = await alice.api("GET", "/channels/alice")
    assert site.media.events is not None
    visitor = site.person()
    url = await _poll_session(visitor)
    await _send(visitor, url, "40/chat,\x1e" + '42/chat,1["join",{"channel":"alice"}]')
    for sequence in range(1, 10):
        site.media.events.publish(big_events(channel["id"], sequence))
    await _is_logged(log_lines, "polls too slowly")
    assert (await visitor.get(url))[0] == 400


async def test_who_answers_no_ping_is_cut(
    site: Site, log_lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REALTIME_PING_INTERVAL_S", 0.05)
    monkeypatch.setattr(limits, "REALTIME_PING_TIMEOUT_S", 0.05)
    async with connected(site.person()) as peer:
        assert await peer.closed() == CUT
    await _is_logged(log_lines, "didn't answer a ping")


# polling ------------------------------------------------------------------------------------------


async def _poll_session(visitor: Person) -> str:
    status, text, _ = await visitor.get(HANDSHAKE)
    assert status == 200
    return f"{HANDSHAKE}&sid={json.loads(text[1:])['sid']}"


async def _send(visitor: Person, url: str, body: str | bytes) -> int:
    headers = {"Content-Type": "text/plain;charset=UTF-8", "Sec-Fetch-Site": "same-origin"}
    return (await visitor.request("POST", url, data=body, headers=headers))[0]


async def test_bodies_that_no_client_sends(site: Site) -> None:
    bodies = (b"\xff\xfe", "x", "4" * 17_000, "\x1e".join(["3"] * 17), "bAAAA", b"")
    for body in bodies:
        visitor = site.person()
        url = await _poll_session(visitor)
        assert await _send(visitor, url, body) in (400, 413)
        assert (await visitor.get(url))[0] == 400  # the connection has ended


async def test_requests_that_no_client_makes(site: Site) -> None:
    visitor = site.person()
    url = await _poll_session(visitor)
    assert (await visitor.get(url + "&j=0"))[0] == 400
    assert (await visitor.get(f"{HANDSHAKE}&sid=AAAAAAAAAAAAAAAAAAAA"))[0] == 400
    assert (await visitor.get("/socket.io/?transport=polling"))[0] == 400
    assert (await visitor.get("/socket.io/?EIO=4&transport=carrier-pigeon"))[0] == 400
    assert (await visitor.get("/socket.io/?EIO=4&transport=websocket"))[0] == 400
    assert (await visitor.request("PUT", url))[0] == 405
    assert (await visitor.request("OPTIONS", url))[0] == 405
    headers = {"Origin": "https://evil.example"}
    assert (await visitor.request("POST", url, data="3", headers=headers))[0] == 403
    assert await _send(visitor, url, "3") == 200


async def test_two_polls_at_once_end_the_connection(site: Site) -> None:
    visitor = site.person()
    url = await _poll_session(visitor)
    answers = await asyncio.gather(*(visitor.get(url) for _ in range(2)))
    assert 400 in {status for status, _, _ in answers}
    assert (await visitor.get(url))[0] == 400


async def test_no_line_of_chat_reaches_the_log(site: Site, log_lines: list[Any]) -> None:
    alice = await site.streamer()
    async with connected(alice, "/chat") as peer:
        await peer.ask("join", {"channel": "alice"})
        await peer.ask("say", line("a private word", 1))
        await peer.ask("say", line("a private word" * 100, 2))
        await peer.send('42/chat,["a private word')
        assert await peer.closed() == CUT
    assert "private" not in str(log_lines)


async def _is_logged(lines: list[Any], why: str) -> None:
    """The one line that says how a connection ended."""
    async with asyncio.timeout(20):
        while not [one for one in lines if one["event"] == "closed" and why in one["why"]]:
            await asyncio.sleep(0.01)

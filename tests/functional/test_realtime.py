"""Chat over Socket.IO: the official client on each transport, and people who see each other."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import socketio
from yarl import URL

from mediaserver.chat.events import ChatEvent, ChatEvents
from mediaserver.kernel import limits
from mediaserver.media.audience import ViewerReport
from mediaserver.media.events import BroadcastWentLive
from mediaserver.media.health import BroadcastMeasured, Health
from tests.functional.platform_site import FakeStatus, Site, running_site
from tests.functional.socket_peer import connected, line


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as site:
        yield site


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
async def test_official_client_on_each_transport(site: Site, transports: list[str]) -> None:
    alice = await site.streamer()
    status, ticket = await alice.api("POST", "/realtime/ticket")
    assert status == 201
    client = socketio.AsyncClient(reconnection=False)
    heard: asyncio.Queue[Any] = asyncio.Queue()
    client.on("events", heard.put, namespace="/chat")
    await client.connect(
        str(site.base),
        auth={"ticket": ticket["ticket"]},
        namespaces=["/chat"],
        transports=transports,
    )
    try:
        assert client.transport() == transports[-1]
        joined = await client.call("join", {"channel": "alice"}, namespace="/chat")
        assert joined["ok"]
        assert joined["you"]["role"] == "owner"
        said = await client.call("say", line("hello", 1), namespace="/chat")
        async with asyncio.timeout(10):
            packet = await heard.get()
        assert packet["channel"] == "alice"
        assert [(one["sequence"], one["id"], one["text"]) for one in packet["events"]] == [
            (said["sequence"], said["id"], "hello")
        ]
    finally:
        await client.disconnect()


async def test_everybody_sees_every_line_once_and_in_order(site: Site) -> None:
    alice, bob = await site.streamer(), await site.member("bob")
    async with (
        connected(alice, "/chat") as a,
        connected(bob, "/chat") as b,
        connected(site.person(), "/chat") as anonymous,
    ):
        for peer in (a, b, anonymous):
            assert (await peer.ask("join", {"channel": "alice"}))["ok"]
        numbers = []
        for index in range(4):
            numbers.append(await a.emit("say", line(f"a{index}", index)))
            numbers.append(await b.emit("say", line(f"b{index}", index)))
        for peer in (a, b, anonymous):
            events = await peer.lines(8)
            assert [one["sequence"] for one in events] == list(range(1, 9))
            assert sorted(one["text"] for one in events) == sorted(
                f"{who}{index}" for who in "ab" for index in range(4)
            )


async def test_nothing_is_lost_or_overtaken_on_the_way_from_polling_to_a_websocket(
    site: Site,
) -> None:
    alice = await site.streamer()
    _, channel = await alice.api("GET", "/channels/alice")
    events = site.media.events
    assert events is not None

    def say(sequence: int) -> None:
        event = ChatEvent(sequence, "notice", f"msg_{sequence}", 0, None, "x")
        events.publish(ChatEvents(channel["id"], "alice", (event,)))

    def sequences(text: str) -> list[int]:
        return [int(number) for number in re.findall(r'"sequence":(\d+)', text)]

    visitor = site.person()
    base = "/socket.io/?EIO=4&transport="
    _, opening, _ = await visitor.get(base + "polling")
    sid = json.loads(opening[1:])["sid"]
    url = f"{base}polling&sid={sid}"
    entering = '40/chat,\x1e42/chat,1["join",{"channel":"alice"}]'
    assert (await visitor.request("POST", url, data=entering))[0] == 200
    assert "43/chat,1" in (await visitor.get(url))[1]
    say(1)
    heard = sequences((await visitor.get(url))[1])
    polling = asyncio.ensure_future(visitor.get(url))
    upgrade = visitor.base.join(URL(f"{base}websocket&sid={sid}"))
    async with visitor.http.ws_connect(upgrade) as websocket:
        await websocket.send_str("2probe")
        assert await websocket.receive_str(timeout=10) == "3probe"
        say(2)
        heard += sequences((await polling)[1])  # ended by a NOOP, or with what was said
        say(3)
        assert (await visitor.get(url))[1] == "6"
        await websocket.send_str("5")
        say(4)
        while len(heard) < 4:
            heard += sequences(await websocket.receive_str(timeout=10))
        say(5)
        heard += sequences(await websocket.receive_str(timeout=10))
        assert (await visitor.get(url))[0] == 400  # polling is over
    assert heard == [1, 2, 3, 4, 5]


async def test_who_returns_gets_what_they_missed(site: Site) -> None:
    alice = await site.streamer()
    async with connected(alice, "/chat") as first:
        assert (await first.ask("join", {"channel": "alice"}))["events"] == []
        await first.ask("say", line("one", 1))
    async with connected(alice, "/chat") as second:
        await second.ask("say", line("two", 2))
        await second.ask("say", line("three", 3))
        joined = await second.ask("join", {"channel": "alice", "after": 1})
        assert (joined["reset"], joined["sequence"]) == (False, 3)
        assert [one["text"] for one in joined["events"]] == ["two", "three"]
        joined = await second.ask("join", {"channel": "alice", "after": 4_000})
        assert joined["reset"]
        assert [one["text"] for one in joined["events"]] == ["one", "two", "three"]


async def test_the_same_nonce_writes_one_line(site: Site) -> None:
    alice = await site.streamer()
    async with connected(alice, "/chat") as first, connected(alice, "/chat") as second:
        said = await first.ask("say", line("once", 1))
        assert await second.ask("say", line("once", 1)) == said
        assert (await second.ask("join", {"channel": "alice"}))["sequence"] == 1


async def test_moderation_reaches_everybody_at_once(site: Site) -> None:
    alice, bob = await site.streamer(), await site.member("bob")
    async with (
        connected(alice, "/chat", "/studio") as a,
        connected(bob, "/chat") as b,
        connected(bob, "/chat") as other_tab,
    ):
        for peer in (a, b, other_tab):
            await peer.ask("join", {"channel": "alice"})
        assert (await a.ask("watch", {"channel": "alice"}, "/studio"))["ok"]
        await b.ask("say", line("bad words", 1))
        timeout = {"type": "timeout", "username": "bob", "seconds": 600, "reason": "enough"}
        assert (await a.ask("act", {"channel": "alice", "action": timeout}))["ok"]
        kinds = [one["kind"] for one in await b.lines(2)]
        assert kinds == ["message", "removed"]
        for peer in (b, other_tab):
            assert (await peer.event("you"))["you"]["code"] == "timed_out"
            refused = await peer.ask("say", line("still here", 2))
            assert refused["error"]["code"] == "timed_out"
        assert (await a.event("activity", "/studio"))["item"]["kind"] == "moderation"
        card = await a.ask("card", {"channel": "alice", "username": "bob"})
        assert (card["restriction"]["kind"], card["lines"]) == ("timeout", 1)
        assert (await b.ask("card", {"channel": "alice", "username": "alice"}))["lines"] is None


async def test_rules_change_what_people_may_do(site: Site) -> None:
    alice, bob = await site.streamer(), await site.member("bob")
    async with connected(alice, "/chat") as a, connected(bob, "/chat") as b:
        for peer in (a, b):
            await peer.ask("join", {"channel": "alice"})
        rules = {"type": "rules", "lockdown": True}
        assert (await a.ask("act", {"channel": "alice", "action": rules}))["ok"]
        (event,) = await b.lines(1)
        assert event["data"]["rules"]["lockdown"]
        you = (await b.event("you"))["you"]
        assert (you["can_write"], you["code"]) == (False, "lockdown")


async def test_a_banned_user_may_read_and_not_write(site: Site) -> None:
    alice, bob = await site.streamer(), await site.member("bob")
    async with connected(alice, "/chat") as a:
        ban = {"type": "ban", "username": "bob"}
        assert (await a.ask("act", {"channel": "alice", "action": ban}))["ok"]
    async with connected(bob, "/chat") as b:
        joined = await b.ask("join", {"channel": "alice"})
        assert joined["ok"]
        assert (joined["you"]["can_write"], joined["you"]["code"]) == (False, "banned")
        assert (await b.ask("say", line("hi", 1)))["error"]["code"] == "banned"


async def test_moderators_do_not_act_on_the_owner(site: Site) -> None:
    alice, bob = await site.streamer(), await site.member("bob")
    async with connected(alice, "/chat") as a, connected(bob, "/chat") as b:
        for peer in (a, b):
            await peer.ask("join", {"channel": "alice"})
        ban = {"channel": "alice", "action": {"type": "ban", "username": "alice"}}
        assert (await b.ask("act", ban))["error"]["code"] == "forbidden"
        make = {"channel": "alice", "action": {"type": "add_moderator", "username": "bob"}}
        assert (await a.ask("act", make))["ok"]
        assert (await b.event("you"))["you"]["role"] == "moderator"
        assert (await b.ask("act", ban))["error"]["code"] == "outranked"


async def test_live_and_presence_follow_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REALTIME_PRESENCE_INTERVAL_S", 0.05)
    async with running_site(tmp_path) as site:
        await _live_and_presence(site)


async def _live_and_presence(site: Site) -> None:
    alice, bob = await site.streamer(), await site.member("bob")
    _, channel = await alice.api("GET", "/channels/alice")
    assert site.media.events is not None
    async with connected(bob, "/chat") as b, connected(alice, "/studio") as desk:
        joined = await b.ask("join", {"channel": "alice"})
        assert (joined["live"]["state"], joined["viewers"]) == ("offline", 0)
        assert (await desk.ask("watch", {"channel": "alice"}, "/studio"))["activity"] == []
        site.media.broadcasts.statuses.append(FakeStatus("alice"))
        site.media.events.publish(BroadcastWentLive("brc_1", channel["id"], "alice", 1))
        live = (await b.event("live"))["live"]
        assert (live["state"], live["warning"]) == ("live", None)  # the warning is the owner's
        while (presence := await b.event("presence"))["viewers"] == 0:
            pass
        assert presence == {"channel": "alice", "viewers": 3, "followers": 0}
        assert (await desk.event("activity", "/studio"))["item"]["kind"] == "live"


async def test_followers_hear_once_that_a_channel_is_live(site: Site) -> None:
    alice, bob, carol = (
        await site.streamer(),
        await site.member("bob"),
        await site.member("carol"),
    )
    _, channel = await alice.api("GET", "/channels/alice")
    assert site.media.events is not None
    status, _ = await bob.api("PUT", "/channels/alice/follow")
    assert status in (200, 204)
    async with connected(bob, "/chat") as b, connected(carol, "/chat") as c:
        for index in range(2):
            site.media.events.publish(BroadcastWentLive("brc_1", channel["id"], "alice", index))
        notice = await b.event("notice")
        assert notice == {
            "kind": "went-live",
            "slug": "alice",
            "name": "alice",
            "title": "alice",
            "url": "/@alice",
        }
        await b.ask("join", {"channel": "alice"})
        assert not [one for one in b._events if one[1] == "notice"]
        await c.ask("join", {"channel": "alice"})
        assert not [one for one in c._events if one[1] == "notice"]


async def test_health_reaches_the_studio_and_reports_the_engine(site: Site) -> None:
    alice = await site.streamer()
    _, channel = await alice.api("GET", "/channels/alice")
    assert site.media.events is not None
    async with connected(alice, "/studio", "/chat") as a:
        watched = await a.ask("watch", {"channel": "alice"}, "/studio")
        assert (watched["health"], watched["history"]) == (None, [])
        health = Health(at_ms=5, state="live", fps=29.97, verdict="good")
        site.media.events.publish(BroadcastMeasured(channel["id"], "alice", health))
        packet = await a.event("health", "/studio")
        assert packet == {"channel": "alice", "health": dataclasses.asdict(health)}
        report = {"channel": "alice", "way": "instant", "latency_ms": 380, "stalls": 2}
        assert (await a.ask("report", report))["ok"]
        assert site.media.health.reports == []  # not in the room
        await a.ask("join", {"channel": "alice"})
        assert (await a.ask("report", report))["ok"]
        ((slug, _, taken),) = site.media.health.reports
        assert (slug, taken) == ("alice", ViewerReport("instant", 380, 2))


async def test_the_studio_is_for_moderators(site: Site) -> None:
    await site.streamer()
    bob = await site.member("bob")
    async with connected(bob, "/studio") as b:
        answer = await b.ask("watch", {"channel": "alice"}, "/studio")
        assert answer["error"]["code"] == "forbidden"
    async with connected(site.person()) as anonymous:
        assert not await anonymous.enter("/studio")
        assert anonymous.refused["data"] == {"code": "sign_in"}


async def test_overlay_by_token_until_it_is_regenerated(site: Site) -> None:
    alice = await site.streamer()
    _, made = await alice.api("GET", "/channels/alice/overlay-token")
    token = made["token"]
    assert (await alice.api("GET", "/channels/alice/overlay-token"))[1] == made
    async with (
        connected(site.person(), "/overlay", auth={"token": token}) as overlay,
        connected(alice, "/chat") as a,
    ):
        hello = await overlay.ask("hello", {}, "/overlay")
        assert (hello["channel"], hello["events"]) == ("alice", [])
        await a.ask("say", line("on air", 1))
        (event,) = (await overlay.event("events", "/overlay"))["events"]
        assert event["text"] == "on air"
        answer = await overlay.ask("say", line("no", 2), "/overlay")
        assert answer["error"]["code"] == "unknown_event"
        status, other = await alice.api("POST", "/channels/alice/overlay-token")
        assert status == 201
        assert other["token"] != token
        assert await overlay.closed() == 1006
    async with connected(site.person()) as overlay:
        assert not await overlay.enter("/overlay", {"token": token})
        assert overlay.refused["data"] == {"code": "invalid_token"}
        assert await overlay.enter("/overlay", {"token": other["token"]})


async def test_dock_acts_as_its_maker_in_its_channel_until_revoked(site: Site) -> None:
    alice = await site.streamer()
    await alice.make_channel("second")
    status, made = await alice.api("POST", "/channels/alice/dock-tokens", {"name": "OBS"})
    assert status == 201
    _, listed = await alice.api("GET", "/channels/alice/dock-tokens")
    assert [one["name"] for one in listed["dock_tokens"]] == ["OBS"]
    assert made["token"] not in str(listed)
    async with connected(site.person(), "/chat", auth={"token": made["token"]}) as dock:
        joined = await dock.ask("join", {"channel": "alice"})
        assert joined["you"]["role"] == "owner"
        assert (await dock.ask("say", line("from the dock", 1)))["ok"]
        assert (await dock.ask("join", {"channel": "second"}))["error"]["code"] == "forbidden"
        status, _ = await alice.api("DELETE", f"/channels/alice/dock-tokens/{made['id']}")
        assert status == 204
        assert await dock.closed() == 1006
    async with connected(site.person()) as dock:
        assert not await dock.enter("/chat", {"token": made["token"]})
    for _ in range(limits.DOCK_TOKENS_PER_CHANNEL_MAX):
        assert (await alice.api("POST", "/channels/alice/dock-tokens"))[0] == 201
    status, answer = await alice.api("POST", "/channels/alice/dock-tokens")
    assert (status, answer["error"]["code"]) == (409, "too_many_dock_tokens")


async def test_tokens_are_for_who_manages_the_channel(site: Site) -> None:
    await site.streamer()
    bob = await site.member("bob")
    for method, path in (
        ("GET", "overlay-token"),
        ("POST", "overlay-token"),
        ("DELETE", "overlay-token"),
        ("GET", "dock-tokens"),
        ("POST", "dock-tokens"),
        ("DELETE", "dock-tokens/tok_1"),
    ):
        assert (await bob.api(method, f"/channels/alice/{path}"))[0] == 403


async def test_a_token_for_reading_makes_no_overlay(site: Site) -> None:
    alice = await site.streamer()
    _, made = await alice.api("POST", "/me/tokens", {"name": "script", "scopes": ["read"]})
    script = site.person()
    script.token = made["token"]
    status, answer = await script.api("GET", "/channels/alice/overlay-token")
    assert (status, answer["error"]["code"]) == (403, "scope")


async def test_logging_out_ends_connections_of_that_session(site: Site) -> None:
    alice = await site.streamer()
    other = site.person()
    await other.post("/login", {"username": "alice", "password": "correct horse battery"})
    async with connected(alice, "/chat") as a, connected(other, "/chat") as elsewhere:
        assert (await alice.post("/logout"))[0] == 303
        assert await a.closed() == 1006
        assert (await elsewhere.ask("join", {"channel": "alice"}))["you"]["username"] == "alice"


async def test_a_restart_is_announced_and_loses_nothing(tmp_path: Path) -> None:
    async with running_site(tmp_path) as site:
        alice = await site.streamer()
        cookies = alice.http.cookie_jar
        async with connected(alice, "/chat") as a:
            await a.ask("join", {"channel": "alice"})
            await a.ask("say", line("before", 1))
            stopping = asyncio.ensure_future(site.server.__aexit__(None, None, None))
            assert await a.event("closing") == {"reason": "restart"}
            assert await a.closed() == 1012
            async with asyncio.timeout(10):
                await stopping
    async with running_site(tmp_path) as site:
        again = site.person()
        again.http.cookie_jar.update_cookies(
            {cookie.key: cookie.value for cookie in cookies}, site.base
        )
        async with connected(again, "/chat") as a:
            await a.ask("say", line("after", 2))
            joined = await a.ask("join", {"channel": "alice", "after": 0})
            assert [one["text"] for one in joined["events"]] == ["before", "after"]


async def test_events_are_documented_for_people_and_programs(site: Site) -> None:
    visitor = site.person()
    status, text, response = await visitor.get("/api/asyncapi.json")
    assert (status, response.content_type) == (200, "application/json")
    assert json.loads(text)["asyncapi"] == "3.0.0"
    status, page, _ = await visitor.get("/api/events")
    assert status == 200
    for name in json.loads(text)["operations"]:
        assert f'id="{name.replace(".", "-")}"' in page
    for target in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{target}"' in page

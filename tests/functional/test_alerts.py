"""Alerts over the socket: an overlay shows each once, whether it was open or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.giving import Till, running_till
from tests.functional.platform_site import Person
from tests.functional.socket_peer import SocketPeer, connected

OVERLAY = "/overlay"


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[Till]:
    async with running_till(tmp_path) as till:
        yield till


async def overlay_token(streamer: Person, slug: str = "alice") -> str:
    status, answer = await streamer.api("GET", f"/channels/{slug}/overlay-token")
    assert status == 200, answer
    return str(answer["token"])


async def hello(peer: SocketPeer, part: str = "alerts") -> Any:
    answer = await peer.ask("hello", {"part": part}, OVERLAY)
    assert answer["ok"], answer
    return answer


async def test_what_came_while_the_overlay_was_closed_is_shown_once(till: Till) -> None:
    alice, _ = await till.streamer(), await till.site.member("bob")
    auth = {"token": await overlay_token(alice)}
    given = await till.tip("bob", "alice", 500, "while you were away")
    async with connected(till.site.person(), OVERLAY, auth=auth) as overlay:
        (alert,) = (await hello(overlay))["alerts"]
        assert (alert["id"], alert["amount"]) == (given.id, "$5.00")
        assert alert["message"] == "while you were away"
        assert (await overlay.ask("shown", {"id": given.id, "turn": 0}, OVERLAY))["ok"]
    async with connected(till.site.person(), OVERLAY, auth=auth) as overlay:
        assert (await hello(overlay))["alerts"] == []


async def test_two_overlays_show_it_and_it_counts_once(till: Till) -> None:
    alice, _ = await till.streamer(), await till.site.member("bob")
    auth = {"token": await overlay_token(alice)}
    person = till.site.person()
    async with (
        connected(person, OVERLAY, auth=auth) as first,
        connected(person, OVERLAY, auth=auth) as second,
        connected(alice, "/studio") as studio,
    ):
        await hello(first)
        await hello(second)
        watched = await studio.ask("watch", {"channel": "alice"}, "/studio")
        assert watched["overlays"] == 2
        given = await till.tip("bob", "alice", 500)
        for overlay in (first, second):
            assert (await overlay.event("alert", OVERLAY))["alert"]["id"] == given.id
        item = (await studio.event("activity", "/studio"))["item"]
        assert (item["kind"], item["text"]) == ("tip", "bob gave $5.00.")
        assert item["given"]["alert"] == "waiting"
        answers = await asyncio.gather(
            first.ask("shown", {"id": given.id, "turn": 0}, OVERLAY),
            second.ask("shown", {"id": given.id, "turn": 0}, OVERLAY),
        )
        assert all(answer["ok"] for answer in answers)
        told = await studio.event("alert", "/studio")
        assert told == {"channel": "alice", "id": given.id, "alert": "shown"}
        watched = await studio.ask("watch", {"channel": "alice"}, "/studio")
        assert watched["activity"][-1]["given"]["alert"] == "shown"
        async with connected(person, OVERLAY, auth=auth) as third:
            assert (await hello(third))["alerts"] == []


async def test_the_studio_hears_of_overlays_that_open_and_close(till: Till) -> None:
    alice = await till.streamer()
    auth = {"token": await overlay_token(alice)}
    async with connected(alice, "/studio") as studio:
        assert (await studio.ask("watch", {"channel": "alice"}, "/studio"))["overlays"] == 0
        async with connected(till.site.person(), OVERLAY, auth=auth) as overlay:
            await hello(overlay, "chat")
            await hello(overlay)
            assert (await studio.event("overlays", "/studio"))["open"] == 1
        assert (await studio.event("overlays", "/studio"))["open"] == 0


async def test_a_token_of_another_channel_shows_and_counts_nothing(till: Till) -> None:
    alice, carol = await till.streamer(), await till.streamer("carol")
    await till.site.member("bob")
    given = await till.tip("bob", "alice", 500)
    auth = {"token": await overlay_token(carol, "carol")}
    async with connected(till.site.person(), OVERLAY, auth=auth) as overlay:
        assert (await hello(overlay))["alerts"] == []
        refused = await overlay.ask("shown", {"id": given.id, "turn": 0}, OVERLAY)
        assert refused["error"]["code"] == "contribution_not_found"
    auth = {"token": await overlay_token(alice)}
    async with connected(till.site.person(), OVERLAY, auth=auth) as overlay:
        assert len((await hello(overlay))["alerts"]) == 1


async def test_goal_and_board_follow_the_money(till: Till) -> None:
    alice, _ = await till.streamer(), await till.site.member("bob")
    auth = {"token": await overlay_token(alice)}
    async with (
        connected(till.site.person(), OVERLAY, auth=auth) as overlay,
        connected(till.site.person(), "/chat") as viewer,
    ):
        assert (await hello(overlay, "top"))["support"]["board"]["tippers"] == []
        await viewer.ask("join", {"channel": "alice"})
        await till.tip("bob", "alice", 500)
        told = (await overlay.event("support", OVERLAY))["support"]
        assert told["board"]["tippers"] == [{"name": "bob", "amount": "$5.00"}]
        told = (await viewer.event("support"))["support"]
        assert told["tippers"] == [{"name": "bob", "amount": "$5.00"}]


async def test_a_line_on_top_is_there_for_who_joins_later(till: Till) -> None:
    await till.streamer()
    await till.site.member("bob")
    given = await till.tip("bob", "alice", 2_500, "a large one")
    async with connected(till.site.person(), "/chat") as viewer:
        (kept,) = (await viewer.ask("join", {"channel": "alice"}))["kept"]
        assert (kept["tip"]["id"], kept["text"]) == (given.id, "a large one")


@pytest.mark.parametrize("part", ["alerts", "goal", "top"])
async def test_overlays_are_pages_of_their_token_alone(till: Till, part: str) -> None:
    alice = await till.streamer()
    token = await overlay_token(alice)
    visitor = till.site.person()
    status, text, response = await visitor.get(f"/overlay/{token}/{part}")
    assert status == 200, text
    assert response.headers["Cache-Control"] == "no-store"
    assert (await visitor.get(f"/overlay/{token}/{part}?test=1"))[0] == 200
    assert (await visitor.get(f"/overlay/{token[:-1]}x/{part}"))[0] == 404


async def test_without_money_there_are_no_such_overlays(tmp_path: Path) -> None:
    async with running_till(tmp_path, money={"enabled": False}) as till:
        alice = await till.streamer()
        token = await overlay_token(alice)
        assert (await till.site.person().get(f"/overlay/{token}/alerts"))[0] == 404
        assert (await till.site.person().get(f"/overlay/{token}/chat"))[0] == 200
        async with connected(till.site.person(), OVERLAY, auth={"token": token}) as overlay:
            refused = await overlay.ask("hello", {"part": "alerts"}, OVERLAY)
            assert refused["error"]["code"] == "no_money"

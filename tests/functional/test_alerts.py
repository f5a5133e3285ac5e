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
        await alice.api("PUT", "/channels/alice/tip-board", json={"is_public": False})
        told = (await overlay.event("support", OVERLAY))["support"]
        assert (told["tippers"], len(told["board"]["tippers"])) == (None, 1)
        told = (await viewer.event("support"))["support"]
        assert (told["tippers"], told["board"]) == (None, None)  # it is the overlay's alone


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


async def test_moderators_decide_over_the_api(till: Till) -> None:
    alice, bob = await till.streamer(), await till.site.member("bob")
    carol = await till.site.member("carol")
    status, rules = await alice.api(
        "PATCH", "/channels/alice/alert-setup", {"approves_first": True}
    )
    assert (status, rules["approves_first"]) == (200, True)
    first, second, third = [await till.tip("bob", "alice", 500, f"{n}") for n in (1, 2, 3)]
    path = "/channels/alice/alerts"
    assert (await bob.api("POST", f"{path}/{first.id}/approve"))[0] == 403
    assert (await bob.api("GET", f"{path}/queue"))[0] == 403
    assert (await carol.api("POST", f"{path}/{first.id}/approve"))[0] == 403
    async with connected(alice, "/chat") as chat:
        act = {"type": "add_moderator", "username": "carol"}
        assert (await chat.ask("act", {"channel": "alice", "action": act}))["ok"]
    _, queue = await carol.api("GET", f"{path}/queue")
    assert [one["id"] for one in queue["alerts"]] == [first.id, second.id, third.id]
    auth = {"token": await overlay_token(alice)}
    async with connected(till.site.person(), OVERLAY, auth=auth) as overlay:
        assert (await hello(overlay))["alerts"] == []
        assert (await carol.api("POST", f"{path}/{first.id}/approve"))[1]["alert"] == "waiting"
        silent = {"message": False}
        assert (await carol.api("POST", f"{path}/{second.id}/approve", silent))[0] == 200
        assert (await carol.api("POST", f"{path}/{third.id}/deny"))[1]["alert"] == "denied"
        assert (await carol.api("POST", f"{path}/{third.id}/deny"))[0] == 409
        shown = [(await overlay.event("alert", OVERLAY))["alert"] for _ in range(2)]
        assert [(one["id"], one["message"]) for one in shown] == [(first.id, "1"), (second.id, "")]
        assert (await carol.api("POST", f"{path}/{first.id}/skip"))[1]["alert"] == "skipped"
        assert (await overlay.event("skip", OVERLAY))["id"] == first.id
        assert (await carol.api("POST", f"{path}/{first.id}/replay"))[1]["alert"] == "waiting"
        again = (await overlay.event("alert", OVERLAY))["alert"]
        assert (again["id"], again["turn"]) == (first.id, 1)
        assert (await carol.api("POST", f"{path}/skip"))[0] == 204
        assert (await overlay.event("skip", OVERLAY))["id"] is None
        assert (await alice.api("POST", f"{path}/test", {"amount_minor": 900}))[0] == 204
        sample = (await overlay.event("alert", OVERLAY))["alert"]
        assert sample["id"].startswith("test_")
        assert sample["amount"] == "$9.00"
    _, given = await carol.api("GET", path)
    assert [one["alert"] for one in given["alerts"]] == ["denied", "waiting", "waiting"]
    _, rest = await carol.api("GET", f"{path}?after={given['alerts'][0]['id']}")
    assert [one["id"] for one in rest["alerts"]] == [second.id, first.id]


@pytest.mark.parametrize(
    "body",
    [
        {"approves_first": 1},
        {"amount_minor_min": -1},
        {"amount_minor_min": 1.5},
        {"amount_minor_min": 2**63},
        {"amount_minor_min": "100"},
        {"gap_ms": 60_001},
        {"unknown": True},
    ],
)
async def test_rules_that_can_not_be(till: Till, body: dict[str, Any]) -> None:
    alice = await till.streamer()
    assert (await alice.api("PATCH", "/channels/alice/alert-setup", body))[0] == 422


async def test_goal_and_board_over_the_api(till: Till) -> None:
    alice, bob = await till.streamer(), await till.site.member("bob")
    visitor = till.site.person()
    assert (await visitor.api("GET", "/channels/alice/goal"))[0] == 404
    goal = {"title": "Paint", "target_minor": 2_000, "start_minor": 500}
    assert (await bob.api("PUT", "/channels/alice/goal", goal))[0] == 403
    assert (await alice.api("PUT", "/channels/alice/goal", goal))[0] == 200
    for wrong in ({"target_minor": 0}, {"target_minor": 2**63}, {"title": ""}):
        assert (await alice.api("PUT", "/channels/alice/goal", {**goal, **wrong}))[0] == 422
    await till.tip("bob", "alice", 500)
    _, answer = await visitor.api("GET", "/channels/alice/goal")
    assert (answer["raised"], answer["percent"]) == ("$10.00", 50)
    _, answer = await visitor.api("GET", "/channels/alice/tippers?period=all")
    assert answer == {"tippers": [{"name": "bob", "amount": "$5.00"}]}
    _, text, _ = await visitor.get("/@alice")
    assert "$10.00" in text
    assert "Top tippers this month" in text
    hidden = {"is_public": False, "period": "all", "rows": 3, "shows_amounts": True}
    assert (await alice.api("PUT", "/channels/alice/tip-board", hidden))[0] == 200
    _, answer = await visitor.api("GET", "/channels/alice/tippers?period=all")
    assert answer == {"tippers": []}
    assert (await alice.api("DELETE", "/channels/alice/goal"))[0] == 204
    assert (await visitor.api("GET", "/channels/alice/goal"))[0] == 404


async def test_without_money_there_are_no_such_operations(tmp_path: Path) -> None:
    async with running_till(tmp_path, money={"enabled": False}) as till:
        alice = await till.streamer()
        for path in ("alerts", "alerts/queue", "alert-setup", "goal", "tippers"):
            assert (await alice.api("GET", f"/channels/alice/{path}"))[0] == 404
        assert (await alice.get("/studio/alice/alerts"))[0] == 404
        _, text, _ = await alice.get("/studio/alice")
        assert "/studio/alice/alerts" not in text


async def test_the_studio_works_without_scripts(till: Till) -> None:
    alice = await till.streamer()
    await till.site.member("bob")
    page = "/studio/alice/alerts"
    assert (await alice.post(f"{page}/rules", {"is_on": "1", "approves_first": "1"}))[0] == 303
    given = await till.tip("bob", "alice", 500, "<script>alert(1)</script> www.exаmple.com")
    _, text, _ = await alice.get(page)
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert(1)" not in text
    assert (await alice.post(f"{page}/{given.id}/approve"))[0] == 303
    status, text, _ = await alice.post(f"{page}/{given.id}/approve")
    assert status == 409
    assert "Somebody has decided" in text
    look = {
        "template": "{name}!",
        "amount_minor_min": "12.50",
        "duration_s": "5",
        "picture": "heart",
        "layout": "beside",
        "sound": "bell",
        "volume": "30",
        "animation": "fade",
        "size_px": "50",
        "colour": "#FFFFFF",
        "name_colour": "#00ff00",
    }
    assert (await alice.post(f"{page}/looks", look))[0] == 303
    status, text, _ = await alice.post(f"{page}/looks", look)
    assert (status, "You have a look for that amount" in text) == (409, True)
    status, text, _ = await alice.post(f"{page}/looks", {**look, "template": "{who}"})
    assert status == 422
    _, setup = await alice.api("GET", "/channels/alice/alert-setup")
    assert [one["amount_minor_min"] for one in setup["looks"]] == [0, 1_250]
    goal = {"title": "Paint", "target_minor": "20", "start_minor": "", "ends_at_ms": "2999-01-31"}
    assert (await alice.post(f"{page}/goal", goal))[0] == 303
    _, text, _ = await alice.get(page)
    assert "$0.00 of $20.00" in text
    assert 'value="2999-01-31"' in text
    for wrong in ({"target_minor": "1.234"}, {"target_minor": "-5"}, {"ends_at_ms": "soon"}):
        assert (await alice.post(f"{page}/goal", {**goal, **wrong}))[0] == 422
    board = {"period": "all", "rows": "10", "amounts": "1"}
    assert (await alice.post(f"{page}/board", board))[0] == 303
    assert (await alice.post(f"{page}/board", {**board, "rows": "99"}))[0] == 422
    assert (await alice.post(f"{page}/test", {"amount": "5"}))[0] == 303
    assert (await alice.post(f"{page}/skip"))[0] == 303
    assert (await alice.post(f"{page}/goal/remove"))[0] == 303


async def test_moderators_see_the_queue_and_no_secrets(till: Till) -> None:
    alice, carol = await till.streamer(), await till.site.member("carol")
    async with connected(alice, "/chat") as chat:
        act = {"type": "add_moderator", "username": "carol"}
        assert (await chat.ask("act", {"channel": "alice", "action": act}))["ok"]
    status, text, _ = await carol.get("/studio/alice/alerts")
    assert status == 200
    assert "/overlay/" not in text
    assert (await carol.post("/studio/alice/alerts/rules", {}))[0] == 403
    assert (await till.site.person().get("/studio/alice/alerts"))[0] == 303

"""Bad input to a real server with a chat and a stream, where no narrower test has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mediaserver.kernel import limits
from mediaserver.kernel.clock import SystemClock
from tests import pictures
from tests.functional.platform_site import Person, Site, running_site
from tests.functional.socket_peer import connected, line

CHAT = "/channels/alice/chat"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


def act(kind: str, **more: Any) -> dict[str, Any]:
    return {"channel": "alice", "action": {"type": kind, **more}}


async def moderated_by(alice: Person, *names: str) -> None:
    for name in names:
        status, answer = await alice.api("POST", "/channels/alice/moderators", {"username": name})
        assert status < 300, answer


async def kept(person: Person) -> list[dict[str, Any]]:
    _, answer = await person.api("GET", CHAT)
    return list(answer["events"])


async def test_two_moderators_at_once(site: Site) -> None:
    """Both act on the same line and the same person at the same moment: it happens, and once."""
    alice = await site.streamer()
    bob, carol, dave = [await site.member(name) for name in ("bob", "carol", "dave")]
    await moderated_by(alice, "bob", "carol")
    _, said = await dave.api("POST", CHAT, {"text": "an awful line"})
    async with (
        connected(bob, "/chat") as b,
        connected(carol, "/chat") as c,
        connected(dave, "/chat") as d,
    ):
        for peer in (b, c, d):
            await peer.ask("join", {"channel": "alice"})
        answers = await asyncio.gather(
            b.ask("act", act("remove", id=said["id"])),
            c.ask("act", act("remove", id=said["id"])),
        )
        assert any(one["ok"] for one in answers)
        answers = await asyncio.gather(
            b.ask("act", act("timeout", username="dave", seconds=600)),
            c.ask("act", act("ban", username="dave")),
        )
        assert all(one["ok"] for one in answers)
        assert (await d.ask("say", line("still here", 1)))["error"]["code"] in {
            "banned",
            "timed_out",
        }
        # One moderator takes the rights of nobody: not of the other, not of the owner.
        for target in ("carol", "alice", "bob"):
            for kind in ("ban", "add_moderator", "remove_moderator"):
                answer = await b.ask("act", act(kind, username=target))
                assert not answer["ok"], (kind, target)
    _, held = await alice.api("GET", "/channels/alice/restrictions")
    assert [one["username"] for one in held["restrictions"]] == ["dave"]
    events = await kept(alice)
    assert [one["removed"] for one in events if one["id"] == said["id"]] == [True]
    sequences = [one["sequence"] for one in events]
    assert sequences == sorted(set(sequences))


async def test_a_moderator_who_is_dismissed_while_acting(site: Site) -> None:
    alice = await site.streamer()
    bob, dave = [await site.member(name) for name in ("bob", "dave")]
    await moderated_by(alice, "bob")
    async with connected(bob, "/chat") as b:
        await b.ask("join", {"channel": "alice"})
        assert (await b.ask("act", act("timeout", username="dave", seconds=60)))["ok"]
        status, _ = await alice.api("DELETE", "/channels/alice/moderators/bob")
        assert status < 300
        for action in (
            act("untimeout", username="dave"),
            act("clear"),
            act("ban", username="dave"),
        ):
            assert (await b.ask("act", action))["error"]["code"] == "forbidden"
    assert (await dave.api("POST", CHAT, {"text": "x"}))[1]["error"]["code"] == "timed_out"


async def test_clocks_that_are_wrong(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's clock jumps: order stays, nobody waits for longer than slow mode."""
    alice = await site.streamer()
    bob = await site.member("bob")
    await alice.api("PATCH", f"{CHAT}/rules", {"slow_s": 30})
    wall_ms = SystemClock.wall_ms
    shift_ms = 0
    monkeypatch.setattr(SystemClock, "wall_ms", lambda self: wall_ms(self) + shift_ms)
    said = []
    async with connected(bob, "/chat") as b:
        for number, shift_ms in enumerate((0, 60_000, -600_000, -540_000, 120_000)):
            answer = await b.ask("say", line(f"at {shift_ms}", number))
            assert answer["ok"] or answer["error"]["retry_after_s"] <= 30, answer
            if answer["ok"]:
                said.append(f"at {shift_ms}")
    shift_ms = 0
    events = [one for one in await kept(bob) if one["kind"] == "message"]
    assert [one["text"] for one in events] == said
    sequences = [one["sequence"] for one in events]
    assert sequences == sorted(set(sequences))


async def test_a_client_whose_clock_is_wrong_resumes_by_number(site: Site) -> None:
    """`after` counts, times don't: from the future it starts anew, and nothing is repeated."""
    alice = await site.streamer()
    for number in range(3):
        await alice.api("POST", CHAT, {"text": f"line {number}"})
    async with connected(alice, "/chat") as a:
        joined = await a.ask("join", {"channel": "alice", "after": limits.CHAT_SEQUENCE_MAX})
        assert (joined["reset"], len(joined["events"])) == (True, 3)
        joined = await a.ask("join", {"channel": "alice", "after": joined["sequence"]})
        assert (joined["reset"], joined["events"]) == (False, [])


async def test_emote_bombs_at_once_leave_the_chat_alone(site: Site) -> None:
    alice = await site.streamer()
    async with connected(alice, "/chat") as a:
        await a.ask("join", {"channel": "alice"})

        async def upload(code: str) -> int:
            url = site.base / "api/v1/channels/alice/emotes" / code
            headers = {"Authorization": f"Bearer {alice.token}", "Content-Type": "image/png"}
            async with alice.http.put(url, data=pictures.png_bomb(), headers=headers) as response:
                return response.status

        uploads = asyncio.gather(*(upload(f"bomb{number}") for number in range(6)))
        for number in range(4):
            assert (await a.ask("say", line(f"meanwhile {number}", number)))["ok"]
        assert set(await uploads) <= {422, 429, 503}
        assert (await alice.api("GET", "/channels/alice/emotes"))[1] == {"emotes": []}
    shown = [one["text"] for one in await kept(alice)]
    assert shown == [f"meanwhile {number}" for number in range(4)]


async def test_a_frame_of_one_mebibyte_ends_its_connection_only(site: Site) -> None:
    alice, bob = await site.streamer(), await site.member("bob")
    async with connected(alice, "/chat") as a, connected(bob, "/chat") as b:
        for peer in (a, b):
            await peer.ask("join", {"channel": "alice"})
        with pytest.raises((AssertionError, ConnectionError, aiohttp.ClientError)):
            await b.ask("say", line("x" * 2**20, 1))
        assert (await a.ask("say", line("nobody else was disturbed", 2)))["ok"]
    assert [one["text"] for one in await kept(alice)] == ["nobody else was disturbed"]


async def test_a_banned_user_joins_reads_and_writes_by_no_way(site: Site) -> None:
    alice, bob = await site.streamer(), await site.member("bob")
    await alice.api("POST", CHAT, {"text": "/ban bob"})
    async with connected(bob, "/chat") as b, connected(alice, "/chat") as a:
        joined = await b.ask("join", {"channel": "alice"})
        assert (joined["ok"], joined["you"]["code"]) == (True, "banned")
        await a.ask("join", {"channel": "alice"})
        await a.ask("say", line("read on", 1))
        assert (await b.lines(1))[0]["text"] == "read on"
        for attempt in (
            b.ask("say", line("hi", 2)),
            b.ask("say", line("/me hi", 3)),
            b.ask("act", act("announce", text="hi")),
            b.ask("act", act("unban", username="bob")),
        ):
            assert (await attempt)["error"]["code"] in {"banned", "forbidden", "invalid"}
    for method, path, body in (
        ("POST", CHAT, {"text": "hi"}),
        ("POST", f"{CHAT}/announcements", {"text": "hi"}),
        ("DELETE", "/channels/alice/restrictions/bob", None),
    ):
        assert (await bob.api(method, path, body))[0] == 403
    lines = [one["text"] for one in await kept(alice) if one["kind"] == "message"]
    assert lines == ["read on"]


async def test_a_schedule_in_the_past_over_each_way(site: Site) -> None:
    alice = await site.streamer()
    now_ms = SystemClock().wall_ms()
    entry = {"title": "Boats", "starts_at_ms": now_ms + 3_600_000, "duration_min": 60}
    status, made = await alice.api("POST", "/channels/alice/schedule", entry)
    assert status == 201, made
    for past_ms in (now_ms - 1, now_ms - 86_400_000, 0, -1):
        status, answer = await alice.api(
            "POST", "/channels/alice/schedule", {**entry, "starts_at_ms": past_ms}
        )
        assert (status, answer["error"]["field"]) == (422, "starts_at_ms")
        status, answer = await alice.api(
            "PATCH", f"/channels/alice/schedule/{made['id']}", {"starts_at_ms": past_ms}
        )
        assert (status, answer["error"]["field"]) == (422, "starts_at_ms")
    beyond_ms = now_ms + limits.SCHEDULE_AHEAD_MS + 3_600_000
    status, answer = await alice.api(
        "POST", "/channels/alice/schedule", {**entry, "starts_at_ms": beyond_ms}
    )
    assert (status, answer["error"]["field"]) == (422, "starts_at_ms")
    _, shown = await alice.api("GET", "/channels/alice/schedule")
    assert [one["starts_at_ms"] for one in shown["entries"]] == [made["starts_at_ms"]]

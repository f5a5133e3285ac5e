"""Warnings and bans over HTTP, Socket.IO and RTMP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediaserver.server import Server
from mediaserver.trust.sanctions import BANNED
from tests.functional.platform_site import (
    PASSWORD,
    FakeStatus,
    Person,
    Site,
    admin_of,
    running_site,
    settings,
)
from tests.functional.socket_peer import connected, line
from tests.mailbox import Mailbox
from tests.rtmp.clips import clip, looped
from tests.rtmp.wire import open_publisher

BANS = "/admin/users/alice/bans"
WARNINGS = "/admin/users/alice/warnings"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


async def test_a_ban_while_live(site: Site) -> None:
    admin = await admin_of(site)
    alice = await site.streamer()
    visitor = site.person()
    site.media.broadcasts.statuses.append(FakeStatus("alice"))
    assert "/@alice" in (await visitor.get("/"))[1]
    async with connected(alice, "/chat") as peer, connected(visitor, "/chat") as other:
        await peer.ask("join", {"channel": "alice"})
        await other.ask("join", {"channel": "alice"})
        status, ban = await admin.api("POST", BANS, {"reason": "hate", "days": 7})
        assert status == 201, ban
        assert site.media.broadcasts.stopped == [("alice", BANNED)]
        for one in (peer, other):
            async with asyncio.timeout(20):
                while not one.websocket.closed:
                    await one.websocket.receive()

    assert "/@alice" not in (await visitor.get("/"))[1]
    status, page, _ = await visitor.get("/@alice")
    assert status == 404
    assert "not available" in page
    for path in ("/@alice/schedule", "/@alice/videos", "/embed/alice", "/popout/alice/chat"):
        assert (await visitor.get(path))[0] == 404, path
    assert (await visitor.api("GET", "/live"))[1]["streams"] == []
    for path in ("/channels/alice", "/channels/alice/live", "/channels/alice/chat"):
        assert (await visitor.api("GET", path))[0] == 404, path
    assert (await alice.api("GET", "/me"))[0] == 401, "her tokens are gone"

    status, _ = await admin.api("DELETE", f"/admin/bans/{ban['id']}")
    assert status == 200
    assert (await visitor.get("/@alice"))[0] == 200


async def test_what_somebody_banned_can_do(site: Site) -> None:
    admin = await admin_of(site)
    alice = await site.streamer()
    bob = await site.streamer("bob")
    await admin.api("POST", BANS, {"reason": "hate", "text": "Read the rules.", "days": None})
    assert (await alice.get("/settings"))[0] == 303, "logged out"
    status, _, _ = await alice.post("/login", {"username": "alice", "password": PASSWORD})
    assert status == 303
    await alice.log_in_as_program("alice")
    assert (await alice.api("GET", "/me"))[1]["is_banned"] is True
    status, page, _ = await alice.get("/@bob")
    assert status == 200
    assert "Your account is banned" in page
    assert 'href="/appeal"' in page
    status, _, response = await alice.get("/studio")
    assert (status, response.headers["Location"]) == (303, "/appeal")
    assert (await alice.get("/studio/alice"))[0] == 303
    assert (await alice.post("/@bob/follow"))[0] == 403
    assert (await alice.post("/studio/alice/keys", {"name": "x"}))[0] == 403
    for method, path, body in (
        ("POST", "/channels/bob/chat", {"text": "hello"}),
        ("POST", "/channels", {"slug": "second"}),
        ("PUT", "/channels/bob/follow", None),
        ("POST", "/channels/alice/stream-keys", {"name": "x"}),
    ):
        status, answer = await alice.api(method, path, body)
        assert status == 403, path
        assert answer["error"]["code"] == "banned"
    async with connected(alice, "/chat") as peer:
        joined = await peer.ask("join", {"channel": "bob"})
        assert joined["you"]["can_write"] is False
        said = await peer.ask("say", line("hello", 1, channel="bob"))
        assert said["error"]["code"] == "banned_from_site"
    _, mine = await alice.api("GET", "/me/sanctions")
    (ban,) = mine["bans"]
    assert (ban["reason"], ban["text"], ban["given_by"]) == ("hate", "Read the rules.", None)
    assert bob.username == "bob"


async def test_only_admins_sanction_and_only_after_a_second_look(site: Site) -> None:
    admin = await admin_of(site)
    alice, bob = await site.streamer(), await site.member("bob")
    for path, body in ((BANS, {"reason": "spam", "days": 1}), (WARNINGS, {"reason": "spam"})):
        assert (await bob.api("POST", path, body))[0] == 403
        assert (await alice.api("POST", path, body))[0] == 403
        assert (await site.person().api("POST", path, body))[0] == 401
    assert (await bob.api("GET", "/admin/users/alice/sanctions"))[0] == 403
    assert (await admin.api("GET", "/admin/users/nobody/sanctions"))[0] == 404
    for body in ({}, {"reason": 1}, {"reason": "spam", "given_by": "bob"}, {"reason": "x"}):
        assert (await admin.api("POST", WARNINGS, body))[0] == 422, body
    status, answer = await admin.api(
        "POST", "/admin/users/boss/bans", {"reason": "spam", "days": 1}
    )
    assert (status, answer["error"]["code"]) == (403, "yourself")
    assert (await admin.api("POST", BANS, {"reason": "spam", "days": 1}))[0] == 201
    status, answer = await admin.api("POST", BANS, {"reason": "spam", "days": 1})
    assert (status, answer["error"]["code"]) == (409, "already_banned")
    assert (await admin.api("PATCH", "/admin/bans/ban_x", {"days": 1}))[0] == 404


async def test_three_warnings(site: Site) -> None:
    admin = await admin_of(site)
    await site.streamer()
    for number in range(3):
        status, warned = await admin.api("POST", WARNINGS, {"reason": "spam", "text": "Stop."})
        assert status == 201
        assert (warned["ban"] is not None) == (number == 2)
    _, standing = await admin.api("GET", "/admin/users/alice/sanctions")
    assert len(standing["warnings"]) == 3
    letter = await site.mailbox.letter(
        "alice@example.org", where=lambda one: "banned" in one.subject
    )
    assert "/appeal" in letter.body


async def test_the_encoder_of_somebody_banned_is_thrown_out(tmp_path: Path) -> None:
    """With the real engine: the encoder is told why and disconnected, and not let in again."""
    config = settings(tmp_path)
    async with Server(config) as server:
        site = Site(server, None, [], Mailbox(tmp_path / "storage"))  # type: ignore[arg-type]
        try:
            admin, alice = await admin_of(site), await site.streamer()
            _, made = await alice.api("POST", "/channels/alice/stream-keys", {"name": "OBS"})
            url = f"rtmp://127.0.0.1:{server.rtmp_port}/live/{made['key']}"
            async with await open_publisher(url) as encoder:
                await encoder.send_tags(looped(clip(), seconds=4), speed=None)
                await _until_live(alice)
                status, _ = await admin.api("POST", BANS, {"reason": "hate", "days": 1})
                assert status == 201
                outcome = await encoder.outcome()
                assert outcome.error is not None
                assert outcome.error.description == BANNED
            with pytest.raises(AssertionError, match="banned"):
                await open_publisher(url)
        finally:
            for http in site.sessions:
                await http.close()


async def _until_live(person: Person) -> None:
    async with asyncio.timeout(30):
        while (await person.api("GET", "/channels/alice/live"))[1]["state"] != "live":
            await asyncio.sleep(0.05)

"""Chat, moderation and emotes over the API of a running site, with what strangers try."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from mediaserver.kernel import limits
from tests import pictures
from tests.functional.platform_site import Person, Site, running_site

CHAT = "/channels/alice-tv/chat"
RESTRICTIONS = "/channels/alice-tv/restrictions"
MODERATORS = "/channels/alice-tv/moderators"
EMOTES = "/channels/alice-tv/emotes"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


@pytest.fixture
async def alice(site: Site) -> Person:
    person = await site.member("alice")
    await person.make_channel("alice-tv")
    return person


@pytest.fixture
async def bob(site: Site) -> Person:
    return await site.member("bob")


@pytest.fixture
async def carol(site: Site) -> Person:
    return await site.member("carol")


async def _say(person: Person, text: str, **more: Any) -> tuple[int, Any]:
    return await person.api("POST", CHAT, {"text": text, **more})


async def _texts(person: Person) -> list[str]:
    _, answer = await person.api("GET", CHAT)
    return [event["text"] for event in answer["events"]]


async def test_a_conversation(site: Site, alice: Person, bob: Person) -> None:
    status, first = await _say(bob, "hello @alice", nonce="one")
    assert (status, first["sequence"], first["notice"]) == (201, 1, None)
    assert (await _say(bob, "hello @alice", nonce="one"))[1] == first
    status, _ = await _say(alice, "hi", reply_to=first["id"])
    assert status == 201
    visitor = site.person()
    status, answer = await visitor.api("GET", CHAT)
    assert status == 200
    assert [event["author"]["username"] for event in answer["events"]] == ["bob", "alice"]
    assert answer["events"][1]["author"]["role"] == "owner"
    assert answer["events"][1]["reply_to"] == {
        "id": first["id"],
        "username": "bob",
        "text": "hello @alice",
    }
    assert [event["sequence"] for event in answer["events"]] == [1, 2]
    _, answer = await visitor.api("GET", f"{CHAT}?before=2&limit=1")
    assert [event["id"] for event in answer["events"]] == [first["id"]]
    assert (await visitor.api("GET", f"{CHAT}?before=x"))[0] == 422
    assert (await visitor.api("GET", f"{CHAT}?limit=0"))[0] == 422
    assert (await visitor.api("GET", f"{CHAT}?before=-{'9' * 30}"))[0] in (200, 422)
    assert (await visitor.api("GET", "/channels/nothing/chat"))[0] == 404
    assert (await _say(visitor, "hi"))[0] == 401
    assert (await visitor.api("GET", f"{CHAT}/you"))[1]["code"] == "sign_in"
    assert (await bob.api("GET", f"{CHAT}/you"))[1]["can_write"] is True


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": "   \t "}, "text"),
        ({"text": "\u200b\u2800\u3164"}, "text"),
        ({"text": "\u202e\u2066"}, "text"),
        ({"text": "x" * 501}, "text"),
        ({"text": "x" * 60_000}, "text"),
        ({"text": "two\nlines"}, "text"),
        ({"text": "nul\0"}, "text"),
        ({"text": "\x1b[31mred"}, "text"),
        ({"text": "a" + "\u0301" * 10_000}, "text"),
        ({"text": "a" + "\u0301" * 400}, "text"),
        ({"text": "hi", "nonce": ""}, "nonce"),
        ({"text": "hi", "nonce": "a b"}, "nonce"),
        ({"text": "hi", "nonce": "\0"}, "nonce"),
        ({"text": "hi", "reply_to": "msg_00000000000000000000"}, "reply_to"),
        ({"text": "hi", "reply_to": "\0"}, "reply_to"),
        ({"text": "/nothing"}, "text"),
        ({"text": ["hi"]}, "text"),
        ({"text": "hi", "user_id": "usr_x"}, "user_id"),
        ({}, "text"),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_wrong_lines(bob: Person, alice: Person, body: dict[str, Any], field: str) -> None:
    status, answer = await bob.api("POST", CHAT, body)
    assert (status, answer["error"]["field"]) == (422, field), answer
    assert await _texts(bob) == []


async def test_a_lone_surrogate_is_no_text(site: Site, alice: Person, bob: Person) -> None:
    async with bob.http.post(
        site.base.join(URL("/api/v1" + CHAT)),
        data=rb'{"text": "\ud800"}',
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {bob.token}"},
    ) as response:
        assert response.status in (400, 422)


async def test_direction_marks_are_taken_out_and_markup_stays_text(
    bob: Person, alice: Person
) -> None:
    await _say(bob, "abc\u202edef\u2066")
    await _say(bob, "<script>alert(1)</script><img src=x onerror=alert(2)>")
    assert await _texts(bob) == [
        "abcdef",
        "<script>alert(1)</script><img src=x onerror=alert(2)>",
    ]
    _, _, response = await bob.get("/api/v1" + CHAT)
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_moderation_over_the_api(alice: Person, bob: Person, carol: Person) -> None:
    assert (await alice.api("POST", MODERATORS, {"username": "Carol"}))[0] == 201
    status, answer = await bob.api("GET", MODERATORS)
    assert (status, [one["username"] for one in answer["moderators"]]) == (200, ["carol"])
    _, said = await _say(bob, "rude")
    assert (await bob.api("DELETE", f"{CHAT}/{said['id']}"))[0] == 403
    assert (await carol.api("DELETE", f"{CHAT}/{said['id']}"))[0] == 200
    assert await _texts(bob) == [""]
    _, answer = await bob.api("GET", CHAT)
    assert answer["events"][0]["removed"] is True

    _, said = await _say(bob, "fine")
    assert (await carol.api("PUT", f"{CHAT}/pin", {"id": said["id"]}))[0] == 200
    assert (await carol.api("PUT", f"{CHAT}/pin", {"id": "msg_x"}))[0] == 404
    assert (await carol.api("DELETE", f"{CHAT}/pin"))[0] == 200
    status, _ = await carol.api("POST", f"{CHAT}/announcements", {"text": "Soon", "colour": "warn"})
    assert status == 201
    assert (await bob.api("POST", f"{CHAT}/announcements", {"text": "No"}))[0] == 403

    body = {"username": "bob", "seconds": 600, "reason": "<b>Be kind.</b>"}
    assert (await carol.api("POST", RESTRICTIONS, body))[0] == 201
    status, answer = await _say(bob, "but")
    assert (status, answer["error"]["code"]) == (403, "timed_out")
    assert "Be kind." in answer["error"]["message"]
    _, answer = await carol.api("GET", RESTRICTIONS)
    assert [(one["username"], one["kind"], one["made_by"]) for one in answer["restrictions"]] == [
        ("bob", "timeout", "carol")
    ]
    assert (await carol.api("DELETE", f"{RESTRICTIONS}/bob"))[0] == 200
    assert (await _say(bob, "thanks"))[0] == 201
    assert (await carol.api("POST", f"{CHAT}/clear"))[0] == 200
    assert await _texts(bob) == []

    _, answer = await carol.api("GET", "/channels/alice-tv/moderation/log")
    assert [(one["actor"], one["action"], one["target"]) for one in answer["entries"]] == [
        ("carol", "clear", None),
        ("carol", "untimeout", "bob"),
        ("carol", "timeout", "bob"),
        ("carol", "announce", None),
        ("carol", "unpin", None),
        ("carol", "pin", "bob"),
        ("carol", "remove", "bob"),
        ("alice", "mod", "carol"),
    ]
    entry = answer["entries"][5]["id"]
    _, answer = await carol.api("GET", f"/channels/alice-tv/moderation/log?before={entry}&limit=1")
    assert [one["action"] for one in answer["entries"]] == ["remove"]
    assert (await alice.api("DELETE", f"{MODERATORS}/carol"))[0] == 200
    assert (await carol.api("GET", RESTRICTIONS))[0] == 403


async def test_what_is_for_moderators_only(site: Site, alice: Person, bob: Person) -> None:
    for method, path, body in (
        ("GET", RESTRICTIONS, None),
        ("POST", RESTRICTIONS, {"username": "alice"}),
        ("DELETE", f"{RESTRICTIONS}/bob", None),
        ("GET", "/channels/alice-tv/blocked-words", None),
        ("POST", "/channels/alice-tv/blocked-words", {"word": "x"}),
        ("DELETE", "/channels/alice-tv/blocked-words/x", None),
        ("GET", "/channels/alice-tv/moderation/log", None),
        ("POST", MODERATORS, {"username": "bob"}),
        ("DELETE", f"{MODERATORS}/bob", None),
        ("PATCH", f"{CHAT}/rules", {"lockdown": True}),
        ("PUT", f"{CHAT}/pin", {"id": "msg_00000000000000000000"}),
        ("DELETE", f"{CHAT}/pin", None),
        ("POST", f"{CHAT}/clear", None),
        ("DELETE", f"{CHAT}/msg_00000000000000000000", None),
    ):
        assert (await bob.api(method, path, body))[0] == 403, (method, path)
        assert (await site.person().api(method, path, body))[0] == 401, (method, path)
        missing = path.replace("alice-tv", "nothing")
        assert (await bob.api(method, missing, body))[0] == 404, (method, missing)
    assert (await alice.api("POST", RESTRICTIONS, {"username": "alice"}))[0] == 403
    assert (await alice.api("POST", RESTRICTIONS, {"username": "nobody1"}))[0] == 404
    assert (await alice.api("POST", RESTRICTIONS, {"username": "\0"}))[0] == 404
    body = {"username": "bob", "reason": "x" * 201}
    assert (await alice.api("POST", RESTRICTIONS, body))[0] == 422
    for seconds in (0, -1, limits.TIMEOUT_S_MAX + 1, 2**70, 1.5, "60"):
        body = {"username": "bob", "seconds": seconds}
        assert (await alice.api("POST", RESTRICTIONS, body))[0] == 422, seconds


async def test_rules_over_the_api(alice: Person, bob: Person) -> None:
    status, rules = await bob.api("GET", f"{CHAT}/rules")
    assert rules == {
        "slow_s": 0,
        "followers_min": None,
        "account_age_min": 0,
        "emote_only": False,
        "unique": False,
        "links": "all",
        "lockdown": False,
    }
    status, rules = await alice.api("PATCH", f"{CHAT}/rules", {"slow_s": 30, "followers_min": 0})
    assert (status, rules["slow_s"], rules["followers_min"]) == (200, 30, 0)
    status, answer = await _say(bob, "hi")
    assert (status, answer["error"]["code"]) == (403, "followers_only")
    await alice.api("PATCH", f"{CHAT}/rules", {"followers_min": None})
    assert (await _say(bob, "hi"))[0] == 201
    status, answer = await _say(bob, "again")
    assert (status, answer["error"]["code"]) == (429, "rate_limited")
    assert (await bob.api("GET", f"{CHAT}/you"))[1]["slow_s"] == 30
    for wrong in (
        {"slow_s": -1},
        {"slow_s": 3601},
        {"slow_s": None},
        {"slow_s": True},
        {"followers_min": 525_601},
        {"links": "none"},
        {"lockdown": 1},
        {"owner_id": "usr_x"},
    ):
        assert (await alice.api("PATCH", f"{CHAT}/rules", wrong))[0] == 422, wrong


async def test_commands_over_the_api(alice: Person, bob: Person) -> None:
    status, answer = await _say(alice, "/slow 10")
    assert (status, answer["id"], answer["notice"]) == (201, None, "The rules are changed.")
    status, answer = await _say(bob, "/help")
    assert "/mods" in answer["notice"]
    assert "/ban" not in answer["notice"]
    assert (await _say(bob, "/ban alice"))[0] == 403
    assert await _texts(bob) == []


async def test_blocked_words_over_the_api(alice: Person, bob: Person) -> None:
    words = "/channels/alice-tv/blocked-words"
    assert (await alice.api("POST", words, {"word": "free coins"}))[0] == 201
    status, answer = await _say(bob, "get FR33   C0ïns, get them")
    assert (status, answer["error"]["code"]) == (403, "blocked_words")
    _, answer = await alice.api("GET", words)
    assert [one["word"] for one in answer["words"]] == ["free coins"]
    assert (await alice.api("DELETE", f"{words}/free%20coins"))[0] == 200
    assert (await alice.api("DELETE", f"{words}/free%20coins"))[0] == 404
    for wrong in ("", "...", "x" * 61, "a\nb", "\0"):
        assert (await alice.api("POST", words, {"word": wrong}))[0] == 422, wrong


async def _upload(
    site: Site, person: Person, path: str, data: bytes, kind: str = "image/png"
) -> tuple[int, Any]:
    async with person.http.put(
        site.base.join(URL("/api/v1" + path, encoded=True)),
        data=io.BytesIO(data),
        headers={"Content-Type": kind, "Authorization": f"Bearer {person.token}"},
    ) as response:
        return response.status, json.loads(await response.text() or "null")


async def _picture(person: Person, url: str) -> aiohttp.ClientResponse:
    async with person.http.get(person.base.join(URL(url))) as response:
        assert (await response.read())[8:12] == b"WEBP"
        return response


async def test_emotes(site: Site, alice: Person, bob: Person, tmp_path: Path) -> None:
    large = pictures.png(600, 300) + b"\0" * 200_000  # above what other bodies may have
    status, made = await _upload(site, alice, f"{EMOTES}/wave", large)
    assert status == 200, made
    assert (made["code"], made["width"], made["height"]) == ("wave", 112, 56)
    assert (made["animated"], made["channel"]) == (False, True)
    response = await _picture(bob, made["url"])
    assert response.status == 200
    assert response.headers["Content-Type"] == "image/webp"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "immutable" in response.headers["Cache-Control"]
    folder = tmp_path / "storage" / "images" / "emotes"
    assert len(list(folder.iterdir())) == 1

    status, again = await _upload(site, alice, f"{EMOTES}/wave", pictures.gif(3), "image/gif")
    assert (status, again["animated"]) == (200, True)
    assert again["url"] != made["url"]
    assert (await bob.get(made["url"]))[0] == 404
    assert len(list(folder.iterdir())) == 1
    _, answer = await bob.api("GET", EMOTES)
    assert answer == {"emotes": [again]}
    assert (await bob.api("GET", f"{EMOTES}/wave"))[1] == again
    assert (await bob.api("GET", "/emotes"))[1] == {"emotes": []}

    status, answer = await _upload(site, bob, f"{EMOTES}/wave", pictures.png())
    assert status == 403
    assert (await _upload(site, alice, "/emotes/wave", pictures.png()))[0] == 403
    assert (await bob.api("DELETE", f"{EMOTES}/wave"))[0] == 403
    assert (await alice.api("DELETE", f"{EMOTES}/wave"))[0] == 204
    assert (await alice.api("DELETE", f"{EMOTES}/wave"))[0] == 404
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "data", "kind", "status"),
    [
        ("bomb", pictures.png_bomb(), "image/png", 422),
        (
            "svg",
            b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
            "image/svg+xml",
            422,
        ),
        ("page", b"<html><script>alert(1)</script></html>", "image/png", 422),
        ("empty", b"", "image/png", 422),
        ("photo", pictures.jpeg(64, 64), "image/jpeg", 422),
        ("large", b"\0" * (limits.EMOTE_UPLOAD_BYTES_MAX + 1), "image/png", 413),
        ("form", pictures.png(), "multipart/form-data; boundary=x", 415),
        ("json", b"{}", "application/json", 415),
        ("x", pictures.png(), "image/png", 422),
        ("X" * 25, pictures.png(), "image/png", 422),
        ("Wave", pictures.png(), "image/png", 422),
        ("%3Cscript%3E", pictures.png(), "image/png", 422),
        ("a%00b", pictures.png(), "image/png", 422),
        ("..%2F..%2Fetc", pictures.png(), "image/png", 422),
    ],
    ids=lambda value: repr(value)[:30],
)
async def test_wrong_emotes(
    site: Site, alice: Person, code: str, data: bytes, kind: str, status: int
) -> None:
    answered, answer = await _upload(site, alice, f"{EMOTES}/{code}", data, kind)
    assert answered == status, answer
    assert (await alice.api("GET", EMOTES))[1] == {"emotes": []}


async def test_only_uploads_may_be_large(site: Site, alice: Person) -> None:
    large = b'{"text": "' + b"x" * limits.REQUEST_BODY_BYTES_MAX + b'"}'
    for method, path in (("POST", CHAT), ("PATCH", f"{CHAT}/rules"), ("DELETE", f"{EMOTES}/wave")):
        async with alice.http.request(
            method,
            site.base.join(URL("/api/v1" + path)),
            data=large,
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {alice.token}"},
        ) as response:
            assert response.status == 413, path

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"\0" * 65_536

    async with alice.http.put(
        site.base.join(URL(f"/api/v1{EMOTES}/wave")),
        data=chunks(),
        headers={"Content-Type": "image/png", "Authorization": f"Bearer {alice.token}"},
    ) as response:
        assert response.status == 413, "a chunked body has no announced length"


@pytest.mark.parametrize(
    "name",
    ["emo_00000000000000000000", "x", "..%2f..%2fmediaserver.db", "%00", "emo_" + "a" * 900],
)
async def test_pictures_that_are_not_there(site: Site, name: str) -> None:
    assert (await site.person().get(f"/emotes/{name}.webp"))[0] == 404


async def test_what_was_said_survives_a_restart(tmp_path: Path) -> None:
    async with running_site(tmp_path) as site:
        alice = await site.member("alice")
        await alice.make_channel("alice-tv")
        _, said = await _say(alice, "still here")
        await alice.api("PUT", f"{CHAT}/pin", {"id": said["id"]})
        await _upload(site, alice, f"{EMOTES}/wave", pictures.png())
        before = (await alice.api("GET", CHAT))[1]
        emotes = (await alice.api("GET", EMOTES))[1]
    orphan = tmp_path / "storage" / "images" / "emotes" / "emo_00000000000000000000.webp"
    orphan.write_bytes(b"left by a crash")
    async with running_site(tmp_path) as site:
        visitor = site.person()
        assert (await visitor.api("GET", CHAT))[1] == before
        assert (await visitor.api("GET", EMOTES))[1] == emotes
        assert (await _picture(visitor, emotes["emotes"][0]["url"])).status == 200
        assert not orphan.exists()

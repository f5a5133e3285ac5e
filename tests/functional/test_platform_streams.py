"""What a stream is about, planned streams and follows, over the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mediaserver.media.events import BroadcastEnded, BroadcastStarted, BroadcastWentLive
from mediaserver.media.gate import PublishGrant, PublishRequest
from tests.functional.platform_site import FakeStatus, Person, Site, running_site

WRITTEN_S = 10.0
"""Streams are written by a task of their own."""

SCRIPT = "</title><script>alert(1)</script>"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


@pytest.fixture
async def alice(site: Site) -> Person:
    person = await site.member("alice")
    await person.make_channel("alice-tv", name="Alice", title="Cats")
    return person


@pytest.fixture
async def bob(site: Site) -> Person:
    return await site.member("bob")


async def _connect(site: Site, alice: Person) -> PublishGrant:
    _, key = await alice.api("POST", "/channels/alice-tv/stream-keys", {"name": "OBS"})
    assert site.media.gate is not None
    request = PublishRequest("live", key["key"], "127.0.0.1", "OBS")
    return await site.media.gate.authorise(request)


def _tell(site: Site, *events: Any) -> None:
    assert site.media.events is not None
    for event in events:
        site.media.events.publish(event)


async def _becomes(person: Person, path: str, state: str) -> dict[str, Any]:
    async with asyncio.timeout(WRITTEN_S):
        while True:
            _, answer = await person.api("GET", path)
            is_written = state != "ended" or answer.get("ended_at_ms") is not None
            if answer.get("state") == state and is_written:
                return dict(answer)
            await asyncio.sleep(0.02)


async def test_information_over_the_api(site: Site, alice: Person, bob: Person) -> None:
    about = {
        "title": SCRIPT,
        "category": "art",
        "tags": ["ink", SCRIPT[:25]],
        "brand_promotion": True,
        "recorded_content": False,
        "age_restricted": False,
        "not_general": True,
        "not_general_reason": SCRIPT,
        "starts_automatically": False,
    }
    status, changed = await alice.api("PATCH", "/channels/alice-tv", about)
    assert status == 200, changed
    told = about | {"category": "Art", "category_slug": "art"}
    assert {name: changed[name] for name in told} == told
    assert (await site.person().api("GET", "/channels/alice-tv"))[1] == changed
    site.media.broadcasts.statuses.append(FakeStatus("alice-tv"))
    for path in ("/channels/alice-tv/live", "/live", "/categories/art"):
        _, live = await bob.api("GET", path)
        live = live["streams"][0] if "streams" in live else live
        assert (live["category"], live["category_slug"]) == ("Art", "art")
        assert (live["tags"], live["brand_promotion"]) == (about["tags"], True)
    for path in ("/", "/@alice-tv", "/studio/alice-tv"):
        _, text, _ = await alice.get(path)
        assert "<script>alert" not in text, path
    assert (await bob.api("PATCH", "/channels/alice-tv", {"tags": []}))[0] == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"category": "nothing"}, "category"),
        ({"category": 5}, "category"),
        ({"tags": "ink"}, "tags"),
        ({"tags": ["x" * 26]}, "tags"),
        ({"tags": [f"t{n}" for n in range(11)]}, "tags"),
        ({"tags": [["nested"]]}, "tags.0"),
        ({"not_general": True}, "not_general_reason"),
        ({"not_general": "yes"}, "not_general"),
        ({"age_restricted": 1}, "age_restricted"),
        ({"category_id": "cat_art"}, "category_id"),
        ({"owner_id": "usr_x"}, "owner_id"),
        ({"back_soon": "x"}, "back_soon"),
    ],
)
async def test_wrong_information(site: Site, alice: Person, body: object, field: str) -> None:
    before = (await alice.api("GET", "/channels/alice-tv"))[1]
    for method, path in (
        ("PATCH", "/channels/alice-tv"),
        ("POST", "/channels/alice-tv/streams"),
    ):
        status, answer = await alice.api(method, path, body)
        assert (status, answer["error"]["field"]) == (422, field), path
    assert (await alice.api("GET", "/channels/alice-tv"))[1] == before
    assert (await alice.api("GET", "/channels/alice-tv/streams"))[1] == {"streams": []}


async def test_a_planned_stream(site: Site, alice: Person, bob: Person) -> None:
    await alice.api("PATCH", "/channels/alice-tv", {"starts_automatically": False})
    status, made = await alice.api(
        "POST", "/channels/alice-tv/streams", {"title": "Boats", "description": "Two hours."}
    )
    assert (status, made["state"], made["channel"]) == (201, "planned", "alice-tv")
    path = f"/streams/{made['id']}"
    for person in (bob, site.person()):
        assert (await person.api("GET", path))[0] == 404
        assert (await person.api("GET", "/channels/alice-tv/streams"))[1] == {"streams": []}
    for action in ("start", "stop"):
        assert (await bob.api("POST", f"{path}/{action}"))[0] == 404
        assert (await site.person().api("POST", f"{path}/{action}"))[0] == 401

    grant = await _connect(site, alice)
    assert grant.starts_automatically is False
    ids = ("brc_1", grant.channel_id, "alice-tv")
    held = FakeStatus("alice-tv", state="held", is_public=False)
    site.media.broadcasts.statuses.append(held)
    _tell(site, BroadcastStarted(*ids, grant.stream_key_id, 1000))
    assert (await _becomes(alice, "/streams/brc_1", "held"))["title"] == "Cats"
    assert (await bob.api("GET", "/streams/brc_1"))[0] == 404
    assert (await bob.api("GET", "/channels/alice-tv/live"))[1]["state"] == "offline"

    status, started = await alice.api("POST", f"{path}/start")
    assert (status, started["state"]) == (200, "held"), "the engine's own word"
    held.state, held.is_public = "live", True
    _tell(site, BroadcastWentLive(*ids, 2000))
    live = await _becomes(bob, path, "live")
    assert (live["title"], live["description"]) == ("Boats", "Two hours.")
    assert live["live_at_ms"] == 2000
    assert (await bob.api("GET", "/channels/alice-tv/live"))[1]["title"] == "Boats"
    assert '<p class="prose">Two hours.</p>' in (await bob.get("/@alice-tv"))[1]

    await alice.api("PATCH", "/channels/alice-tv", {"title": "Boats and rain"})
    assert (await bob.api("GET", "/channels/alice-tv/live"))[1]["title"] == "Boats and rain"
    _, again = await alice.api("POST", "/channels/alice-tv/streams", {"title": "Later"})
    status, answer = await alice.api("POST", f"/streams/{again['id']}/start")
    assert (status, answer["error"]["code"]) == (409, "already_live")
    assert (await alice.api("POST", f"/streams/{again['id']}/stop"))[1]["state"] == "cancelled"

    assert (await alice.api("POST", f"{path}/stop"))[0] == 200
    assert [slug for slug, _ in site.media.broadcasts.stopped] == ["alice-tv"]
    site.media.broadcasts.statuses.clear()
    _tell(site, BroadcastEnded(*ids, 3000, "The stream was stopped from the studio.", True))
    ended = await _becomes(bob, path, "ended")
    assert ended["end_reason"] is None, "for the streamer"
    assert (await alice.api("GET", path))[1]["end_reason"]
    listed = (await bob.api("GET", "/channels/alice-tv/streams"))[1]["streams"]
    assert [(one["id"], one["title"]) for one in listed] == [(made["id"], "Boats and rain")]


async def test_started_first_and_published_then(site: Site, alice: Person) -> None:
    await alice.api("PATCH", "/channels/alice-tv", {"starts_automatically": False})
    _, made = await alice.api("POST", "/channels/alice-tv/streams")
    assert (await alice.api("POST", f"/streams/{made['id']}/start"))[1]["state"] == "waiting"
    assert (await _connect(site, alice)).starts_automatically is True


@pytest.mark.parametrize("stream_id", ["str_nothing", "x" * 3000, "%00", "..", "%27%20OR%201=1"])
async def test_streams_that_are_not_there(site: Site, alice: Person, stream_id: str) -> None:
    assert (await alice.api("GET", f"/streams/{stream_id}"))[0] == 404
    assert (await alice.api("POST", f"/streams/{stream_id}/start"))[0] == 404


async def test_following_over_the_api(site: Site, alice: Person, bob: Person) -> None:
    path = "/channels/alice-tv/follow"
    assert (await bob.api("GET", path))[1] == {"follows": False, "followers": 0}
    for _ in range(2):
        assert await bob.api("PUT", path) == (200, {"follows": True, "followers": 1})
    assert (await site.person().api("GET", "/channels/alice-tv"))[1]["followers"] == 1
    assert (await site.person().api("GET", "/channels"))[1]["channels"][0]["followers"] == 1
    assert await bob.api("DELETE", path) == (200, {"follows": False, "followers": 0})
    assert (await alice.api("PUT", path))[0] == 409
    for method in ("GET", "PUT", "DELETE"):
        assert (await site.person().api(method, path))[0] == 401
        assert (await bob.api(method, "/channels/nothing/follow"))[0] == 404


async def test_categories_over_the_api(site: Site, alice: Person) -> None:
    _, answer = await alice.api("GET", "/categories")
    slugs = [one["slug"] for one in answer["categories"]]
    assert len(slugs) == len(set(slugs)) == 20
    assert slugs[0] == "just-chatting"
    _, art = await alice.api("GET", "/categories/art")
    assert art == {"slug": "art", "name": "Art", "icon": "palette", "streams": []}
    for slug in ("nothing", "Art", "%00", "x" * 3000):
        assert (await alice.api("GET", f"/categories/{slug}"))[0] == 404

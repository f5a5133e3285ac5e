"""Channels, stream keys and live state, over pages and API."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediaserver.media.events import BroadcastEnded, BroadcastStarted
from mediaserver.media.gate import PublishRefused, PublishRequest
from mediaserver.media.health import Health
from tests.functional.platform_site import FakeStatus, Person, Site, running_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


@pytest.fixture
async def alice(site: Site) -> Person:
    person = site.person()
    await person.register("alice")
    await person.log_in_as_program("alice")
    return person


@pytest.fixture
async def bob(site: Site) -> Person:
    person = site.person()
    await person.register("bob")
    await person.log_in_as_program("bob")
    return person


async def _authorise(site: Site, key: str) -> str:
    assert site.media.gate is not None
    grant = await site.media.gate.authorise(PublishRequest("live", key, "127.0.0.1", "OBS"))
    return grant.stream_key_id


async def test_a_channel_over_the_api(site: Site, alice: Person, bob: Person) -> None:
    await alice.accept_policies()
    status, made = await alice.api("POST", "/channels", {"slug": "alice-tv", "title": "Painting"})
    assert status == 201
    assert made["name"] == "alice-tv"
    assert made["owner"] == "alice"
    assert made["is_live"] is False
    assert (await site.person().api("GET", "/channels/alice-tv"))[1] == made
    assert (await site.person().api("GET", "/channels"))[1] == {"channels": [made]}
    status, changed = await alice.api("PATCH", "/channels/alice-tv", {"name": "Alice"})
    assert (changed["name"], changed["title"]) == ("Alice", "Painting")

    for method, path, body in (
        ("PATCH", "/channels/alice-tv", {"name": "Bob was here"}),
        ("GET", "/channels/alice-tv/stream-keys", None),
        ("POST", "/channels/alice-tv/stream-keys", {"name": "x"}),
        ("POST", "/channels/alice-tv/stop", None),
    ):
        assert (await bob.api(method, path, body))[0] == 403, path
        assert (await site.person().api(method, path, body))[0] == 401, path
        missing = path.replace("alice-tv", "nothing")
        assert (await bob.api(method, missing, body))[0] == 404, missing


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "slug"),
        ({"slug": "x"}, 422, "slug"),
        ({"slug": "studio"}, 409, "slug"),
        ({"slug": 5}, 422, "slug"),
        ({"slug": "good-one", "owner_id": "usr_x"}, 422, "owner_id"),
        ({"slug": "good-one", "title": "x" * 200}, 422, "title"),
        ({"slug": "good-one", "name": "a\nb"}, 422, "name"),
        ([], 422, ""),
    ],
)
async def test_wrong_channels(
    site: Site, alice: Person, body: object, status: int, field: str
) -> None:
    await alice.accept_policies()
    answered, answer = await alice.api("POST", "/channels", body)
    assert answered == status
    assert answer["error"]["message"]
    assert answer["error"].get("field", "") == field


async def test_too_many_channels(tmp_path: Path) -> None:
    async with running_site(tmp_path, accounts={"channels_per_user_max": 1}) as site:
        alice = site.person()
        await alice.register("alice")
        await alice.make_channel("one")
        status, answer = await alice.api("POST", "/channels", {"slug": "two"})
        assert (status, answer["error"]["code"]) == (409, "too_many_channels")


async def test_keys_over_the_api(site: Site, alice: Person) -> None:
    await alice.make_channel("alice-tv")
    keys = "/channels/alice-tv/stream-keys"
    status, made = await alice.api("POST", keys, {"name": "Laptop"})
    assert status == 201
    key = made.pop("key")
    assert await _authorise(site, key) == made["id"]
    status, listed = await alice.api("GET", keys)
    assert [one["id"] for one in listed["stream_keys"]] == [made["id"]]
    assert key not in str(listed)
    assert (await alice.api("DELETE", f"{keys}/{made['id']}"))[0] == 204
    assert (await alice.api("DELETE", f"{keys}/{made['id']}"))[0] == 404
    with pytest.raises(PublishRefused, match="revoked"):
        await _authorise(site, key)
    assert (await alice.api("POST", keys))[0] == 201, "a body is optional"


async def test_revoking_a_live_key_disconnects_it(site: Site, alice: Person) -> None:
    channel = await alice.make_channel("alice-tv")
    keys = "/channels/alice-tv/stream-keys"
    _, made = await alice.api("POST", keys, {"name": "Laptop"})
    key_id = await _authorise(site, made["key"])
    assert site.media.events is not None
    site.media.events.publish(BroadcastStarted("brc_1", channel["id"], "alice-tv", key_id, 1))
    site.media.broadcasts.statuses.append(FakeStatus("alice-tv"))
    await alice.api("DELETE", f"{keys}/{key_id}")
    assert [channel for channel, _ in site.media.broadcasts.stopped] == ["alice-tv"]
    site.media.events.publish(BroadcastEnded("brc_1", channel["id"], "alice-tv", 2, "x", True))


async def test_stop(site: Site, alice: Person) -> None:
    await alice.make_channel("alice-tv")
    assert await alice.api("POST", "/channels/alice-tv/stop") == (200, {"stopped": False})
    site.media.broadcasts.statuses.append(FakeStatus("alice-tv"))
    assert await alice.api("POST", "/channels/alice-tv/stop") == (200, {"stopped": True})


async def test_live_state(site: Site, alice: Person) -> None:
    await alice.make_channel("alice-tv", name="Alice", title="Cats")
    visitor = site.person()
    status, answer = await visitor.api("GET", "/channels/alice-tv/live")
    assert status == 200
    assert answer.pop("state") == "offline"
    assert set(answer.values()) == {None}
    assert (await visitor.api("GET", "/live"))[1] == {"streams": []}
    assert (await visitor.api("GET", "/channels/nothing/live"))[0] == 404

    site.media.broadcasts.statuses += [FakeStatus("alice-tv"), FakeStatus("removed-channel")]
    _, answer = await visitor.api("GET", "/channels/alice-tv/live")
    told = {
        "state": "live",
        "playlist_url": "/live/alice-tv/index.m3u8",
        "poster_url": "/live/alice-tv/thumbnail.jpg",
        "title": "Cats",
        "started_at_ms": 1_700_000_000_000,
        "viewers": 3,
        "video_codec": "avc1.64001f",
        "audio_codec": "mp4a.40.2",
        "width": 1280,
        "height": 720,
        "warning": None,
        "broadcast_id": "brc_1",
        "dvr_url": None,
        "dvr_window_s": 0,
        "full": False,
    }
    assert {name: answer[name] for name in told} == told
    assert (await alice.api("GET", "/channels/alice-tv/live"))[1]["warning"], "not told"
    _, answer = await visitor.api("GET", "/live")
    (listed,) = answer["streams"]
    told = {
        "slug": "alice-tv",
        "channel_name": "Alice",
        "title": "Cats",
        "thumbnail_url": "/live/alice-tv/thumbnail.jpg",
        "started_at_ms": 1_700_000_000_000,
        "viewers": 3,
        "state": "live",
    }
    assert {name: listed[name] for name in told} == told
    assert (await visitor.api("GET", "/channels/alice-tv"))[1]["is_live"] is True
    for state, is_listed in (("starting", False), ("reconnecting", True), ("ended", False)):
        site.media.broadcasts.statuses[0].state = state
        assert bool((await visitor.api("GET", "/live"))[1]["streams"]) is is_listed, state
        for path in ("/", "/@alice-tv"):
            assert (await visitor.get(path))[0] == 200, state
        assert (await alice.get("/studio/alice-tv"))[0] == 200, state


async def test_pages_show_what_is_live(site: Site, alice: Person) -> None:
    await alice.make_channel("alice-tv", name="Alice", title="Cats")
    await alice.make_channel("second", name="Second", title="")
    site.media.broadcasts.statuses.append(FakeStatus("alice-tv"))
    visitor = site.person()
    _, text, response = await visitor.get("/")
    assert "Cats" in text
    assert "Second" in text
    assert "unsafe-inline" not in response.headers["Content-Security-Policy"]
    _, text, response = await visitor.get("/@alice-tv")
    assert "/live/alice-tv/index.m3u8" in text
    assert "style-src 'self' 'unsafe-inline'" in response.headers["Content-Security-Policy"]
    assert "script-src 'self';" in response.headers["Content-Security-Policy"]
    assert "Keyframes are too far apart" not in text
    status, _, response = await visitor.get("/@Alice-TV")
    assert (status, response.headers["Location"]) == (303, "/@alice-tv")
    assert (await visitor.get("/@nothing"))[0] == 404
    assert (await visitor.get("/@" + "x" * 3000))[0] == 404


async def test_the_studio(site: Site, alice: Person, bob: Person) -> None:
    await alice.accept_policies()
    status, _, response = await alice.post(
        "/studio/channels", {"name": "Alice Paints", "slug": "alice-tv"}
    )
    assert (status, response.headers["Location"]) == (303, "/studio/alice-tv")
    _, text, response = await alice.get("/studio/alice-tv")
    first = re.search(r"live_[\w-]{27}", text)
    assert first is not None
    assert response.headers["Cache-Control"] == "no-store"
    await _authorise(site, first[0])

    about = {"name": "Alice", "description": "Paint."}
    assert (await alice.post("/studio/alice-tv", {"title": "Oil & water"}))[0] == 303
    assert (await alice.post("/studio/alice-tv/settings", about))[0] == 303
    assert "Paint." in (await alice.get("/studio/alice-tv/settings"))[1]
    _, text, _ = await alice.get("/studio/alice-tv")
    assert "Oil &amp; water" in text
    assert "live_" not in re.sub(r"begins with live_", "", text), "a key is shown again"

    status, _, _ = await alice.post("/studio/alice-tv/keys", {"name": "Phone"})
    assert status == 303
    _, text, _ = await alice.get("/studio/alice-tv")
    second = re.search(r"live_[\w-]{27}", text)
    assert second is not None
    key_id = await _authorise(site, second[0])
    status, _, _ = await alice.post(f"/studio/alice-tv/keys/{key_id}/revoke")
    assert status == 303
    with pytest.raises(PublishRefused):
        await _authorise(site, second[0])

    for path, form in (
        ("/studio/channels", {"name": "x", "slug": "a b"}),
        ("/studio/channels", {"name": "x", "slug": "alice-tv"}),
        ("/studio/alice-tv", {"title": "x" * 141}),
        ("/studio/alice-tv/settings", {"name": ""}),
        ("/studio/alice-tv/keys", {"name": "x" * 41}),
    ):
        status, _, _ = await alice.post(path, form)
        assert status in (409, 422), path

    assert (await bob.get("/studio/alice-tv"))[0] == 403
    assert (await bob.get("/studio"))[0] == 200
    for section in ("connect", "settings"):
        assert (await bob.get(f"/studio/alice-tv/{section}"))[0] == 403
    for path in ("", "/end", "/settings", "/keys", f"/keys/{key_id}/revoke"):
        assert (await bob.post(f"/studio/alice-tv{path}", {"name": "Bob"}))[0] == 403
        assert (await site.person().post(f"/studio/alice-tv{path}", {}))[0] == 401


async def test_a_held_stream_is_its_streamers_secret(site: Site, alice: Person) -> None:
    await alice.make_channel("alice-tv", name="Alice", title="Cats")
    held = FakeStatus("alice-tv", state="held", is_public=False)
    site.media.broadcasts.statuses.append(held)
    visitor = site.person()
    for state in ("starting", "held", "reconnecting", "ended"):
        held.state = state
        _, answer = await visitor.api("GET", "/channels/alice-tv/live")
        assert answer.pop("state") == "offline", state
        assert set(answer.values()) == {None}, state
        assert (await visitor.api("GET", "/live"))[1] == {"streams": []}, state
        assert (await visitor.api("GET", "/channels/alice-tv"))[1]["is_live"] is False, state
        for path in ("/", "/@alice-tv"):
            assert "secret-session" not in (await visitor.get(path))[1], (state, path)
    held.state = "held"
    _, answer = await alice.api("GET", "/channels/alice-tv/live")
    assert answer["state"] == "held"
    assert answer["playlist_url"] == "/live/alice-tv/secret-session/index.m3u8"
    assert answer["poster_url"] is None
    assert "secret-session" in (await alice.get("/studio/alice-tv"))[1]
    assert "secret-session" not in (await alice.get("/@alice-tv"))[1], "as everybody sees it"


async def test_health_is_for_who_runs_the_channel(site: Site, alice: Person) -> None:
    await alice.make_channel("alice-tv", name="Alice", title="Cats")
    assert await alice.api("GET", "/channels/alice-tv/health") == (
        200,
        {"health": None, "history": []},
    )
    site.media.health.points["alice-tv"] = [
        Health(1_000, "live", fps=30.0, verdict="good"),
        Health(3_000, "live", fps=12.0, verdict="bad", advice="Do something."),
    ]
    status, answer = await alice.api("GET", "/channels/alice-tv/health")
    assert status == 200
    assert [point["fps"] for point in answer["history"]] == [30.0, 12.0]
    assert answer["health"] == answer["history"][1]
    assert answer["health"]["advice"] == "Do something."
    assert answer["health"]["latency_p50_ms"] is None
    assert (await alice.api("GET", "/channels/nothing/health"))[0] == 404
    assert (await site.person().api("GET", "/channels/alice-tv/health"))[0] == 401

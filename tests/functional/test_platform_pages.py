"""Pages as a visitor finds them: what they remember, what they say once, what they tell."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediaserver.kernel.clock import SystemClock
from mediaserver.media.events import BroadcastEnded, BroadcastStarted, BroadcastWentLive
from mediaserver.media.gate import PublishRequest
from tests.functional.platform_site import FakeStatus, Person, Site, running_site

HOUR_MS = 3_600_000
WRITTEN_S = 10.0
"""Streams are written by a task of their own."""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


@pytest.fixture
async def alice(site: Site) -> Person:
    person = site.person()
    await person.register("alice")
    await person.accept_policies()
    await person.post("/studio/channels", {"name": "Alice", "slug": "alice-tv"})
    await person.get("/studio/alice-tv")
    return person


def _notice(text: str) -> str | None:
    found = re.search(r'class="notice-bar".*?<span>(.*?)</span>', text)
    return found[1] if found else None


async def test_a_notice_is_said_once(alice: Person) -> None:
    forms = (
        ("", {"title": "Oil"}, "Saved."),
        ("/settings", {"name": "Alice", "description": ""}, "Saved."),
        ("/keys", {"name": "Phone"}, "New stream key made."),
    )
    for path, form, notice in forms:
        assert (await alice.post(f"/studio/alice-tv{path}", form))[0] == 303
        _, text, _ = await alice.get("/studio/alice-tv")
        assert _notice(text) == notice
        _, text, _ = await alice.get("/studio/alice-tv/connect")
        assert _notice(text) is None
    key = re.search(r"/keys/(key_\w+|[\w-]+)/revoke", text)
    assert key is not None
    await alice.post(f"/studio/alice-tv/keys/{key[1]}/revoke")
    assert _notice((await alice.get("/studio/alice-tv"))[1]) == "Stream key revoked."
    await alice.post("/studio/channels", {"name": "Second", "slug": "second"})
    assert _notice((await alice.get("/studio/second"))[1]) == "Your channel is ready."
    await alice.post("/logout")
    assert _notice((await alice.get("/"))[1]) == "You are logged out."


async def test_a_notice_waits_for_a_page_and_says_only_what_we_wrote(
    site: Site, alice: Person
) -> None:
    await alice.post("/studio/alice-tv", {"title": "Oil"})
    _, text, _ = await alice.get("/nothing")
    assert _notice(text) is None
    assert _notice((await alice.get("/studio/alice-tv"))[1]) == "Saved."
    _, text, response = await site.person().get("/", headers={"Cookie": "notice=<b>Hello</b>"})
    assert _notice(text) is None
    assert "Hello" not in text
    assert "Set-Cookie" not in response.headers


async def test_theatre_mode_is_rendered(site: Site, alice: Person) -> None:
    path = "/@alice-tv"
    for cookie, is_on in (("theatre=1", True), ("theatre=0", False), ("theatre=x", False)):
        _, text, response = await site.person().get(path, headers={"Cookie": cookie})
        assert ("data-theatre" in text.partition(">")[2].partition("<head>")[0]) is is_on, cookie
        assert ('aria-label="Theatre mode" aria-pressed="true"' in text) is is_on, cookie
        assert response.headers["Vary"] == "Cookie"


async def test_offline_channels_tell_when_they_were_live(site: Site, alice: Person) -> None:
    visitor = site.person()
    assert "Not live yet" in (await visitor.get("/"))[1]
    assert "data-last-live hidden" in (await visitor.get("/@alice-tv"))[1]
    _, text, _ = await alice.get("/studio/alice-tv")
    await alice.post("/studio/alice-tv/keys", {"name": "Laptop"})
    key = re.search(r"live_[\w-]{27}", (await alice.get("/studio/alice-tv"))[1])
    assert key is not None
    assert site.media.gate is not None
    assert site.media.events is not None
    grant = await site.media.gate.authorise(PublishRequest("live", key[0], "127.0.0.1", "OBS"))
    now_ms = SystemClock().wall_ms()
    ids = ("brc_1", grant.channel_id, "alice-tv")
    for event in (
        BroadcastStarted(*ids, grant.stream_key_id, now_ms - 60 * HOUR_MS),
        BroadcastWentLive(*ids, now_ms - 60 * HOUR_MS),
        BroadcastEnded(*ids, now_ms - 50 * HOUR_MS, "OBS stopped.", True),
    ):
        site.media.events.publish(event)
    text = "Not live yet"
    async with asyncio.timeout(WRITTEN_S):
        while "Not live yet" in text:
            await asyncio.sleep(0.02)
            _, text, _ = await visitor.get("/")
    assert re.search(r"Live until <time data-at=\"\d+\">2 days ago</time>", text)
    _, text, _ = await visitor.get("/@alice-tv")
    assert re.search(r"Live until <time data-at=\"\d+\">2 days ago</time>", text)
    assert ">Offline</span>" in text


async def test_the_badge_tells_the_state(site: Site, alice: Person) -> None:
    site.media.broadcasts.statuses.append(FakeStatus("alice-tv"))
    for state, badge in (
        ("starting", "Starting"),
        ("live", "Live"),
        ("reconnecting", "Reconnecting"),
        ("ended", "Ended"),
    ):
        site.media.broadcasts.statuses[0].state = state
        _, text, _ = await site.person().get("/@alice-tv")
        which = "data-off-air" if state == "ended" else "data-on-air"
        line = re.search(rf'<p class="watch-\w+" {which}>(.*?)</p>', text, re.DOTALL)
        assert line is not None, state
        assert f">{badge}</span>" in line[1], state
        assert ("<time data-since" in line[1]) is (state != "ended")


async def test_a_viewer_cookie_on_channel_pages_only(site: Site, alice: Person) -> None:
    visitor = site.person()
    assert "viewer" not in (await visitor.get("/"))[2].cookies
    cookie = (await visitor.get("/@alice-tv"))[2].cookies["viewer"]
    assert re.fullmatch(r"[\w-]{20,}", cookie.value)
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert "viewer" not in (await visitor.get("/@alice-tv"))[2].cookies, "it has one"
    assert "viewer" not in (await alice.get("/studio/alice-tv"))[2].cookies


async def test_what_plays_is_preloaded_while_there_is_something(site: Site, alice: Person) -> None:
    link = '<link rel="preload" href="/live/alice-tv/index.m3u8" as="fetch" crossorigin>'
    assert link not in (await site.person().get("/@alice-tv"))[1]
    site.media.broadcasts.statuses.append(FakeStatus("alice-tv"))
    page = (await site.person().get("/@alice-tv"))[1]
    assert link not in page
    assert "hls.light" not in page, "instant playback begins without it"
    site.media.broadcasts.statuses[0].has_instant_room = False
    page = (await site.person().get("/@alice-tv"))[1]
    assert link in page
    assert "hls.light" in page
    site.media.broadcasts.statuses[0].state = "ended"
    assert link not in (await site.person().get("/@alice-tv"))[1]


async def test_static_files_and_the_favicon(site: Site, alice: Person) -> None:
    visitor = site.person()
    status, text, response = await visitor.get("/favicon.ico")
    assert (status, response.content_type) == (200, "image/svg+xml")
    assert text.startswith("<svg")
    _, page, _ = await visitor.get("/@alice-tv")
    urls = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', page))
    assert len(urls) > 10
    for url in urls:
        status, _, response = await visitor.get(url)
        assert (status, "immutable" in response.headers["Cache-Control"]) == (200, True), url
        plain = "/static/" + url.split("/", 3)[3]
        status, _, response = await visitor.get(plain)
        assert (status, response.headers["Cache-Control"]) == (200, "no-cache"), plain


async def test_no_page_allows_blob_workers(site: Site, alice: Person) -> None:
    for path in ("/", "/@alice-tv", "/studio/alice-tv", "/api/docs"):
        policy = (await alice.get(path))[2].headers["Content-Security-Policy"]
        assert "worker-src 'self';" in policy, path

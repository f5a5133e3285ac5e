"""Home, categories, a channel's tabs, its calendar file, the gate and the follow forms."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from mediaserver.channels.schedule_clock import ScheduleStarted
from mediaserver.kernel import limits
from mediaserver.kernel.clock import SystemClock
from tests.functional.platform_site import FakeStatus, Person, Site, running_site

HOUR_MS = 3_600_000
_TABS = ("/@alice-tv/schedule", "/@alice-tv/videos")
SCRIPT = "</title><script>alert(1)</script>"
ATTRIBUTE = '" onmouseover="alert(1)'


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


def _in(hours: float) -> int:
    at_ms = SystemClock().wall_ms() + int(hours * HOUR_MS)
    return at_ms - at_ms % 60_000


async def _schedule(person: Person, **changes: Any) -> dict[str, Any]:
    body = {"title": "Boats", "starts_at_ms": _in(20), **changes}
    status, made = await person.api("POST", "/channels/alice-tv/schedule", body)
    assert status == 201, made
    return dict(made)


async def test_a_schedule_over_the_api(site: Site, alice: Person, bob: Person) -> None:
    start_ms = _in(20)
    made = await _schedule(alice, starts_at_ms=start_ms, category="art", repeat="weekly")
    assert made == {
        "id": made["id"],
        "title": "Boats",
        "category": "Art",
        "category_slug": "art",
        "starts_at_ms": start_ms,
        "duration_min": 60,
        "repeat": "weekly",
        "time_zone": "UTC",
        "cancelled": [],
    }
    _, shown = await site.person().api("GET", "/channels/alice-tv/schedule")
    assert shown["entries"] == [made]
    starts = [one["starts_at_ms"] for one in shown["occurrences"]]
    assert starts == [start_ms + n * limits.WEEK_MS for n in range(4)]
    _, upcoming = await site.person().api("GET", "/schedule")
    (one,) = upcoming["upcoming"]
    assert (one["channel"], one["channel_name"], one["title"]) == ("alice-tv", "Alice", "Boats")

    entry = f"/channels/alice-tv/schedule/{made['id']}"
    second = f"{entry}/times/{start_ms + limits.WEEK_MS}"
    _, changed = await alice.api("PUT", second, {"is_cancelled": True})
    assert changed["cancelled"] == [start_ms + limits.WEEK_MS]
    _, changed = await alice.api("PUT", second, {"is_cancelled": False})
    assert changed["cancelled"] == []
    _, changed = await alice.api("PATCH", entry, {"title": "Rain", "time_zone": "Asia/Dhaka"})
    assert (changed["title"], changed["time_zone"]) == ("Rain", "Asia/Dhaka")

    writes: list[tuple[str, str, Any]] = [
        ("POST", "/channels/alice-tv/schedule", {"title": "x", "starts_at_ms": start_ms}),
        ("PATCH", entry, {"title": "x"}),
        ("PUT", second, {"is_cancelled": True}),
        ("DELETE", entry, None),
    ]
    for method, path, body in writes:
        assert (await bob.api(method, path, body))[0] == 403, path
        assert (await site.person().api(method, path, body))[0] == 401, path
    for path in ("/times/0", "/times/-1", "/times/x", "/times/" + "9" * 400, "/times/%D9%A1"):
        assert (await alice.api("PUT", entry + path, {"is_cancelled": True}))[0] == 404, path
    assert (await alice.api("DELETE", entry))[0] == 204
    assert (await alice.api("DELETE", entry))[0] == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"starts_at_ms": 1_000}, "starts_at_ms"),
        ({"starts_at_ms": 2**60}, "starts_at_ms"),
        ({"starts_at_ms": "tomorrow"}, "starts_at_ms"),
        ({"starts_at_ms": 1.5}, "starts_at_ms"),
        ({"duration_min": 0}, "duration_min"),
        ({"duration_min": 10_000}, "duration_min"),
        ({"repeat": "yearly"}, "repeat"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"title": " "}, "title"),
        ({"title": "x" * 141}, "title"),
        ({"title": "a\u0000b"}, "title"),
        ({"title": "a\r\nBEGIN:VEVENT"}, "title"),
        ({"category": "nothing"}, "category"),
        ({"channel_id": "chn_x"}, "channel_id"),
    ],
)
async def test_wrong_schedules(site: Site, alice: Person, changes: Any, field: str) -> None:
    body = {"title": "Boats", "starts_at_ms": _in(20), **changes}
    status, answer = await alice.api("POST", "/channels/alice-tv/schedule", body)
    assert (status, answer["error"]["field"]) == (422, field)
    assert (await alice.api("GET", "/channels/alice-tv/schedule"))[1]["entries"] == []


async def test_the_calendar_file(site: Site, alice: Person) -> None:
    await alice.api("PATCH", "/channels/alice-tv", {"name": "Alice; , \\ END:VEVENT"})
    made = await _schedule(alice, repeat="weekly", time_zone="Europe/Berlin", title=SCRIPT)
    visitor = site.person()
    status, text, response = await visitor.get("/@alice-tv/schedule.ics")
    assert (status, response.content_type, response.charset) == (200, "text/calendar", "utf-8")
    (event,) = Calendar.from_ical(text).walk("VEVENT")
    assert event["UID"] == f"{made['id']}@mediaserver"
    assert event["SUMMARY"] == f"Alice; , \\ END:VEVENT: {SCRIPT}"
    assert event["URL"] == f"{str(site.base).rstrip('/')}/@alice-tv"
    assert event["RRULE"]["FREQ"] == ["WEEKLY"]
    etag = response.headers["ETag"]
    status, _, _ = await visitor.get("/@alice-tv/schedule.ics", headers={"If-None-Match": etag})
    assert status == 304
    await alice.api("PATCH", f"/channels/alice-tv/schedule/{made['id']}", {"title": "Rain"})
    status, text, _ = await visitor.get("/@alice-tv/schedule.ics", headers={"If-None-Match": etag})
    assert status == 200
    (event,) = Calendar.from_ical(text).walk("VEVENT")
    assert (event["UID"], event["SEQUENCE"]) == (f"{made['id']}@mediaserver", 1)
    assert (await visitor.get("/@nothing/schedule.ics"))[0] == 404


async def test_the_schedule_page(site: Site, alice: Person) -> None:
    visitor = site.person()
    _, text, _ = await visitor.get("/@alice-tv/schedule")
    assert "Nothing is scheduled" in text
    assert "Tell people when you stream" in (await alice.get("/@alice-tv/schedule"))[1]
    made = await _schedule(alice, repeat="weekly", category="art")
    later = made["starts_at_ms"] + limits.WEEK_MS
    await alice.api(
        "PUT",
        f"/channels/alice-tv/schedule/{made['id']}/times/{later}",
        {"is_cancelled": True},
    )
    _, text, _ = await visitor.get("/@alice-tv/schedule")
    assert text.count("<h2>Boats</h2>") == 4
    assert text.count(">Cancelled</span>") == 1
    assert re.search(r'href="webcal://127\.0\.0\.1:\d+/@alice-tv/schedule\.ics"', text)
    start = r'<time data-moment="\d+" datetime="[\dT:Z-]+">\w+ \d+ \w+, [\d:]+</time>'
    end = r'<time data-moment="\d+" data-look="time" datetime="[\dT:Z-]+">[\d:]+ UTC</time>'
    assert re.search(f"{start}&nbsp;– {end}", text)
    assert 'aria-current="page">Schedule</a>' in text
    _, text, _ = await visitor.get("/@alice-tv/videos")
    assert "No videos yet" in text
    assert 'aria-current="page">Videos</a>' in text


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/@alice-tv/", "/@alice-tv"),
        ("/@Alice-TV", "/@alice-tv"),
        ("/@Alice-TV/", "/@alice-tv"),
        ("/@ALICE-tv/schedule", "/@alice-tv/schedule"),
        ("/@ALICE-tv/schedule.ics", "/@alice-tv/schedule.ics"),
        ("/@ALICE-tv/videos", "/@alice-tv/videos"),
        ("/category/ART", "/category/art"),
    ],
)
async def test_other_spellings_lead_to_the_page(
    site: Site, alice: Person, path: str, location: str
) -> None:
    status, _, response = await site.person().get(path)
    assert (status, response.headers["Location"]) == (303, location)


@pytest.mark.parametrize(
    "path",
    [
        "/@nothing/",
        "/@nothing/schedule",
        "/@nothing/videos",
        "/@alice-tv/nothing",
        "/@%00/schedule",
        "/category/nothing",
        "/category/%00",
        "/category/" + "x" * 3000,
        "/category/..%2F..%2Fetc",
    ],
)
async def test_what_is_not_there(site: Site, alice: Person, path: str) -> None:
    assert (await site.person().get(path))[0] == 404


async def test_home_and_categories(site: Site, alice: Person) -> None:
    visitor = site.person()
    await alice.make_channel("quiet", name="Quiet")
    await alice.api("PATCH", "/channels/quiet", {"category": "art"})
    await _schedule(alice, title="Rain", category="art")
    _, text, _ = await visitor.get("/")
    assert "Up next" in text
    assert '<h2 id="next-title">Rain</h2>' in text
    await alice.api("PATCH", "/channels/alice-tv", {"category": "art", "tags": ["ink"]})
    site.media.broadcasts.statuses.append(FakeStatus("alice-tv"))
    _, text, _ = await visitor.get("/")
    assert "Coming up" in text
    assert "<strong>Rain</strong>" in text
    assert '<small class="is-live">1 live</small>' in text
    assert '<span class="tag">ink</span>' in text
    _, text, _ = await visitor.get("/category/art")
    assert "1 live stream" in text
    assert 'data-slug="alice-tv"' in text
    assert ">Quiet</strong>" in text
    assert "<strong>Rain</strong>" in text
    _, text, _ = await visitor.get("/category/music")
    assert "Nobody is live here right now" in text
    assert "alice-tv" not in text
    _, text, _ = await visitor.get("/category")
    assert text.count('href="/category/') == 20


async def test_hostile_text_stays_text(site: Site, alice: Person) -> None:
    for evil in (SCRIPT, ATTRIBUTE, "{{ 7*7 }}", "javascript:alert(1)", "&lt;b&gt;"):
        about = {
            "name": evil[:60],
            "title": evil,
            "description": evil,
            "tags": [evil[:25]],
            "category": "art",
            "not_general": True,
            "not_general_reason": evil,
        }
        status, _ = await alice.api("PATCH", "/channels/alice-tv", about)
        assert status == 200
        made = await _schedule(alice, title=evil, category="art")
        site.media.broadcasts.statuses[:] = [FakeStatus("alice-tv")]
        for path in (
            "/",
            "/category/art",
            "/@alice-tv",
            "/@alice-tv/schedule",
            "/@alice-tv/videos",
        ):
            for who in (site.person(), alice):
                _, text, _ = await who.get(path)
                assert "<script>alert" not in text, path
                text = re.sub(r"<script [^>]*json[^>]*>[^<]*</script>", "", text)  # data
                assert '" onmouseover=' not in text, path
                assert ">49<" not in text, path
                assert 'href="javascript:' not in text, path
        await alice.api("DELETE", f"/channels/alice-tv/schedule/{made['id']}")


@pytest.mark.parametrize(
    ("flags", "kind", "says"),
    [
        ({"age_restricted": True}, "age", "adults"),
        (
            {"not_general": True, "not_general_reason": "Talks of war"},
            "not_general",
            "Talks of war",
        ),
        (
            {"age_restricted": True, "not_general": True, "not_general_reason": "Talks of war"},
            "age-not_general",
            "Reason: Talks of war",
        ),
    ],
)
async def test_the_gate(
    site: Site, alice: Person, bob: Person, flags: Any, kind: str, says: str
) -> None:
    await alice.api("PATCH", "/channels/alice-tv", flags)
    site.media.broadcasts.statuses.append(FakeStatus("alice-tv"))
    for person in (bob, site.person()):
        _, text, _ = await person.get("/@alice-tv")
        assert 'action="/@alice-tv/gate"' in text
        assert says in text
        assert ("people of 18 and older" in text) == kind.startswith("age")
        assert "<mediaserver-player" not in text
        assert 'rel="preload"' not in text
        status, _, response = await person.post("/@alice-tv/gate")
        assert (status, response.headers["Location"]) == (303, "/@alice-tv")
        cookie = response.cookies["gate"]
        assert cookie.value.startswith(f"{kind}.")
        assert (cookie["path"], cookie["httponly"]) == ("/@alice-tv", True)
        assert response.cookies["gate_live"]["path"] == "/live/alice-tv"
        _, text, _ = await person.get("/@alice-tv")
        assert 'action="/@alice-tv/gate"' not in text
        assert "/live/alice-tv/index.m3u8" in text
    assert 'action="/@alice-tv/gate"' not in (await alice.get("/@alice-tv"))[1], "her own"


async def test_a_gate_asks_again_for_something_new(site: Site, alice: Person, bob: Person) -> None:
    await alice.api(
        "PATCH", "/channels/alice-tv", {"not_general": True, "not_general_reason": "War"}
    )
    await alice.make_channel("second", name="Second")
    await alice.api("PATCH", "/channels/second", {"age_restricted": True})
    await bob.post("/@alice-tv/gate")
    assert "/gate" not in (await bob.get("/@alice-tv"))[1]
    assert "/gate" in (await bob.get("/@second"))[1], "another channel"
    await alice.api("PATCH", "/channels/alice-tv", {"age_restricted": True})
    assert "/gate" in (await bob.get("/@alice-tv"))[1]
    for cookie in ("gate=", "gate=x.y", "gate=" + "age" * 1000, 'gate="age'):
        headers = {"Cookie": cookie}
        assert "/gate" in (await site.person().get("/@alice-tv", headers=headers))[1], cookie


async def test_a_framed_player_has_a_gate_of_its_own(site: Site, alice: Person) -> None:
    """Without cookies, which a frame in another site's page doesn't get."""
    site.media.broadcasts.statuses.append(FakeStatus("alice-tv", dvr_window_s=60))
    visitor = site.person()
    assert "/live/alice-tv/index.m3u8" in (await visitor.get("/embed/alice-tv"))[1]
    await alice.api("PATCH", "/channels/alice-tv", {"age_restricted": True})
    _, text, _ = await visitor.get("/embed/alice-tv")
    assert "/live/alice-tv/index.m3u8" not in text
    assert 'name="next" value="/embed/alice-tv"' in text
    _, _, response = await visitor.post("/@alice-tv/gate", {"next": "/embed/alice-tv"})
    visitor.http.cookie_jar.clear()
    _, text, _ = await visitor.get(response.headers["Location"])
    query = response.headers["Location"].partition("?")[2]
    for path in ("index.m3u8", "instant", "secret-session/dvr.m3u8"):
        assert f"/live/alice-tv/{path}?{query}" in text
    assert f'data-url="/api/v1/channels/alice-tv/live?{query}"' in text
    _, live = await visitor.api("GET", f"/channels/alice-tv/live?{query}")
    assert live["playlist_url"] == f"/live/alice-tv/index.m3u8?{query}"
    assert (
        "?" not in (await visitor.api("GET", "/channels/alice-tv/live?gate=x"))[1]["playlist_url"]
    )
    assert "/gate" in (await visitor.get(f"/embed/alice-tv?{query}x"))[1]


async def test_the_gate_sends_nobody_away(site: Site, alice: Person) -> None:
    visitor = site.person()
    for target in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        _, _, response = await visitor.post("/@alice-tv/gate", {"next": target})
        assert response.headers["Location"] == "/@alice-tv"
    _, _, response = await visitor.post("/@alice-tv/gate", {"next": "/@alice-tv/embed"})
    assert response.headers["Location"] == "/@alice-tv/embed"
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert (await visitor.post("/@alice-tv/gate", headers=foreign))[0] == 403
    assert (await visitor.post("/@nothing/gate"))[0] == 404


async def test_cards_of_restricted_streams_are_veiled(site: Site, alice: Person) -> None:
    site.media.broadcasts.statuses.append(FakeStatus("alice-tv"))
    assert "data-veiled" not in (await site.person().get("/"))[1]
    await alice.api(
        "PATCH", "/channels/alice-tv", {"age_restricted": True, "brand_promotion": True}
    )
    _, text, _ = await site.person().get("/")
    assert "data-veiled" in text
    assert "18+ · Promotion" in text
    assert "thumbnail.jpg" not in text


async def test_following_by_form(site: Site, alice: Person, bob: Person) -> None:
    visitor = site.person()
    assert (await visitor.post("/@alice-tv/follow"))[0] == 401
    assert "/login?next=" in (await visitor.get("/@alice-tv/schedule"))[1]
    status, _, response = await bob.post("/@alice-tv/follow", {"next": "/@alice-tv/schedule"})
    assert (status, response.headers["Location"]) == (303, "/@alice-tv/schedule")
    _, text, _ = await bob.get("/@alice-tv/schedule")
    assert "You follow this channel." in text
    assert 'action="/@alice-tv/unfollow"' in text
    assert '<span class="number">1</span> follower<' in text
    _, _, response = await bob.post("/@alice-tv/unfollow", {"next": "//evil.example"})
    assert response.headers["Location"] == "/@alice-tv"
    assert 'action="/@alice-tv/follow"' in (await bob.get("/@alice-tv/schedule"))[1]
    assert (await alice.post("/@alice-tv/follow"))[0] == 409
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert (await bob.post("/@alice-tv/follow", headers=foreign))[0] == 403


async def test_the_site_says_when_a_time_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of the running site is the machine's, so the entry is moved instead."""
    monkeypatch.setattr(limits, "SCHEDULE_CHECK_S", 0.02)
    async with running_site(tmp_path) as site:
        alice = await site.member("alice")
        await alice.make_channel("alice-tv")
        said: asyncio.Queue[ScheduleStarted] = asyncio.Queue()
        assert site.media.events is not None
        site.media.events.subscribe(ScheduleStarted, said.put_nowait)
        monkeypatch.setattr(SystemClock, "wall_ms", lambda self: _PAST_MS)
        made = await _schedule(alice, starts_at_ms=_PAST_MS + 60_000)
        monkeypatch.setattr(SystemClock, "wall_ms", lambda self: _PAST_MS + 61_000)
        one = await asyncio.wait_for(said.get(), 10)
        assert (one.entry_id, one.channel_slug, one.title) == (made["id"], "alice-tv", "Boats")
        assert said.empty()


_PAST_MS = SystemClock().wall_ms() // 60_000 * 60_000

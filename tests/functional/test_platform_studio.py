"""The studio's forms against the real server: what a streamer sets, and who may not."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from mediaserver.kernel.clock import SystemClock
from tests.functional.platform_site import FakeStatus, Person, Site, running_site
from tests.pictures import png, png_bomb

SECTIONS = ("", "/chat", "/health", "/schedule", "/overlays", "/connect", "/settings")


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


@pytest.fixture
async def bob(site: Site) -> Person:
    person = site.person()
    await person.register("bob")
    return person


STREAM = {
    "title": "Boats <script>",
    "category": "art",
    "tags": "watercolour, #boats, Boats",
    "brand_promotion": "1",
    "not_general": "1",
    "not_general_reason": "Surgery",
}


def _checked(text: str, name: str) -> bool:
    found = re.search(rf'<input type="checkbox" name="{name}" value="1"( checked)?', text)
    assert found is not None, name
    return found[1] is not None


async def test_every_page_of_an_own_channel(site: Site, alice: Person, bob: Person) -> None:
    for section in SECTIONS:
        path = f"/studio/alice-tv{section}"
        status, text, response = await alice.get(path)
        assert status == 200, path
        assert text.count('aria-current="page"') == 1, path
        assert response.headers["Cache-Control"] == "no-store"
        assert (await bob.get(path))[0] == 403, path
        status, _, response = await site.person().get(path)
        assert (status, response.headers["Location"]) == (303, f"/login?next={path}")
        assert (await alice.get(f"/studio/nothing{section}"))[0] == 404


async def test_what_the_stream_is_about(site: Site, alice: Person) -> None:
    assert (await alice.post("/studio/alice-tv", STREAM))[0] == 303
    _, text, _ = await alice.get("/studio/alice-tv")
    assert 'value="Boats &lt;script&gt;"' in text
    assert '<option value="art" selected>' in text
    assert 'value="watercolour, boats"' in text
    assert [_checked(text, name) for name in ("brand_promotion", "recorded_content")] == [1, 0]
    assert 'value="Surgery"' in text
    assert 'data-check="title" class="done"' in text
    assert 'data-check="encoder" class="done"' not in text

    assert (await alice.post("/studio/alice-tv", {"title": "Boats"}))[0] == 303
    _, text, _ = await alice.get("/studio/alice-tv")
    assert not _checked(text, "brand_promotion"), "what isn't ticked is off"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": "x" * 141}, "title"),
        ({"category": "nothing"}, "category"),
        ({"tags": ",".join(map(str, range(11)))}, "tags"),
        ({"not_general_reason": " "}, "not_general_reason"),
    ],
)
async def test_a_wrong_stream_comes_back_as_it_was_given(
    alice: Person, change: dict[str, str], field: str
) -> None:
    status, text, _ = await alice.post("/studio/alice-tv", STREAM | change)
    assert status == 422
    assert f'id="error-{field}"' in text
    assert _checked(text, "brand_promotion")
    assert not _checked(text, "age_restricted")
    _, text, _ = await alice.get("/studio/alice-tv")
    assert "Boats" not in text, "nothing was kept"


async def test_start_and_end(site: Site, alice: Person, bob: Person) -> None:
    for verb in ("start", "end"):
        assert (await alice.post(f"/studio/alice-tv/{verb}"))[0] == 303
        assert (await bob.post(f"/studio/alice-tv/{verb}"))[0] == 403
    assert "There was no stream to end." in (await alice.get("/studio/alice-tv"))[1]
    status = FakeStatus("alice-tv", state="held", is_public=False)
    site.media.broadcasts.statuses.append(status)
    _, text, _ = await alice.get("/studio/alice-tv")
    assert re.search(r'action="/studio/alice-tv/start" method="post" data-show="held">', text)
    assert (await alice.post("/studio/alice-tv/start"))[0] == 303
    assert "You are going live." in (await alice.get("/studio/alice-tv"))[1]
    assert (await alice.post("/studio/alice-tv/end"))[0] == 303
    assert [slug for slug, _ in site.media.broadcasts.stopped] == ["alice-tv", "alice-tv"]


async def test_starting_by_hand_is_a_setting(alice: Person) -> None:
    path = "/studio/alice-tv/settings"
    assert _checked((await alice.get(path))[1], "starts_automatically")
    assert (await alice.post(f"{path}/start", {}))[0] == 303
    assert not _checked((await alice.get(path))[1], "starts_automatically")
    await alice.post(f"{path}/start", {"starts_automatically": "1"})
    assert _checked((await alice.get(path))[1], "starts_automatically")


async def _upload(person: Person, picture: bytes) -> tuple[int, str]:
    form = aiohttp.FormData()
    form.add_field("picture", io.BytesIO(picture), filename="a.png", content_type="image/png")
    status, text, _ = await person.request(
        "POST",
        "/studio/alice-tv/settings/back-soon",
        data=form,
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    return status, text


async def test_back_soon_picture(site: Site, alice: Person, bob: Person) -> None:
    path = "/studio/alice-tv/settings"
    assert (await _upload(alice, png(320, 180)))[0] == 303
    picture = re.search(r'src="(/back-soon/\w+\.webp)"', (await alice.get(path))[1])
    assert picture is not None
    async with site.person().http.get(site.base.join(URL(picture[1]))) as response:
        assert (response.status, response.content_type) == (200, "image/webp")
    assert (await _upload(bob, png(8, 8)))[0] == 403
    for wrong in (b"", b"<svg/>", png_bomb()):
        status, text = await _upload(alice, wrong)
        assert status == 422
        assert 'id="error-picture"' in text
    assert (await bob.post(f"{path}/back-soon/remove"))[0] == 403
    assert (await alice.post(f"{path}/back-soon/remove"))[0] == 303
    assert "/back-soon/" not in re.sub("/settings/back-soon", "", (await alice.get(path))[1])
    assert (await alice.post(f"{path}/back-soon/remove"))[0] == 404


def _entry(days: int = 1, **changes: str) -> dict[str, str]:
    at = datetime.fromtimestamp(SystemClock().wall_ms() / 1000, UTC) + timedelta(days=days)
    starts = at.strftime("%Y-%m-%dT19:30")
    given = {"title": "Boats", "starts": starts, "duration_min": "90", "category": "art"}
    return given | {"time_zone": "Europe/Berlin", "repeat": "none"} | changes


async def test_a_schedule(alice: Person, bob: Person) -> None:
    path = "/studio/alice-tv/schedule"
    assert "Nothing announced" in (await alice.get(path))[1]
    assert (await bob.post(path, _entry()))[0] == 403
    assert (await alice.post(path, _entry(2, title="Ink & <b>", repeat="weekly")))[0] == 303
    _, text, _ = await alice.get(path)
    assert "Your stream is announced." in text
    assert "Ink &amp; &lt;b&gt;" in text
    assert '<option value="Europe/Berlin" selected>' in text, "the zone is kept for the next"
    entry = re.search(r"/schedule/(sch_\w+)/cancel", text)
    assert entry is not None
    times = re.findall(r'name="starts_at_ms" value="(\d+)"', text)
    assert len(times) == 3

    skip = {"starts_at_ms": times[0], "is_cancelled": "1"}
    assert (await bob.post(f"{path}/{entry[1]}/skip", skip))[0] == 403
    assert (await alice.post(f"{path}/{entry[1]}/skip", skip))[0] == 303
    assert "Bring back" in (await alice.get(path))[1]
    assert (await alice.post(f"{path}/{entry[1]}/skip", skip | {"is_cancelled": "0"}))[0] == 303
    assert "Bring back" not in (await alice.get(path))[1]

    _, text, _ = await alice.get(f"{path}/{entry[1]}")
    assert 'type="datetime-local" value="' in text
    assert "T19:30" in text, "in the entry's own zone"
    status, _, _ = await alice.post(f"{path}/{entry[1]}", _entry(3, title="Oil"))
    assert status == 303
    _, text, _ = await alice.get(path)
    assert "<strong>Oil</strong>" in text
    assert "/skip" not in text, "no longer weekly"

    assert (await alice.get(f"{path}/sch_nothing"))[0] == 404
    assert (await bob.get(f"{path}/{entry[1]}"))[0] == 403
    assert (await bob.post(f"{path}/{entry[1]}/cancel"))[0] == 403
    assert (await alice.post(f"{path}/{entry[1]}/cancel"))[0] == 303
    assert "Nothing announced" in (await alice.get(path))[1]
    assert (await alice.post(f"{path}/{entry[1]}/cancel"))[0] == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": " "}, "title"),
        ({"starts": "2020-01-01T10:00"}, "starts"),
        ({"starts": "tomorrow"}, "starts"),
        ({"starts": ""}, "starts"),
        ({"starts": "2026-11-20T10:00" * 9}, "starts"),
        ({"duration_min": "3"}, "duration_min"),
        ({"duration_min": "-5"}, "duration_min"),
        ({"duration_min": "9" * 400}, "duration_min"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"repeat": "hourly"}, "repeat"),
        ({"category": "nothing"}, "category"),
    ],
)
async def test_a_wrong_entry_comes_back(alice: Person, change: dict[str, str], field: str) -> None:
    status, text, _ = await alice.post("/studio/alice-tv/schedule", _entry() | change)
    assert status == 422
    assert f'id="error-{field}"' in text
    assert "Nothing announced" in text


async def test_overlay_docks_and_embed(site: Site, alice: Person, bob: Person) -> None:
    path = "/studio/alice-tv/overlays"
    _, text, _ = await alice.get(path)
    overlay = re.search(r"/overlay/(ovl_[\w-]+)/chat", text)
    assert overlay is not None
    assert overlay[1] in (await alice.get(path))[1], "the same until a new one is wanted"
    assert "&lt;iframe src=&#34;" in text
    assert (await alice.post(f"{path}/regenerate"))[0] == 303
    _, text, _ = await alice.get(path)
    assert overlay[1] not in text
    assert "The overlay has a new address." in text

    docks = "/studio/alice-tv/docks"
    assert (await alice.post(docks, {"name": "Attic"}))[0] == 303
    _, text, _ = await alice.get(path)
    dock = re.search(r"/dock/dock_[\w-]{27}", text)
    assert dock is not None
    assert "Attic" in text
    _, text, _ = await alice.get(path)
    assert dock[0] not in text, "shown a second time"
    revoke = re.search(r'action="(/studio/alice-tv/docks/\w+/revoke)"', text)
    assert revoke is not None
    for action in (f"{path}/regenerate", docks, revoke[1]):
        assert (await bob.post(action, {"name": "x"}))[0] == 403
    assert (await alice.post(revoke[1]))[0] == 303
    assert "Attic" not in (await alice.get(path))[1]
    status, text, _ = await alice.post(docks, {"name": "x" * 200})
    assert status == 422
    assert 'id="error-dock"' in text

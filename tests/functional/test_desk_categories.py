"""Categories and emotes of the site at the admin desk."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from mediaserver.channels.category_changes import ICONS
from mediaserver.kernel import limits
from tests.functional.desk import make_admin
from tests.functional.platform_site import Person, Site, running_site
from tests.pictures import png

SPRITE = Path(__file__).parents[2] / "web" / "static" / "vendor" / "icons.svg"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


@pytest.fixture
async def boss(site: Site) -> Person:
    return await make_admin(site)


async def _slugs(person: Person) -> list[str]:
    _, answer = await person.api("GET", "/categories")
    return [one["slug"] for one in answer["categories"]]


def test_every_picture_is_in_the_sprite() -> None:
    drawn = set(re.findall(r'id="([\w-]+)"', SPRITE.read_text()))
    assert set(ICONS) <= drawn


async def test_a_new_category_can_be_chosen(site: Site, boss: Person) -> None:
    mira = await site.streamer("mira")
    status, _, _ = await boss.post("/admin/categories", {"name": "Crème & boats", "icon": "leaf"})
    assert status == 303
    assert (await _slugs(boss))[-1] == "creme-boats"
    status, answer = await mira.api("PATCH", "/channels/mira", {"category": "creme-boats"})
    assert (status, answer["category"]) == (200, "Crème & boats")
    for form, sentence in (
        ({"name": "creme boats", "icon": "leaf"}, "There is a category with that name."),
        ({"name": " ", "icon": "leaf"}, "This can&#39;t be empty."),
        ({"name": "船", "icon": "leaf"}, "at least one letter from a to z"),
        ({"name": "x" * 41, "icon": "leaf"}, "Use at most 40 characters."),
        ({"name": "Ships", "icon": "no-such"}, "Choose one of the list."),
    ):
        status, text, _ = await boss.post("/admin/categories", form)
        assert status in (409, 422), form
        assert sentence in text, form


async def test_renaming_keeps_the_address(boss: Person) -> None:
    status, _, _ = await boss.post("/admin/categories/art", {"name": "Fine art", "icon": "star"})
    assert status == 303
    _, answer = await boss.api("GET", "/categories/art")
    assert (answer["name"], answer["icon"]) == ("Fine art", "star")
    status, _, _ = await boss.post("/admin/categories/nothing", {"name": "X"})
    assert status == 404


async def test_order(boss: Person) -> None:
    before = await _slugs(boss)
    await boss.post(f"/admin/categories/{before[1]}/move", {"to": "up"})
    assert await _slugs(boss) == [before[1], before[0], *before[2:]]
    await boss.post(f"/admin/categories/{before[1]}/move", {"to": "up"})
    await boss.post(f"/admin/categories/{before[1]}/move", {"to": "sideways"})
    assert (await _slugs(boss))[0] == before[1]
    await boss.api("PATCH", f"/admin/categories/{before[1]}", {"move": 200})
    assert (await _slugs(boss))[-1] == before[1]


async def test_a_hidden_one_is_offered_to_nobody(site: Site, boss: Person) -> None:
    mira = await site.streamer("mira")
    await mira.api("PATCH", "/channels/mira", {"category": "art"})
    status, _, _ = await boss.post("/admin/categories/art/hide")
    assert status == 303
    assert "art" not in await _slugs(boss)
    noah = await site.streamer("noah")
    status, _ = await noah.api("PATCH", "/channels/noah", {"category": "art"})
    assert status == 422
    changed = {"category": "art", "title": "Still painting"}
    status, answer = await mira.api("PATCH", "/channels/mira", changed)
    assert (status, answer["category"]) == (200, "Art"), "what is in it stays"
    assert (await mira.get("/category/art"))[0] == 200
    _, text, _ = await boss.get("/admin/categories")
    assert "Hidden" in text
    await boss.post("/admin/categories/art/show")
    assert "art" in await _slugs(boss)


async def test_two_become_one(site: Site, boss: Person) -> None:
    mira = await site.streamer("mira")
    await mira.api("PATCH", "/channels/mira", {"category": "art"})
    status, text, _ = await boss.post("/admin/categories/art/merge", {"into": "art"})
    assert status == 422
    assert "Choose another category." in text
    status, answer = await boss.api("POST", "/admin/categories/art/merge", {"into": "crafts"})
    assert (status, answer["slug"]) == (200, "crafts")
    _, answer = await mira.api("GET", "/channels/mira")
    assert answer["category"] == "Crafts"
    assert (await mira.get("/category/art"))[0] == 404
    _, answer = await boss.api("GET", "/admin/audit", params={"action": "category."})
    assert answer["entries"][0]["details"] == {"into": "crafts"}


async def test_emotes_of_the_site(
    site: Site, boss: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    mira = await site.streamer("mira")
    _, text, _ = await boss.get("/admin/emotes")
    assert "No emotes yet" in text
    for code, picture, wanted in (("wave", png(64, 64), 303), ("x", png(8, 8), 422)):
        form = aiohttp.FormData()
        form.add_field("code", code)
        form.add_field("picture", picture, filename="a.png", content_type="image/png")
        status, text, _ = await boss.request(
            "POST", "/admin/emotes", data=form, headers={"Sec-Fetch-Site": "same-origin"}
        )
        assert status == wanted, text
    _, answer = await mira.api("GET", "/channels/mira/emotes")
    assert [one["code"] for one in answer["emotes"]] == ["wave"]
    with monkeypatch.context() as patched:
        patched.setattr(limits, "CONFIRMED_MS", 0)
        status, _, response = await boss.post("/admin/emotes/remove", {"code": "wave"})
        assert (status, response.headers["Location"]) == (303, "/confirm?next=/admin/emotes")
        status, answer = await boss.api("DELETE", "/emotes/wave")
        assert (status, answer["error"]["code"]) == (403, "confirm")
    status, _, _ = await boss.post("/admin/emotes/remove", {"code": "wave"})
    assert status == 303
    status, text, _ = await boss.post("/admin/emotes/remove", {"code": "wave"})
    assert status == 422
    _, answer = await boss.api("GET", "/admin/audit", params={"action": "emote."})
    assert [one["action"] for one in answer["entries"]] == ["emote.remove", "emote.put"]
    assert {one["address"] for one in answer["entries"]} == {"127.0.0.1"}

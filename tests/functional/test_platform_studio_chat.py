"""The studio's page for the chat: rules, words, people, emotes, against the real server."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from tests.functional.platform_site import Person, Site, running_site
from tests.pictures import png

CHAT = "/studio/alice-tv/chat"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


async def _person(site: Site, name: str) -> Person:
    person = site.person()
    await person.register(name)
    return person


@pytest.fixture
async def alice(site: Site) -> Person:
    person = await _person(site, "alice")
    await person.accept_policies()
    await person.post("/studio/channels", {"name": "Alice", "slug": "alice-tv"})
    await person.get("/studio/alice-tv")
    return person


@pytest.fixture
async def bob(site: Site, alice: Person) -> Person:
    """A moderator of alice's channel."""
    person = await _person(site, "bob")
    assert (await alice.post(f"{CHAT}/moderators", {"username": "bob"}))[0] == 303
    return person


@pytest.fixture
async def carol(site: Site) -> Person:
    return await _person(site, "carol")


async def test_rules(site: Site, alice: Person) -> None:
    rules = {"slow_s": "10", "followers_min": "0", "account_age_min": "60"}
    status, _, _ = await alice.post(f"{CHAT}/rules", rules | {"unique": "1", "no_links": "1"})
    assert status == 303
    _, kept = await alice.api("GET", "/channels/alice-tv/chat/rules")
    assert kept == {
        "slow_s": 10,
        "followers_min": 0,
        "account_age_min": 60,
        "emote_only": False,
        "unique": True,
        "links": "moderators",
        "lockdown": False,
    }
    _, text, _ = await alice.get(CHAT)
    assert '<option value="10" selected>10 seconds</option>' in text
    assert '<option value="0" selected>Any follower</option>' in text
    assert '<option value="60" selected>1 hour</option>' in text

    assert (await alice.post(f"{CHAT}/lock"))[0] == 303
    assert "The chat is locked." in (await alice.get(CHAT))[1]
    assert (await alice.post(f"{CHAT}/rules", {}))[0] == 303
    _, kept = await alice.api("GET", "/channels/alice-tv/chat/rules")
    assert (kept["slow_s"], kept["followers_min"], kept["lockdown"]) == (0, None, True)
    assert (await alice.post(f"{CHAT}/unlock"))[0] == 303
    for wrong in ({"slow_s": "-1"}, {"slow_s": "99999"}, {"followers_min": "x" * 500}):
        status, text, _ = await alice.post(f"{CHAT}/rules", wrong)
        assert status == 422
        assert f'id="error-{next(iter(wrong))}"' in text


async def test_words(alice: Person) -> None:
    word = "<b>casino</b>"
    assert (await alice.post(f"{CHAT}/words", {"word": word}))[0] == 303
    _, text, _ = await alice.get(CHAT)
    assert 'value="&lt;b&gt;casino&lt;/b&gt;"' in text
    for wrong in ("", "!!!", "x" * 200):
        status, text, _ = await alice.post(f"{CHAT}/words", {"word": wrong})
        assert status == 422
        assert 'id="error-word"' in text
    assert (await alice.post(f"{CHAT}/words/remove", {"word": word}))[0] == 303
    assert "casino" not in (await alice.get(CHAT))[1].partition('id="log"')[0]
    assert (await alice.post(f"{CHAT}/words/remove", {"word": word}))[0] == 404


async def test_people(site: Site, alice: Person, bob: Person, carol: Person) -> None:
    given = {"username": "carol", "seconds": "600", "reason": "Shouting"}
    assert (await bob.post(f"{CHAT}/restrictions", given))[0] == 303
    _, text, _ = await alice.get(CHAT)
    assert re.search(r"<strong>carol</strong>.*Timed out.*by bob: Shouting", text, re.DOTALL)
    assert (await bob.post(f"{CHAT}/restrictions", given | {"seconds": ""}))[0] == 303
    assert ">Banned</span>" in (await alice.get(CHAT))[1]
    assert (await bob.post(f"{CHAT}/restrictions/lift", {"username": "carol"}))[0] == 303
    assert "All clear" in (await alice.get(CHAT))[1]
    for name, status in (("nobody", 404), ("alice", 403), ("bob", 403)):
        answered, text, _ = await bob.post(f"{CHAT}/restrictions", given | {"username": name})
        assert answered == status, name
        assert 'id="error-restricted"' in text, name
    _, log, _ = await alice.get(CHAT)
    log = log.partition('id="log"')[2]
    assert re.search(r"<strong>bob</strong> timed out <strong>carol</strong>", log)
    assert re.search(r"<strong>alice</strong> made a moderator of <strong>bob</strong>", log)


async def test_what_a_moderator_reaches(
    site: Site, alice: Person, bob: Person, carol: Person
) -> None:
    status, _, response = await bob.get("/studio")
    assert (status, response.headers["Location"]) == (303, CHAT), "bob has no channel of his own"
    status, _, response = await bob.get("/studio/alice-tv")
    assert (status, response.headers["Location"]) == (303, CHAT)
    for section, expected in (
        ("chat", 200),
        ("health", 200),
        ("schedule", 403),
        ("overlays", 403),
        ("connect", 403),
        ("settings", 403),
    ):
        status, text, _ = await bob.get(f"/studio/alice-tv/{section}")
        assert status == expected, section
        assert (await carol.get(f"/studio/alice-tv/{section}"))[0] == 403, section
    _, text, _ = await bob.get(CHAT)
    assert f"{CHAT}/moderators" not in text
    assert "/studio/alice-tv/settings" not in text
    assert "moderators/remove" not in text
    for path, form in (
        (f"{CHAT}/moderators", {"username": "carol"}),
        (f"{CHAT}/moderators/remove", {"username": "bob"}),
        (f"{CHAT}/emotes/remove", {"code": "wave"}),
        ("/studio/alice-tv", {"title": "Mine"}),
        ("/studio/alice-tv/end", {}),
    ):
        assert (await bob.post(path, form))[0] == 403, path
    for path in ("rules", "lock", "words", "restrictions", "restrictions/lift"):
        assert (await carol.post(f"{CHAT}/{path}", {"username": "bob"}))[0] == 403, path
        assert (await site.person().post(f"{CHAT}/{path}", {}))[0] == 401, path
    await alice.post(f"{CHAT}/moderators/remove", {"username": "bob"})
    assert (await bob.get(CHAT))[0] == 403, "at once"
    assert "Make your channel" in (await bob.get("/studio"))[1]


def _picture(code: str, picture: bytes) -> aiohttp.FormData:
    form = aiohttp.FormData({"code": code})
    form.add_field("picture", io.BytesIO(picture), filename="a.png", content_type="image/png")
    return form


async def _upload(person: Person, code: str, picture: bytes) -> tuple[int, str]:
    status, text, _ = await person.request(
        "POST",
        f"{CHAT}/emotes",
        data=_picture(code, picture),
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    return status, text


async def test_emotes(site: Site, alice: Person, bob: Person) -> None:
    assert (await _upload(alice, ":Wave:", png(64, 64)))[0] == 303
    _, text, _ = await alice.get(CHAT)
    url = re.search(r'src="(/emotes/emo_\w+\.webp)"', text)
    assert url is not None
    assert ":wave:" in text
    async with site.person().http.get(site.base.join(URL(url[1]))) as response:
        assert (response.status, response.content_type) == (200, "image/webp")
    assert (await _upload(bob, "other", png(8, 8)))[0] == 403
    for code, picture, status, field in (
        ("x", png(8, 8), 422, "code"),
        ("<script>", png(8, 8), 422, "code"),
        ("none", b"", 422, "picture"),
        ("text", b"<svg onload=alert(1)>", 422, "picture"),
        ("large", b"\x89PNG" + b"x" * (1024 * 1024), 413, "picture"),
    ):
        answered, text = await _upload(alice, code, picture)
        assert answered == status, code
        assert f'id="error-{field}"' in text, code
    status, _, _ = await alice.post(f"{CHAT}/emotes", {"code": "wave"})
    assert status == 415
    assert (await alice.post(f"{CHAT}/emotes/remove", {"code": "wave"}))[0] == 303
    assert "No emotes of your own" in (await alice.get(CHAT))[1]
    assert (await alice.post(f"{CHAT}/emotes/remove", {"code": "wave"}))[0] == 404

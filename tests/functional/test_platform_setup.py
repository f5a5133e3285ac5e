"""The first minute: link, form, studio with a key; and everybody who should not get in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediaserver.media.gate import PublishRequest
from tests.functional.platform_site import PASSWORD, Person, Site, running_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


def _form(site: Site, **changes: str) -> dict[str, str]:
    return {
        "token": site.setup_token,
        "username": "boss",
        "email": "boss@example.org",
        "password": PASSWORD,
        "channel_name": "The Boss",
        "channel_slug": "boss-tv",
        **changes,
    }


async def _key_shown(person: Person, path: str) -> str | None:
    status, text, _ = await person.get(path)
    assert status == 200
    match = re.search(r"live_[\w-]{27}", text)
    return match[0] if match else None


async def test_from_link_to_key(site: Site) -> None:
    operator = site.person()
    status, text, _ = await operator.get("/")
    assert status == 200
    assert "set up" in text.lower() or "setup" in text.lower()
    assert site.server.setup_url is not None
    status, text, response = await operator.get(site.server.setup_url.split("localhost")[1][6:])
    assert status == 200
    assert 'name="username"' in text
    assert response.headers["Cache-Control"] == "no-store"
    status, _, response = await operator.post("/setup", _form(site))
    assert (status, response.headers["Location"]) == (303, "/studio?welcome=1")

    key = await _key_shown(operator, "/studio?welcome=1")
    assert key is not None
    assert await _key_shown(operator, "/studio?welcome=1") is None, "shown a second time"
    assert site.media.gate is not None
    grant = await site.media.gate.authorise(PublishRequest("live", key, "127.0.0.1", "OBS"))
    assert grant.channel == "boss-tv"
    _, text, _ = await operator.get("/studio")
    assert "rtmp://127.0.0.1:1935/live" in text
    status, text, _ = await operator.get("/@boss-tv")
    assert status == 200
    assert "The Boss" in text


async def test_the_token_works_once(site: Site) -> None:
    await site.person().post("/setup", _form(site))
    thief = site.person()
    status, _, response = await thief.get(f"/setup?token={site.setup_token}")
    assert (status, response.headers["Location"]) == (303, "/")
    status, _, response = await thief.post(
        "/setup", _form(site, username="thief", email="t@example.org", channel_slug="thief-tv")
    )
    assert status == 409
    assert "Set-Cookie" not in response.headers
    status, _ = await thief.api("POST", "/auth/login", {"username": "thief", "password": PASSWORD})
    assert status == 401


@pytest.mark.parametrize("token", ["", "x", "x" * 43])
async def test_without_the_token_nothing_happens(site: Site, token: str) -> None:
    status, text, _ = await site.person().get(f"/setup?token={token}")
    assert status in (200, 401)
    assert 'name="username"' not in text
    status, text, response = await site.person().post("/setup", _form(site, token=token))
    assert status == 401
    assert "Set-Cookie" not in response.headers
    assert 'name="username"' not in text


async def test_errors_keep_what_was_typed_but_the_password(site: Site) -> None:
    person = site.person()
    for changes in (
        {"username": "x"},
        {"email": "nonsense"},
        {"password": "short"},
        {"channel_slug": "a b"},
        {"channel_name": ""},
        {"channel_slug": "studio"},
    ):
        status, text, _ = await person.post("/setup", _form(site, **changes))
        assert status in (409, 422), changes
        assert "boss" in text
        assert PASSWORD not in text
        assert site.setup_token in text
    status, _, _ = await person.post("/setup", _form(site))
    assert status == 303, "an error had used something up"


async def test_what_is_typed_is_escaped(site: Site) -> None:
    evil = '"><script>alert(1)</script>'
    for changes in ({"username": evil}, {"channel_name": evil, "channel_slug": "x y"}):
        _, text, _ = await site.person().post("/setup", _form(site, **changes))
        assert "<script>alert" not in text
    operator = site.person()
    await operator.post("/setup", _form(site, channel_name=evil))
    for path in ("/", "/@boss-tv", "/studio"):
        _, text, _ = await operator.get(path)
        assert "<script>alert" not in text


async def test_a_restart_keeps_everything_and_needs_no_setup(tmp_path: Path) -> None:
    async with running_site(tmp_path) as site:
        first_token = site.setup_token
    async with running_site(tmp_path) as site:
        assert site.setup_token != first_token
        operator = site.person()
        status, _, _ = await operator.post("/setup", _form(site, token=first_token))
        assert status == 401
        await operator.post("/setup", _form(site))
        cookies = operator.http.cookie_jar.filter_cookies(site.base)
    async with running_site(tmp_path) as site:
        assert site.server.setup_url is None
        operator = site.person()
        operator.http.cookie_jar.update_cookies(cookies, site.base)
        status, text, _ = await operator.get("/studio")
        assert status == 200, "the session did not survive"
        assert "boss-tv" in text
        await operator.log_in_as_program("boss")

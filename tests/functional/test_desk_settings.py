"""Settings at the admin desk: a change counts at once, is kept, and is written down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.functional.desk import make_admin
from tests.functional.platform_site import PASSWORD, Person, Site, running_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path, mail={"smtp_password": "open sesame"}) as running:
        yield running


@pytest.fixture
async def boss(site: Site) -> Person:
    return await make_admin(site)


async def _change(boss: Person, key: str, value: str) -> None:
    status, text, _ = await boss.post(f"/admin/settings/{key}", {"value": value})
    assert status == 303, text


async def test_every_setting_is_explained(boss: Person) -> None:
    status, text, _ = await boss.get("/admin/settings")
    assert status == 200
    status, answer = await boss.api("GET", "/admin/settings")
    assert status == 200
    for one in answer["settings"]:
        assert f'id="{one["key"]}"' in text
        has_form = f'action="/admin/settings/{one["key"]}"' in text
        assert has_form == one["is_changeable"], one["key"]
    assert "Read at start: config.toml" in text
    assert "open sesame" not in text
    by_key = {one["key"]: one for one in answer["settings"]}
    assert by_key["mail.smtp_password"]["value"] is True
    assert by_key["media.preset"]["effect"] == "next_stream"
    assert "counts at once, or with the next stream where it says so" in text


async def test_a_new_name_is_in_the_header_at_once_and_after_a_restart(tmp_path: Path) -> None:
    async with running_site(tmp_path) as site:
        boss = await make_admin(site)
        await _change(boss, "site.name", "Harbour <TV>")
        _, text, _ = await site.person().get("/login")
        assert "<span>Harbour &lt;TV&gt;</span>" in text
        _, page, _ = await boss.get("/admin/settings")
        assert "Changed here" in page
        assert "It counts from now on." in page
    async with running_site(tmp_path) as site:
        _, text, _ = await site.person().get("/login")
        assert "<span>Harbour &lt;TV&gt;</span>" in text


async def test_registration_closes_and_opens_again(site: Site, boss: Person) -> None:
    await _change(boss, "accounts.registration", "closed")
    form = {"username": "bob", "email": "bob@example.org", "password": PASSWORD}
    status, _, _ = await site.person().post("/register", form)
    assert status == 403
    status, answer = await boss.api("DELETE", "/admin/settings/accounts.registration")
    assert (status, answer["value"], answer["source"]) == (200, "open", "default")
    status, _, _ = await site.person().post("/register", form)
    assert status == 303


async def test_how_many_channels_each_role_may_own(site: Site, boss: Person) -> None:
    await _change(boss, "accounts.channels_per_user_max", "1")
    await _change(boss, "accounts.channels_per_premium_user_max", "2")
    bob = await site.streamer("bob")
    status, answer = await bob.api("POST", "/channels", {"slug": "bob-2"})
    assert (status, answer["error"]["code"]) == (409, "too_many_channels")
    await boss.api("PUT", "/admin/users/bob/role", {"role": "premium"})
    await bob.log_in_as_program("bob")
    status, _ = await bob.api("POST", "/channels", {"slug": "bob-2"})
    assert status == 201
    status, _ = await bob.api("POST", "/channels", {"slug": "bob-3"})
    assert status == 409
    _, text, _ = await boss.get("/admin/settings")
    assert "<td>up to 1</td><td>up to 2</td>" in text


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("media.streams_max", "0", "Use 1 or more."),
        ("media.streams_max", "1001", "Use 1000 or less."),
        ("media.streams_max", "many", "Use a whole number."),
        ("media.streams_max", "", "Use a whole number."),
        ("media.preset", "fast", "Choose one of the list."),
        ("site.name", "", "This can&#39;t be empty."),
        ("site.name", "x" * 61, "Use at most 60 characters."),
        ("site.name", "two\nlines", "Use one line of plain text."),
        ("site.accent", "red", "That doesn&#39;t have the right form."),
        ("site.accent", "#fff;}*{display:none", "That doesn&#39;t have the right form."),
    ],
)
async def test_wrong_values_come_back(boss: Person, key: str, value: str, sentence: str) -> None:
    status, text, _ = await boss.post(f"/admin/settings/{key}", {"value": value})
    assert status == 422
    assert sentence in text
    status, answer = await boss.api("PUT", f"/admin/settings/{key}", {"value": value})
    assert status == 422
    _, answer = await boss.api("GET", "/admin/settings")
    stored = {one["key"]: one for one in answer["settings"]}[key]
    assert (stored["value"], stored["source"]) == (stored["default"], "default")


@pytest.mark.parametrize("key", ["http.port", "database.url", "mail.smtp_host", "storage.path"])
async def test_what_is_read_at_start_stays(boss: Person, key: str) -> None:
    status, answer = await boss.api("PUT", f"/admin/settings/{key}", {"value": "1"})
    assert (status, answer["error"]["code"]) == (409, "needs_restart")
    status, text, _ = await boss.post(f"/admin/settings/{key}", {"value": "1"})
    assert status == 409
    assert "change it in config.toml" in text


async def test_nonsense_keys(boss: Person) -> None:
    for key in ("site.nonsense", "nonsense.name", "site", "site.model_config", "_environment.x"):
        status, _ = await boss.api("PUT", f"/admin/settings/{key}", {"value": "1"})
        assert status == 404, key
        status, _, _ = await boss.post(f"/admin/settings/{key}", {"value": "1"})
        assert status == 404, key


async def test_a_change_is_written_down(boss: Person) -> None:
    await _change(boss, "media.streams_max", "3")
    _, answer = await boss.api("GET", "/admin/audit", params={"action": "setting."})
    entry = answer["entries"][0]
    assert (entry["actor"], entry["target"]) == ("boss", "media.streams_max")
    assert entry["details"] == {"before": 16, "after": 3}

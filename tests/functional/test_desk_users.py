"""Users at the admin desk, with a browser and over the API; and everybody who mustn't get in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pyotp
import pytest

from mediaserver.channels.stream_recorder import CHANNEL_DELETED
from mediaserver.routes.app import OPERATIONS
from mediaserver.routes.pages import admin as admin_pages
from tests.functional.desk import make_admin
from tests.functional.platform_site import PASSWORD, Person, Site, running_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


@pytest.fixture
async def boss(site: Site) -> Person:
    return await make_admin(site)


def _filled(path: str) -> str:
    return re.sub(r"{\w+}", "bob", path)


ADMIN_OPERATIONS = [one for one in OPERATIONS if one.path.startswith("/admin")]


async def test_nobody_but_admins_gets_in(site: Site, boss: Person) -> None:
    """Every page and every operation below /admin, those to come included."""
    bob, nobody = await site.member("bob"), site.person()
    for route in admin_pages.routes:
        path = _filled(route.path)
        status, text, _ = await bob.request(
            route.method, path, headers={"Sec-Fetch-Site": "same-origin"}
        )
        assert status == 403, (route.method, path)
        assert "Only admins" in text, (route.method, path)
        status, _, response = await nobody.request(
            route.method, path, headers={"Sec-Fetch-Site": "same-origin"}
        )
        if route.method == "GET":
            assert response.headers["Location"].startswith("/login?next="), path
        else:
            assert status == 401, path
    assert ADMIN_OPERATIONS
    for operation in ADMIN_OPERATIONS:
        status, answer = await bob.api(operation.method, _filled(operation.path))
        where = (operation.method, operation.path)
        assert (status, answer["error"]["code"]) == (403, "forbidden"), where
        status, _ = await nobody.api(operation.method, _filled(operation.path))
        assert status == 401, where


async def test_a_token_for_reading_opens_nothing_below_admin(site: Site, boss: Person) -> None:
    _, made = await boss.api("POST", "/me/tokens", {"name": "script", "scopes": ["read"]})
    script = site.person()
    script.token = made["token"]
    for operation in ADMIN_OPERATIONS:
        status, answer = await script.api(operation.method, _filled(operation.path))
        where = (operation.method, operation.path)
        assert (status, answer["error"]["code"]) == (403, "scope"), where


async def test_forms_of_other_sites_are_refused(boss: Person) -> None:
    for route in admin_pages.routes:
        if route.method == "POST":
            status, _, _ = await boss.post(
                _filled(route.path), headers={"Sec-Fetch-Site": "cross-site"}
            )
            assert status == 403, route.path


async def test_a_required_second_factor_closes_the_desk_until_it_is_on(tmp_path: Path) -> None:
    async with running_site(tmp_path, accounts={"admin_totp": "required"}) as site:
        boss = await make_admin(site)
        status, _, response = await boss.get("/admin/users")
        assert (status, response.headers["Location"]) == (303, "/settings/security/app")
        status, answer = await boss.api("GET", "/admin/users")
        assert (status, answer["error"]["code"]) == (403, "second_factor")


async def test_the_first_day(boss: Person) -> None:
    status, text, _ = await boss.get("/admin")
    assert status == 200
    assert "Nothing waits for you" in text
    assert "A fresh site." in text
    status, answer = await boss.api("GET", "/admin/overview")
    assert status == 200
    assert (answer["users"], answer["channels"], answer["waiting"]) == (1, 1, [])


async def test_finding_somebody(site: Site, boss: Person) -> None:
    for name in ("bob", "bobby", "carol"):
        await site.member(name)
    _, text, _ = await boss.get("/admin/users")
    assert re.findall(r'href="/admin/users/(\w+)"', text) == ["carol", "bobby", "bob", "boss"]
    for search, found in (
        ("bob", ["bob", "bobby"]),
        ("@BOB", ["bob", "bobby"]),
        ("bobby@", ["bobby"]),
        ("nobody", []),
        ("<script>", []),
    ):
        _, text, _ = await boss.get("/admin/users?q=" + search.replace("<", "%3C"))
        assert re.findall(r'href="/admin/users/(\w+)"', text) == found, search
        assert "<script>" not in text.replace("<script type", "")
        _, answer = await boss.api("GET", "/admin/users", params={"search": search})
        assert [one["username"] for one in answer["users"]] == found
    _, answer = await boss.api("GET", "/admin/users", params={"show": "admin"})
    assert [one["username"] for one in answer["users"]] == ["boss"]
    status, _, _ = await boss.get("/admin/users/nobody")
    assert status == 404


async def test_a_role_is_given_and_ends_sessions(site: Site, boss: Person) -> None:
    bob = await site.member("bob")
    status, _, response = await boss.post("/admin/users/bob/role", {"role": "premium"})
    assert (status, response.headers["Location"]) == (303, "/admin/users/bob")
    status, _ = await bob.api("GET", "/me")
    assert status == 401, "the old token knows the old role"
    letter = await site.mailbox.letter("bob@example.org", where=lambda one: "role" in one.subject)
    assert "premium" in letter.body
    await bob.log_in_as_program("bob")
    _, me = await bob.api("GET", "/me")
    assert me["role"] == "premium"
    status, text, _ = await boss.post("/admin/users/bob/role", {"role": "emperor"})
    assert status == 422
    assert "Choose one of the list." in text


async def test_the_last_admin_stays_one(site: Site, boss: Person) -> None:
    await site.member("bob")
    status, text, _ = await boss.post("/admin/users/boss/role", {"role": "normal"})
    assert status == 409
    assert "last admin" in text
    status, _, _ = await boss.post("/admin/users/boss/delete", {"username": "boss"})
    assert status == 409
    status, answer = await boss.api("DELETE", "/admin/users/boss")
    assert (status, answer["error"]["code"]) == (409, "last")
    status, answer = await boss.api("PUT", "/admin/users/bob/role", {"role": "admin"})
    assert (status, answer["role"]) == (200, "admin")
    status, _ = await boss.api("PUT", "/admin/users/boss/role", {"role": "normal"})
    assert status == 200


async def test_what_is_dangerous_asks_for_the_password_again(tmp_path: Path) -> None:
    async with running_site(tmp_path) as site:
        boss = await make_admin(site)
        await site.member("bob")
        _, made = await boss.api("POST", "/me/tokens", {"name": "all", "scopes": ["read", "admin"]})
        script = site.person()
        script.token = made["token"]
        status, _ = await script.api("GET", "/admin/users")
        assert status == 200
        status, answer = await script.api("PUT", "/admin/users/bob/role", {"role": "admin"})
        assert (status, answer["error"]["code"]) == (403, "confirm")
        status, answer = await script.api("DELETE", "/admin/users/bob")
        assert (status, answer["error"]["code"]) == (403, "confirm")


async def test_a_lost_second_factor_is_reset_on_record(site: Site, boss: Person) -> None:
    bob = await site.member("bob")
    _, enrolment = await bob.api("POST", "/me/second-factor")
    code = pyotp.TOTP(enrolment["secret"]).now()
    assert (await bob.api("POST", "/me/second-factor/confirm", {"code": code}))[0] == 200
    _, made = await boss.api("POST", "/me/tokens", {"name": "all", "scopes": ["read", "admin"]})
    script = site.person()
    script.token = made["token"]
    status, answer = await script.api("DELETE", "/admin/users/bob/second-factor")
    assert (status, answer["error"]["code"]) == (403, "confirm")
    assert (await boss.api("DELETE", "/admin/users/bob/second-factor"))[0] == 204
    assert (await bob.api("GET", "/me"))[0] == 401, "logged out everywhere"
    await bob.log_in_as_program("bob")
    _, answer = await boss.api("GET", "/admin/audit?target=bob")
    newest = answer["entries"][0]
    assert (newest["action"], newest["actor"]) == ("user.second_factor_reset", "boss")
    await site.mailbox.letter("bob@example.org", where=lambda one: "turned off" in one.subject)


async def test_a_mailed_code_sets_a_new_password(site: Site, boss: Person) -> None:
    bob = await site.member("bob")
    status, _, _ = await boss.post("/admin/users/bob/password-code")
    assert status == 303
    letter = await site.mailbox.letter(
        "bob@example.org", where=lambda one: "new password" in one.subject
    )
    path = re.search(r"http://[^/]+(/password/new\?handle=\w+)", letter.body)
    assert path is not None
    browser = site.person()
    status, _, response = await browser.get(path[1])
    assert (status, response.headers["Location"]) == (303, "/password/new")
    status, text, _ = await browser.post(
        "/password/new", {"code": letter.code, "password": "another horse battery"}
    )
    assert status == 303, text
    await bob.log_in_as_program("bob", "another horse battery")


async def test_logging_somebody_out(site: Site, boss: Person) -> None:
    bob = await site.member("bob")
    _, answer = await boss.api("GET", "/admin/users/bob")
    assert {one["kind"] for one in answer["sessions"]} == {"browser", "program"}
    status, _, _ = await boss.post("/admin/users/bob/log-out")
    assert status == 303
    assert (await bob.api("GET", "/me"))[0] == 401
    assert (await bob.get("/studio"))[0] == 303
    status, answer = await boss.api("DELETE", "/admin/users/bob/second-factor")
    assert (status, answer["error"]["code"]) == (409, "second_factor_off")


async def test_deleting_an_account_with_its_channel(site: Site, boss: Person) -> None:
    await site.streamer("bob")
    status, text, _ = await boss.post("/admin/users/bob/delete", {"username": "rob"})
    assert status == 422
    assert "Type the name" in text
    status, _, response = await boss.post("/admin/users/bob/delete", {"username": "Bob"})
    assert (status, response.headers["Location"]) == (303, "/admin/users")
    assert (await boss.get("/@bob"))[0] == 404
    assert (await boss.get("/admin/users/bob"))[0] == 404
    assert site.media.broadcasts.stopped == [("bob", CHANNEL_DELETED)]
    status, _ = await site.person().api(
        "POST", "/auth/login", {"username": "bob", "password": PASSWORD}
    )
    assert status == 401

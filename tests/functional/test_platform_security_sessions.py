"""Sessions of people and admins: what ends them, what asks anew, what other sites can't do."""

from __future__ import annotations

import asyncio
import html
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyotp
import pytest
from aiohttp import web

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.clock import SystemClock
from mediaserver.kernel.db.schema import metadata
from mediaserver.routes.app import OPERATIONS, make_app
from mediaserver.routes.pages import admin as admin_pages
from mediaserver.routes.pages import settings as settings_pages
from mediaserver.routes.pages import studio as studio_pages
from tests.functional.desk import make_admin
from tests.functional.platform_site import PASSWORD, Person, Site, running_site, settings

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


@pytest.fixture
async def boss(site: Site) -> Person:
    return await make_admin(site)


def _sid(person: Person) -> str:
    return person.http.cookie_jar.filter_cookies(person.base)["sid"].value


def _filled(path: str) -> str:
    return re.sub(r"{\w+}", "boss", path)


def _forms() -> list[web.RouteDef]:
    pages = (*settings_pages.routes, *admin_pages.routes, *studio_pages.routes)
    return [route for route in pages if route.method == "POST"]


ADMIN_OPERATIONS = [one for one in OPERATIONS if one.scope is Scope.ADMIN]


async def test_no_form_takes_what_another_site_sends(boss: Person) -> None:
    """Every form of settings, studio and admin desk, those to come included."""
    assert len(_forms()) > 40
    for route in _forms():
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            path = _filled(route.path)
            status, text, _ = await boss.request("POST", path, headers=headers)
            assert (status, "another site" in text) == (403, True), (path, headers)
    assert (await boss.get("/settings/security"))[0] == 200, "still logged in"


NOT_COMPARED = ("job", "daily_figure", "throttle", "audit_entry", "site_value", "ledger_check")
"""The site's own work, which goes on by itself, and the audit log, which notes some downloads."""


def _content(path: Path) -> dict[str, list[Any]]:
    """All rows of all other tables."""
    with closing(sqlite3.connect(path)) as database:
        return {
            table: sorted(database.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
            for table in metadata.tables
            if table not in NOT_COMPARED
        }


async def test_no_page_changes_anything_by_being_opened(boss: Person, tmp_path: Path) -> None:
    """Every address that answers GET, those to come included. What the security document excepts
    is done before: the notices are read, and the overlays have their address.
    """
    database = tmp_path / "storage" / "mediaserver.db"
    await boss.post("/settings/security/app/begin")
    await boss.get("/notices")
    await boss.api("GET", "/channels/boss/overlay-token")
    before = _content(database)
    routes = make_app(settings(tmp_path), SystemClock()).router.routes()
    resources = {route.resource for route in routes if route.method == "GET"}
    paths = sorted(_filled(one.canonical) for one in resources if one is not None)
    assert len(paths) > 120
    for path in paths:
        status, text, _ = await boss.get(path)
        assert status < 500, (path, text)
        assert _content(database) == before, path


async def test_confirming_renews_the_session(site: Site, boss: Person) -> None:
    planted = _sid(boss)
    status, _, _ = await boss.post("/confirm", {"password": PASSWORD, "next": "/settings"})
    assert status == 303
    assert _sid(boss) != planted
    assert (await boss.get("/studio"))[0] == 200
    thief = site.person()
    thief.http.cookie_jar.update_cookies({"sid": planted}, site.base)
    assert (await thief.get("/studio"))[0] == 303, "a copy from before opens nothing"
    boss.token = None
    before = _sid(boss)
    status, _ = await boss.api("POST", "/auth/confirm", {"password": PASSWORD}, headers=SAME_SITE)
    assert status == 204
    assert _sid(boss) != before
    assert (await boss.get("/studio"))[0] == 200


async def test_what_was_written_outlives_the_question_who_it_is(
    site: Site, boss: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.member("bob")
    ban = {"do": "ban", "reason": "spam", "text": 'Again, "after" the warning.', "days": "7"}
    page = "/admin/users/bob/sanctions"
    with monkeypatch.context() as patch:
        patch.setattr(limits, "CONFIRMED_MS", 0)
        status, _, response = await boss.post(page, ban)
        assert (status, response.headers["Location"]) == (303, f"/confirm?next={page}")
        assert (await boss.post("/confirm", {"password": "wrong xyzzy", "next": page}))[0] == 422
        status, text, _ = await boss.post("/confirm", {"password": PASSWORD, "next": page})
    assert status == 200
    assert f'action="{page}"' in text
    held = text[text.index(f'action="{page}"') :].partition("</form>")[0]
    kept = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', held))
    assert {name: html.unescape(value) for name, value in kept.items()} == ban
    assert (await boss.post(page, ban))[0] == 303
    _, standing = await boss.api("GET", "/admin/users/bob/sanctions")
    assert [one["text"] for one in standing["bans"]] == [ban["text"]]


async def test_no_password_is_kept_and_nothing_is_offered_elsewhere(
    boss: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONFIRMED_MS", 0)
    for page, form, back in (
        ("/settings/tokens", {"name": "bot"}, "/settings/profile"),
        ("/settings/security/app/off", {"password": PASSWORD}, "/settings/security"),
    ):
        _, _, response = await boss.post(page, form)
        assert response.headers["Location"].startswith("/confirm")
        assert (await boss.post("/confirm", {"password": PASSWORD, "next": back}))[0] == 303


async def test_a_full_queue_is_not_the_visitors_fault(
    boss: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PASSWORD_WAITING_MAX", 0)
    status, text, _ = await boss.post("/confirm", {"password": PASSWORD})
    assert (status, "Too many people" in text) == (503, True)


async def test_logging_devices_out_asks_who_it_is(
    site: Site, boss: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a stolen session could throw the owner out."""
    monkeypatch.setattr(limits, "CONFIRMED_MS", 0)
    for path in ("/settings/security/devices/revoke", "/settings/security/devices/revoke-others"):
        status, _, response = await boss.post(path, {"id": "ses_x"})
        assert status == 303
        assert response.headers["Location"].startswith("/confirm?next=/settings/security")
    status, answer = await boss.api("DELETE", "/me/sessions/ses_x")
    assert (status, answer["error"]["code"]) == (403, "confirm")


async def test_making_a_dock_asks_who_it_is(boss: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes as its maker, for longer than their session."""
    monkeypatch.setattr(limits, "CONFIRMED_MS", 0)
    status, answer = await boss.api("POST", "/channels/boss/dock-tokens", {"name": "OBS"})
    assert (status, answer["error"]["code"]) == (403, "confirm")
    status, _, response = await boss.post("/studio/boss/docks", {"name": "OBS"})
    assert status == 303
    assert response.headers["Location"] == "/confirm?next=/studio/boss/overlays"


async def test_a_dock_is_gone_after_a_new_password(boss: Person) -> None:
    _, made = await boss.api("POST", "/channels/boss/dock-tokens", {"name": "OBS"})
    assert (await boss.get(made["url"]))[0] == 200
    form = {"current_password": PASSWORD, "password": "staple of the battery"}
    assert (await boss.post("/settings/security/password", form))[0] == 303
    async with asyncio.timeout(20):
        while (await boss.get(made["url"]))[0] == 200:
            await asyncio.sleep(0.01)


async def test_logging_all_others_out_ends_a_program_too(site: Site) -> None:
    """What somebody does who sees a log-in that isn't theirs."""
    alice, thief = await site.member("alice"), site.person()
    pair = await thief.log_in_as_program("alice")
    _, answer = await alice.api("GET", "/me/sessions")
    assert [one["kind"] for one in answer["sessions"]].count("program") == 2
    assert [one["kind"] for one in answer["sessions"] if one["is_this"]] == ["program"]
    _, text, _ = await alice.get("/settings/security")
    assert text.count("Log out") >= 2
    assert (await alice.post("/settings/security/devices/revoke-others"))[0] == 303
    assert (await thief.api("GET", "/me"))[0] == 401
    status, _ = await thief.api("POST", "/auth/refresh", {"refresh_token": pair["refresh_token"]})
    assert status == 401
    assert (await alice.get("/settings/security"))[0] == 200, "but this browser stays"


async def test_the_desk_asks_again_after_a_day_of_work(
    boss: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await boss.get("/admin/users"))[0] == 200
    monkeypatch.setattr(limits, "DESK_CONFIRMED_MS", 0)
    status, _, response = await boss.get("/admin/users?q=bob")
    assert (status, response.headers["Location"]) == (303, "/confirm?next=/admin/users?q%3Dbob")
    for route in admin_pages.routes:
        status, _, response = await boss.request(
            route.method, _filled(route.path), headers=SAME_SITE
        )
        assert status == 303, route.path
        assert response.headers["Location"].startswith("/confirm?next=/admin"), route.path
    assert (await boss.get("/studio"))[0] == 200, "the rest of the site stays open"


async def test_so_do_the_desks_operations_but_for_personal_tokens(
    site: Site, boss: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, made = await boss.api("POST", "/me/tokens", {"name": "script", "scopes": ["admin"]})
    script, page = site.person(), site.person()
    script.token = made["token"]
    page.http.cookie_jar.update_cookies({"sid": _sid(boss)}, site.base)
    monkeypatch.setattr(limits, "DESK_CONFIRMED_MS", 0)
    for operation in ADMIN_OPERATIONS:
        for caller, headers in ((boss, {}), (page, SAME_SITE)):
            status, answer = await caller.api(
                operation.method, _filled(operation.path), headers=dict(headers)
            )
            where = (operation.method, operation.path)
            assert (status, answer["error"]["code"]) == (403, "confirm"), where
    status, _ = await script.api("GET", "/admin/users")
    assert status == 200, "made for this, and it ends by itself"


async def test_a_required_second_factor_holds_for_every_admin_operation(tmp_path: Path) -> None:
    async with running_site(tmp_path, accounts={"admin_totp": "required"}) as site:
        boss = await make_admin(site)
        for operation in ADMIN_OPERATIONS:
            status, answer = await boss.api(operation.method, _filled(operation.path))
            where = (operation.method, operation.path)
            assert (status, answer["error"]["code"]) == (403, "second_factor"), where


FOREIGN: list[tuple[str, str, dict[str, Any] | None]] = [
    ("POST", "/channels/alice/stream-keys", {"name": "OBS"}),
    ("GET", "/channels/alice/stream-keys", None),
    ("PATCH", "/channels/alice", {"title": "Mine"}),
    ("GET", "/channels/alice/overlay-token", None),
    ("POST", "/channels/alice/dock-tokens", {"name": "OBS"}),
    ("GET", "/channels/alice/moderation/log", None),
    ("POST", "/channels/alice/chat/clear", None),
    ("DELETE", "/channels/alice", None),
]
"""What of somebody else's only an admin may."""


async def _refused(person: Person) -> None:
    for method, path, body in FOREIGN:
        status, answer = await person.api(method, path, body)
        assert status == 403, (method, path, answer)


async def test_a_token_without_the_scope_has_no_admins_power(site: Site, boss: Person) -> None:
    await site.streamer("alice")
    scopes = ["read", "chat", "channels", "account"]
    _, made = await boss.api("POST", "/me/tokens", {"name": "script", "scopes": scopes})
    script = site.person()
    script.token = made["token"]
    await _refused(script)
    status, _ = await script.api("POST", "/channels/boss/stream-keys", {"name": "OBS"})
    assert status == 201, "their own"
    _, made = await boss.api("POST", "/me/tokens", {"name": "all", "scopes": [*scopes, "admin"]})
    script.token = made["token"]
    assert (await script.api("GET", "/channels/alice/stream-keys"))[0] == 200


async def test_a_token_that_may_not_read_is_nobody_where_everybody_may_ask(site: Site) -> None:
    alice, script = await site.streamer("alice"), site.person()
    _, plan = await alice.api("POST", "/channels/alice/streams", {"title": "A surprise"})

    async def sees(scopes: list[str]) -> list[bool]:
        _, made = await alice.api("POST", "/me/tokens", {"name": "script", "scopes": scopes})
        script.token = made["token"]
        _, listed = await script.api("GET", "/channels/alice/streams")
        status, _ = await script.api("GET", f"/streams/{plan['id']}")
        _, you = await script.api("GET", "/channels/alice/chat/you")
        return [bool(listed["streams"]), status == 200, you["role"] == "owner"]

    assert await sees(["chat", "channels", "account"]) == [False] * 3
    assert await sees(["read"]) == [True] * 3


async def test_the_desk_reminds_of_two_step_log_in_until_it_is_on(boss: Person) -> None:
    pages = ("/admin", "/admin/users", "/admin/settings", "/admin/audit")
    for path in pages:
        assert "Turn two-step log-in on" in (await boss.get(path))[1], path
    _, enrolment = await boss.api("POST", "/me/second-factor")
    code = pyotp.TOTP(enrolment["secret"]).now()
    assert (await boss.api("POST", "/me/second-factor/confirm", {"code": code}))[0] == 200
    for path in pages:
        status, text, _ = await boss.get(path)
        assert (status, "Turn two-step log-in on" in text) == (200, False), path


async def test_neither_has_who_owes_the_desk_a_password(
    site: Site, boss: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.streamer("alice")
    assert (await boss.get("/studio/alice"))[0] == 200
    monkeypatch.setattr(limits, "DESK_CONFIRMED_MS", 0)
    await _refused(boss)
    assert (await boss.get("/studio/alice"))[0] == 403
    assert (await boss.get("/studio/boss"))[0] == 200
    _, answer = await boss.api("GET", "/me")
    assert answer["is_admin"], "and this they stay"


async def test_neither_has_who_lacks_the_required_second_factor(tmp_path: Path) -> None:
    async with running_site(tmp_path, accounts={"admin_totp": "required"}) as site:
        boss = await make_admin(site)
        await site.streamer("alice")
        await _refused(boss)
        assert (await boss.get("/studio/alice"))[0] == 403


async def test_what_an_admin_does_to_a_channel_stands_in_the_audit_log(
    site: Site, boss: Person
) -> None:
    alice = await site.streamer("alice")
    for person in (alice, boss):
        _, key = await person.api("POST", "/channels/alice/stream-keys", {"name": "OBS"})
        await person.api("DELETE", f"/channels/alice/stream-keys/{key['id']}")
        await person.api("GET", "/channels/alice/overlay-token")
        await person.api("POST", "/channels/alice/overlay-token")
        await person.api("DELETE", "/channels/alice/overlay-token")
        _, dock = await person.api("POST", "/channels/alice/dock-tokens", {"name": "OBS"})
        await person.api("DELETE", f"/channels/alice/dock-tokens/{dock['id']}")
    assert (await boss.api("DELETE", "/channels/alice"))[0] == 204
    _, answer = await boss.api("GET", "/admin/audit?target=alice")
    entries = answer["entries"]
    assert {one["actor"] for one in entries} == {"boss"}
    assert [one["action"] for one in reversed(entries)] == [
        "stream-key.create",
        "stream-key.revoke",
        "overlay.create",
        "overlay.create",
        "overlay.revoke",
        "dock.create",
        "dock.revoke",
        "channel.delete",
    ]


@pytest.mark.parametrize("what", ["role", "ban", "log-out"])
async def test_what_an_admin_had_open_ends_with_being_one(
    site: Site, boss: Person, what: str
) -> None:
    other = await site.member("other")
    await boss.post("/admin/users/other/role", {"role": "admin"})
    await other.log_in_as_program("other")
    await other.post("/login", {"username": "other", "password": PASSWORD})
    assert (await other.get("/admin"))[0] == 200
    assert (await other.api("GET", "/admin/users"))[0] == 200
    if what == "role":
        status, _, _ = await boss.post("/admin/users/other/role", {"role": "normal"})
    elif what == "ban":
        await boss.post("/admin/users/other/role", {"role": "normal"})
        status, _ = await boss.api("POST", "/admin/users/other/bans", {"reason": "spam", "days": 1})
    else:
        status, _, _ = await boss.post("/admin/users/other/log-out")
    assert status < 400
    assert (await other.get("/admin"))[0] == 303
    assert (await other.get("/studio"))[0] == 303
    assert (await other.api("GET", "/admin/users"))[0] == 401
    assert (await other.api("GET", "/me"))[0] == 401


FIELDS = ("username", "email", "links", "name", "title", "legal_name")
HEADER = "x\r\nBcc: victim@example.org\r\n\r\nBody"


async def test_no_name_breaks_out_of_a_line_of_mail(site: Site, boss: Person) -> None:
    """Every name that may stand in a letter or a header, with a line break in it."""
    tries: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/auth/register", {"username": "ali\r\nBcc:x", "email": "a@example.org"}),
        ("POST", "/auth/register", {"username": "newcomer", "email": f"a@example.org{HEADER}"}),
        ("POST", "/auth/register", {"username": "newcomer", "email": f"{HEADER}@example.org"}),
        ("POST", "/auth/password/forgotten", {"email": f"boss@example.org{HEADER}"}),
        ("POST", "/me/email", {"email": f"boss@example.org{HEADER}"}),
        ("PATCH", "/me/profile", {"links": [{"name": HEADER, "url": "https://example.org"}]}),
        ("POST", "/channels", {"slug": "another", "name": HEADER}),
        ("PATCH", "/channels/boss", {"name": HEADER}),
        ("PATCH", "/channels/boss", {"title": HEADER}),
        ("POST", "/channels/boss/stream-keys", {"name": HEADER}),
        ("POST", "/channels/boss/dock-tokens", {"name": HEADER}),
        ("POST", "/channels/boss/streams", {"title": HEADER}),
        ("POST", "/teams", {"channel": "boss", "slug": "crew", "name": HEADER}),
        ("POST", "/me/tokens", {"name": HEADER, "scopes": ["read"]}),
        ("POST", "/me/verification", {"legal_name": HEADER}),
        ("POST", "/admin/policies", {"kind": "content", "title": HEADER, "body": "Be kind."}),
        ("POST", "/admin/categories", {"name": HEADER, "icon": "gamepad-2"}),
        ("PUT", "/admin/settings/site.name", {"value": HEADER}),
    ]
    for method, path, body in tries:
        if path == "/auth/register":
            body["password"] = PASSWORD
        status, answer = await boss.api(method, path, body)
        assert status == 422, (path, body)
        assert answer["error"]["field"] in FIELDS, (path, body, answer)

"""One's own account: password, address, two-step log-in, devices, tokens, data, deletion."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pyotp
import pytest

from mediaserver.kernel import limits
from tests.functional.platform_site import PASSWORD, Person, Site, running_site
from tests.mailbox import Letter

NEW = "an even better one"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


async def enrol(person: Person) -> tuple[pyotp.TOTP, list[str]]:
    """Turn two-step log-in on; the app, and the recovery codes."""
    assert (await person.get("/settings/security/app"))[0] == 303, "nothing waits"
    status, _, response = await person.post("/settings/security/app/begin")
    assert (status, response.headers["Location"]) == (303, "/settings/security/app")
    _, text, _ = await person.get("/settings/security/app")
    secret = re.search(r"(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}", text)
    assert secret is not None
    app = pyotp.TOTP(secret[0].replace(" ", ""))
    status, text, _ = await person.post("/settings/security/app", {"code": app.now()})
    assert status == 200, text
    codes = re.findall(r"\b[0-9a-z]{5}-[0-9a-z]{5}\b", text)
    assert len(codes) == limits.RECOVERY_CODES
    return app, codes


async def new_password_letter(person: Person) -> Letter:
    """The mail to alice with the code for a new password."""
    return await person.mailbox.letter("alice@example.org", where=lambda one: "new" in one.subject)


async def test_a_new_password_logs_the_other_devices_out(site: Site) -> None:
    alice, phone = await site.member("alice"), site.person()
    await phone.post("/login", {"username": "alice", "password": PASSWORD})
    page = "/settings/security/password"
    status, text, _ = await alice.post(page, {"current_password": "wrong one", "password": NEW})
    assert status == 422
    assert NEW not in text
    status, _, response = await alice.post(page, {"current_password": PASSWORD, "password": NEW})
    assert (status, response.headers["Location"]) == (303, "/settings/security")
    assert (await alice.get("/settings"))[0] == 200
    assert (await phone.get("/settings"))[0] == 303
    assert (await alice.api("GET", "/me"))[0] == 401, "the program's log-in ended too"
    await phone.log_in_as_program("alice", NEW)


async def test_two_steps_to_log_in(site: Site) -> None:
    alice = await site.member("alice")
    app, codes = await enrol(alice)
    phone = site.person()
    status, _, response = await phone.post("/login", {"username": "alice", "password": PASSWORD})
    assert (status, response.headers["Location"]) == (303, "/login/code")
    assert (await phone.get("/settings"))[0] == 303, "the password alone is not enough"
    status, _, _ = await phone.post("/login/code", {"code": "000000"})
    assert status == 422
    status, _, _ = await phone.post("/login/code", {"code": app.now()})
    assert status == 422, "the code that turned it on was used already"
    status, _, _ = await phone.post("/login/code", {"code": codes[0]})
    assert status == 303
    assert (await phone.get("/settings"))[0] == 200
    again = site.person()
    await again.post("/login", {"username": "alice", "password": PASSWORD})
    assert (await again.post("/login/code", {"code": codes[0]}))[0] == 422, "used up"
    assert "recovery code" in (await alice.mailbox.letter("alice@example.org", after=2)).subject


async def test_a_program_logs_in_in_two_steps(site: Site) -> None:
    alice = await site.member("alice")
    _, codes = await enrol(alice)
    program = site.person()
    body = {"username": "alice", "password": PASSWORD}
    status, answer = await program.api("POST", "/auth/login", body)
    assert (status, answer["error"]["code"]) == (401, "code_required")
    status, answer = await program.api("POST", "/auth/login", {**body, "code": "123456"})
    assert (status, answer["error"]["code"]) == (401, "wrong_code")
    status, answer = await program.api(
        "POST", "/auth/login", {**body, "password": "wrong one", "code": codes[1]}
    )
    assert (status, answer["error"]["code"]) == (401, "wrong_credentials")
    status, answer = await program.api("POST", "/auth/login", {**body, "code": codes[1]})
    assert status == 200


async def test_guessing_codes_of_the_app_is_slowed_down(site: Site) -> None:
    alice = await site.member("alice")
    await enrol(alice)
    guesser = site.person()
    await guesser.post("/login", {"username": "alice", "password": PASSWORD})
    statuses = [
        (await guesser.post("/login/code", {"code": f"{number:06}"}))[0]
        for number in range(limits.SECOND_FACTOR_BURST + 1)
    ]
    assert statuses == [422] * limits.SECOND_FACTOR_BURST + [429]


async def test_a_forgotten_password(site: Site) -> None:
    await site.member("alice")
    person = site.person()
    status, _, response = await person.post("/password", {"email": "alice@example.org"})
    assert (status, response.headers["Location"]) == (303, "/password/new")
    letter = await new_password_letter(person)
    status, _, _ = await person.post("/password/new", {"code": letter.code, "password": "x"})
    assert status == 422
    status, _, response = await person.post("/password/new", {"code": letter.code, "password": NEW})
    assert (status, response.headers["Location"]) == (303, "/login")
    assert (await person.get("/settings"))[0] == 303, "a code logs nobody in"
    await person.log_in_as_program("alice", NEW)


async def test_a_forgotten_password_tells_nothing(site: Site) -> None:
    await site.member("alice")
    answers = []
    for email in ("alice@example.org", "nobody@example.org"):
        status, answer = await site.person().api(
            "POST", "/auth/password/forgotten", {"email": email}
        )
        answers.append((status, set(answer), answer["expires_in"], len(answer["handle"])))
    assert answers[0] == answers[1]
    pages = []
    for email in ("alice@example.org", "nobody@example.org"):
        person = site.person()
        status, text, response = await person.post("/password", {"email": email})
        pages.append((status, response.headers["Location"], text))
    assert pages[0] == pages[1]


async def test_a_code_is_of_no_use_to_another_browser(site: Site) -> None:
    await site.member("alice")
    owner, thief = site.person(), site.person()
    await owner.post("/password", {"email": "alice@example.org"})
    await thief.post("/password", {"email": "nobody@example.org"})
    letter = await new_password_letter(owner)
    status, _, _ = await thief.post("/password/new", {"code": letter.code, "password": NEW})
    assert status == 422


async def test_another_address(site: Site) -> None:
    alice = await site.member("alice")
    status, _, response = await alice.post("/settings/security/email", {"email": "new@example.org"})
    assert (status, response.headers["Location"]) == (303, "/settings/security/email")
    letter = await alice.mailbox.letter("new@example.org")
    status, _, _ = await alice.post("/settings/security/email/confirm", {"code": "00000000"})
    assert status == 422
    status, _, _ = await alice.post("/settings/security/email/confirm", {"code": letter.code})
    assert status == 303
    assert (await alice.api("GET", "/me"))[1]["email"] == "new@example.org"
    told = await alice.mailbox.letter(
        "alice@example.org", where=lambda one: "address" in one.subject
    )
    assert "new@example.org" not in told.body, "it may be read by who took the account"
    assert "n…@example.org" in told.body


async def test_what_is_dangerous_asks_for_the_password_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await site.streamer()
    monkeypatch.setattr(limits, "CONFIRMED_MS", 0)  # it is long ago
    for path in (
        "/settings/security/email",
        "/settings/security/app/off",
        "/settings/tokens",
        "/settings/data/delete",
        "/studio/alice/settings/delete",
    ):
        status, _, response = await alice.post(path, {})
        assert status == 303, path
        assert response.headers["Location"].startswith("/confirm?next=/"), path
    for method, path in (
        ("DELETE", "/me"),
        ("GET", "/me/data"),
        ("DELETE", "/channels/alice"),
        ("POST", "/me/tokens"),
    ):
        body = {"name": "x", "scopes": ["read"]} if method == "POST" else None
        status, answer = await alice.api(method, path, body)
        assert (status, answer["error"]["code"]) == (403, "confirm"), path
    monkeypatch.undo()
    status, _, response = await alice.post(
        "/confirm", {"password": PASSWORD, "next": "/settings/data"}
    )
    assert (status, response.headers["Location"]) == (303, "/settings/data")
    assert (await alice.api("POST", "/auth/confirm", {"password": "wrong one"}))[0] == 401
    assert (await alice.api("POST", "/auth/confirm", {"password": PASSWORD}))[0] == 204
    assert (await alice.api("GET", "/me/data"))[0] == 200


async def test_devices(site: Site) -> None:
    alice, phone, tablet = await site.member("alice"), site.person(), site.person()
    for device in (phone, tablet):
        await device.post("/login", {"username": "alice", "password": PASSWORD})
    _, text, _ = await alice.get("/settings/security")
    ids = re.findall(r'name="id" value="(ses_\w+)"', text)
    assert len(ids) == 2, "all but this one"
    mallory = await site.member("mallory")
    await mallory.post("/settings/security/devices/revoke", {"id": ids[0]})
    assert (await phone.get("/settings"))[0] == (await tablet.get("/settings"))[0] == 200
    await alice.post("/settings/security/devices/revoke", {"id": ids[0]})
    statuses = {(await phone.get("/settings"))[0], (await tablet.get("/settings"))[0]}
    assert statuses == {200, 303}
    await alice.post("/settings/security/devices/revoke-others")
    assert (await phone.get("/settings"))[0] == (await tablet.get("/settings"))[0] == 303
    assert (await alice.get("/settings"))[0] == 200


async def test_a_personal_token_does_what_its_scopes_say(site: Site) -> None:
    alice = await site.streamer()
    status, text, _ = await alice.post(
        "/settings/tokens", {"name": "bot", "scope_read": "", "scope_chat": "", "days": "30"}
    )
    assert status == 200
    secret = re.search(r"msp_[\w-]+", text)
    assert secret is not None
    _, text, _ = await alice.get("/settings/tokens")
    assert secret[0] not in text, "shown once"
    bot = site.person()
    bot.token = secret[0]
    assert (await bot.api("GET", "/me"))[1]["username"] == "alice"
    assert (await bot.api("POST", "/channels/alice/chat", {"text": "hi"}))[0] in (200, 201)
    for method, path, body in (
        ("PATCH", "/channels/alice", {"title": "x"}),
        ("DELETE", "/channels/alice", None),
        ("DELETE", "/me", None),
        ("GET", "/me/data", None),
        ("POST", "/auth/confirm", {"password": PASSWORD}),
        ("POST", "/me/password", {"current_password": PASSWORD, "new_password": NEW}),
        ("POST", "/me/tokens", {"name": "more", "scopes": ["admin"]}),
    ):
        status, answer = await bot.api(method, path, body)
        assert status == 403, (path, answer)
    _, listed = await alice.api("GET", "/me/tokens")
    (token,) = listed["tokens"]
    assert (await alice.api("DELETE", f"/me/tokens/{token['id']}"))[0] == 204
    assert (await bot.api("GET", "/me"))[0] == 401


async def test_my_data(site: Site) -> None:
    alice, bob = await site.streamer(), await site.member("bob")
    await bob.api("PUT", "/channels/alice/follow")
    await bob.api("POST", "/channels/alice/chat", {"text": "hello from bob"})
    _, page, _ = await bob.get("/settings/data")
    assert "/settings/data/download" in page
    status, text, response = await bob.get("/settings/data/download")
    assert status == 200
    assert response.headers["Content-Disposition"] == 'attachment; filename="bob.json"'
    data = json.loads(text)
    assert data["account"]["email"] == "bob@example.org"
    assert [line["text"] for line in data["chat"]["lines"]] == ["hello from bob"]
    assert data["sessions"]
    _, own = await alice.api("GET", "/me/data")
    assert own["data"]["channels"]["owned"][0]["slug"] == "alice"
    assert "hello from bob" not in json.dumps(own), "that is bob's"
    everything = text + json.dumps(own)
    assert "argon2" not in everything
    assert "digest" not in everything


async def test_deleting_the_account(site: Site) -> None:
    alice, bob = await site.streamer(), await site.member("bob")
    await alice.api("POST", "/channels/alice/chat", {"text": "secret words"})
    await bob.api("POST", "/channels/alice/chat", {"text": "mine"})
    status, _, _ = await bob.post("/settings/data/delete", {"username": "alice"})
    assert status == 422, "the name must be typed"
    status, _, response = await bob.post("/settings/data/delete", {"username": " Bob"})
    assert (status, response.headers["Location"]) == (303, "/")
    assert (await bob.get("/settings"))[0] == 303
    assert (await bob.api("GET", "/me"))[0] == 401
    _, history = await alice.api("GET", "/channels/alice/chat")
    assert "mine" not in json.dumps(history)
    assert "secret words" in json.dumps(history)
    assert "deleted" in (await bob.mailbox.letter("bob@example.org", after=1)).subject
    status, _, _ = await site.person().post(
        "/register", {"username": "bob", "email": "b@example.org", "password": PASSWORD}
    )
    assert status == 409, "nobody else is bob for a while"
    await site.person().register("bobby")


async def test_deleting_a_channel(site: Site) -> None:
    alice, mallory = await site.streamer(), await site.streamer("mallory")
    assert (await mallory.api("DELETE", "/channels/alice"))[0] == 403
    status, _, _ = await alice.post("/studio/alice/settings/delete", {"slug": "bob"})
    assert status == 422
    status, _, response = await alice.post("/studio/alice/settings/delete", {"slug": "@alice"})
    assert (status, response.headers["Location"]) == (303, "/studio")
    assert (await alice.get("/@alice"))[0] == 404
    assert site.media.broadcasts.stopped == [("alice", "The channel was deleted.")]
    status, _ = await mallory.api("POST", "/channels", {"slug": "alice"})
    assert status == 409


async def test_the_last_admin_stays(site: Site) -> None:
    root = site.person()
    await root.post(
        "/setup",
        {
            "token": site.setup_token,
            "username": "root",
            "email": "root@example.org",
            "password": PASSWORD,
            "channel_name": "Main",
            "channel_slug": "main",
        },
    )
    status, text, _ = await root.post("/settings/data/delete", {"username": "root"})
    assert status == 409, text
    assert "last admin" in text


async def test_a_profile(site: Site) -> None:
    alice = await site.member("alice")
    form = {"about": "I paint.", "link_name_0": "My site", "link_url_0": "https://alice.example"}
    assert (await alice.post("/settings", form))[0] == 303
    _, text, _ = await alice.get("/settings")
    assert "I paint." in text
    assert "https://alice.example" in text
    for url in ("javascript:alert(1)", "https://user@alice.example", "//x.example", "https://x"):
        status, text, _ = await alice.post("/settings", {**form, "link_url_0": url})
        assert status == 422, url
        assert "https://" in text
    status, text, _ = await alice.post("/settings", {"about": "x" * 1001})
    assert status == 422
    _, profile = await alice.api("GET", "/me/profile")
    assert profile["links"] == [{"name": "My site", "url": "https://alice.example"}]
    status, answer = await alice.api("PATCH", "/me/profile", {"avatar": "https://x.example/a.png"})
    assert (status, answer["error"]["field"]) == (422, "avatar"), "no picture is fetched from afar"

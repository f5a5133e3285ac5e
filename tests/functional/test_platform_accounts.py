"""Register, log in, log out: as a person with a browser and as a program."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from yarl import URL

from tests.functional.platform_site import PASSWORD, Site, running_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


async def test_a_person_registers_and_logs_out_and_in(site: Site) -> None:
    alice = site.person()
    await alice.register("alice")
    status, text, response = await alice.get("/studio")
    assert status == 200
    assert "alice" in text
    assert response.headers["Cache-Control"] == "no-store"

    status, _, response = await alice.post("/logout")
    assert (status, response.headers["Location"]) == (303, "/")
    status, _, response = await alice.get("/studio/x?y=z")
    assert status == 303
    assert response.headers["Location"] == "/login?next=/studio/x?y%3Dz"

    status, text, _ = await alice.post("/login", {"username": "alice", "password": "wrong one"})
    assert status == 422
    assert "wrong" in text
    status, _, response = await alice.post(
        "/login", {"username": "Alice", "password": PASSWORD, "next": "/studio"}
    )
    assert (status, response.headers["Location"]) == (303, "/studio")
    status, _, response = await alice.get("/login?next=/studio")
    assert (status, response.headers["Location"]) == (303, "/studio")


async def test_the_cookie(site: Site) -> None:
    alice = site.person()
    await alice.register("alice")
    _, _, response = await alice.post("/login", {"username": "alice", "password": PASSWORD})
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("sid=")
    for part in ("HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=2592000"):
        assert part in cookie
    assert "Domain" not in cookie


async def test_a_planted_session_dies_at_log_in(site: Site) -> None:
    """Session fixation: a token that the attacker knows must not become the victim's."""
    attacker, victim = site.person(), site.person()
    await attacker.register("mallory")
    await site.person().register("alice")
    planted = attacker.http.cookie_jar.filter_cookies(site.base)["sid"].value
    victim.http.cookie_jar.update_cookies({"sid": planted}, site.base)
    await victim.post("/login", {"username": "alice", "password": PASSWORD})
    fresh = victim.http.cookie_jar.filter_cookies(site.base)["sid"].value
    assert fresh != planted
    status, _, _ = await attacker.get("/studio")
    assert status == 303, "the planted token still works"
    made_up = site.person()
    made_up.http.cookie_jar.update_cookies({"sid": "A" * 43}, site.base)
    await made_up.post("/login", {"username": "alice", "password": PASSWORD})
    assert made_up.http.cookie_jar.filter_cookies(site.base)["sid"].value != "A" * 43


async def test_log_out_ends_the_session_on_the_server(site: Site) -> None:
    alice = site.person()
    await alice.register("alice")
    kept = alice.http.cookie_jar.filter_cookies(site.base)["sid"].value
    await alice.post("/logout")
    thief = site.person()
    thief.http.cookie_jar.update_cookies({"sid": kept}, site.base)
    status, _, _ = await thief.get("/studio")
    assert status == 303


async def test_unknown_name_and_wrong_password_look_the_same(site: Site) -> None:
    await site.person().register("alice")
    answers, pages = [], []
    for name in ("alice", "nobody", "alice@example.org", "nobody@example.org", "\0"):
        answers.append(
            await site.person().api("POST", "/auth/login", {"username": name, "password": "x" * 9})
        )
        status, text, _ = await site.person().post(
            "/login", {"username": name, "password": "x" * 9}
        )
        pages.append((status, re.sub(r"\d{13}", "NOW", text).replace(name, "NAME")))
    assert [status for status, _ in answers] == [401] * 5
    assert all(answer == answers[0] for answer in answers)
    assert all(page == pages[0] for page in pages[:4])


async def test_guessing_gets_a_429_with_a_time(site: Site) -> None:
    await site.person().register("alice")
    guesser = site.person()
    statuses = []
    for _ in range(9):
        status, text, response = await guesser.post(
            "/login", {"username": "alice", "password": "wrong one"}
        )
        statuses.append(status)
    assert statuses == [422] * 8 + [429]
    assert 0 < int(response.headers["Retry-After"]) <= 30
    assert "Wait" in text
    status, answer = await guesser.api(
        "POST", "/auth/login", {"username": "alice", "password": PASSWORD}
    )
    assert (status, answer["error"]["code"]) == (429, "rate_limited")


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "/x\r\nSet-Cookie: a=b"],
)
async def test_after_log_in_nobody_is_sent_elsewhere(site: Site, target: str) -> None:
    alice = site.person()
    await alice.register("alice")
    for path, form in (
        ("/login", {"username": "alice", "password": PASSWORD, "next": target}),
        ("/theme", {"theme": "dark", "next": target}),
    ):
        status, _, response = await alice.post(path, form)
        assert (status, response.headers["Location"]) == (303, "/")
        assert "a=b" not in str(response.headers.getall("Set-Cookie", []))


async def test_errors_of_the_register_form(site: Site) -> None:
    await site.person().register("alice")
    good = {"username": "bob", "email": "bob@example.org", "password": PASSWORD}
    for wrong, status_expected in (
        ({"username": "x"}, 422),
        ({"username": "alice"}, 409),
        ({"username": "admin"}, 409),
        ({"email": "x"}, 422),
        ({"password": "password1"}, 422),
    ):
        status, text, response = await site.person().post("/register", {**good, **wrong})
        assert status == status_expected, wrong
        assert "Set-Cookie" not in response.headers
        assert PASSWORD not in text


async def test_an_address_with_an_account_looks_like_any_other(site: Site) -> None:
    await site.person().register("alice")
    pages, answers = [], []
    for number, email in enumerate(("alice@example.org", "nobody@example.org")):
        person = site.person()
        form = {"username": f"bob_{number}", "email": email, "password": PASSWORD}
        status, text, response = await person.post("/register", form)
        pages.append((status, response.headers["Location"], text))
        status, text, _ = await person.get(response.headers["Location"])
        pages.append((status, re.sub(r"\d{13}", "NOW", text).replace(email, "EMAIL")))
        form["username"] = f"carol_{number}"
        status, pending = await site.person().api("POST", "/auth/register", form)
        answers.append((status, set(pending), pending["expires_in"]))
        status, text, _ = await person.post("/register/code", {"code": "00000000"})
        pages.append((status, re.sub(r"\d{13}", "NOW", text).replace(email, "EMAIL")))
    assert pages[:3] == pages[3:]
    assert answers[0] == answers[1]


async def test_nobody_makes_themselves_admin(site: Site) -> None:
    """Mass assignment: fields that were not asked for."""
    person = site.person()
    body = {"username": "mallory", "email": "m@example.org", "password": PASSWORD}
    status, answer = await person.api("POST", "/auth/register", {**body, "is_admin": True})
    assert (status, answer["error"]["field"]) == (422, "is_admin")
    status, _, _ = await person.post("/register", {**body, "is_admin": "1", "role": "admin"})
    assert status == 303
    letter = await person.mailbox.letter("m@example.org")
    status, _, _ = await person.post("/register/code", {"code": letter.code, "role": "admin"})
    assert status == 303
    tokens = await person.log_in_as_program("mallory")
    assert tokens["token_type"] == "Bearer"
    status, me = await person.api("GET", "/me")
    assert (status, me["is_admin"]) == (200, False)


async def test_a_program_logs_in_refreshes_and_logs_out(site: Site) -> None:
    program = site.person()
    status, pending = await program.api(
        "POST",
        "/auth/register",
        {"username": "alice", "email": "alice@example.org", "password": PASSWORD},
    )
    assert status == 201
    assert set(pending) == {"handle", "username", "email", "expires_in"}
    letter = await program.mailbox.letter("alice@example.org")
    status, me = await program.api(
        "POST", "/auth/register/confirm", {"handle": pending["handle"], "code": letter.code}
    )
    assert status == 201
    assert (me["username"], me["role"]) == ("alice", "normal")
    first = await program.log_in_as_program("alice")
    assert first["expires_in"] == 600
    assert (await program.api("GET", "/me"))[1]["username"] == "alice"

    status, second = await program.api(
        "POST", "/auth/refresh", {"refresh_token": first["refresh_token"]}
    )
    assert status == 200
    program.token = second["access_token"]
    assert (await program.api("GET", "/me"))[0] == 200
    assert (await program.api("POST", "/auth/logout", {"refresh_token": second["refresh_token"]}))[
        0
    ] == 204
    assert (await program.api("GET", "/me"))[0] == 401

    await program.log_in_as_program("alice")
    assert (await program.api("POST", "/auth/logout"))[0] == 204  # by the access token
    assert (await program.api("GET", "/me"))[0] == 401


async def test_a_stolen_refresh_token_ends_the_whole_log_in(site: Site) -> None:
    program = site.person()
    await site.person().register("alice")
    first = await program.log_in_as_program("alice")
    _, second = await program.api(
        "POST", "/auth/refresh", {"refresh_token": first["refresh_token"]}
    )
    thief = site.person()
    status, answer = await thief.api(
        "POST", "/auth/refresh", {"refresh_token": first["refresh_token"]}
    )
    assert (status, answer["error"]["code"]) == (401, "invalid_token")
    program.token = second["access_token"]
    assert (await program.api("GET", "/me"))[0] == 401
    status, _ = await program.api(
        "POST", "/auth/refresh", {"refresh_token": second["refresh_token"]}
    )
    assert status == 401


async def test_a_session_serves_the_api_of_our_own_pages(site: Site) -> None:
    alice = site.person()
    await alice.register("alice")
    assert (await alice.api("GET", "/me"))[1]["username"] == "alice"
    # A wrong bearer token is not silently replaced by the cookie.
    assert (await alice.api("GET", "/me", headers={"Authorization": "Bearer x"}))[0] == 401
    assert (await alice.api("GET", "/me", headers={"Authorization": "Basic eDp5"}))[0] == 401


async def test_closed_registration(tmp_path: Path) -> None:
    async with running_site(tmp_path, accounts={"registration": "closed"}) as site:
        person = site.person()
        body = {"username": "alice", "email": "a@example.org", "password": PASSWORD}
        status, answer = await person.api("POST", "/auth/register", body)
        assert (status, answer["error"]["code"]) == (403, "registration_closed")
        status, _, _ = await person.post("/register", body)
        assert status == 403
        assert (await person.get("/register"))[0] == 200


async def test_theme(site: Site) -> None:
    person = site.person()
    status, _, response = await person.post("/theme", {"theme": "dark", "next": "/login"})
    assert (status, response.headers["Location"]) == (303, "/login")
    _, text, _ = await person.get("/")
    assert 'data-theme="dark"' in text
    await person.post("/theme", {"theme": '"><script>', "next": "/"})
    person.http.cookie_jar.update_cookies({"theme": "evil"}, URL(site.base))
    _, text, _ = await person.get("/")
    assert 'data-theme="auto"' in text

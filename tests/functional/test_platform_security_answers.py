"""What every answer carries, and what none does: headers, cookies, types, caching, internals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mediaserver.kernel import limits
from tests.functional.platform_site import PASSWORD, Person, Site, running_site

HTTPS = {"X-Forwarded-Proto": "https"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Behind a proxy that says when it was HTTPS."""
    async with running_site(tmp_path, http={"trusted_proxies": ("127.0.0.1",)}) as running:
        yield running


@pytest.fixture
async def alice(site: Site) -> Person:
    person = site.person()
    await person.register("alice")
    return person


async def _raw(site: Site, request: bytes) -> tuple[str, str]:
    """Head and body of the answer to bytes that no client library would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.server.http_port)
    writer.write(request)
    async with asyncio.timeout(10):
        answer = (await reader.read()).decode(errors="replace")
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition("\r\n\r\n")
    return head, body


async def test_trace_and_unknown_methods_are_refused(site: Site) -> None:
    for method in ("TRACE", "TRACK", "CONNECT", "DEBUG"):
        for path in ("/", "/login", "/api/v1/me", "/live/x/index.m3u8", "/static/css/base.css"):
            head, body = await _raw(
                site,
                f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Echo: xyzzy\r\n"
                "Connection: close\r\n\r\n".encode(),
            )
            assert head.split()[1] in ("400", "404", "405"), (method, path)
            assert "xyzzy" not in head + body


async def test_over_https_every_answer_says_to_stay_there(site: Site, alice: Person) -> None:
    for path in ("/", "/nothing", "/api/v1/me", "/live/x/index.m3u8", "/static/css/base.css"):
        _, _, response = await alice.get(path, headers=HTTPS)
        policy = response.headers["Strict-Transport-Security"]
        assert policy == "max-age=31536000; includeSubDomains", path
        assert response.headers["X-Content-Type-Options"] == "nosniff", path
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"], path


async def test_over_https_every_cookie_is_bound_to_this_host(site: Site) -> None:
    person = site.person()
    seen: dict[str, str] = {}

    async def post(path: str, form: dict[str, str]) -> None:
        _, _, response = await person.post(path, form, headers=HTTPS)
        for cookie in response.headers.getall("Set-Cookie", []):
            seen[cookie.partition("=")[0]] = cookie

    await post("/register", {"username": "bob", "email": "bob@example.org", "password": PASSWORD})
    await site.person().register("carol")
    await post("/login", {"username": "carol", "password": PASSWORD})
    await post("/theme", {"theme": "dark"})
    await post("/password", {"email": "carol@example.org"})
    await post("/logout", {})
    names = {"sid", "theme", "notice", "registration", "forgotten"}
    assert names <= {name.removeprefix("__Host-") for name in seen}
    for name, cookie in seen.items():
        assert name.startswith("__Host-"), cookie
        for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
            assert part in cookie.split("; "), cookie
        assert "Domain" not in cookie


async def test_a_cookie_without_the_prefix_is_worth_nothing_over_https(
    site: Site, alice: Person
) -> None:
    """Else a subdomain, or a page over plain HTTP, could plant one."""
    token = alice.http.cookie_jar.filter_cookies(site.base)["sid"].value
    for name, status in (("__Host-sid", 200), ("sid", 303)):
        answered, _, _ = await site.person().get(
            "/studio", headers={**HTTPS, "Cookie": f"{name}={token}"}
        )
        assert answered == status, name


async def test_what_is_private_is_stored_nowhere(alice: Person) -> None:
    await alice.make_channel("alice-tv")
    for path in (
        "/",
        "/@alice-tv",
        "/studio",
        "/studio/alice-tv",
        "/settings/security",
        "/settings/profile",
        "/api/v1/me",
        "/api/v1/me/sessions",
        "/api/v1/nothing",
    ):
        _, _, response = await alice.get(path)
        assert response.headers["Cache-Control"] == "no-store", path


async def test_logging_out_clears_the_browser(site: Site, alice: Person) -> None:
    _, _, response = await alice.post("/logout")
    assert response.headers["Clear-Site-Data"] == '"cache"'
    assert not alice.http.cookie_jar.filter_cookies(site.base).get("sid")
    await alice.post("/login", {"username": "alice", "password": PASSWORD})
    _, _, response = await alice.request(
        "POST", "/api/v1/auth/logout", headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert response.headers["Clear-Site-Data"] == '"cache"'
    assert not alice.http.cookie_jar.filter_cookies(site.base).get("sid")


async def test_text_says_its_charset(alice: Person) -> None:
    for path, types in (
        ("/", "text/html; charset=utf-8"),
        ("/nothing", "text/html; charset=utf-8"),
        ("/api/v1/me", "application/json; charset=utf-8"),
        ("/api/nothing", "application/json; charset=utf-8"),
        ("/theme.css", "text/css; charset=utf-8"),
        ("/static/css/base.css", "text/css; charset=utf-8"),
        ("/static/js/theatre.js", "text/javascript; charset=utf-8"),
        ("/favicon.ico", "image/svg+xml; charset=utf-8"),
        ("/live/x/index.m3u8", "application/json; charset=utf-8"),
    ):
        _, _, response = await alice.get(path)
        assert response.headers["Content-Type"] == types, path


BROKEN = {
    "no host": b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    "a zero in the path": b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "an unknown version": b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "two ways to tell the length": (
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "a negative length": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    "two lengths": (
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"
    ),
    "an endless header": b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"xyzzy" * 4_000 + b"\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
}


@pytest.mark.parametrize("case", BROKEN)
async def test_broken_requests_are_refused_without_internals(site: Site, case: str) -> None:
    """Request smuggling needs two readings of one message: whatever is ambiguous is refused."""
    with capture_logs() as lines:
        head, body = await _raw(site, BROKEN[case])
    assert head.split()[1] == "400", head
    told = [(line["event"], line.get("address")) for line in lines]
    assert ("broken request refused", "127.0.0.1") in told
    assert "\r\nServer: mediaserver" in head
    for internal in ("Traceback", "site-packages", ".py", "aiohttp", "Python/", "xyzzy"):
        assert internal not in head + body, internal


async def test_no_folder_is_listed_and_no_other_file_is_there(site: Site) -> None:
    for path in (
        "/static/",
        "/static/js/",
        "/.git/config",
        "/.git/HEAD",
        "/.env",
        "/config.toml",
        "/storage/master.key",
        "/master.key",
        "/pyproject.toml",
        "/server-status",
        "/debug",
        "/avatars/",
        "/live/",
    ):
        status, text, _ = await site.person().get(path)
        assert status == 404, path
        assert "Index of" not in text


async def test_who_is_refused_stands_in_the_log(site: Site, alice: Person) -> None:
    with capture_logs() as lines:
        await alice.api("GET", "/admin/users")
        await alice.get("/admin/users?secret=xyzzy")
        await alice.post("/logout", headers={"Sec-Fetch-Site": "cross-site"})
        stranger = site.person()
        stranger.token = "made-up-xyzzy"
        await stranger.api("GET", "/me")
    refused = [line for line in lines if line["event"] == "refused"]
    told = [(line["status"], line["code"], line["path"], bool(line["user"])) for line in refused]
    assert told == [
        (403, "forbidden", "/api/v1/admin/users", True),
        (403, "forbidden", "/admin/users", True),
        (403, "cross_site", "/logout", False),
        (401, "invalid_token", "/api/v1/me", False),
    ]
    assert {line["address"] for line in refused} == {"127.0.0.1"}
    assert "xyzzy" not in str(lines)


async def test_throttled_guesses_on_pages_stand_in_the_log(site: Site, alice: Person) -> None:
    """Once each, also those that a form answers."""
    guesser = site.person()
    wrong = {"username": "alice", "password": "wrong xyzzy"}
    forgotten = {"email": "alice@example.org"}
    for _ in range(limits.LOGIN_PER_ACCOUNT_BURST):
        assert (await guesser.post("/login", wrong))[0] == 422
    for _ in range(limits.CODES_PER_ASKER_BURST):
        await guesser.post("/password", forgotten)
    for _ in range(limits.CONFIRM_BURST):
        await alice.post("/confirm", {"password": "wrong xyzzy"})
    with capture_logs() as lines:
        assert (await guesser.post("/login", wrong))[0] == 429
        assert (await guesser.api("POST", "/auth/login", wrong))[0] == 429
        assert (await guesser.post("/password", forgotten))[0] == 429
        assert (await alice.post("/confirm", {"password": "wrong xyzzy"}))[0] == 429
        change = {"current_password": "wrong xyzzy", "password": "a fine password"}
        assert (await alice.post("/settings/security/password", change))[0] == 429
    refused = [line for line in lines if line["event"] == "refused"]
    told = [(line["status"], line["code"], line["path"], bool(line["user"])) for line in refused]
    assert told == [
        (429, "rate_limited", "/login", False),
        (429, "rate_limited", "/api/v1/auth/login", False),
        (429, "rate_limited", "/password", False),
        (429, "rate_limited", "/confirm", True),
        (429, "rate_limited", "/settings/security/password", True),
    ]
    assert {line["address"] for line in refused} == {"127.0.0.1"}
    assert "xyzzy" not in str(lines)


async def test_log_ins_stand_in_the_log_and_what_was_typed_does_not(site: Site) -> None:
    with capture_logs() as lines:
        alice = site.person()
        await alice.register("alice")
        await alice.post("/login", {"username": "alice", "password": "wrong xyzzy"})
        await alice.post("/login", {"username": "my password xyzzy", "password": "alice"})
        await alice.post("/login", {"username": "alice", "password": PASSWORD})
    events = [line["event"] for line in lines]
    for event in ("registered", "log-in refused", "password was right"):
        assert event in events
    refused = [line for line in lines if line["event"] == "log-in refused"]
    assert [bool(line["user"]) for line in refused] == [True, False]
    assert "xyzzy" not in str(lines)
    assert PASSWORD not in str(lines)

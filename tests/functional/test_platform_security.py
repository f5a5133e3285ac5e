"""What strangers try: other origins, other hosts, too much, the wrong shape, the wrong path."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from mediaserver.kernel import limits
from tests.functional.platform_site import PASSWORD, Person, Site, running_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


@pytest.fixture
async def alice(site: Site) -> Person:
    person = site.person()
    await person.register("alice")
    return person


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "SELF"},
    {"Sec-Fetch-Site": "nonsense"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://127.0.0.1.evil.example"},
    {"Origin": "file://"},
    {"Origin": "http://[::1"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_another_site_can_do_nothing(
    site: Site, alice: Person, headers: dict[str, str]
) -> None:
    own = str(site.base).rstrip("/")
    headers = {name: value.replace("SELF", own) for name, value in headers.items()}
    for method, path, body in (
        ("POST", "/studio/channels", {"data": {"slug": "alice-tv", "name": "x"}}),
        ("POST", "/logout", {"data": {}}),
        ("POST", "/login", {"data": {"username": "alice", "password": PASSWORD}}),
        ("POST", "/api/v1/channels", {"json": {"slug": "alice-tv"}}),
        ("PATCH", "/api/v1/channels/alice-tv", {"json": {"name": "x"}}),
        ("DELETE", "/api/v1/channels/alice-tv/stream-keys/x", {}),
    ):
        status, text, response = await alice.request(method, path, headers=headers, **body)
        assert status == 403, (method, path)
        assert "Set-Cookie" not in response.headers
        if path.startswith("/api"):
            assert "cross_site" in text
    assert (await alice.api("GET", "/channels"))[1] == {"channels": []}
    assert (await alice.get("/studio"))[0] == 200, "logged out"


async def test_our_own_pages_and_programs_can(site: Site, alice: Person) -> None:
    own = str(site.base).rstrip("/")
    await alice.accept_policies()
    for n, headers in enumerate(
        ({"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": own}, {})
    ):
        status, _, _ = await alice.request(
            "POST", "/studio/channels", headers=headers, data={"slug": f"ch-{n}", "name": "x"}
        )
        assert status == 303, headers
    program = site.person()
    await program.log_in_as_program("alice")
    status, _ = await program.api(
        "PATCH", "/channels/ch-0", {"name": "y"}, headers={"Origin": "https://tool.example"}
    )
    assert status == 200, "a bearer token alone can't be forged"
    await alice.log_in_as_program("alice")
    status, _ = await alice.api(
        "PATCH", "/channels/ch-0", {"name": "z"}, headers={"Origin": "https://tool.example"}
    )
    assert status == 403, "with a cookie beside it, it can"


async def test_reading_from_elsewhere_is_not_opened(site: Site) -> None:
    _, _, response = await site.person().get(
        "/api/v1/channels", headers={"Origin": "https://evil.example"}
    )
    assert not [name for name in response.headers if name.startswith("Access-Control")]


async def test_security_headers_are_everywhere(site: Site, alice: Person) -> None:
    for path in ("/", "/studio", "/nothing", "/api/v1/me", "/api/nothing", "/healthz", "/static/x"):
        _, _, response = await alice.get(path)
        headers = response.headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert headers["Referrer-Policy"] == "same-origin", path
        assert "aiohttp" not in headers["Server"], path
        assert "Strict-Transport-Security" not in headers, "on plain http"


async def test_wrong_host(tmp_path: Path) -> None:
    async with running_site(tmp_path, site={"public_url": "https://live.example.org"}) as site:
        person = site.person()
        for host, expected in (
            ("live.example.org", 200),
            ("LIVE.example.org:443", 200),
            ("localhost", 200),
            ("192.168.1.5:8080", 200),
            ("[::1]:8080", 200),
            ("evil.example", 421),
            ("live.example.org.evil.example", 421),
            ("live.example.org@evil.example", 400),
            ("evil.example/live.example.org", 400),
            ("a b", 400),
        ):
            status, text, _ = await person.get("/", headers={"Host": host})
            assert status == expected, host
            assert "evil.example" not in text
        status, _, _ = await person.get("/healthz", headers={"Host": "10.0.0.1"})
        assert status == 200
        # What people copy comes from the settings, never from the request.
        await person.register("alice")
        await person.accept_policies()
        await person.post("/studio/channels", {"slug": "alice-tv", "name": "x"})
        _, text, _ = await person.get("/studio", headers={"Host": "192.168.1.5"})
        assert "rtmp://live.example.org:1935/live" in text
        # Behind a proxy that rewrites Host, the public origin is still our own.
        status, _, _ = await person.request(
            "POST",
            "/theme",
            data={"theme": "dark"},
            headers={"Origin": "https://live.example.org", "Host": "127.0.0.1"},
        )
        assert status == 303


async def test_too_much(site: Site, alice: Person) -> None:
    big = "x" * 70_000
    status, _, _ = await alice.post("/login", {"username": "alice", "password": big})
    assert status == 413
    status, answer = await alice.api("POST", "/auth/login", {"username": "a", "password": big})
    assert (status, answer["error"]["code"]) == (413, "request_entity_too_large")

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    status, _, _ = await alice.request(
        "POST",
        "/api/v1/auth/login",
        data=endless(),
        headers={"Content-Type": "application/json"},
    )
    assert status == 413, "a chunked body has no announced length"
    status, _, _ = await alice.request(
        "POST",
        "/login",
        data="&".join(f"f{n}=x" for n in range(200)),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert status == 422


async def test_a_body_that_trickles_in_is_given_up(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REQUEST_BODY_TIMEOUT_S", 0.2)
    for path, content_type in (
        ("/login", "application/x-www-form-urlencoded"),
        ("/api/v1/auth/login", "application/json"),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", site.server.http_port)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
        writer.write(f"{head}Content-Length: 100\r\n\r\nuser".encode())
        async with asyncio.timeout(10):
            assert b" 408 " in await reader.readline()
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 20_000, "application/json", 400),
        (b"null", "application/json", 422),
        (b'{"username": "a", "password": {}}', "application/json", 422),
        (b"{}", "text/plain", 415),
        (b"username=a&password=b", "application/x-www-form-urlencoded", 415),
        (b'{"username":"\\ud800","password":"x"}', "application/json", 400),
    ],
)
async def test_bodies_of_the_wrong_shape(
    site: Site, body: bytes, content_type: str, status: int
) -> None:
    answered, text, response = await site.person().request(
        "POST", "/api/v1/auth/login", data=body, headers={"Content-Type": content_type}
    )
    assert answered == status, text
    assert response.content_type == "application/json"
    assert '"error"' in text


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"username=%FF%FE", "application/x-www-form-urlencoded", 422),
        (b"\xff", "application/x-www-form-urlencoded", 422),
        (b"{}", "application/json", 415),
        (b"--x\r\n", "multipart/form-data; boundary=x", 415),
        (b"", "application/x-www-form-urlencoded", 422),
    ],
)
async def test_forms_of_the_wrong_shape(
    site: Site, body: bytes, content_type: str, status: int
) -> None:
    answered, _, response = await site.person().request(
        "POST", "/login", data=body, headers={"Content-Type": content_type}
    )
    assert answered == status
    assert response.content_type == "text/html"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../templates/base.html",
        "/static/%2e%2e/templates/base.html",
        "/static/..%2ftemplates%2fbase.html",
        "/static/%2e%2e%2f%2e%2e%2fpyproject.toml",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/..%5c..%5cpyproject.toml",
        "/static/x%00.css",
        "/static/%ff%fe",
        "/static/",
        "/static",
        "/%2e%2e/pyproject.toml",
        "//etc/passwd",
        "/@alice%0d%0aSet-Cookie:%20x=y",
        "/@..%2f..%2fetc",
        "/studio/../../etc/passwd",
    ],
)
async def test_paths_lead_nowhere(site: Site, path: str) -> None:
    """Sent raw: a client library would tidy them up first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.server.http_port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(10):
        answer = (await reader.read()).decode(errors="replace")
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition("\r\n\r\n")
    assert head.split()[1] in ("303", "400", "404"), head
    assert "root:" not in body
    assert "[project]" not in body
    assert "{%" not in body
    assert "Set-Cookie" not in head


async def test_what_a_redirect_carries_is_encoded(site: Site) -> None:
    status, _, response = await site.person().get("/studio/a%0d%0aSet-Cookie:%20x=y")
    assert status in (303, 404)
    assert "x=y" not in str(response.headers.getall("Set-Cookie", []))
    assert "\r" not in response.headers.get("Location", "")


async def test_wrong_methods_and_unknown_paths(site: Site) -> None:
    person = site.person()
    status, text, response = await person.request("DELETE", "/api/v1/channels")
    assert (status, response.headers["Allow"]) == (405, "GET,HEAD,POST")
    assert "method_not_allowed" in text
    status, text, response = await person.request("PUT", "/login")
    assert status == 405
    assert response.content_type == "text/html"
    status, text, response = await person.get("/api/v1/nothing")
    assert (status, response.content_type) == (404, "application/json")
    status, text, response = await person.get("/nothing/<script>")
    assert (status, response.content_type) == (404, "text/html")
    assert "<script>" not in text


async def test_a_crash_tells_nothing(
    site: Site, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mediaserver.channels.channels import Channels

    async def crash(self: Channels) -> None:
        raise RuntimeError("the secret is xyzzy")

    monkeypatch.setattr(Channels, "list_all", crash)
    status, text, _ = await alice.get("/")
    assert status == 500
    assert "xyzzy" not in text
    status, answer = await alice.api("GET", "/channels")
    assert (status, answer["error"]["code"]) == (500, "internal")
    assert "xyzzy" not in str(answer)


async def test_forwarded_headers_from_strangers_mean_nothing(site: Site) -> None:
    """Else anybody could get a fresh throttle for each guess."""
    await site.person().register("alice")
    statuses = []
    for n in range(9):
        status, _, response = await site.person().post(
            "/login",
            {"username": "alice", "password": "wrong one"},
            headers={"X-Forwarded-For": f"10.0.0.{n}", "X-Forwarded-Proto": "https"},
        )
        statuses.append(status)
    assert statuses[-1] == 429
    assert "Strict-Transport-Security" not in response.headers


async def test_forwarded_headers_from_our_proxy_count(tmp_path: Path) -> None:
    proxies = {"trusted_proxies": ("127.0.0.1", "10.9.0.0/16")}
    async with running_site(tmp_path, http=proxies) as site:
        await site.person().register("alice")

        async def guess(*forwarded: str) -> int:
            lines = [("X-Forwarded-For", line) for line in forwarded]
            status, _, response = await site.person().request(
                "POST",
                "/login",
                data={"username": "alice", "password": "wrong one"},
                headers=[*lines, ("X-Forwarded-Proto", "https")],
            )
            assert "Strict-Transport-Security" in response.headers
            return status

        # The right-most address that is no proxy of ours is the visitor; what stands left of it
        # is what the visitor claims.
        assert [await guess(f"1.1.1.{n}, 6.6.6.6, 10.9.0.1") for n in range(9)][-1] == 429
        assert await guess("6.6.6.6") == 429
        assert await guess("7.7.7.7") == 422
        # Some proxies add a line of their own below the visitor's.
        assert await guess("9.9.9.9", "6.6.6.6") == 429

        person = site.person()
        _, _, response = await person.post(
            "/login",
            {"username": "alice", "password": PASSWORD},
            headers={"X-Forwarded-For": "8.8.8.8", "X-Forwarded-Proto": "https"},
        )
        cookie = response.headers["Set-Cookie"]
        assert cookie.startswith("__Host-sid=")
        assert "Secure" in cookie


async def test_https(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    await asyncio.to_thread(
        subprocess.run,
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", str(key)),
            *("-addext", "subjectAltName=DNS:localhost", "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    tls = {"tls_certificate": str(certificate), "tls_key": str(key)}
    async with running_site(tmp_path, http=tls) as site:
        assert site.server.url.startswith("https://localhost:")
        trust = ssl.create_default_context(cafile=str(certificate))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as http:
            person = Person(aiohttp.client.URL(site.server.url), http, site.mailbox)
            await person.register("alice")
            _, _, response = await person.post(
                "/login", {"username": "alice", "password": PASSWORD}
            )
            cookie = response.headers["Set-Cookie"]
            assert cookie.startswith("__Host-sid=")
            assert "Secure" in cookie
            assert response.headers["Strict-Transport-Security"]
            assert (await person.get("/studio"))[0] == 200
            status, _, _ = await person.request(
                "POST", "/logout", headers={"Origin": site.server.url.replace("https", "http")}
            )
            assert status == 403, "the same host without TLS is another origin"

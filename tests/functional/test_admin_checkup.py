"""The check-up on the admin desk and over the API: what it shows, and to whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mediaserver.kernel import limits
from tests.functional.desk import make_admin
from tests.functional.platform_site import Person, Site, running_site

PAGE = "/admin/checkup"
FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


async def _findings(admin: Person, **headers: str) -> dict[str, dict[str, Any]]:
    status, answer = await admin.api("GET", PAGE, headers=dict(headers))
    assert status == 200, answer
    return {one["name"]: one for one in answer["findings"]}


async def test_the_page_and_the_api_say_the_same(site: Site) -> None:
    admin = await make_admin(site)
    findings = await _findings(admin)
    assert findings["database"]["result"] == "ok"
    assert findings["answer"]["result"] == "ok"
    assert str(site.server.http_port) in findings["http_port"]["meaning"]
    assert findings["mail"]["result"] == "warn"
    status, text, _ = await admin.get(PAGE)
    assert status == 200
    for one in findings.values():
        assert one["title"] in text
    assert "stay in your mailbox" in text
    assert "Try it now" not in text, "there is no server to try"


async def test_a_problem_comes_first(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await make_admin(site)
    monkeypatch.setattr(limits, "STORAGE_FREE_BYTES_MIN", 1 << 62)
    _, text, _ = await admin.get(PAGE)
    assert text.index("note-bad") < text.index("note-warn")
    _, answer = await admin.api("GET", PAGE)
    assert answer["result"] == "bad"


async def test_a_proxy_that_is_not_believed(tmp_path: Path) -> None:
    public = {"public_url": "https://live.example.org"}
    async with running_site(tmp_path, site=public) as site:
        admin = await make_admin(site)
        findings = await _findings(admin)
        assert findings["proxy"]["result"] == "ok"
        assert findings["https"]["result"] == "warn", "came round the proxy"
        assert findings["host"]["result"] == "warn"
        findings = await _findings(admin, **FORWARDED)
        assert findings["proxy"]["result"] == "bad"
        assert 'trusted_proxies = ["127.0.0.1"]' in findings["proxy"]["advice"]
        assert findings["https"]["result"] == "bad"


async def test_a_proxy_that_is_believed(tmp_path: Path) -> None:
    public = {"public_url": "https://live.example.org"}
    http = {"trusted_proxies": ("127.0.0.1",)}
    async with running_site(tmp_path, site=public, http=http) as site:
        admin = await make_admin(site)
        findings = await _findings(admin, **FORWARDED, Host="live.example.org")
        assert findings["proxy"]["result"] == "ok"
        assert "203.0.113.9" in findings["proxy"]["meaning"]
        assert findings["https"]["result"] == "ok"
        assert "host" not in findings
        assert (await _findings(admin))["proxy"]["result"] == "warn", "it doesn't say who asks"


async def test_mail_is_tried_on_a_click_alone(tmp_path: Path) -> None:
    mail = {"smtp_host": "127.0.0.1", "smtp_port": 9, "smtp_security": "none"}
    async with running_site(tmp_path, mail=mail) as site:
        admin = await make_admin(site)
        _, text, _ = await admin.get(PAGE)
        assert "take our mail" not in text
        assert "Try it now" in text
        status, text, _ = await admin.post(f"{PAGE}/mail")
        assert status == 200
        assert "127.0.0.1 doesn&#39;t take our mail" in text
        status, answer = await admin.api("POST", f"{PAGE}/mail")
        assert (status, answer["result"]) == (200, "bad")


async def test_nobody_else_gets_in(site: Site) -> None:
    await make_admin(site)
    member, visitor = await site.member("bob"), site.person()
    assert (await member.get(PAGE))[0] == 403
    assert (await visitor.get(PAGE))[0] == 303
    assert (await member.post(f"{PAGE}/mail"))[0] == 403
    for method, path in (("GET", PAGE), ("POST", f"{PAGE}/mail")):
        assert (await member.api(method, path))[0] == 403
        assert (await visitor.api(method, path))[0] == 401

"""A streamer's whole path by API alone, with a real encoder: from a mailed code to an appeal.

tests/browser/test_streamers_path.py walks the same path as people in browsers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.documents import pdf
from tests.functional.platform_site import PASSWORD, Person
from tests.functional.site import ADMIN, Site
from tests.functional.site import PASSWORD as ADMIN_PASSWORD
from tests.mailbox import Mailbox
from tests.rtmp.publishers import PublishUrl, wire_publisher
from tests.rtmp.wire import RtmpClient

GONE_DEADLINE_S = 20.0


class Api(Person):
    """A program that says what it expects."""

    async def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        status, answer = await self.api(method, path, body, **options)
        assert status in (200, 201, 202, 204), (method, path, status, answer)
        return answer


@pytest.fixture
async def program(site: Site) -> AsyncIterator[Any]:
    """Makes programs at the site, each with its own connections."""
    opened: list[aiohttp.ClientSession] = []

    def make() -> Api:
        opened.append(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)))
        return Api(URL(site.url), opened[-1], Mailbox(site.storage))

    yield make
    for http in opened:
        await http.close()


async def registered(one: Api, username: str) -> Api:
    email = f"{username}@example.org"
    body = {"username": username, "email": email, "password": PASSWORD}
    pending = await one.ok("POST", "/auth/register", body)
    letter = await one.mailbox.letter(email)
    confirmation = {"handle": pending["handle"], "code": letter.code}
    await one.ok("POST", "/auth/register/confirm", confirmation)
    await one.log_in_as_program(username)
    return one


async def test_from_a_mailed_code_to_an_appeal(site: Site, program: Any) -> None:
    vera, victor = await registered(program(), "vera"), await registered(program(), "victor")
    admin = program()
    await admin.log_in_as_program(ADMIN, ADMIN_PASSWORD)

    # a streamer: rules accepted, a channel, a key
    status, refused = await vera.api("POST", "/channels", {"slug": "vera"})
    assert (status, refused["error"]["code"]) == (403, "policies_not_accepted")
    policies = (await vera.ok("GET", "/policies"))["policies"]
    accepted = {"accepted": [policy["id"] for policy in policies]}
    await vera.ok("PUT", "/me/streamer", accepted)
    await vera.ok("POST", "/channels", {"slug": "vera", "title": "Knots"})
    key = (await vera.ok("POST", "/channels/vera/stream-keys", {"name": "OBS"}))["key"]

    # verified
    document = {"data": pdf(), "headers": {"Content-Type": "application/pdf"}}
    await vera.ok("POST", "/me/verification/documents", **document)
    await vera.ok("POST", "/me/verification", {"legal_name": "Vera Example"})
    (case,) = (await admin.ok("GET", "/admin/verifications"))["verifications"]
    assert case["username"] == "vera"
    await admin.ok("POST", f"/admin/verifications/{case['id']}/approve")
    assert (await vera.ok("GET", "/me/verification"))["is_verified"]
    assert (await victor.ok("GET", "/channels/vera"))["is_verified"]

    # live, reported and warned
    url = f"rtmp://127.0.0.1:{site.rtmp_port}/live/{key}"
    async with wire_publisher(url) as publisher:
        await site.wait_state("vera", "live", 60)
        complaint = {
            "kind": "channel",
            "id": "vera",
            "reason": "spam",
            "text": "Nothing but adverts.",
        }
        mine = await victor.ok("POST", "/reports", complaint)
        (report,) = (await admin.ok("GET", "/admin/reports"))["reports"]
        assert report["id"] == mine["id"]
        warning = {
            "outcome": "warned",
            "reason": "spam",
            "text": "Mark adverts as such.",
            "answer": "",
        }
        await admin.ok("POST", f"/admin/reports/{report['id']}/decide", warning)
        assert (await victor.ok("GET", "/me/reports"))["reports"][0]["upheld"]
        standing = await vera.ok("GET", "/me/sanctions")
        assert (standing["strikes"], standing["bans"]) == (1, [])
        assert publisher.running

        # banned while live
        ban = await admin.ok(
            "POST", "/admin/users/vera/bans", {"reason": "spam", "text": "Again.", "days": 7}
        )
        outcome = await publisher.client.outcome(GONE_DEADLINE_S)
        assert outcome.closed
        assert outcome.error is not None
        assert "ban" in outcome.error.description.lower()
    status, _ = await victor.api("GET", "/channels/vera")
    assert status == 404
    async with aiohttp.ClientSession() as http:
        for path in ("/@vera", "/live/vera/index.m3u8"):
            async with http.get(site.url + path) as response:
                assert response.status in (404, 410), path
    assert (await vera.api("GET", "/me"))[0] == 401, "every log-in has ended"
    again = await program_publish(url)
    assert "ban" in again.lower()

    # the appeal
    await vera.log_in_as_program("vera")
    assert (await vera.api("PATCH", "/channels/vera", {"title": "x"}))[0] == 403
    standing = await vera.ok("GET", "/me/sanctions")
    (mine_now,) = standing["bans"]
    assert mine_now["id"] == ban["id"]
    await vera.ok("POST", f"/me/bans/{ban['id']}/appeal", {"text": "They were my own."})
    (appeal,) = (await admin.ok("GET", "/admin/appeals"))["appeals"]
    decision = {"accepted": True, "answer": "You are right."}
    await admin.ok("POST", f"/admin/appeals/{appeal['id']}/decide", decision)
    await vera.ok("PATCH", "/channels/vera", {"title": "Knots again"})
    async with wire_publisher(url):
        await site.wait_state("vera", "live", 60)


async def program_publish(url: str) -> str:
    """Try to publish; the reason that the encoder is given."""
    target = PublishUrl.parse(url)
    async with await RtmpClient.open(target.host, target.port) as client:
        status = await client.start(target.app, target.name)
        assert status.level == "error"
        return status.description

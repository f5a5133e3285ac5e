"""Notices over HTTP: the bell, its page, what is mailed, and the link that stops mails.

What is told about here is a webhook that was turned off, as another site answered 410.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from yarl import URL

from tests.functional.platform_site import PASSWORD, Person, Site, running_site
from tests.functional.socket_peer import connected
from tests.receiver import Receiver, receiver


@pytest.fixture
async def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Receiver]:
    async with receiver(tmp_path, monkeypatch) as running:
        running.answer(410)
        yield running


@pytest.fixture
async def site(there: Receiver, tmp_path: Path) -> AsyncIterator[Site]:
    public_url = {"public_url": "https://live.example.org"}
    async with running_site(
        tmp_path,
        webhooks={"allow": ["127.0.0.1"]},
        site=public_url,
        http={"trusted_proxies": ["127.0.0.1"]},
    ) as running:
        yield running


async def _turn_a_webhook_off(person: Person, there: Receiver) -> None:
    """And wait for the notice of it."""
    _, before = await person.api("GET", "/me/notices")
    body = {"url": there.url, "events": ["stream.online"]}
    _, made = await person.api("POST", f"/channels/{person.username}/webhooks", body)
    await person.api("POST", f"/channels/{person.username}/webhooks/{made['id']}/test")
    async with asyncio.timeout(20):
        while len((await person.api("GET", "/me/notices"))[1]["notices"]) == len(before["notices"]):
            await asyncio.sleep(0.01)


def _bell(text: str) -> str:
    match = re.search(r'data-bell="(\d+)"', text)
    assert match is not None
    return match[1]


async def test_the_bell_and_its_page(site: Site, there: Receiver) -> None:
    alice = await site.streamer("alice")
    assert _bell((await alice.get("/"))[1]) == "0"
    assert "Nothing yet" in (await alice.get("/notices"))[1]
    await _turn_a_webhook_off(alice, there)
    assert _bell((await alice.get("/"))[1]) == "1"
    _, text, _ = await alice.get("/notices")
    assert "A webhook was turned off" in text
    assert "data-fresh" in text
    assert _bell(text) == "0", "opening the page marks what it shows as read"
    path = re.search(r'href="(/studio/alice/webhooks/whk_\w+)"', text)
    assert path is not None
    assert (await alice.get(path[1]))[0] == 200
    _, text, _ = await alice.get("/notices")
    assert "data-fresh" not in text

    await _turn_a_webhook_off(alice, there)
    status, _, response = await alice.post("/notices/read")
    assert (status, response.headers["Location"]) == (303, "/notices")
    assert _bell((await alice.get("/"))[1]) == "0"

    stranger = site.person()
    assert 'data-bell="' not in (await stranger.get("/"))[1]
    assert (await stranger.get("/notices"))[0] == 303
    bob = await site.member("bob")
    assert "webhook" not in (await bob.get("/notices"))[1]


async def test_the_same_over_the_api(site: Site, there: Receiver) -> None:
    alice = await site.streamer("alice")
    for _ in range(2):
        await _turn_a_webhook_off(alice, there)
    _, answer = await alice.api("GET", "/me/notices")
    assert answer["unread"] == 2
    newest, oldest = answer["notices"]
    assert (newest["topic"], newest["is_read"]) == ("webhooks", False)
    _, older = await alice.api("GET", f"/me/notices?after={newest['id']}")
    assert [one["id"] for one in older["notices"]] == [oldest["id"]]
    assert (await alice.api("POST", "/me/notices/read", {"ids": [oldest["id"]]}))[0] == 204
    assert (await alice.api("GET", "/me/notices"))[1]["unread"] == 1
    assert (await alice.api("POST", "/me/notices/read"))[0] == 204
    assert (await alice.api("GET", "/me/notices"))[1]["unread"] == 0
    status, answer = await alice.api("POST", "/me/notices/read", {"ids": "all"})
    assert (status, answer["error"]["field"]) == (422, "ids")
    for method, path in (("GET", "/me/notices"), ("POST", "/me/notices/read")):
        assert (await site.person().api(method, path))[0] == 401


async def test_what_is_mailed(site: Site, there: Receiver) -> None:
    alice = await site.streamer("alice")
    _, text, _ = await alice.get("/settings/notifications")
    assert 'name="mail_webhooks" value="1" checked' in text
    assert 'name="mail_account"' not in text, "it is shown as fixed"
    assert 'name="mail_admin"' not in text
    await alice.post("/settings/notifications", {"mail_teams": "1", "mail_reports": "1"})
    _, answer = await alice.api("GET", "/me/notification-settings")
    mailed = {one["topic"]: one["by_mail"] for one in answer["topics"]}
    assert (mailed["webhooks"], mailed["teams"], mailed["account"]) == (False, True, True)

    status, answer = await alice.api(
        "PUT", "/me/notification-settings", {"mailed": {"webhooks": True, "account": False}}
    )
    assert status == 200
    mailed = {one["topic"]: one["by_mail"] for one in answer["topics"]}
    assert (mailed["webhooks"], mailed["teams"], mailed["account"]) == (True, True, True)
    for wrong in ({"mailed": {"nonsense": True}}, {"mailed": {"teams": "yes"}}, {}):
        status, answer = await alice.api("PUT", "/me/notification-settings", wrong)
        assert status == 422, wrong
        assert answer["error"]["field"].startswith("mailed")


async def test_a_mail_program_stops_the_mails_by_itself(site: Site, there: Receiver) -> None:
    alice = await site.streamer("alice")
    await _turn_a_webhook_off(alice, there)
    letter = await site.mailbox.letter(
        "alice@example.org", where=lambda one: "webhook" in one.subject
    )
    match = re.search(r"https://live\.example\.org(/unsubscribe\?\S+)", letter.body)
    assert match is not None
    link = match[1]

    # A program that scans mail opens every link: nothing happens yet.
    reader = site.person()
    status, text, _ = await reader.get(link)
    assert status == 200
    assert "Stop these mails?" in text
    assert await _is_mailed(alice)
    for forged in (link + "0", link.replace("webhooks", "teams"), "/unsubscribe"):
        assert (await reader.get(forged))[0] == 404
        assert (await reader.request("POST", forged, data={"x": "y"}))[0] == 404
    assert await _is_mailed(alice)

    # RFC 8058: one POST from a mail provider's server, without any header of a browser.
    status, text, _ = await reader.request("POST", link, data={"List-Unsubscribe": "One-Click"})
    assert status == 200
    assert "No more mails like this" in text
    assert not await _is_mailed(alice)

    # The button on the page sends the same in its fields.
    await alice.api("PUT", "/me/notification-settings", {"mailed": {"webhooks": True}})
    status, _, _ = await reader.post("/unsubscribe", dict(URL(link).query))
    assert status == 200
    assert not await _is_mailed(alice)


async def _is_mailed(person: Person) -> bool:
    _, answer = await person.api("GET", "/me/notification-settings")
    return bool(next(one["by_mail"] for one in answer["topics"] if one["topic"] == "webhooks"))


async def test_a_log_in_from_elsewhere_is_told(site: Site) -> None:
    alice = site.person()
    await alice.register("alice")
    form = {"username": "alice", "password": PASSWORD}
    await site.person().post("/login", form)  # the same address and program: nothing new
    proxied = {"X-Forwarded-For": "203.0.113.9", "User-Agent": "Thief/1"}
    await site.person().post("/login", form, headers=proxied)
    proxied = {"X-Forwarded-For": "198.51.100.7", "User-Agent": "script/1"}
    await site.person().api("POST", "/auth/login", form, headers=proxied)
    async with asyncio.timeout(20):
        while _bell((await alice.get("/"))[1]) != "2":
            await asyncio.sleep(0.01)
    _, text, _ = await alice.get("/notices")
    assert text.count("New log-in") == 2
    assert "203.0.113.9" in text
    assert "198.51.100.7" in text, "a program's"
    letters = await site.mailbox.letters("alice@example.org")
    assert not [one for one in letters if "log-in" in one.subject.lower()], "a notice, no mail"


async def test_a_connected_page_hears_at_once(site: Site, there: Receiver) -> None:
    alice, bob = await site.streamer("alice"), await site.member("bob")
    async with connected(alice, "/chat") as a, connected(bob, "/chat") as b:
        await _turn_a_webhook_off(alice, there)
        told = await a.event("inbox")
        assert told["title"] == "A webhook was turned off"
        assert told["url"].startswith("/studio/alice/webhooks/")
        await b.ask("join", {"channel": "alice"})
        assert not [one for one in b._events if one[1] == "inbox"]

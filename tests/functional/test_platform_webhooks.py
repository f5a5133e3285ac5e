"""Webhooks from end to end: made in the studio, told over TLS by a real server, checked there."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediaserver.kernel import limits
from mediaserver.media.events import BroadcastWentLive
from tests.functional.platform_site import PASSWORD, Person, Site, running_site
from tests.receiver import Receiver, Taken, receiver


@pytest.fixture
async def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Receiver]:
    """The other site. Made first: our own trusts its certificate from its start on."""
    async with receiver(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
async def site(there: Receiver, tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path, webhooks={"allow": ["127.0.0.1"]}) as running:
        yield running


async def _admin(site: Site) -> Person:
    """Whoever sets the site up."""
    person = site.person()
    form = {"token": site.setup_token, "username": "theroot", "email": "root@example.org"}
    status, text, _ = await person.post(
        "/setup", form | {"password": PASSWORD, "channel_name": "One", "channel_slug": "one-tv"}
    )
    assert status == 303, text
    await person.log_in_as_program("theroot")
    return person


def _check(taken: Taken, secret: str) -> None:
    """As docs/webhooks.md tells receivers to."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    headers = {name.lower(): value for name, value in taken.headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + taken.body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert expected in headers["webhook-signature"].split(" ")


async def test_a_streamer_is_told_in_their_own_program(site: Site, there: Receiver) -> None:
    alice = await site.streamer("alice")
    page = "/studio/alice/webhooks"
    assert "No webhooks yet" in (await alice.get(page))[1]
    form = {"url": f"{there.url}/hook", "event.stream.online": "1", "event.channel.follow": "1"}
    status, text, response = await alice.post(page, form)
    assert status == 303, text
    one = response.headers["Location"]
    _, text, _ = await alice.get(one)
    match = re.search(r"whsec_[A-Za-z0-9+/=]+", text)
    assert match is not None
    secret = match[0]
    assert "whsec_" not in (await alice.get(one))[1], "the secret is shown once"

    bob = await site.member("bob")
    assert (await bob.api("PUT", "/channels/alice/follow"))[0] in (200, 204)
    taken = await there.next()
    _check(taken, secret)
    told = json.loads(taken.body)
    assert (told["type"], told["data"]["user"]["username"]) == ("channel.follow", "bob")
    assert told["channel"]["slug"] == "alice"
    assert taken.path == "/hook"
    assert taken.headers["User-Agent"].startswith("mediaserver/")

    assert site.media.events is not None
    _, channel = await alice.api("GET", "/channels/alice")
    site.media.events.publish(BroadcastWentLive("brc_1", channel["id"], "alice", 1_000))
    online = await there.next()
    _check(online, secret)
    assert json.loads(online.body)["type"] == "stream.online"


async def test_the_log_a_test_and_sending_again(
    site: Site, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WEBHOOK_PAUSES_MS", (1,) * 8)
    monkeypatch.setattr(limits, "JOB_CHECK_S", 0.01)
    alice = await site.streamer("alice")
    form = {"url": there.url, "event.stream.online": "1"}
    _, _, response = await alice.post("/studio/alice/webhooks", form)
    one = response.headers["Location"]
    there.answer(500, 204, body=b"<b>broken</b>")
    assert (await alice.post(f"{one}/test"))[0] == 303
    first = await there.next()
    second = await there.next()
    assert first.body == second.body

    path = "/channels/alice/webhooks/" + one.rpartition("/")[2]
    deliveries: list[dict[str, object]] = []
    async with asyncio.timeout(20):
        while not deliveries or deliveries[0]["state"] == "waiting":
            deliveries = (await alice.api("GET", f"{path}/deliveries"))[1]["deliveries"]
    assert (deliveries[0]["state"], deliveries[0]["attempts"]) == ("taken", 2)
    _, text, _ = await alice.get(one)
    assert "Taken" in text
    assert "<b>broken" not in text

    status, _, _ = await alice.post(f"{one}/deliveries/{deliveries[0]['id']}/resend")
    assert status == 303
    assert (await there.next()).body == first.body


async def test_all_of_it_over_the_api(site: Site, there: Receiver) -> None:
    alice, bob = await site.streamer("alice"), await site.member("bob")
    all_of_them = "/channels/alice/webhooks"
    body = {"url": there.url, "events": ["stream.online"]}
    status, made = await alice.api("POST", all_of_them, body)
    assert status == 201
    assert made["secret"].startswith("whsec_")
    one = f"{all_of_them}/{made['id']}"
    assert (await alice.api("GET", all_of_them))[1]["webhooks"][0]["id"] == made["id"]
    status, changed = await alice.api("PATCH", one, {"events": ["chat.message"]})
    assert (status, changed["events"], changed["url"]) == (200, ["chat.message"], there.url)
    status, rotated = await alice.api("POST", f"{one}/rotate")
    assert (status, rotated["secret"] != made["secret"]) == (200, True)
    assert (await alice.api("POST", f"{one}/test"))[0] == 202
    taken = await there.next()
    for secret in (made["secret"], rotated["secret"]):  # both, for a day
        _check(taken, secret)

    for method, path in (
        ("GET", all_of_them),
        ("GET", one),
        ("DELETE", one),
        ("POST", f"{one}/rotate"),
        ("POST", f"{one}/test"),
        ("GET", f"{one}/deliveries"),
        ("GET", "/admin/webhooks"),
    ):
        assert (await bob.api(method, path))[0] == 403, path
        assert (await site.person().api(method, path))[0] == 401, path
    assert (await alice.api("PATCH", one, {"is_on": False}))[1]["off_reason"] == "asked"
    assert (await alice.api("POST", f"{one}/test"))[0] == 409
    assert (await alice.api("DELETE", one))[0] == 204
    assert (await alice.api("GET", one))[0] == 404


@pytest.mark.parametrize(
    ("url", "events", "field"),
    [
        ("https://169.254.169.254/latest/meta-data", ["stream.online"], "url"),
        ("https://10.0.0.1/", ["stream.online"], "url"),
        ("ftp://example.org/", ["stream.online"], "url"),
        ("https://user:pass@example.org/", ["stream.online"], "url"),
        ("https://example.org/", ["user.created"], "events"),
        ("https://example.org/", [], "events"),
    ],
)
async def test_what_is_refused_stands_at_its_field(
    site: Site, url: str, events: list[str], field: str
) -> None:
    alice = await site.streamer("alice")
    status, answer = await alice.api(
        "POST", "/channels/alice/webhooks", {"url": url, "events": events}
    )
    assert (status, answer["error"]["field"]) == (422, field)
    form = {"url": url} | {f"event.{event}": "1" for event in events}
    status, text, _ = await alice.post("/studio/alice/webhooks", form)
    assert status == 422
    assert "field-error" in text
    assert url.replace("&", "&amp;") in text, "what was typed is still there"


async def test_an_admin_is_told_of_the_whole_site(site: Site, there: Receiver) -> None:
    root = await _admin(site)
    assert "No webhooks yet" in (await root.get("/admin/webhooks"))[1]
    status, text, response = await root.post(
        "/admin/webhooks",
        {"url": there.url, "event.user.created": "1", "event.user.banned": "1"},
    )
    assert status == 303, text
    assert "whsec_" in (await root.get(response.headers["Location"]))[1]
    await site.person().register("carol")
    told = json.loads((await there.next()).body)
    assert (told["type"], told["channel"]) == ("user.created", None)
    assert told["data"]["user"]["username"] == "carol"
    body = {"reason": "spam", "text": "", "days": 3}
    status, answer = await root.api("POST", "/admin/users/carol/bans", body)
    assert status == 201, answer
    told = json.loads((await there.next()).body)
    assert (told["type"], told["data"]["user"]["username"]) == ("user.banned", "carol")
    assert (told["data"]["reason"], told["data"]["until"] is None) == ("spam", False)
    carol = await site.member("dora")
    assert (await carol.get("/admin/webhooks"))[0] == 403
    assert (await carol.post("/admin/webhooks", {"url": there.url}))[0] == 403


async def test_where_the_sites_events_go_asks_for_the_password_again(
    site: Site, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = await _admin(site)
    hook = {"url": there.url, "events": ["user.created"]}
    status, made = await root.api("POST", "/admin/webhooks", hook)
    assert status == 201, made
    monkeypatch.setattr(limits, "CONFIRMED_MS", 0)
    one = f"/admin/webhooks/{made['id']}"
    for method, path, body in (
        ("POST", "/admin/webhooks", hook),
        ("PATCH", one, {"is_on": False}),
        ("POST", f"{one}/rotate", None),
        ("DELETE", one, None),
    ):
        status, answer = await root.api(method, path, body)
        assert (status, answer["error"]["code"]) == (403, "confirm"), path
    for path in ("/admin/webhooks", one, f"{one}/off", f"{one}/rotate", f"{one}/delete"):
        back = path if path == "/admin/webhooks" else one
        status, _, response = await root.post(path, {"url": there.url})
        assert (status, response.headers["Location"]) == (303, f"/confirm?next={back}"), path
    assert (await root.get(one))[0] == 200
    assert (await root.post(f"{one}/test"))[0] == 303
    assert json.loads((await there.next()).body)["type"] == "webhook.test"


async def test_a_body_for_an_avatar_is_a_picture_never_an_address(site: Site) -> None:
    """Nothing is fetched for people but by webhooks: no body of the API takes a picture's URL."""
    _, text, _ = await site.person().get("/api/openapi.json")
    schemas = json.loads(text)["components"]["schemas"]
    named = {
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field in schema.get("properties", {})
        if "url" in field and not name.endswith("Out")
    }
    bodies = {"LinkBody.url", "NewWebhook.url", "WebhookChange.url"}
    assert {one for one in named if re.match(r"(New|\w*(Change|Changes|Body))\w*\.", one)} <= bodies
    alice = await site.member("alice")
    status, answer = await alice.api("PUT", "/me/avatar", {"url": "https://example.org/a.png"})
    assert status == 415, answer
    status, answer = await alice.api("PATCH", "/me/profile", {"avatar": "https://example.org/a"})
    assert (status, answer["error"]["field"]) == (422, "avatar")


async def test_a_wrong_setting_is_told_at_start(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"webhooks\.allow"):
        async with running_site(tmp_path, webhooks={"allow": ["everybody"]}):
            pass

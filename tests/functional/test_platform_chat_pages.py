"""Pages with the chat alone, and what other sites may show in a frame."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.functional.platform_site import Person, Site, running_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


@pytest.fixture
async def alice(site: Site) -> Person:
    person = site.person()
    await person.register("alice")
    await person.accept_policies()
    await person.post("/studio/channels", {"name": "Alice", "slug": "alice-tv"})
    return person


def _first(text: str) -> dict[str, object]:
    """What the chat of a page begins with."""
    match = re.search(r"<script[^>]* data-first>(.*?)</script>", text, re.DOTALL)
    assert match is not None
    found = json.loads(match[1])
    assert isinstance(found, dict)
    return found


async def test_the_channel_page_carries_the_chat(site: Site, alice: Person) -> None:
    status, text, _ = await site.person().get("/@alice-tv")
    assert status == 200
    first = _first(text)
    assert first["you"]["code"] == "sign_in"  # type: ignore[index]
    _, text, _ = await alice.get("/@alice-tv")
    assert _first(text)["you"]["role"] == "owner"  # type: ignore[index]
    assert 'data-me="alice"' in text


async def test_a_hidden_chat_is_rendered_so(site: Site, alice: Person) -> None:
    for cookie, is_hidden in (("chat=hidden", True), ("chat=shown", False), ("chat=x", False)):
        _, text, _ = await site.person().get("/@alice-tv", headers={"Cookie": cookie})
        assert ("data-chat-hidden" in text.partition("<head>")[0]) is is_hidden


async def test_the_pop_out_is_for_whoever_opens_it(site: Site, alice: Person) -> None:
    _, text, response = await alice.get("/popout/alice-tv/chat")
    assert 'data-me="alice"' in text
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert (await alice.get("/popout/nobody-here/chat"))[0] == 404


async def test_other_sites_may_show_player_and_chat_but_not_write(
    site: Site, alice: Person
) -> None:
    for path in ("/embed/alice-tv", "/embed/alice-tv/chat"):
        status, text, response = await alice.get(path)
        assert status == 200
        assert "frame-ancestors *" in response.headers["Content-Security-Policy"]
        assert "data-me=" not in text, "a frame must not act as the visitor"
        assert "/logout" not in text


async def test_secret_addresses_that_open_nothing(site: Site, alice: Person) -> None:
    for path in ("/overlay/x/chat", "/dock/x", f"/dock/dock_{'0' * 27}", "/overlay/%00/chat"):
        assert (await alice.get(path))[0] == 404, path

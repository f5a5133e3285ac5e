"""The gate before real media: nothing below /live/ comes without a ticket, all of it with one."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from mediaserver.server import Server
from tests.functional.platform_site import Person, Site, settings
from tests.mailbox import Mailbox
from tests.rtmp.clips import clip, looped
from tests.rtmp.wire import open_publisher

_ADDRESS = re.compile(r'^([^#\s]+)$|URI="([^"]+)"', re.MULTILINE)


async def test_every_address_of_a_gated_stream(tmp_path: Path) -> None:
    async with Server(settings(tmp_path)) as server:
        site = Site(server, None, [], Mailbox(tmp_path / "storage"))  # type: ignore[arg-type]
        try:
            alice = await site.streamer()
            await alice.api("PATCH", "/channels/alice", {"age_restricted": True})
            _, made = await alice.api("POST", "/channels/alice/stream-keys", {"name": "OBS"})
            url = f"rtmp://127.0.0.1:{server.rtmp_port}/live/{made['key']}"
            async with await open_publisher(url) as encoder:
                await encoder.send_tags(looped(clip(), seconds=8), speed=None)
                await _until_live(alice)
                await _check(site, alice)
        finally:
            for http in site.sessions:
                await http.close()


async def _check(site: Site, alice: Person) -> None:
    visitor, program, browser = site.person(), site.person(), site.person()
    status, answer = await program.api("POST", "/channels/alice/gate", {"accepted": True})
    assert status == 200
    assert (await program.api("POST", "/channels/alice/gate", {"accepted": False}))[0] == 422
    assert (await program.api("POST", "/channels/nobody/gate", {"accepted": True}))[0] == 404
    await browser.post("/@alice/gate")
    await alice.get("/@alice")  # who owns it is not asked

    found = await _addresses(program, f"/live/alice/index.m3u8?gate={answer['gate']}")
    assert any(".m4s" in address for address in found)
    for address in found:
        bare = address.partition("?")[0]
        for person, asked, expected in (
            (program, address, 200),
            (visitor, bare, 403),
            (visitor, f"{bare}?gate=age.9999999999.{'0' * 32}", 403),
            (browser, bare, 200),
            (alice, bare, 200),
        ):
            async with person.http.get(person.base.join(URL(asked))) as response:
                assert response.status == expected, asked
                assert "public" not in response.headers.get("Cache-Control", ""), asked
    assert (await visitor.get("/live/alice/thumbnail.jpg"))[0] == 403
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await visitor.http.ws_connect(visitor.base.join(URL("/live/alice/instant")))
    assert caught.value.status == 403
    async with browser.http.ws_connect(browser.base.join(URL("/live/alice/instant"))) as socket:
        assert not socket.closed


async def _addresses(person: Person, path: str) -> list[str]:
    """Every address that a player comes to from the playlist at `path`, itself included."""
    found = [path]
    for address in found:
        if ".m3u8" not in address:
            continue
        status, text, _ = await person.get(address)
        assert status == 200, address
        for plain, quoted in _ADDRESS.findall(text)[:8]:
            found.append(str(URL(address).join(URL(plain or quoted))))
    return [one for one in dict.fromkeys(found) if not one.endswith(".mp4")]


async def _until_live(person: Person) -> None:
    async with asyncio.timeout(30):
        while (await person.api("GET", "/channels/alice/live"))[1]["state"] != "live":
            await asyncio.sleep(0.05)

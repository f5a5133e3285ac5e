"""From a stream key to rows of live sessions: the real engine behind the real gate."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from mediaserver.server import Server
from tests.databases import PostgresqlServer
from tests.functional.platform_site import Person, settings
from tests.mailbox import Mailbox

_PUBLISH = """
import sys, time, av
with av.open(sys.argv[1], "w", format="flv") as output:
    video = output.add_stream("libx264", rate=25)
    video.width, video.height, video.pix_fmt = 160, 90, "yuv420p"
    video.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "25"}
    frame = av.VideoFrame(160, 90, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    started = time.monotonic()
    for number in range(25 * 60):
        time.sleep(max(0.0, started + number / 25 - time.monotonic()))
        frame.pts = number
        output.mux(video.encode(frame))
"""


class Encoder:
    """A small picture published in real time by a process of its own: PyAV keeps the interpreter
    to itself while it connects, so within this one it would wait for itself.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, url: str) -> Encoder:
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _PUBLISH, url),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        )

    async def thrown_out(self) -> None:
        """Wait until the server has ended it."""
        async with asyncio.timeout(30):
            await self._process.wait()

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'site.db'}"
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return await server.new_database()


@asynccontextmanager
async def _site(tmp_path: Path, database_url: str) -> AsyncIterator[tuple[Server, Person]]:
    config = settings(tmp_path, database={"url": database_url}, media={"grace_s": 1})
    async with Server(config) as server:
        base = f"http://127.0.0.1:{server.http_port}"
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
            person = Person(aiohttp.client.URL(base), http, Mailbox(database_url))
            await person.register("alice")
            yield server, person


async def _wait_for_state(person: Person, *states: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            _, live = await person.api("GET", "/channels/alice-tv/live")
            if live["state"] in states:
                return dict(live)
            await asyncio.sleep(0.1)


async def test_a_live_session_and_its_end_by_revoking(tmp_path: Path, database_url: str) -> None:
    async with _site(tmp_path, database_url) as (server, alice):
        await alice.make_channel("alice-tv", title="Cats")
        _, made = await alice.api("POST", "/channels/alice-tv/stream-keys", {"name": "OBS"})
        _, page, _ = await alice.get("/studio/alice-tv")
        match = re.search(r"rtmp://127\.0\.0\.1:(\d+)/live", page)
        assert match is not None
        assert int(match[1]) == server.rtmp_port

        wrong = await Encoder.start(f"{match[0]}/live_{'x' * 27}")
        try:
            await wrong.thrown_out()
        finally:
            await wrong.stop()

        encoder = await Encoder.start(f"{match[0]}/{made['key']}")
        try:
            live = await _wait_for_state(alice, "live")
            assert (live["title"], live["width"], live["height"]) == ("Cats", 160, 90)
            status, playlist, _ = await alice.get(live["playlist_url"])
            assert status == 200
            assert playlist.startswith("#EXTM3U")
            _, listed = await alice.api("GET", "/live")
            assert [card["slug"] for card in listed["streams"]] == ["alice-tv"]
            _, keys = await alice.api("GET", "/channels/alice-tv/stream-keys")
            assert keys["stream_keys"][0]["last_used_at_ms"] > 0

            status, _ = await alice.api("DELETE", f"/channels/alice-tv/stream-keys/{made['id']}")
            assert status == 204
            await encoder.thrown_out()
            await _wait_for_state(alice, "ended", "offline")
        finally:
            await encoder.stop()

    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url.set(drivername="sqlite"))
        with engine.connect() as connection:
            (row,) = connection.execute(text("SELECT * FROM stream"))
        engine.dispose()
        assert row.started_at_ms <= row.live_at_ms <= row.ended_at_ms
        assert "revoked" in row.end_reason


async def test_what_is_live_when_the_server_stops_is_closed_in_the_database(tmp_path: Path) -> None:
    path = tmp_path / "site.db"
    async with _site(tmp_path, f"sqlite+aiosqlite:///{path}") as (server, alice):
        await alice.make_channel("alice-tv")
        _, made = await alice.api("POST", "/channels/alice-tv/stream-keys", {"name": "OBS"})
        encoder = await Encoder.start(f"rtmp://127.0.0.1:{server.rtmp_port}/live/{made['key']}")
        try:
            await _wait_for_state(alice, "live")
        except BaseException:
            await encoder.stop()
            raise
    await encoder.stop()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        (row,) = connection.execute(text("SELECT * FROM stream"))
    engine.dispose()
    assert row.ended_at_ms is not None
    assert "unexpectedly" not in row.end_reason

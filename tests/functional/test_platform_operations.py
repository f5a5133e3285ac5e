"""What operators and their tools see: health, metrics, documents, errors, start and stop."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, Unavailable
from mediaserver.server import Server
from tests.functional.command_line import run_command_line, serving
from tests.functional.platform_site import PASSWORD, Site, running_site, settings


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


async def test_health_and_readiness(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    person = site.person()
    status, text, _ = await person.get("/healthz")
    assert (status, text) == (200, '{"status": "ok"}')
    status, text, _ = await person.get("/readyz")
    assert status == 200, text
    monkeypatch.setattr(limits, "STORAGE_FREE_BYTES_MIN", 1 << 62)
    status, text, _ = await person.get("/readyz")
    assert status == 503
    assert "MiB are free" in text
    assert (await person.get("/healthz"))[0] == 200


async def test_metrics_are_for_the_listed(tmp_path: Path) -> None:
    async with running_site(tmp_path) as site:
        status, text, _ = await site.person().get("/metrics")
        assert status == 200
        assert text.startswith("mediaserver_up 1\n")  # the engine's
        assert "\nmediaserver_realtime_sockets 0.0\n" in text
    async with running_site(tmp_path, metrics={"allow": ("10.0.0.0/8",)}) as site:
        assert (await site.person().get("/metrics"))[0] == 403


async def test_documents_of_the_api(site: Site) -> None:
    status, text, response = await site.person().get("/api/openapi.json")
    assert (status, response.content_type) == (200, "application/json")
    assert '"openapi": "3.1.0"' in text
    assert (await site.person().get("/api/docs"))[0] in (200, 404)
    assert (await site.person().get("/-/patterns"))[0] == 200


async def test_the_accent_of_the_operator(tmp_path: Path) -> None:
    async with running_site(tmp_path, site={"accent": "#ffee00"}) as site:
        status, text, response = await site.person().get("/theme.css")
        assert (status, response.content_type) == (200, "text/css")
        assert text == ":root { --site-accent: #ffee00; }\n"


async def test_the_real_engine_is_part_of_it(tmp_path: Path) -> None:
    async with Server(settings(tmp_path)) as server:
        assert server.rtmp_port > 0
        _, writer = await asyncio.open_connection("127.0.0.1", server.rtmp_port)
        writer.close()
        await writer.wait_closed()
        async with (
            aiohttp.ClientSession(f"http://127.0.0.1:{server.http_port}") as http,
            http.get("/readyz") as ready,
            http.get("/metrics") as metrics,
            http.get("/live/nothing/index.m3u8") as playlist,
        ):
            assert (ready.status, metrics.status, playlist.status) == (200, 200, 404)
            assert "mediaserver_broadcasts" in await metrics.text()


@pytest.mark.parametrize("listener", ["http", "rtmp"])
async def test_a_port_in_use_is_named(tmp_path: Path, listener: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"{port}.*--{listener}-port"):
            async with Server(settings(tmp_path, **{listener: {"port": port}})):
                pass
    async with Server(settings(tmp_path)):
        pass  # nothing was left behind


async def test_settings_that_cannot_work_are_named(tmp_path: Path) -> None:
    for sections, named in (
        ({"http": {"tls_certificate": str(tmp_path / "none.pem")}}, "certificate"),
        ({"http": {"trusted_proxies": ("everyone",)}}, "trusted_proxies"),
        ({"metrics": {"allow": ("1.2.3.4/99",)}}, "allow"),
        ({"database": {"url": "mysql://x/y"}}, "database"),
    ):
        with pytest.raises(Invalid, match=named):
            async with Server(settings(tmp_path, **sections)):
                pass
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="storage"):
        async with Server(settings(tmp_path, storage={"path": tmp_path / "file" / "x"})):
            pass


async def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    async with Server(settings(tmp_path)):
        with pytest.raises(Unavailable, match="Another process"):
            async with Server(settings(tmp_path)):
                pass


# The command --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_serve_prints_the_link_and_stops_when_told(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with serving(tmp_path) as (process, printed):
        match = re.search(r"http://localhost:(\d+)/setup\?token=[\w-]{43}\n", printed)
        assert match is not None, printed
        async with aiohttp.ClientSession() as http:
            link = match[0].strip().replace("localhost", "127.0.0.1")
            async with http.get(link) as response:
                assert response.status == 200
                assert 'name="username"' in await response.text()
            process.send_signal(number)  # with a connection kept alive
            async with asyncio.timeout(10):
                assert await process.wait() == 0
    assert not (tmp_path / "storage" / "mediaserver.db-wal").exists()


async def test_users_and_channels_from_the_command_line(tmp_path: Path) -> None:
    create = ("user", "create", "--password-stdin", "--username")
    status, out, err = await run_command_line(
        tmp_path, *create, "admin", "--email", "a@example.org", "--admin", stdin=PASSWORD + "\n"
    )
    assert (status, err) == (0, "")
    assert "admin" in out
    assert PASSWORD not in out
    status, _, err = await run_command_line(
        tmp_path, *create, "admin", "--email", "b@example.org", stdin=PASSWORD
    )
    assert status == 1
    assert "taken" in err
    async with serving(tmp_path) as (_, printed):
        assert "/setup" not in printed, "there is an admin"
        match = re.search(r":(\d+)", printed)
        assert match is not None
        # The site holds the database now; the command asks it.
        status, _, err = await run_command_line(
            tmp_path, *create, "carol", "--email", "c@example.org", stdin=PASSWORD
        )
        assert (status, err) == (0, "")
        status, _, err = await run_command_line(
            tmp_path, "channel", "create", "--owner", "carol", "--slug", "carol-tv", "--name", "C"
        )
        assert (status, err) == (0, "")
        status, _, err = await run_command_line(
            tmp_path, "channel", "create", "--owner", "nobody", "--slug", "other"
        )
        assert status == 1
        assert "nobody" in err
        async with aiohttp.ClientSession(f"http://127.0.0.1:{match[1]}") as http:
            login = {"username": "admin", "password": PASSWORD}
            async with http.post("/api/v1/auth/login", json=login) as response:
                assert response.status == 200
            async with http.get("/@carol-tv") as response:
                assert response.status == 200


async def test_other_commands(tmp_path: Path) -> None:
    status, out, _ = await run_command_line(tmp_path, "version")
    assert (status, out) == (0, "mediaserver 0.1.0\n")
    status, out, err = await run_command_line(tmp_path, "openapi")
    assert (status, err) == (0, "")
    assert out.startswith('{\n  "openapi": "3.1.0"')
    for arguments in (("nonsense",), ("serve", "--http-port", "99999"), ()):
        assert (await run_command_line(tmp_path, *arguments))[0] == 2
    status, _, err = await run_command_line(tmp_path, "serve", "--config", "nothing.toml")
    assert status == 1
    assert "nothing.toml" in err
    assert "Traceback" not in err
    status, _, err = await run_command_line(
        tmp_path, "user", "create", "--username", "x", "--email", "y", "--password-stdin"
    )
    assert status == 1
    assert "password" in err

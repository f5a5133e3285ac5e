"""The nginx configuration in docs/reverse-proxy.md, as it stands there, in front of a real site."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from yarl import URL

from tests.functional.platform_site import Person, Site, running_site
from tests.functional.site import until
from tests.functional.socket_peer import connected, line

DOCUMENT = Path(__file__).parents[2] / "docs" / "reverse-proxy.md"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

_AROUND = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{servers}
}}
"""


def documented_block() -> str:
    (block,) = re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return str(block)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    http = {"trusted_proxies": ("127.0.0.1",)}
    async with running_site(tmp_path, http=http) as site:
        yield site


@pytest.fixture
async def proxied(site: Site, tmp_path: Path) -> AsyncIterator[Person]:
    """Somebody who comes through nginx."""
    if NGINX is None:
        pytest.skip("nginx is not installed")
    port = free_port()
    servers = (
        documented_block()
        .replace("listen 80;", f"listen 127.0.0.1:{port};")
        .replace("127.0.0.1:8080", f"127.0.0.1:{site.server.http_port}")
    )
    config = tmp_path / "nginx.conf"
    config.write_text(_AROUND.format(folder=tmp_path, servers=servers))
    nginx = subprocess.Popen(
        [NGINX, "-c", str(config), "-p", str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        await until(lambda: _listens(port), "nginx listens", 20)
        person = site.person()
        person.base = URL(f"http://127.0.0.1:{port}")
        yield person
    finally:
        nginx.terminate()
        nginx.communicate(timeout=20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_chat_through_nginx(proxied: Person) -> None:
    await proxied.register("alice")
    await proxied.log_in_as_program("alice")
    await proxied.make_channel("alice")
    origin = str(proxied.base).rstrip("/")
    async with connected(proxied, "/chat", headers={"Origin": origin}) as peer:
        joined = await peer.ask("join", {"channel": "alice"})
        assert joined["you"]["username"] == "alice"
        assert (await peer.ask("say", line("through the proxy", 1)))["ok"]
        (event,) = await peer.lines(1)
        assert event["text"] == "through the proxy"


async def test_polling_through_nginx(proxied: Person) -> None:
    path = "/socket.io/?EIO=4&transport=polling"
    status, opening, _ = await proxied.get(path)
    assert status == 200
    url = f"{path}&sid={json.loads(opening[1:])['sid']}"
    headers = {"Origin": str(proxied.base).rstrip("/")}
    assert (await proxied.request("POST", url, data="40/chat,", headers=headers))[0] == 200
    assert (await proxied.get(url))[1].startswith("40/chat,")


async def test_other_sites_are_refused_through_nginx(proxied: Person) -> None:
    path = "/socket.io/?EIO=4&transport=polling"
    status, text, _ = await proxied.get(path, headers={"Origin": "https://evil.example"})
    assert (status, json.loads(text)["error"]["code"]) == (403, "cross_site")

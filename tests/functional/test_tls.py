"""The same ports with a certificate: RTMPS from an encoder, HTTPS for pages."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import aiohttp
import pytest
import trustme

from mediaserver.kernel.clock import SystemClock
from mediaserver.kernel.config import Config
from mediaserver.kernel.errors import Invalid
from mediaserver.kernel.events import Events
from mediaserver.kernel.metrics import Metrics
from mediaserver.media.engine import Engine
from mediaserver.media.events import BroadcastWentLive
from mediaserver.media.gate import PublishGrant, PublishRequest
from mediaserver.server import Server
from tests.rtmp.publishers import ffmpeg_publisher

DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class OpenGate:
    async def authorise(self, request: PublishRequest) -> PublishGrant:
        return PublishGrant("chn_1", request.stream_key, "key_1")


async def test_an_encoder_publishes_over_rtmps(authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    config = Config.model_validate({"rtmp": {"host": "127.0.0.1", "port": 0, "tls_port": 0}})
    events = Events()
    went_live = asyncio.Event()
    events.subscribe(BroadcastWentLive, lambda event: went_live.set())
    engine = Engine(config, OpenGate(), events, SystemClock(), Metrics(), tls=context)
    async with engine:
        assert engine.rtmps_port not in (None, engine.rtmp_port)
        url = f"rtmps://127.0.0.1:{engine.rtmps_port}/live/secret"
        async with ffmpeg_publisher(url, size="320x180") as publisher:
            async with asyncio.timeout(DEADLINE_S):
                await went_live.wait()
            assert publisher.returncode is None
        assert engine.origin.current("secret").playable


async def test_pages_over_https(authority: trustme.CA, tmp_path: Path) -> None:
    issued = authority.issue_cert("localhost", "127.0.0.1")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    issued.private_key_pem.write_to_path(key)
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(certificate, append=number > 0)
    config = Config.model_validate(
        {
            "http": {
                "host": "127.0.0.1",
                "port": 0,
                "tls_certificate": str(certificate),
                "tls_key": str(key),
            },
            "rtmp": {"host": "127.0.0.1", "port": 0},
            "storage": {"path": tmp_path / "storage"},
        }
    )
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with Server(config) as server, aiohttp.ClientSession() as session:
        url = f"https://127.0.0.1:{server.http_port}/"
        async with session.get(url, ssl=trusting) as response:
            assert response.status == 200
            assert "max-age" in response.headers["Strict-Transport-Security"]
        assert server.url.startswith("https://")


async def test_rtmps_without_a_certificate_is_a_clear_error(tmp_path: Path) -> None:
    config = Config.model_validate({"rtmp": {"tls_port": 0}, "storage": {"path": tmp_path}})
    with pytest.raises(Invalid, match="RTMPS needs a certificate") as caught:
        async with Server(config):
            pass
    assert caught.value.field == "rtmp.tls_port"

"""Another site on this machine, with a certificate, that keeps what is sent to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from aiohttp import web

_WAIT_S = 20.0


@dataclass(frozen=True)
class Taken:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """`answers` are given one after the other, the last one again and again."""

    url: str = ""
    answers: list[tuple[int, bytes, Mapping[str, str]]] = field(
        default_factory=lambda: [(204, b"", {})]
    )
    taken: asyncio.Queue[Taken] = field(default_factory=asyncio.Queue)
    silent: bool = False

    def answer(self, *statuses: int, body: bytes = b"") -> None:
        self.answers = [(status, body, {}) for status in statuses]

    async def next(self) -> Taken:
        """The next request; waits for it."""
        async with asyncio.timeout(_WAIT_S):
            return await self.taken.get()

    async def handle(self, request: web.Request) -> web.Response:
        self.taken.put_nowait(Taken(request.path_qs, dict(request.headers), await request.read()))
        if self.silent:
            await asyncio.sleep(_WAIT_S)
        status, body, headers = self.answers[0]
        if len(self.answers) > 1:
            self.answers.pop(0)
        return web.Response(status=status, body=body, headers=headers)


@asynccontextmanager
async def receiver(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    is_tls: bool = True,
    name: str = "127.0.0.1",
) -> AsyncIterator[Receiver]:
    """Listens on `host`, with a certificate for `name` that a site started from now on trusts."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    certificates = tmp_path / f"{name}.pem"
    authority.cert_pem.write_to_path(certificates)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates))

    here = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", here.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=context if is_tls else None).start()
        scheme = "https" if is_tls else "http"
        here.url = f"{scheme}://{name}:{runner.addresses[0][1]}"
        yield here
    finally:
        await runner.cleanup()

"""Ports and certificates: how people and the command line reach the site."""

from __future__ import annotations

import ssl
from contextlib import AsyncExitStack

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.kernel.config import Config
from mediaserver.kernel.errors import Invalid, Unavailable
from mediaserver.routes import control
from mediaserver.routes.http_server import HttpRunner


async def listen(
    stack: AsyncExitStack, config: Config, app: web.Application, tls: ssl.SSLContext | None
) -> int:
    """Open the web port; the port it got. Raises `Unavailable` when it is taken."""
    runner = HttpRunner(
        app,
        access_log=None,
        shutdown_timeout=limits.SERVER_STOP_TIMEOUT_S,
        keepalive_timeout=limits.HTTP_KEEPALIVE_S,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, config.http.host, config.http.port, ssl_context=tls)
    try:
        await site.start()
    except OSError as error:
        raise Unavailable(
            f"The web can't listen on {config.http.host} port {config.http.port}: "
            f"{error.strerror or error}. Set another port in config.toml or with --http-port."
        ) from error
    return int(runner.addresses[0][1])


async def listen_control(stack: AsyncExitStack, config: Config, app: web.Application) -> None:
    """Open the socket by which the command line asks a running site."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=limits.SERVER_STOP_TIMEOUT_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    path = stack.enter_context(control.socket_path(config.storage.path, make=True))
    await web.UnixSite(runner, path).start()


def tls_context(config: Config) -> ssl.SSLContext | None:
    """None without a certificate. Raises `Invalid` for one that can't be used."""
    if not config.http.tls_certificate:
        if config.rtmp.tls_port >= 0:
            raise Invalid(
                "RTMPS needs a certificate: set tls_certificate and tls_key in [http].",
                field="rtmp.tls_port",
            )
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(config.http.tls_certificate, config.http.tls_key or None)
    except (OSError, ssl.SSLError) as error:
        raise Invalid(
            f"The certificate can't be used: {error.strerror or error}",
            field="http.tls_certificate",
        ) from error
    return context


def url_of(config: Config, port: int) -> str:
    """The address to print: the public one, or this machine's."""
    if config.site.public_url:
        return config.site.public_url
    scheme = "https" if config.http.tls_certificate else "http"
    host = config.http.host
    if host in ("0.0.0.0", "::", "", "127.0.0.1", "::1"):  # noqa: S104  # compared, not bound
        host = "localhost" if host != "::1" else "[::1]"
    elif ":" in host:
        host = f"[{host}]"
    is_default = port == (443 if scheme == "https" else 80)
    return f"{scheme}://{host}" if is_default else f"{scheme}://{host}:{port}"

"""Checks of ports, of the public address and of mail. Nothing here leaves this machine but the mail
check, which an admin asks for and which reaches the configured server alone.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from mediaserver.admin.doctor.finding import Finding, bad, ok, warn
from mediaserver.kernel import limits
from mediaserver.kernel.config import Config
from mediaserver.kernel.errors import MediaserverError

_WEB_ADVICE = "End the other program, or set another http.port in config.toml."
_RTMP_ADVICE = "End the other program, or set another rtmp.port in config.toml."


@dataclass(frozen=True, slots=True)
class Listening:
    """The ports that the running site holds."""

    http_port: int
    rtmp_port: int


def ports(config: Config, listening: Listening | None) -> list[Finding]:
    """The site's two ports: held by it, or free to be."""
    wanted = (
        ("http_port", "Port for the web", config.http.host, config.http.port, _WEB_ADVICE),
        ("rtmp_port", "Port for encoders", config.rtmp.host, config.rtmp.port, _RTMP_ADVICE),
    )
    if listening is not None:
        held = {"http_port": listening.http_port, "rtmp_port": listening.rtmp_port}
        return [ok(name, title, f"The site listens on {held[name]}.") for name, title, *_ in wanted]
    return [free_port(*one) for one in wanted]


def free_port(name: str, title: str, host: str, port: int, advice: str) -> Finding:
    """Whether the site could listen there."""
    if port == 0:
        return ok(name, title, "Any free one is taken at the start.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            meaning = f"This user may not listen on {port}."
            return bad(name, title, meaning, "Use a port above 1023, or a proxy in front.")
        except OSError as error:
            return bad(name, title, f"{host} port {port}: {error.strerror}.", advice)
    return ok(name, title, f"{port} is free.")


def address(config: Config) -> Finding:
    """What people type, as the settings have it."""
    title, url = "Public address", urlsplit(config.site.public_url)
    advice = "Set site.public_url in config.toml to what people type."
    if not url.hostname:
        meaning = "None is set, so links in mail name this machine."
        return warn("public_url", title, meaning, advice)
    if url.scheme != "https" and not _is_at_home(url.hostname):
        meaning = f"{config.site.public_url}: passwords travel unprotected."
        return warn("public_url", title, meaning, "Use https: see docs/reverse-proxy.md.")
    return ok("public_url", title, f"{config.site.public_url}.")


async def own_answer(config: Config, port: int) -> Finding:
    """Whether the site answers under its public name, asked over loopback."""
    title = "The site answers"
    wildcard = config.http.host in ("", "0.0.0.0", "::")  # noqa: S104  # compared, not bound
    host = "127.0.0.1" if wildcard else config.http.host
    name = urlsplit(config.site.public_url).netloc or f"localhost:{port}"
    try:
        async with asyncio.timeout(limits.DOCTOR_NETWORK_TIMEOUT_S):
            status = await _status(host, port, name, is_tls=bool(config.http.tls_certificate))
    except (OSError, TimeoutError, ValueError) as error:
        meaning = f"No answer on {host} port {port}: {str(error) or 'too slow'}."
        return bad("answer", title, meaning, "Look at the log of the site.")
    if status != 200:
        meaning = f"It answers with {status} to the name {name}."
        return bad("answer", title, meaning, "Set site.public_url to the name that people type.")
    return ok("answer", title, f"At once, under the name {name}.")


def mail(config: Config) -> Finding:
    """Whether there is a mail server; `mail_server` asks it."""
    if config.mail.smtp_host:
        host, port = config.mail.smtp_host, config.mail.smtp_port
        return ok("mail", "Mail", f"It goes to {host} port {port}.")
    meaning = "Without a mail server the codes for new accounts stay in your mailbox here."
    return warn("mail", "Mail", meaning, "Set smtp_host under [mail] in config.toml.")


async def mail_server(config: Config, check: Callable[[], Awaitable[None]]) -> Finding:
    """Connects and logs in, and sends nothing."""
    title, host = "Mail server", config.mail.smtp_host
    if not host:
        return mail(config)
    try:
        await check()
    except (MediaserverError, OSError, TimeoutError) as error:
        reason = error.message if isinstance(error, MediaserverError) else str(error)
        advice = "Look at [mail] in config.toml: server, port, smtp_security, name and password."
        return bad("mail_server", title, f"{host} doesn't take our mail: {reason}", advice)
    return ok("mail_server", title, f"{host} takes our mail.")


async def _status(host: str, port: int, name: str, *, is_tls: bool) -> int:
    context = None
    if is_tls:  # our own certificate, on loopback: its name is not what is checked here
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        request = f"GET /api/openapi.json HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode("ascii"))
        await writer.drain()
        line = await reader.readline()
        return int(line.split()[1])
    except IndexError as error:
        raise ValueError("it is no web server") from error
    finally:
        writer.close()


def _is_at_home(host: str) -> bool:
    """Whether a name or an address is one of a home network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".local", ".lan", ".home.arpa"))

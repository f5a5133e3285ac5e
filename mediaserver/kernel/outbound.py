"""Requests to other sites whose address a user has typed: never into our own network (SSRF).

A host is resolved once for each request, every address it has must be public, and the connection
goes to exactly those addresses, which are looked at once more when its socket is opened. Redirects
aren't followed; time and size of the answer are bounded. The operator may name networks, such as
that of a home automation (`webhooks.allow`), which are then also reached by plain HTTP.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from mediaserver.kernel import limits
from mediaserver.kernel.addresses import Address, AddressList, is_public, parsed_address
from mediaserver.kernel.errors import Invalid, Unavailable

_HOST = re.compile(r"\[[0-9a-f:.]+\]|[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?", re.IGNORECASE)
_NUMBER = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)\.?", re.IGNORECASE)
"""A host that ends like this is an address in some spelling (WHATWG URL, "ends in a number")."""

_BAD_PORTS = frozenset(
    (1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6379, 6566, 10080, 11211)
) | frozenset(range(6660, 6700))
"""Ports above 1023 where something else than the web answers (Fetch standard, "bad port")."""

_PRIVATE = "That address leads into a private network."

_IsFine = Callable[[Address], bool]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other site said: `body` is its first `OUTBOUND_ANSWER_BYTES_MAX` bytes."""

    status: int
    body: bytes


class Outbound:
    """An async context manager around one bounded HTTP client."""

    def __init__(
        self, allowed: AddressList, *, user_agent: str, resolver: AbstractResolver | None = None
    ) -> None:
        """`allowed`: private addresses that may be reached all the same."""
        self._allowed = allowed
        self._user_agent = user_agent
        self._resolver = resolver

        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        resolver = self._resolver or aiohttp.ThreadedResolver()
        tls = ssl.create_default_context()
        self._sessions = {
            "https": self._open(resolver, tls, self._is_reachable),
            "http": self._open(resolver, tls, self._is_allowed),
        }
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for session in self._sessions.values():
            await session.close()

    def _open(
        self, resolver: AbstractResolver, tls: ssl.SSLContext, is_fine: _IsFine
    ) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=_CheckedResolver(resolver, is_fine),
                ssl=tls,
                socket_factory=_checked_sockets(is_fine),
                use_dns_cache=False,  # asked and checked for each request
                limit=limits.OUTBOUND_CONNECTIONS_MAX,
                force_close=True,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=limits.OUTBOUND_TIMEOUT_S),
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
            auto_decompress=False,
            trust_env=False,
            max_line_size=8 * limits.KIB,
            max_field_size=8 * limits.KIB,
        )

    def _is_allowed(self, address: Address) -> bool:
        return str(address) in self._allowed

    def _is_reachable(self, address: Address) -> bool:
        return is_public(address) or self._is_allowed(address)

    def checked_url(self, url: str, field: str) -> str:
        """`url` as it may be stored. Raises `Invalid` for one that is never asked.

        What its host resolves to is only looked up, and checked, with each request.
        """
        parsed = _parsed(url.strip(), field)
        host, literal = parsed.raw_host or "", parsed_address(parsed.raw_host or "")
        if parsed.scheme != "https" and not (parsed.scheme == "http" and self._allowed):
            raise Invalid("The address must begin with https://.", field=field)
        # A literal address is connected to without asking the resolver.
        may = self._is_reachable if parsed.scheme == "https" else self._is_allowed
        if literal is not None:
            if not may(literal):
                raise Invalid(_PRIVATE, field=field)
        elif _NUMBER.fullmatch(host):
            raise Invalid("Write the address as four plain numbers.", field=field)
        elif _is_local(host) and not self._allowed:
            raise Invalid(_PRIVATE, field=field)
        if not _is_web_port(parsed.port or 0):
            raise Invalid("That port is not one for the web.", field=field)
        return str(parsed)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send `body` and read the beginning of the answer. Raises `Invalid` or `Unavailable`."""
        target = URL(self.checked_url(url, "url"))
        try:
            async with self._sessions[target.scheme].post(
                target, data=body, headers=headers, allow_redirects=False
            ) as response:
                return Answer(response.status, await _beginning(response.content))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            if _is_refusal(error):
                raise Invalid(_PRIVATE, field="url") from error
            raise Unavailable(f"The other site can't be reached: {_reason(error)}") from error


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    read = bytearray()
    async for chunk in content.iter_chunked(16 * limits.KIB):
        read += chunk
        if len(read) >= limits.OUTBOUND_ANSWER_BYTES_MAX:
            break
    return bytes(read[: limits.OUTBOUND_ANSWER_BYTES_MAX])


class _Refused(OSError):
    """An address that isn't public."""


class _CheckedResolver(AbstractResolver):
    """Resolves to addresses that may be connected to, or fails as a whole: a host that has one
    public and one private address is a trick.
    """

    def __init__(self, inner: AbstractResolver, is_fine: _IsFine) -> None:
        self._inner = inner
        self._is_fine = is_fine

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for result in found:
            _check(result["host"], self._is_fine)
        return found

    async def close(self) -> None:
        await self._inner.close()


def _checked_sockets(is_fine: _IsFine) -> Callable[[Any], socket.socket]:
    """Opens the socket of a connection, the last moment before anything is sent."""

    def open_socket(address_info: Any) -> socket.socket:
        family, kind, protocol, _, address = address_info
        _check(address[0], is_fine)
        return socket.socket(family, kind, protocol)

    return open_socket


def _check(host: str, is_fine: _IsFine) -> None:
    address = parsed_address(host)
    if address is None or not is_fine(address):
        raise _Refused(f"{host} is in a private network")


def _parsed(url: str, field: str) -> URL:
    """Read once, by the reader that the client itself uses. Raises `Invalid`."""
    try:
        if len(url) > limits.OUTBOUND_URL_CHARS_MAX or not url.isascii() or not url.isprintable():
            raise ValueError
        parsed = URL(url)
        authority = url.partition("://")[2].partition("/")[0].partition("?")[0].partition("#")[0]
        host = re.sub(r":[0-9]*\Z", "", authority)
        if " " in url or "\\" in url or not _HOST.fullmatch(host):
            raise ValueError
        if parsed.raw_host is None or parsed.raw_user or parsed.raw_password or not parsed.port:
            raise ValueError
        if parsed.raw_host.strip("[]") != host.strip("[]").lower():
            raise ValueError
    except ValueError:
        raise Invalid("That isn't a web address.", field=field) from None
    return parsed.with_fragment(None)


def _is_local(host: str) -> bool:
    """Names that mean this machine (RFC 6761 §6.3), whatever a resolver says."""
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")


def _is_web_port(port: int) -> bool:
    return port in (80, 443) or (1024 <= port <= 65535 and port not in _BAD_PORTS)


def _is_refusal(error: BaseException | None) -> bool:
    """Whether our own check is why a connection failed, however it was wrapped on its way."""
    for _ in range(limits.ERROR_CAUSES_MAX):
        if error is None or isinstance(error, _Refused):
            break
        error = getattr(error, "os_error", None) or error.__cause__ or error.__context__
    return isinstance(error, _Refused)


def _reason(error: BaseException) -> str:
    """One sentence without anything that the other site said."""
    if isinstance(error, TimeoutError):
        return "no answer in time."
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate isn't valid."
    if isinstance(error, aiohttp.ClientSSLError):
        return "it can't be talked to over TLS."
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name isn't known."
    if isinstance(error, aiohttp.ClientConnectorError):
        return "nothing answers there."
    return "its answer made no sense."

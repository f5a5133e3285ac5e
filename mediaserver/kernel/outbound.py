"""Requests to other sites whose address a user has typed: never into our own network (SSRF).

A host is resolved once, every address it has must be public, and the connection goes to exactly
those addresses; redirects aren't followed; time and size of the answer are bounded. The operator
may name networks, such as that of a home automation, which are then also reached by plain HTTP.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from mediaserver.kernel import limits
from mediaserver.kernel.addresses import AddressList
from mediaserver.kernel.errors import Invalid, TooLarge, Unavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other site said: `body` is its beginning, when not all of it was wanted."""

    status: int
    content_type: str
    body: bytes


class Outbound:
    """An async context manager around one bounded HTTP client."""

    def __init__(
        self, allowed: AddressList, *, user_agent: str, resolver: AbstractResolver | None = None
    ) -> None:
        """`allowed`: private addresses that may be reached all the same."""
        self._allowed = allowed
        self._user_agent = user_agent

        self._resolver = resolver or aiohttp.ThreadedResolver()
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        self._sessions = {
            "https": self._open(_CheckedResolver(self._resolver, self._is_reachable)),
            "http": self._open(_CheckedResolver(self._resolver, self._is_allowed)),
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

    def _open(self, resolver: AbstractResolver) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=resolver,
                use_dns_cache=False,  # asked and checked for each request
                limit=limits.OUTBOUND_CONNECTIONS_MAX,
                force_close=True,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=limits.OUTBOUND_TIMEOUT_S, sock_connect=limits.OUTBOUND_CONNECT_TIMEOUT_S
            ),
            headers={"User-Agent": self._user_agent},
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
        url = url.strip()
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port  # reading the port checks it
        except ValueError:
            raise Invalid("That isn't a web address.", field=field) from None
        if (
            len(url) > limits.OUTBOUND_URL_CHARS_MAX
            or not url.isascii()
            or not url.isprintable()
            or " " in url
            or not host
            or parts.username is not None
            or parts.password is not None
        ):
            raise Invalid("That isn't a web address.", field=field)
        if parts.scheme != "https" and not (parts.scheme == "http" and self._allowed):
            raise Invalid("The address must begin with https://.", field=field)
        # A literal address is connected to without asking the resolver.
        may = self._is_reachable if parts.scheme == "https" else self._is_allowed
        if (literal := _address(host)) is not None and not may(literal):
            raise Invalid("That address is in a private network.", field=field)
        return url

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send `body` and read the beginning of the answer. Raises `Invalid` or `Unavailable`."""
        return await self._ask("POST", url, body, headers, is_cut=True)

    async def get(self, url: str, headers: Mapping[str, str], bytes_max: int) -> Answer:
        """The whole answer. Raises `TooLarge` beyond `bytes_max`, `Invalid` or `Unavailable`."""
        return await self._ask("GET", url, None, headers, is_cut=False, bytes_max=bytes_max)

    async def _ask(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        is_cut: bool,
        bytes_max: int = limits.OUTBOUND_ANSWER_BYTES_MAX,
    ) -> Answer:
        url = self.checked_url(url, "url")
        session = self._sessions[urlsplit(url).scheme]
        try:
            async with session.request(
                method, url, data=body, headers=headers, allow_redirects=False
            ) as response:
                read = bytearray()
                async for chunk in response.content.iter_chunked(16 * limits.KIB):
                    read += chunk
                    if len(read) > bytes_max:
                        if not is_cut:
                            raise TooLarge("The answer is too large.")
                        break
                return Answer(response.status, response.content_type, bytes(read[:bytes_max]))
        except _Refused as error:
            raise Invalid("That address leads into a private network.", field="url") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if isinstance(error.__cause__, _Refused):
                raise Invalid("That address leads into a private network.", field="url") from error
            reason = "no answer in time" if isinstance(error, TimeoutError) else str(error)
            raise Unavailable(f"The other site can't be reached: {reason[:200]}") from error


class _Refused(OSError):
    """A host with an address that isn't public."""


class _CheckedResolver(AbstractResolver):
    """Resolves to addresses that may be connected to, or fails as a whole: a host that has one
    public and one private address is a trick.
    """

    def __init__(self, inner: AbstractResolver, is_reachable: Callable[[Address], bool]) -> None:
        self._inner = inner
        self._is_reachable = is_reachable

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for result in found:
            address = _address(result["host"])
            if address is None or not self._is_reachable(address):
                raise _Refused(f"{host} is in a private network")
        return found

    async def close(self) -> None:
        await self._inner.close()


_CARRIERS = (
    ipaddress.ip_network("64:ff9b::/96"),  # NAT64: an IPv4 address in its last 32 bits
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("2002::/16"),  # 6to4
    ipaddress.ip_network("2001::/32"),  # Teredo
    ipaddress.ip_network("::/96"),  # IPv4-compatible, long deprecated
)
"""Addresses that carry another one, which may be private: nobody's web server has one."""


def is_public(address: Address) -> bool:
    """Whether the address belongs to the open internet."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _CARRIERS):
            return False
    return address.is_global and not address.is_multicast


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None

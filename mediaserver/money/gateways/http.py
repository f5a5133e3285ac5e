"""The wire to payment providers: one HTTP client with a limit on everything.

It talks to the hosts of the providers alone (addresses that people type go through
kernel/outbound.py), follows no redirect and keeps no cookie. What it raises names the provider and
never the address: SSLCommerz takes its password in the query.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid
from mediaserver.money.gateways.gateway import GatewayDown, Notification


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said, whichever way."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """To one provider. Its session opens with the first question; `aclose` ends it."""

    def __init__(self, provider: str, timeout_s: float = limits.GATEWAY_TIMEOUT_S) -> None:
        self._provider = provider
        self._timeout_s = timeout_s

        self._session: aiohttp.ClientSession | None = None

    async def exchange(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
    ) -> Answer:
        """Any answer, also an error. Raises `GatewayDown` when none comes, or one too long."""
        try:
            async with self._opened().request(
                method, url, headers=headers, params=query, data=body, allow_redirects=False
            ) as response:
                read = await _bounded(response.content)
                if read is not None:
                    return Answer(response.status, response.headers, read)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            reason = type(error).__name__
            raise GatewayDown(f"{self._provider} doesn't answer ({reason}).") from None
        raise GatewayDown(f"{self._provider} answered far too much.")

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of an answer, numbers with a point in it as they were written.

        Raises `GatewayDown` also for a redirect, a server's error, "too many", and for what is no
        JSON object, such as a page.
        """
        answer = await self.exchange(method, url, headers=headers, query=query, body=body)
        if answer.status >= 500 or answer.status == 429 or 300 <= answer.status < 400:
            raise GatewayDown(f"{self._provider} answered {answer.status}.")
        try:
            found = json.loads(answer.body, parse_float=str)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self.nonsense()
        return answer.status, found

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around looking into an answer: where something is missing in it, or is of another kind
        than it should be, `GatewayDown` is raised.
        """
        try:
            yield
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, Invalid):
            raise self.nonsense() from None

    def nonsense(self) -> GatewayDown:
        """For an answer that can't be understood."""
        return GatewayDown(f"{self._provider} answered something that can't be understood.")

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=ssl.create_default_context(), limit=limits.GATEWAY_CONNECTIONS_MAX
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                trust_env=False,
            )
        return self._session


async def _bounded(content: aiohttp.StreamReader) -> bytes | None:
    """All of it, or None when it is too much."""
    read = bytearray()
    async for chunk in content.iter_chunked(16 * limits.KIB):
        read += chunk
        if len(read) > limits.GATEWAY_ANSWER_BYTES_MAX:
            return None
    return bytes(read)


def header(notification: Notification, name: str) -> str:
    """A header of it, however it is spelt; empty without one."""
    wanted = name.lower()
    return next((v for k, v in notification.headers.items() if k.lower() == wanted), "")


def said(text: object, *secrets: str) -> str:
    """What a provider said about an error, for an admin: short, on one line, without `secrets`."""
    line = " ".join(str(text).split())
    for secret in filter(None, secrets):
        line = line.replace(secret, "…")
    return line[: limits.GATEWAY_TEXT_CHARS_MAX]


def short_key(key: str) -> str:
    """The id in an idempotency key such as "refund:rfd_…": some providers take 30 characters."""
    return key.rpartition(":")[2]

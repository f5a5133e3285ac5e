"""Requests to addresses that people type: what is never connected to, and what an answer may do.

Nothing here is ever sent to a forbidden address: `Names` is the resolver, and every connection
beyond the loopback receiver is caught before its socket connects.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohappyeyeballs
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from mediaserver.kernel import limits
from mediaserver.kernel.addresses import AddressList, is_public, parsed_address
from mediaserver.kernel.errors import Invalid, Unavailable
from mediaserver.kernel.outbound import Outbound
from tests.receiver import receiver


@dataclass
class Names(AbstractResolver):
    """A resolver that answers what it is told: each look-up of a name takes the next answer."""

    answers: dict[str, list[list[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        answers = self.answers[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that a connection was about to be made to; none ever is."""
    reached: list[str] = []

    async def refuse(*, addr_infos: Any, **_: Any) -> socket.socket:
        reached.extend(info[4][0] for info in addr_infos)
        raise ConnectionRefusedError("caught by the test")

    monkeypatch.setattr(aiohappyeyeballs, "start_connection", refuse)
    return reached


@pytest.fixture
async def names() -> Names:
    return Names()


@pytest.fixture
async def closed(names: Names) -> AsyncIterator[Outbound]:
    """Of a site whose operator allowed nothing."""
    async with Outbound(AddressList(()), user_agent="test", resolver=names) as outbound:
        yield outbound


FORBIDDEN = {
    "loopback": "127.0.0.1",
    "all of loopback": "127.8.9.1",
    "this host": "0.0.0.0",
    "RFC 1918, 10": "10.0.0.1",
    "RFC 1918, 172.16": "172.31.255.254",
    "RFC 1918, 192.168": "192.168.1.1",
    "link-local": "169.254.1.1",
    "cloud metadata": "169.254.169.254",
    "carrier-grade NAT": "100.64.0.1",
    "protocol assignments": "192.0.0.8",
    "documentation": "198.51.100.7",
    "benchmarking": "198.18.0.1",
    "old 6to4 relays": "192.88.99.1",
    "multicast": "224.0.0.251",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "IPv6 loopback": "::1",
    "IPv6 unspecified": "::",
    "IPv6 link-local": "fe80::1",
    "IPv6 site-local": "fec0::1",
    "unique local": "fd12:3456::1",
    "cloud metadata over IPv6": "fd00:ec2::254",
    "IPv6 multicast": "ff0e::1",
    "IPv6 documentation": "2001:db8::1",
    "newer IPv6 documentation": "3fff::1",
    "IPv4-mapped loopback": "::ffff:127.0.0.1",
    "IPv4-mapped RFC 1918": "::ffff:10.0.0.1",
    "IPv4-compatible": "::127.0.0.1",
    "NAT64": "64:ff9b::7f00:1",
    "local NAT64": "64:ff9b:1::7f00:1",
    "6to4": "2002:7f00:1::1",
    "Teredo": "2001:0:53aa:64c:0:0:80ff:fffe",
    "segment routing": "5f00::1",
}


@pytest.mark.parametrize("address", FORBIDDEN.values(), ids=FORBIDDEN.keys())
async def test_a_private_address_is_never_connected_to(
    closed: Outbound, names: Names, connected: list[str], address: str
) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(Invalid) as literal:
        await closed.post(f"https://{host}/", b"", {})
    assert literal.value.field == "url"

    names.answers["site.example"] = [[address]]
    with pytest.raises(Invalid, match="private network"):
        await closed.post("https://site.example/", b"", {})

    # One public address beside it changes nothing.
    names.answers["site.example"] = [["93.184.216.34", address]]
    with pytest.raises(Invalid, match="private network"):
        await closed.post("https://site.example/", b"", {})
    assert connected == []


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "100.128.0.1"])
async def test_a_public_address_is_connected_to(
    closed: Outbound, names: Names, connected: list[str], address: str
) -> None:
    names.answers["site.example"] = [[address]]
    with pytest.raises(Unavailable, match="nothing answers there"):
        await closed.post("https://site.example/", b"", {})
    assert connected == [address]
    parsed = parsed_address(address)
    assert parsed is not None
    assert is_public(parsed)


@pytest.mark.parametrize(
    "url",
    [
        "https://2130706433/",  # decimal
        "https://017700000001/",
        "https://0177.0.0.1/",  # octal
        "https://0x7f000001/",  # hexadecimal
        "https://0x7f.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://[::ffff:7f00:1]/",
        "https://[::1%25eth0]/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://site.localhost/",
        "https://①②⑦.0.0.1/",
        "https://bücher.example/",
        "https://127。0。0。1/",
        "https://%31%32%37.0.0.1/",
        "https://user@site.example/",
        "https://user:secret@site.example/",
        "https://site.example@127.0.0.1/",
        "https://@site.example/",
        "https://site.example\\@127.0.0.1/",
        "https://site.example:25/",
        "https://site.example:22/",
        "https://site.example:6379/",
        "https://site.example:6667/",
        "https://site.example:0/",
        "https://site.example:99999/",
        "https://site.example:x/",
        "https:///path",
        "https:site.example",
        "//site.example/",
        "http://site.example/",
        "ftp://site.example/",
        "file:///etc/passwd",
        "gopher://site.example/",
        "javascript:alert(1)",
        "https://site.example/a b",
        "https://site.example/\r\nHost: evil",
        "https://site.example/" + "x" * 500,
        "https://a..b/",
        "",
        "site.example",
    ],
)
async def test_an_address_that_is_never_asked(
    closed: Outbound, names: Names, connected: list[str], url: str
) -> None:
    with pytest.raises(Invalid) as refused:
        closed.checked_url(url, "url")
    assert refused.value.field == "url"
    with pytest.raises(Invalid):
        await closed.post(url, b"", {})
    assert names.asked == []
    assert connected == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (" https://Site.Example/hook?a=b ", "https://site.example/hook?a=b"),
        ("https://site.example:8443/x", "https://site.example:8443/x"),
        ("https://site.example./", "https://site.example./"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://93.184.216.34/", "https://93.184.216.34/"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
        ("https://site.example/#part", "https://site.example/"),
    ],
)
def test_an_address_that_may_be_stored(given: str, kept: str) -> None:
    assert Outbound(AddressList(()), user_agent="test").checked_url(given, "url") == kept


def test_plain_http_is_for_allowed_addresses() -> None:
    outbound = Outbound(AddressList(("192.168.1.20",)), user_agent="test")
    assert outbound.checked_url("http://192.168.1.20:8123/x", "url")
    assert outbound.checked_url("http://home.example/x", "url"), "its addresses are looked at later"
    for url in ("http://93.184.216.34/", "https://192.168.1.21/"):
        with pytest.raises(Invalid):
            outbound.checked_url(url, "url")


async def test_plain_http_to_a_name_that_is_public(names: Names, connected: list[str]) -> None:
    async with Outbound(AddressList(("10.1.1.1",)), user_agent="t", resolver=names) as outbound:
        names.answers["home.example"] = [["93.184.216.34"]]
        with pytest.raises(Invalid, match="private"):
            await outbound.post("http://home.example/", b"", {})
        assert connected == []
        names.answers["home.example"] = [["10.1.1.1"]]
        with pytest.raises(Unavailable):
            await outbound.post("http://home.example/", b"", {})
        assert connected == ["10.1.1.1"]


async def test_a_resolver_that_is_passed_by(
    closed: Outbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last check, at the socket: as if the client library no longer asked our resolver."""

    async def resolved(*_: Any, **__: Any) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname="x", host="127.0.0.1", port=443, family=socket.AF_INET, proto=0, flags=0
            )
        ]

    monkeypatch.setattr("aiohttp.TCPConnector._resolve_host", resolved)
    with pytest.raises(Invalid, match="private network"):
        await closed.post("https://site.example/", b"", {})


async def test_a_name_that_changes_its_mind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: one look-up for one request, and what it said is where the request goes."""
    async with receiver(tmp_path, monkeypatch, name="home.example") as here:
        names = Names({"home.example": [["127.0.0.1"], ["127.0.0.2"]]})
        async with Outbound(
            AddressList(("127.0.0.1",)), user_agent="test", resolver=names
        ) as outbound:
            assert (await outbound.post(here.url, b"one", {})).status == 204
            assert names.asked == ["home.example"]
            with pytest.raises(Invalid, match="private network"):
                await outbound.post(here.url, b"two", {})
        assert (await here.next()).body == b"one"
        assert here.taken.empty()


async def test_what_is_sent_and_what_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        receiver(tmp_path, monkeypatch) as here,
        Outbound(AddressList(("127.0.0.1",)), user_agent="test/1") as outbound,
    ):
        here.answers = [(200, b"thanks", {"Set-Cookie": "a=b"})]
        answer = await outbound.post(f"{here.url}/hook?x=1", b"body", {"X-One": "1"})
        assert (answer.status, answer.body) == (200, b"thanks")
        taken = await here.next()
        assert (taken.path, taken.body) == ("/hook?x=1", b"body")
        assert taken.headers["User-Agent"] == "test/1"
        assert taken.headers["X-One"] == "1"

        here.answers = [(302, b"", {"Location": f"{here.url}/elsewhere"})]
        assert (await outbound.post(here.url, b"", {})).status == 302
        taken = await here.next()
        assert "Cookie" not in taken.headers
        assert here.taken.empty(), "a redirect was followed"

        here.answer(200, body=b"x" * (limits.OUTBOUND_ANSWER_BYTES_MAX * 4))
        answer = await outbound.post(here.url, b"", {})
        assert len(answer.body) == limits.OUTBOUND_ANSWER_BYTES_MAX

        # A small answer that would unpack to a large one is left as it is.
        here.answers = [(200, b"not really gzip", {"Content-Encoding": "gzip"})]
        assert (await outbound.post(here.url, b"", {})).body == b"not really gzip"


async def test_a_certificate_of_somebody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiver(tmp_path, monkeypatch, name="other.example") as here:
        names = Names({"home.example": [["127.0.0.1"]]})
        url = here.url.replace("other", "home")
        async with Outbound(
            AddressList(("127.0.0.1",)), user_agent="test", resolver=names
        ) as outbound:
            with pytest.raises(Unavailable, match="certificate isn't valid"):
                await outbound.post(url, b"", {})
        assert here.taken.empty()


async def test_a_site_that_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OUTBOUND_TIMEOUT_S", 0.2)
    async with (
        receiver(tmp_path, monkeypatch) as here,
        Outbound(AddressList(("127.0.0.1",)), user_agent="test") as outbound,
    ):
        here.silent = True
        with pytest.raises(Unavailable, match="no answer in time"):
            await outbound.post(here.url, b"", {})


@pytest.mark.parametrize(
    "answer", [b"nonsense\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000]
)
async def test_an_answer_that_is_none(
    answer: bytes,
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Outbound(AddressList(("127.0.0.1",)), user_agent="test") as outbound:
        with pytest.raises(Unavailable):
            await outbound.post(f"http://127.0.0.1:{port}/", b"", {})

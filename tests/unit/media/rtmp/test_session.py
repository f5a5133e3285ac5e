"""A connection below the commands: handshake, acknowledgement, strangers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from mediaserver.kernel import limits
from mediaserver.kernel.metrics import Metrics
from mediaserver.media.rtmp.chunks import ChunkReader, ProtocolError
from mediaserver.media.rtmp.session import ConnectionClosed, RtmpSession
from mediaserver.media.rtmp.vocabulary import Acknowledgement, Chunk
from tests.unit.media.rtmp.encoder import C0_C1
from tests.unit.media.rtmp.wire import chunk


class Pair:
    """A session and the other end of its connection."""

    def __init__(
        self, session: RtmpSession, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.session = session
        self.reader = reader
        self.writer = writer


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    ours, theirs = socket.socketpair()
    server_reader, server_writer = await asyncio.open_connection(sock=ours)
    reader, writer = await asyncio.open_connection(sock=theirs)
    yield Pair(RtmpSession(server_reader, server_writer, Metrics()), reader, writer)
    for one in (server_writer, writer):
        one.close()
        await one.wait_closed()


async def test_handshake(pair: Pair) -> None:
    pair.writer.write(C0_C1 + bytes(1536) + b"after")
    assert not pair.session.ready
    await pair.session.handshake()
    assert pair.session.ready
    answer = await pair.reader.readexactly(3073)
    assert answer[0] == 3
    assert answer[1:9] == bytes(8)
    # S2 echoes C1: its time, a time of ours, its random bytes (§5.2.4).
    assert answer[1537:] == C0_C1[1:5] + bytes(4) + C0_C1[9:]
    assert await pair.session.reader.readexactly(5) == b"after"


async def test_two_handshakes_differ(pair: Pair) -> None:
    pair.writer.write(C0_C1 + bytes(1536) + C0_C1 + bytes(1536))
    await pair.session.handshake()
    await pair.session.handshake()
    first, second = await pair.reader.readexactly(3073), await pair.reader.readexactly(3073)
    assert first[9:1537] != second[9:1537]


@pytest.mark.parametrize("version", [0, 2, 6, 31])
async def test_other_versions_are_refused(pair: Pair, version: int) -> None:
    pair.writer.write(bytes((version,)) + C0_C1[1:])
    with pytest.raises(ProtocolError, match=rf"^RTMP version {version} is not supported$"):
        await pair.session.handshake()
    assert not pair.session.ready


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "PRI"])
async def test_a_browser_is_told_where_it_is(pair: Pair, method: str) -> None:
    pair.writer.write(f"{method} / HTTP/1.1\r\n\r\n".encode())
    with pytest.raises(ProtocolError, match=r"^HTTP was sent to the RTMP port$"):
        await pair.session.handshake()
    assert (await pair.reader.read(4096)).startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("sent", [0, 1, 4, 1537, 3072])
async def test_a_connection_that_closes_in_the_handshake(pair: Pair, sent: int) -> None:
    pair.writer.write((C0_C1 + bytes(1536))[:sent])
    pair.writer.write_eof()
    with pytest.raises(ConnectionClosed, match=r"^closed during the handshake$"):
        await pair.session.handshake()
    assert pair.session.spoke == (sent > 0)
    assert not pair.session.ready


async def collect(session: RtmpSession) -> list[Chunk]:
    found: list[Chunk] = []

    async def read() -> None:
        async for one in session.read_chunks_from_stream():
            found.append(one)  # noqa: PERF401 -- they are wanted though it raises

    with pytest.raises(ConnectionClosed, match=r"^closed by the encoder$"):
        await read()
    return found


async def test_messages_until_the_end(pair: Pair) -> None:
    wire = b"".join(chunk(0, 4, b"%d" % number) for number in range(1000))
    pair.writer.write(wire)
    pair.writer.write_eof()
    found = await collect(pair.session)
    assert [one.payload for one in found] == [b"%d" % number for number in range(1000)]


async def test_what_was_read_is_acknowledged(pair: Pair) -> None:
    pair.session.peer_window_bytes = 1000
    wire = b"".join(chunk(0, 4, bytes(100)) for _ in range(50))

    async def write() -> None:
        pair.writer.write(wire)
        pair.writer.write_eof()

    found, _ = await asyncio.gather(collect(pair.session), write())
    assert len(found) == 50
    pair.session.writer.write_eof()
    reader = ChunkReader()
    reader.feed(await pair.reader.read())
    answers = list(reader.messages())
    assert answers
    assert {one.msg_type_id for one in answers} == {3}
    numbers = [int.from_bytes(one.payload, "big") for one in answers]
    assert numbers == sorted(numbers)
    assert all(
        number - before >= 1000 for before, number in zip([0, *numbers], numbers, strict=False)
    )
    assert len(wire) - numbers[-1] < 1000


async def test_nothing_is_acknowledged_below_the_window(pair: Pair) -> None:
    pair.writer.write(b"".join(chunk(0, 4, bytes(100)) for _ in range(50)))
    pair.writer.write_eof()
    await collect(pair.session)
    pair.session.writer.write_eof()
    assert await pair.reader.read() == b""


async def test_answers_are_cut_to_the_announced_chunk_size(pair: Pair) -> None:
    pair.session.write_chunk_to_stream(Acknowledgement(7))
    pair.session.writer.write_eof()
    assert await pair.reader.read() == chunk(0, 2, (7).to_bytes(4, "big"), type_id=3, stream_id=0)


async def test_a_message_over_the_bound_of_strangers_is_refused(pair: Pair) -> None:
    pair.writer.write(chunk(0, 4, bytes(128), length=limits.RTMP_UNTRUSTED_MESSAGE_BYTES_MAX + 1))
    with pytest.raises(ProtocolError):
        async for _ in pair.session.read_chunks_from_stream():
            pass


async def test_lingering_takes_what_is_still_under_way(pair: Pair) -> None:
    pair.writer.write(bytes(100_000))
    pair.writer.write_eof()
    await pair.session.linger()
    assert await pair.reader.read() == b""


def test_a_peer_without_an_address() -> None:
    """A Unix socket has no host and port, IPv6 has four fields."""

    class Writer:
        def __init__(self, peer: object) -> None:
            self.peer = peer

        def get_extra_info(self, name: str) -> object:
            return self.peer if name == "peername" else None

    def session(peer: object) -> RtmpSession:
        made = RtmpSession.__new__(RtmpSession)
        made.writer = Writer(peer)
        return made

    for peer, address, name in (
        (("10.0.0.1", 50_000), "10.0.0.1", "10.0.0.1:50000"),
        (("fe80::1", 50_000, 0, 2), "fe80::1", "fe80::1:50000"),
        ("", "unix", "unix"),
        (None, "unix", "unix"),
    ):
        assert session(peer).peer_address == address
        assert session(peer).peername == name

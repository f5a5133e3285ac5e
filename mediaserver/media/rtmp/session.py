"""One RTMP connection below the commands: handshake, messages in and out, acknowledgement.

Subclasses pyrtmp's `SessionManager` and replaces everything it does on the wire, for the reasons
that ARCHITECTURE.md lists.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator

from mediaserver.kernel import limits
from mediaserver.kernel.ids import random_bytes
from mediaserver.kernel.metrics import Metrics
from mediaserver.media.rtmp.chunks import ChunkReader, ProtocolError, encode_message
from mediaserver.media.rtmp.vocabulary import Acknowledgement, Chunk, SessionManager

_VERSION = 3
_C1_BYTES = 1536
_HTTP_METHODS = (b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"CONN", b"PRI ")
_HTTP_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n"
    b"This port takes RTMP from encoders such as OBS. The web pages are on another port.\n"
)


class ConnectionClosed(Exception):
    """The encoder closed the connection."""


class RtmpSession(SessionManager):  # type: ignore[misc]  # pyrtmp has no types
    """A connection. `spoke`: a byte came; `ready`: the handshake is done and messages may go."""

    def __init__(self, reader: StreamReader, writer: StreamWriter, metrics: Metrics) -> None:
        super().__init__(reader=reader, writer=writer)
        self._metrics = metrics

        self.spoke = False
        self.ready = False
        self.chunks = ChunkReader(limits.RTMP_UNTRUSTED_MESSAGE_BYTES_MAX)
        self.peer_window_bytes = limits.RTMP_ACK_WINDOW_BYTES
        self.writer_chunk_size = 128
        self._acknowledged = 0

    @property
    def peer_address(self) -> str:
        """IPv4, IPv6, or "unix" for a socket file: what limits count by."""
        peer = self.writer.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) else "unix"

    @property
    def peername(self) -> str:
        peer = self.writer.get_extra_info("peername")
        return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "unix"

    async def handshake(self) -> None:
        """C0 C1 ⇄ S0 S1 S2, then C2 (RTMP 1.0 §5.2). Raises `ProtocolError`."""
        first = await self._read_exactly(4)
        if first in _HTTP_METHODS:
            self.writer.write(_HTTP_ANSWER)
            raise ProtocolError("HTTP was sent to the RTMP port")
        if first[0] != _VERSION:
            raise ProtocolError(f"RTMP version {first[0]} is not supported")
        c1 = first[1:] + await self._read_exactly(_C1_BYTES - 3)
        s1 = bytes(8) + random_bytes(_C1_BYTES - 8)
        s2 = c1[:4] + bytes(4) + c1[8:]
        self.writer.write(bytes((_VERSION,)) + s1 + s2)
        await self.drain()
        await self._read_exactly(_C1_BYTES)
        self.ready = True

    async def _read_exactly(self, count: int) -> bytes:
        try:
            data: bytes = await self.reader.readexactly(count)
        except asyncio.IncompleteReadError as error:
            self.spoke = self.spoke or bool(error.partial)
            raise ConnectionClosed("closed during the handshake") from error
        self.spoke = True
        return data

    async def read_chunks_from_stream(self) -> AsyncIterator[Chunk]:
        """Messages, until the encoder closes. Raises `ProtocolError`, `ConnectionClosed`."""
        handled = 0
        while True:
            data = await self.reader.read(limits.RTMP_READ_BYTES)
            if not data:
                raise ConnectionClosed("closed by the encoder")
            self._metrics.rtmp_bytes.inc(len(data))
            self.chunks.feed(data)
            for message in self.chunks.messages():
                yield message
                handled += 1
                if handled % limits.RTMP_MESSAGES_PER_TURN_MAX == 0:
                    await asyncio.sleep(0)
            if self.chunks.bytes_read - self._acknowledged >= self.peer_window_bytes:
                self._acknowledged = self.chunks.bytes_read
                self.write_chunk_to_stream(Acknowledgement(self._acknowledged & 0xFFFFFFFF))
                await self.drain()

    def write_chunk_to_stream(self, chunk: Chunk) -> None:
        self.writer.write(encode_message(chunk, self.writer_chunk_size))

    async def drain(self) -> None:
        async with asyncio.timeout(limits.RTMP_WRITE_TIMEOUT_S):
            await self.writer.drain()

    async def linger(self) -> None:
        """Let the encoder read our last words: a close with unread input would reset them away."""
        try:
            async with asyncio.timeout(limits.RTMP_LINGER_S):
                await self.writer.drain()
                if self.writer.can_write_eof():
                    self.writer.write_eof()
                while await self.reader.read(limits.RTMP_READ_BYTES):
                    pass
        except (OSError, TimeoutError):
            pass

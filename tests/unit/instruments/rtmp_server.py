"""A scripted RTMP server of a few lines: what the raw client is tested against."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.rtmp import amf
from tests.rtmp.chunks import (
    ACKNOWLEDGEMENT,
    COMMAND,
    SET_CHUNK_SIZE,
    USER_CONTROL,
    WINDOW_SIZE,
    ChunkReader,
    Message,
    chunks,
)
from tests.rtmp.wire import HANDSHAKE_BYTES


class ScriptedServer:
    """Accepts everybody but stream keys starting with `bad`, and keeps what it was sent."""

    def __init__(self) -> None:
        self.port = 0
        self.messages: list[Message] = []
        self.raw = bytearray()
        self.connections = 0
        self.ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.ended.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = await reader.readexactly(1 + HANDSHAKE_BYTES)
        if hello[0] != 3:
            return
        writer.write(b"\x03" + bytes(HANDSHAKE_BYTES) + hello[1:])
        await reader.readexactly(HANDSHAKE_BYTES)
        writer.write(chunks(struct.pack(">I", 2_500_000), csid=2, type_id=WINDOW_SIZE))
        writer.write(chunks(struct.pack(">I", 4096), csid=2, type_id=SET_CHUNK_SIZE))
        chunk_reader = ChunkReader()
        while data := await reader.read(65_536):
            self.raw += data
            for message in chunk_reader.feed(data):
                self.messages.append(message)
                if message.type_id == COMMAND and not self._answer(message, writer):
                    await writer.drain()
                    return
            await writer.drain()

    def _answer(self, message: Message, writer: asyncio.StreamWriter) -> bool:
        values = amf.decode(message.payload)
        reply: Callable[..., None] = lambda *v, csid=3: writer.write(  # noqa: E731
            chunks(amf.encode(*v), csid=csid, type_id=COMMAND, chunk_size=4096)
        )
        if values[0] == "connect":
            reply("_result", values[1], {"fmsVer": "x"}, {"code": "NetConnection.Connect.Success"})
        elif values[0] == "createStream":
            reply("_result", values[1], None, 1)
        elif values[0] == "publish":
            good = not str(values[3]).startswith("bad")
            code = "NetStream.Publish.Start" if good else "NetStream.Publish.Unauthorized"
            level, text = ("status", "go") if good else ("error", "no such key")
            status = {"level": level, "code": code, "description": text}
            reply("onStatus", 0, None, status)
            writer.write(chunks(struct.pack(">HI", 6, 77), csid=2, type_id=USER_CONTROL))
            writer.write(chunks(struct.pack(">I", 3200), csid=2, type_id=ACKNOWLEDGEMENT))
            return good
        return True

    @property
    def url(self) -> str:
        return f"rtmp://127.0.0.1:{self.port}/live/good"


@asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    script = ScriptedServer()
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()
        await server.wait_closed()

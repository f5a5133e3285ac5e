"""An encoder at the other end of a loopback connection, and the server's side without a listener.

`Wire` gives an `asyncio` stream pair over a socket pair: no port, no network.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MediaConfig, RtmpConfig
from mediaserver.kernel.events import Events
from mediaserver.kernel.metrics import Metrics
from mediaserver.media.broadcasts import Broadcasts
from mediaserver.media.gate import PublishGrant, PublishRequest
from mediaserver.media.origin import Origin
from mediaserver.media.rtmp import amf
from mediaserver.media.rtmp.amf import AmfValue
from mediaserver.media.rtmp.chunks import ChunkReader, encode_message
from mediaserver.media.rtmp.ingest import Publish
from mediaserver.media.rtmp.vocabulary import Chunk
from tests.unit.media.rtmp.wire import message

C0_C1 = b"\x03" + bytes(8) + bytes(range(256)) * 5 + bytes(248)
HANDSHAKE_ANSWER_BYTES = 1 + 1536 + 1536
GRANT = PublishGrant("chn_1", "film", "key_1")
PATIENCE_S = 20
"""Far above what anything here takes: only a hang ends by it."""


class FakeGate:
    """Grants `GRANT`, or raises what the test put in; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[PublishRequest] = []
        self.error: Exception | None = None

    async def authorise(self, request: PublishRequest) -> PublishGrant:
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        return GRANT


class Server:
    """What a connection needs, and the connections made."""

    def __init__(self, **media: Any) -> None:
        self.gate = FakeGate()
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.events = Events()
        self.broadcasts = Broadcasts(
            MediaConfig(**media), RtmpConfig(), Origin(), self.clock, self.events, self.metrics
        )

    async def connect(self) -> Encoder:
        """A connection that `Publish` serves in its own task."""
        ours, theirs = socket.socketpair()
        server_reader, server_writer = await asyncio.open_connection(sock=ours)
        reader, writer = await asyncio.open_connection(sock=theirs)
        publish = Publish(self.gate, self.broadcasts, self.clock, self.metrics)
        task = asyncio.create_task(publish.client_callback(server_reader, server_writer))
        return Encoder(reader, writer, task, server_writer)


class Encoder:
    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        served: asyncio.Task[None] | None = None,
        server_writer: asyncio.StreamWriter | None = None,
    ) -> None:
        self.reader = reader
        self.writer = writer
        self._served = served
        self.server_writer = server_writer
        self.answers = ChunkReader()
        self._queue: list[Chunk] = []

    def send(self, *values: AmfValue, stream_id: int = 0, type_id: int = 20) -> None:
        """A command."""
        prefix = b"\x00" if type_id == 17 else b""
        self.send_message(
            message(prefix + amf.encode(*values), chunk_id=3, type_id=type_id, stream_id=stream_id)
        )

    def send_message(self, one: Chunk) -> None:
        self.writer.write(encode_message(one, 128))

    async def handshake(self) -> bytes:
        self.writer.write(C0_C1)
        answer = await self._within(self.reader.readexactly(HANDSHAKE_ANSWER_BYTES))
        self.writer.write(answer[1:1537])
        return answer

    async def answer(self) -> Chunk | None:
        """The next message, or None at the end."""
        while not self._queue:
            data = await self._within(self.reader.read(65_536))
            if not data:
                return None
            self.answers.feed(data)
            self._queue += self.answers.messages()
        return self._queue.pop(0)

    async def command(self) -> list[AmfValue]:
        """The next command, with what the server says of its windows passed over."""
        while (one := await self.answer()) is not None:
            if one.msg_type_id == 20:
                return amf.decode(one.payload)
        return []

    async def status(self) -> tuple[str, str]:
        """Code and description of the next onStatus."""
        values = await self.command()
        assert values, "closed without a status"
        assert values[0] == "onStatus", values
        assert isinstance(values[3], dict)
        return str(values[3]["code"]), str(values[3]["description"])

    async def publish(self, key: str = "k", app: str = "live") -> None:
        """All of it up to the accepted publish."""
        await self.handshake()
        self.send("connect", 1, {"app": app, "flashVer": "test"})
        assert (await self.command())[0] == "_result"
        self.send("createStream", 2, None)
        assert await self.command() == ["_result", 2.0, None, 1.0]
        self.send("publish", 3, None, key, "live", stream_id=1)
        assert await self.status() == ("NetStream.Publish.Start", "You are publishing.")

    async def closed(self) -> None:
        """Read to the end, close, and wait until the server is done with us."""
        while await self.answer() is not None:
            pass
        await self.close()

    async def close(self) -> None:
        self.writer.close()
        try:
            if self._served is not None:
                await self._within(self._served)
        finally:
            for writer in (self.writer, self.server_writer):
                if writer is not None:
                    with contextlib.suppress(ConnectionError):
                        await self._within(writer.wait_closed())

    @staticmethod
    async def _within(awaitable: Any) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return await awaitable

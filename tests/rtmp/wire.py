"""A raw RTMP client over asyncio streams: does everything an encoder does, and all it should not.

Tests use the polite steps (`handshake`, `connect`, `create_stream`, `publish`, `send_tag`) up to
the point where they mean to misbehave and then `send` any bytes. A background task reads the
server: status messages, acknowledgements, pings, the end of the connection. Every wait is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from urllib.parse import urlsplit

from tests.rtmp import amf
from tests.rtmp.chunks import (
    ACKNOWLEDGEMENT,
    COMMAND,
    DATA,
    DEFAULT_CHUNK_SIZE,
    PEER_BANDWIDTH,
    SET_CHUNK_SIZE,
    USER_CONTROL,
    WINDOW_SIZE,
    ChunkReader,
    Message,
    chunks,
)
from tests.rtmp.flv import AUDIO, FlvTag

HANDSHAKE_BYTES = 1536
REPLY_DEADLINE_S = 10.0
MESSAGES_KEPT_MAX = 10_000

PING_REQUEST, PING_RESPONSE = 6, 7
COMMAND_CSID, AUDIO_CSID, VIDEO_CSID, DATA_CSID = 3, 4, 6, 5


class NoAnswer(AssertionError):
    """The server did not do in time what was waited for."""


@dataclass(frozen=True, slots=True)
class Status:
    """An `onStatus`, or the `_error` of a command: what an encoder shows its user."""

    level: str
    code: str
    description: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a misbehaving connection ended: the error status it was given, if any, and the close."""

    error: Status | None
    closed: bool


class RtmpClient:
    """One connection. `async with await RtmpClient.open(host, port) as client:`."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opened_at: datetime
    ) -> None:
        self._reader = reader
        self._writer = writer

        self.messages: list[Message] = []
        self.statuses: list[Status] = []
        self.replies: dict[float, list[object]] = {}
        self.acknowledged: list[int] = []
        self.pings = 0
        self.server_chunk_size = DEFAULT_CHUNK_SIZE
        self.window: int | None = None
        self.closed = False
        self.chunk_size = DEFAULT_CHUNK_SIZE
        self.stream_id = 0
        self.sent_bytes = 0
        self.opened_at = opened_at
        self._local = writer.get_extra_info("sockname")
        self._transaction = 0
        self._news = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, host: str, port: int, *, source: str | None = None) -> RtmpClient:
        """TCP connection only. `source` binds to another loopback address such as 127.0.0.9."""
        local = (source, 0) if source else None
        opened_at = datetime.now(UTC)
        async with asyncio.timeout(REPLY_DEADLINE_S):
            reader, writer = await asyncio.open_connection(host, port, local_addr=local)
        return cls(reader, writer, opened_at)

    @property
    def local_name(self) -> str:
        """HOST:PORT of our end: what the server knows as the peer."""
        host, port = self._local[:2]
        return f"{host}:{port}"

    async def __aenter__(self) -> RtmpClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self, *, abort: bool = False) -> None:
        """End the connection; `abort` drops it as a crashed encoder does."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if abort:
            self._writer.transport.abort()
        self._writer.close()
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(2):
                await self._writer.wait_closed()

    # out --------------------------------------------------------------------------------------

    async def send(self, data: bytes) -> bool:
        """Raw bytes. False when the server has closed; waits while it does not read."""
        if self.closed:
            return False
        try:
            self._writer.write(data)
            async with asyncio.timeout(REPLY_DEADLINE_S):
                await self._writer.drain()
        except (ConnectionError, TimeoutError):
            return False
        self.sent_bytes += len(data)
        return True

    async def message(
        self,
        type_id: int,
        payload: bytes,
        *,
        csid: int = COMMAND_CSID,
        stream_id: int = 0,
        timestamp: int = 0,
        fmt: int = 0,
    ) -> bool:
        """One whole message in chunks of the size that was announced."""
        return await self.send(
            chunks(
                payload,
                csid=csid,
                type_id=type_id,
                stream_id=stream_id,
                timestamp=timestamp,
                fmt=fmt,
                chunk_size=self.chunk_size,
            )
        )

    async def set_chunk_size(self, size: int, *, use: bool = True) -> bool:
        """Announce a chunk size, and use it unless the point is only to announce it."""
        sent = await self.message(SET_CHUNK_SIZE, struct.pack(">I", size & 0xFFFFFFFF), csid=2)
        if use:
            self.chunk_size = size
        return sent

    async def send_tag(self, tag: FlvTag) -> bool:
        """An FLV tag as an audio, video or data message of the published stream."""
        csid = AUDIO_CSID if tag.kind == AUDIO else DATA_CSID if tag.kind == DATA else VIDEO_CSID
        return await self.message(
            tag.kind, tag.payload, csid=csid, stream_id=self.stream_id or 1, timestamp=tag.ms
        )

    async def send_metadata(self, metadata: Mapping[str, object]) -> bool:
        body = amf.encode("@setDataFrame", "onMetaData", amf.EcmaArray(metadata))
        return await self.message(DATA, body, csid=DATA_CSID, stream_id=self.stream_id or 1)

    # polite steps -----------------------------------------------------------------------------

    async def handshake(self, *, version: int = 3) -> None:
        """C0 C1 → S0 S1 S2 → C2, and start to read what the server says."""
        challenge = bytes(8) + os.urandom(HANDSHAKE_BYTES - 8)
        self._writer.write(bytes([version]) + challenge)
        async with asyncio.timeout(REPLY_DEADLINE_S):
            await self._writer.drain()
            answer = await self._reader.readexactly(1 + 2 * HANDSHAKE_BYTES)
            if answer[0] != 3:
                raise NoAnswer(f"S0 is {answer[0]}, not 3")
            if answer[1 + HANDSHAKE_BYTES + 8 :] != challenge[8:]:
                raise NoAnswer("S2 does not repeat C1")
            self._writer.write(answer[1 : 1 + HANDSHAKE_BYTES])
            await self._writer.drain()
        self.listen()

    def listen(self) -> None:
        """Read the server in the background from now on (the handshake calls it)."""
        self._task = asyncio.create_task(self._read(), name="rtmp-client-read")

    async def command(
        self, name: str, *values: object, stream_id: int = 0, csid: int = COMMAND_CSID
    ) -> float:
        """Send a command; returns its transaction id."""
        self._transaction += 1
        body = amf.encode(name, self._transaction, *values)
        await self.message(COMMAND, body, csid=csid, stream_id=stream_id)
        return float(self._transaction)

    async def reply(self, transaction: float, what: str) -> list[object]:
        """The `_result` or `_error` of a command."""
        await self.wait_for(lambda: transaction in self.replies or self.closed, what)
        if transaction not in self.replies:
            raise NoAnswer(f"the connection closed instead of {what}; {self.statuses}")
        return self.replies[transaction]

    async def connect(self, app: str, *, tc_url: str = "", **extra: object) -> list[object]:
        """`connect` with what OBS sends; `extra` members are added, such as fourCcList."""
        members: dict[str, object] = {
            "app": app,
            "type": "nonprivate",
            "flashVer": "FMLE/3.0 (compatible; test)",
            "tcUrl": tc_url or f"rtmp://127.0.0.1/{app}",
        }
        return await self.reply(await self.command("connect", members | extra), "connect reply")

    async def create_stream(self) -> int:
        answer = await self.reply(await self.command("createStream", None), "createStream reply")
        number = answer[3] if len(answer) > 3 else None
        if answer[0] != "_result" or not isinstance(number, float):
            raise NoAnswer(f"createStream was answered by {answer}")
        self.stream_id = int(number)
        return self.stream_id

    async def publish(self, name: str) -> Status:
        """`publish`, and the status that answers it, good or bad."""
        before = len(self.statuses)
        await self.command("releaseStream", None, name)
        await self.command("FCPublish", None, name)
        await self.command("publish", None, name, "live", stream_id=self.stream_id or 1, csid=4)
        await self.wait_for(lambda: len(self.statuses) > before or self.closed, "publish status")
        if len(self.statuses) == before:
            raise NoAnswer("the connection closed without a status for publish")
        return self.statuses[before]

    async def start(self, app: str, name: str) -> Status:
        """Everything up to the answer to publish."""
        await self.handshake()
        await self.set_chunk_size(4096)
        answer = await self.connect(app)
        if answer[0] != "_result":
            return self.statuses[-1]
        await self.create_stream()
        return await self.publish(name)

    async def stop(self, name: str) -> None:
        """What an encoder sends when its user presses stop."""
        await self.command("FCUnpublish", None, name)
        await self.command("deleteStream", None, float(self.stream_id))

    async def send_tags(self, tags: Iterable[FlvTag], *, speed: float | None = 1.0) -> int:
        """Send tags at real pace times `speed`, or at once when None; returns how many went out.

        Pace follows the distance from the first tag, so that streams may start at any timestamp.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        first: int | None = None
        sent = 0
        for tag in tags:
            if first is None:
                first = tag.ms
            if speed is not None:
                media_s = ((tag.ms - first) & 0xFFFFFFFF) / 1000
                if media_s < 1_000_000 and (delay := started + media_s / speed - loop.time()) > 0:
                    await asyncio.sleep(delay)
            if not await self.send_tag(tag):
                break
            sent += 1
        return sent

    # in ---------------------------------------------------------------------------------------

    async def wait_for(
        self, predicate: Callable[[], bool], what: str, deadline_s: float = REPLY_DEADLINE_S
    ) -> None:
        try:
            async with asyncio.timeout(deadline_s), self._news:
                await self._news.wait_for(predicate)
        except TimeoutError:
            raise NoAnswer(f"no {what} within {deadline_s} s; so far {self.statuses}") from None

    async def outcome(self, deadline_s: float = REPLY_DEADLINE_S) -> Outcome:
        """Wait for the server to close. The error is the last status of level error."""
        if self._task is None:
            self.listen()
        with contextlib.suppress(NoAnswer):
            await self.wait_for(lambda: self.closed, "close", deadline_s)
        errors = [status for status in self.statuses if status.level == "error"]
        return Outcome(errors[-1] if errors else None, self.closed)

    async def _read(self) -> None:
        chunk_reader = ChunkReader()
        try:
            while data := await self._reader.read(65_536):
                for message in chunk_reader.feed(data):
                    await self._handle(message)
                self.server_chunk_size = chunk_reader.chunk_size
                async with self._news:
                    self._news.notify_all()
        except (ConnectionError, ValueError):
            pass  # a reset is a close; bytes that are no chunks (HTTP, say) end the reading too
        finally:
            self.closed = True
            async with self._news:
                self._news.notify_all()

    async def _handle(self, message: Message) -> None:
        if len(self.messages) < MESSAGES_KEPT_MAX:
            self.messages.append(message)
        payload = message.payload
        if message.type_id == ACKNOWLEDGEMENT and len(payload) >= 4:
            self.acknowledged.append(int.from_bytes(payload[:4], "big"))
        elif message.type_id in {WINDOW_SIZE, PEER_BANDWIDTH} and len(payload) >= 4:
            self.window = int.from_bytes(payload[:4], "big")
        elif message.type_id == USER_CONTROL and payload[:2] == struct.pack(">H", PING_REQUEST):
            self.pings += 1
            await self.message(
                USER_CONTROL, struct.pack(">H", PING_RESPONSE) + payload[2:6], csid=2
            )
        elif message.type_id == COMMAND:
            self._command(amf.decode(payload))

    def _command(self, values: list[object]) -> None:
        name = values[0] if values else None
        if name in {"_result", "_error"} and len(values) > 1 and isinstance(values[1], float):
            self.replies[values[1]] = values
        information = next((v for v in values[2:] if isinstance(v, dict) and "code" in v), None)
        if information is not None and name in {"onStatus", "_error"}:
            self.statuses.append(
                Status(
                    str(information.get("level", "error" if name == "_error" else "")),
                    str(information["code"]),
                    str(information.get("description", "")),
                )
            )


@dataclass(frozen=True, slots=True)
class PublishUrl:
    """rtmp://HOST:PORT/APP/NAME taken apart."""

    host: str
    port: int
    app: str
    name: str

    @classmethod
    def parse(cls, url: str) -> PublishUrl:
        parts = urlsplit(url)
        app, _, name = parts.path.lstrip("/").partition("/")
        return cls(parts.hostname or "127.0.0.1", parts.port or 1935, app, name)


async def open_publisher(url: str, *, source: str | None = None) -> RtmpClient:
    """A client that was allowed to publish to `url`; NoAnswer with the reason if it was not."""
    target = PublishUrl.parse(url)
    client = await RtmpClient.open(target.host, target.port, source=source)
    try:
        status = await client.start(target.app, target.name)
        if status.code != "NetStream.Publish.Start":
            raise NoAnswer(f"publish was refused: {status}")
    except BaseException:
        await client.close()
        raise
    return client

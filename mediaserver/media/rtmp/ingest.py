"""Encoders' connections: listens, asks the gate, feeds the broadcast, and says why it ends.

Each connection leaves one line in the log when it is refused or fails, and two when it publishes
(opened; closed: why). The stream key is never logged.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from asyncio import StreamReader, StreamReaderProtocol, StreamWriter
from collections import Counter
from typing import cast

import structlog

from mediaserver.kernel import limits
from mediaserver.kernel.addresses import network_of
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import RtmpConfig
from mediaserver.kernel.errors import Unavailable
from mediaserver.kernel.metrics import Metrics
from mediaserver.kernel.tasks import Tasks
from mediaserver.media.broadcast import Broadcast
from mediaserver.media.broadcasts import Broadcasts
from mediaserver.media.frames import Unsupported
from mediaserver.media.gate import PublishGate, PublishRefused, PublishRequest
from mediaserver.media.rtmp import commands
from mediaserver.media.rtmp.amf import AmfError
from mediaserver.media.rtmp.chunks import ProtocolError
from mediaserver.media.rtmp.commands import OtherCommand
from mediaserver.media.rtmp.session import ConnectionClosed, RtmpSession
from mediaserver.media.rtmp.vocabulary import (
    BaseRTMPController,
    Chunk,
    NCConnect,
    NCCreateStream,
    NSCloseStream,
    NSDeleteStream,
    NSPublish,
    PingRequest,
    PingResponse,
    SetChunkSize,
    SetPeerBandwidth,
    StreamBegin,
    WindowAcknowledgementSize,
)

_log = structlog.get_logger(__name__)

_APP = "live"
_REFUSALS_LOGGED_EVERY_MS = 10_000


class _Refused(Exception):
    """Ends a connection after an error was written; the text is for the log."""


class Publish(BaseRTMPController):  # type: ignore[misc]  # pyrtmp has no types
    """One encoder's connection, in pyrtmp's controller shape."""

    def __init__(
        self, gate: PublishGate, broadcasts: Broadcasts, clock: Clock, metrics: Metrics
    ) -> None:
        self._gate = gate
        self._broadcasts = broadcasts
        self._clock = clock
        self._metrics = metrics

        self._session: RtmpSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._app: str | None = None
        self._app_rest = ""
        self._encoder = ""
        self._broadcast: Broadcast | None = None
        self._disconnect_reason: str | None = None
        self._pinged_at_ms = clock.monotonic_ms()

    async def client_callback(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve the connection until it ends. Never raises but for cancellation."""
        try:
            await self._run(RtmpSession(reader, writer, self._metrics))
        finally:
            writer.close()

    async def _run(self, session: RtmpSession) -> None:
        self._session = session
        self._task = asyncio.current_task()
        why, linger = "server error", True
        try:
            async with asyncio.timeout(limits.RTMP_HANDSHAKE_TIMEOUT_S):
                await session.handshake()
            await self._serve(session)
        except ConnectionClosed as closed:
            why, linger = str(closed), False
        except (ProtocolError, AmfError) as error:
            why = f"protocol error: {error}"
            self._tell(session, "NetConnection.Call.Failed", f"Protocol error: {error}.")
        except (_Refused, Unsupported) as error:
            why = str(error)
            if isinstance(error, Unsupported):
                self._tell(session, "NetStream.Publish.Rejected", why)
        except TimeoutError:
            if self._broadcast is not None:
                why, linger = "connection lost: timed out", False
            else:
                why = "time-out before publish"
                self._tell(
                    session, "NetConnection.Connect.Closed", "Nothing to publish came in time."
                )
        except OSError as error:
            why, linger = f"connection lost: {error.strerror or error}", False
        except asyncio.CancelledError:
            if self._disconnect_reason is None:
                why = "server stops"
                raise
            why = self._disconnect_reason
            self._tell(session, "NetStream.Publish.Rejected", why)
        finally:
            self._ended(session, why)
        if linger and not session.writer.is_closing():
            await session.linger()

    def disconnect(self, reason: str) -> None:
        """Part of `broadcast.Publisher`: end the connection from outside, once."""
        if self._disconnect_reason is None and self._task is not None:
            self._disconnect_reason = reason
            self._task.cancel()  # its own task, too: an event's handler may run in it

    async def _serve(self, session: RtmpSession) -> None:
        messages = session.read_chunks_from_stream()
        async with asyncio.timeout(limits.RTMP_COMMAND_TIMEOUT_S):
            async for message in messages:
                await self._dispatch(session, message)
                if self._broadcast is not None:
                    break
                if session.chunks.bytes_read > limits.RTMP_UNTRUSTED_BYTES_MAX:
                    raise ProtocolError("too many bytes before publish")
        async for message in messages:
            await self._dispatch(session, message)

    async def _dispatch(self, session: RtmpSession, message: Chunk) -> None:
        match message.msg_type_id:
            case commands.VIDEO:
                await self.on_video_message(session, message)
            case commands.AUDIO:
                await self.on_audio_message(session, message)
            case commands.COMMAND_AMF0 | commands.COMMAND_AMF3:
                await self._on_command(session, commands.parse_command(message))
            case commands.USER_CONTROL:
                await self._on_user_control(session, message.payload)
            case commands.WINDOW_SIZE if len(message.payload) >= 4:
                size = int.from_bytes(message.payload[:4], "big")
                session.peer_window_bytes = max(size, limits.RTMP_READ_BYTES)

    async def _on_command(self, session: RtmpSession, command: commands.Command) -> None:
        if isinstance(command, NCConnect):
            await self.on_nc_connect(session, command)
        elif isinstance(command, NCCreateStream):
            await self.on_nc_create_stream(session, command)
        elif isinstance(command, NSPublish):
            await self.on_ns_publish(session, command)
        elif isinstance(command, NSCloseStream | NSDeleteStream):
            if self._broadcast is not None:
                raise ConnectionClosed("unpublished by the encoder")
        elif isinstance(command, OtherCommand) and command.name == "play":
            self._tell(session, "NetStream.Play.StreamNotFound", "Viewers watch in the browser.")
            raise _Refused("wanted to play")

    async def on_nc_connect(self, session: RtmpSession, message: NCConnect) -> None:
        properties = message.command_object
        app, _, rest = str(properties.get("app") or "").strip("/").partition("/")
        self._encoder = str(properties.get("flashVer") or "")[: limits.RTMP_NAME_CHARS_MAX]
        if app != _APP:
            session.write_chunk_to_stream(
                commands.connect_refused(
                    message.transaction_id,
                    f'Unknown application "{app[: limits.RTMP_NAME_CHARS_MAX]}". '
                    f"The server URL ends in /{_APP}.",
                )
            )
            raise _Refused("wrong application")
        self._app, self._app_rest = app, rest
        session.write_chunk_to_stream(WindowAcknowledgementSize(limits.RTMP_ACK_WINDOW_BYTES))
        session.write_chunk_to_stream(SetPeerBandwidth(limits.RTMP_ACK_WINDOW_BYTES, 2))
        session.write_chunk_to_stream(SetChunkSize(limits.RTMP_OUT_CHUNK_BYTES))
        session.writer_chunk_size = limits.RTMP_OUT_CHUNK_BYTES
        session.write_chunk_to_stream(commands.connect_result(message.transaction_id))
        await session.drain()

    async def on_nc_create_stream(self, session: RtmpSession, message: NCCreateStream) -> None:
        session.write_chunk_to_stream(commands.create_stream_result(message.transaction_id))
        await session.drain()

    async def on_ns_publish(self, session: RtmpSession, message: NSPublish) -> None:
        if self._app is None:
            raise ProtocolError("publish before connect")
        if self._broadcast is not None:
            raise ProtocolError("second publish on one connection")
        # A URL with the key in it arrives as an application of two parts and an empty name.
        name = (message.publishing_name or self._app_rest).partition("?")[0].strip()
        request = PublishRequest(self._app, name, session.peer_address, self._encoder)
        try:
            grant = await self._gate.authorise(request)
            self._broadcast = self._broadcasts.open(grant, self)
        except PublishRefused as refused:
            self._tell(session, refused.code, refused.description)
            raise _Refused(refused.description) from refused
        except Unavailable as error:
            self._tell(session, "NetStream.Publish.Failed", error.message)
            raise _Refused(error.message) from error
        session.chunks.message_bytes_max = limits.RTMP_MESSAGE_BYTES_MAX
        session.write_chunk_to_stream(StreamBegin(commands.PUBLISH_STREAM_ID))
        session.write_chunk_to_stream(
            commands.status("status", "NetStream.Publish.Start", "You are publishing.")
        )
        await session.drain()
        _log.info(
            "publish opened",
            channel=grant.channel,
            peer=session.peername,
            encoder=self._encoder,
        )

    async def on_video_message(self, session: RtmpSession, message: Chunk) -> None:
        if self._broadcast is not None:
            self._broadcast.push_video(message.payload, message.timestamp)
            self._keep_alive(session)

    async def on_audio_message(self, session: RtmpSession, message: Chunk) -> None:
        if self._broadcast is not None:
            self._broadcast.push_audio(message.payload, message.timestamp)
            self._keep_alive(session)

    async def _on_user_control(self, session: RtmpSession, payload: bytes) -> None:
        if len(payload) >= 6 and int.from_bytes(payload[:2], "big") == commands.PING_REQUEST:
            session.write_chunk_to_stream(PingResponse(int.from_bytes(payload[2:6], "big")))
            await session.drain()  # one that asks and never reads must not fill our memory

    def _keep_alive(self, session: RtmpSession) -> None:
        now_ms = self._clock.monotonic_ms()
        if now_ms - self._pinged_at_ms > limits.RTMP_PING_INTERVAL_S * 1000:
            self._pinged_at_ms = now_ms
            session.write_chunk_to_stream(PingRequest(now_ms & 0xFFFFFFFF))

    @staticmethod
    def _tell(session: RtmpSession, code: str, description: str) -> None:
        if session.ready and not session.writer.is_closing():
            session.write_chunk_to_stream(commands.status("error", code, description))

    def _ended(self, session: RtmpSession, why: str) -> None:
        broadcast = self._broadcast
        if broadcast is None:
            self._metrics.rtmp_refused.labels("before_publish").inc()
            write = _log.info if session.spoke else _log.debug
            write("connection refused", peer=session.peername, why=why)
            return
        _log.info(
            "publish closed",
            channel=broadcast.grant.channel,
            peer=session.peername,
            why=why,
        )
        broadcast.detach(self)


class Ingest:
    """The RTMP and RTMPS listeners, and the bounds on connections."""

    def __init__(
        self,
        config: RtmpConfig,
        tls: ssl.SSLContext | None,
        gate: PublishGate,
        broadcasts: Broadcasts,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._config = config
        self._tls = tls
        self._gate = gate
        self._broadcasts = broadcasts
        self._clock = clock
        self._metrics = metrics

        self.port = 0
        self.tls_port: int | None = None
        self._servers: list[asyncio.Server] = []
        self._tasks = Tasks("rtmp")
        self._open: Counter[str] = Counter()
        self._over_limit = 0
        self._over_limit_logged_at_ms = 0

    async def start(self) -> None:
        """Listen. Raises `OSError` when a port is taken."""
        self.port = await self._listen(self._config.port, None)
        if self._config.tls_port >= 0 and self._tls is not None:
            self.tls_port = await self._listen(self._config.tls_port, self._tls)

    async def _listen(self, port: int, tls: ssl.SSLContext | None) -> int:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Connection(self),
            self._config.host,
            port,
            ssl=tls,
            # A connection counts towards the limits only once this is over.
            ssl_handshake_timeout=limits.RTMP_HANDSHAKE_TIMEOUT_S if tls is not None else None,
            backlog=1024,
        )
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def aclose(self) -> None:
        """Stop listening and end every connection."""
        for server in self._servers:
            server.close()
        await self._tasks.aclose()

    def admit(self, address: str) -> bool:
        """Count a new connection, or refuse it over the limits of config.toml."""
        if (
            self._open.total() >= self._config.connections_max
            or self._open[address] >= self._config.connections_per_address_max
        ):
            self._metrics.rtmp_refused.labels("limit").inc()
            self._over_limit += 1
            now_ms = self._clock.monotonic_ms()
            if now_ms - self._over_limit_logged_at_ms > _REFUSALS_LOGGED_EVERY_MS:
                _log.warning("too many encoder connections", refused=self._over_limit)
                self._over_limit, self._over_limit_logged_at_ms = 0, now_ms
            return False
        self._open[address] += 1
        self._metrics.rtmp_connections.inc()
        return True

    def release(self, address: str) -> None:
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]
        self._metrics.rtmp_connections.dec()

    def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        publish = Publish(self._gate, self._broadcasts, self._clock, self._metrics)
        self._tasks.start(publish.client_callback(reader, writer), "publish")


class _Connection(StreamReaderProtocol):
    """Refuses a connection over the limits before a buffer or a task is made for it."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self._address: str | None = None
        super().__init__(StreamReader(limit=limits.RTMP_READ_BYTES), ingest.serve)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        address = network_of(str(peer[0])) if isinstance(peer, tuple) else "unix"
        if not self._ingest.admit(address):
            cast("asyncio.Transport", transport).abort()  # uvloop's is no subclass
            return
        self._address = address
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._address is not None:
            self._ingest.release(self._address)
            super().connection_lost(exc)

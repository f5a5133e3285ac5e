"""Instant playback over WebSocket: open the connection, give it a seat, keep it counted.

The messages are made and framed by media/instant.py and go straight to the transport, past
aiohttp's writer: one object for all viewers. docs/instant-playback.md is the protocol.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import WSCloseCode, WSMessage, WSMsgType, hdrs, web

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.errors import NotFound, Unavailable
from mediaserver.media.admission import Admission
from mediaserver.media.instant import CLOSE_FULL, CLOSE_SLOW, InstantStream
from mediaserver.media.live_stream import LiveStream
from mediaserver.media.origin import Origin
from mediaserver.routes.viewers import viewer_of

# Python 3.12 names it; it is 25 on Linux.
_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25 if sys.platform == "linux" else None)


STILL_ADMITTED: web.RequestKey[Callable[[], Awaitable[bool]]] = web.RequestKey("STILL_ADMITTED")
"""Set by routes/live_gates.py: whether who has this connection may still watch."""


def instant_routes(origin: Origin, admission: Admission, clock: Clock) -> list[web.RouteDef]:
    """To be added before those of routes/hls.py, which take any name below a session."""
    instant = _Instant(origin, admission, clock)
    return [
        web.get("/live/{channel}/instant", instant.current),
        web.get("/live/{channel}/{session}/instant", instant.session),
    ]


class _Instant:
    def __init__(self, origin: Origin, admission: Admission, clock: Clock) -> None:
        self._origin = origin
        self._admission = admission
        self._clock = clock

    async def current(self, request: web.Request) -> web.StreamResponse:
        return await self._watch(request, self._origin.current(request.match_info["channel"]))

    async def session(self, request: web.Request) -> web.StreamResponse:
        channel, session = request.match_info["channel"], request.match_info["session"]
        return await self._watch(request, self._origin.stream(channel, session))

    async def _watch(self, request: web.Request, stream: LiveStream) -> web.StreamResponse:
        instant = stream.instant
        if instant is None or instant.ended or not stream.playable:
            raise NotFound("This channel is not live")
        connection = web.WebSocketResponse(
            compress=False,
            heartbeat=limits.INSTANT_HEARTBEAT_S,
            max_msg_size=limits.INSTANT_QUESTION_BYTES_MAX,
        )
        if not connection.can_prepare(request):
            return web.Response(
                status=426, text="This is a WebSocket.\n", headers={hdrs.UPGRADE: "websocket"}
            )
        await connection.prepare(request)
        transport = request.transport
        if transport is None:
            return connection
        viewer, key = _Viewer(transport), viewer_of(request)
        try:
            self._admission.admit(stream, key)
            seat = instant.join(viewer, is_counted=key is not None)
        except Unavailable as error:
            await connection.close(code=CLOSE_FULL, message=error.message.encode())
            return connection
        try:
            await self._serve(connection, viewer, stream, key, request.get(STILL_ADMITTED))
        finally:
            instant.leave(seat)
        return connection

    async def _serve(
        self,
        connection: web.WebSocketResponse,
        viewer: _Viewer,
        stream: LiveStream,
        key: str | None,
        still_admitted: Callable[[], Awaitable[bool]] | None,
    ) -> None:
        """Until one side closes."""
        questions, counted_from_ms = 0, self._clock.monotonic_ms()
        while viewer.closed is None:
            if key is not None:
                stream.seen(key)
            now_ms = self._clock.monotonic_ms()
            if now_ms - counted_from_ms >= limits.INSTANT_SEEN_INTERVAL_S * 1000:
                questions, counted_from_ms = 0, now_ms
                if still_admitted is not None and not await still_admitted():
                    viewer.close(WSCloseCode.POLICY_VIOLATION, "This stream asks something now.")
                    continue
            try:
                async with asyncio.timeout(limits.INSTANT_SEEN_INTERVAL_S) as viewer.waking:
                    message = await connection.receive()
            except TimeoutError:
                continue
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return  # closed by the viewer, or broken
            questions += 1
            if questions > limits.INSTANT_QUESTIONS_PER_INTERVAL_MAX:
                viewer.close(WSCloseCode.POLICY_VIOLATION, "Too many questions.")
            else:
                await self._answer(connection, message)
        code, reason = viewer.closed
        if code == CLOSE_SLOW:
            viewer.abort()  # a farewell would wait behind all that was not read
        with suppress(ConnectionError):
            await connection.close(code=code, message=reason.encode())

    async def _answer(self, connection: web.WebSocketResponse, message: WSMessage) -> None:
        """What time the server has: `{"clock": N}` is answered with N and the time of day."""
        try:
            asked = json.loads(message.data)["clock"]
        except (ValueError, TypeError, KeyError):
            return
        if not isinstance(asked, int | float):
            return
        with suppress(ConnectionError):
            await connection.send_json({"clock": asked, "server_ms": self._clock.wall_ms()})


class _Viewer:
    """A connection as media/instant.py sees it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

        self.closed: tuple[int, str] | None = None
        self.waking: asyncio.Timeout | None = None
        self._limit_kernel_buffer()

    def _limit_kernel_buffer(self) -> None:
        wire = self._transport.get_extra_info("socket")
        if wire is None or _TCP_NOTSENT_LOWAT is None:
            return
        with suppress(OSError):  # a Unix socket, or a system without it
            wire.setsockopt(
                socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, limits.INSTANT_UNSENT_KERNEL_BYTES
            )

    @property
    def unsent_bytes(self) -> int:
        return self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def close(self, code: int, reason: str) -> None:
        self.closed = self.closed or (code, reason)
        if self.waking is not None:
            with suppress(RuntimeError):  # it is over already
                self.waking.reschedule(asyncio.get_running_loop().time())

    def abort(self) -> None:
        """Close and forget what was not sent; otherwise the system goes on trying for minutes."""
        wire = self._transport.get_extra_info("socket")
        if wire is not None:
            with suppress(OSError):
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


def close_viewers(streams: list[LiveStream]) -> None:
    """The server stops: nobody shall wait for connections that never end."""
    for stream in streams:
        instant: InstantStream | None = stream.instant
        if instant is not None:
            instant.close(WSCloseCode.GOING_AWAY, "The server stops.")

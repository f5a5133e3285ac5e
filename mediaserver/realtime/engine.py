"""Engine.IO under our conditions: python-engineio's protocol, with every buffer bounded.

python-engineio gives each client an unbounded queue, a writer task, a ping task and two more tasks
for each message. Here an upgraded client is written to at once, straight into its transport, whose
buffer is bounded; one that polls has a bounded queue; timers take the place of tasks. This module
and packets.py are the only ones that know the library's insides, so its minor version is pinned.

It leans on: `AsyncServer._handle_connect`, `.sockets`, `._trigger_event`, `._ok`, `._bad_request`;
`AsyncSocket.poll`, `.handle_get_request`, `._upgrade_websocket`, `.queue` and its state flags.
"""

from __future__ import annotations

import asyncio
import socket as sockets
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import engineio
import structlog
from aiohttp import WebSocketError, WSCloseCode, WSMsgType, web
from engineio.async_socket import AsyncSocket
from engineio.exceptions import EngineIOError
from engineio.packet import CLOSE, NOOP, OPEN, PING, Packet
from engineio.payload import Payload

from mediaserver.kernel import limits
from mediaserver.kernel.budget import Budget
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.tasks import Tasks
from mediaserver.realtime.packets import Outgoing, outgoing, text_frame

_log = structlog.get_logger(__name__)

_PING = outgoing(Packet(PING))
_TEXT_PONG, _TEXT_MESSAGE, _TEXT_CLOSE, _TEXT_UPGRADE = "3", "4", "1", "5"

_WHY: dict[int, str] = {
    WSCloseCode.MESSAGE_TOO_BIG: "sent too large a message",
    WSCloseCode.INVALID_TEXT: "sent what is no text",
}
_SEPARATOR = "\x1e"  # between packets in one body, Engine.IO 4


class Nonsense(Exception):
    """What no client of ours would send; its connection ends."""


class Socket(AsyncSocket):  # type: ignore[misc]  # the library carries no types
    """One client's connection: polling until it is upgraded, then a WebSocket.

    `push` never waits. A client that doesn't read fast enough is dropped, and why it went is
    written once, with `closed`.
    """

    def __init__(self, server: Engine, sid: str, request: web.Request) -> None:
        super().__init__(server, sid)
        self.closed = False
        self.closing = False
        self.address = request.remote or ""
        self.budget = Budget(
            server.clock, limits.REALTIME_PACKETS_BURST, limits.REALTIME_PACKETS_PER_S
        )

        self.entered: set[str] = set()
        self.refused = 0
        self.was_dropped = False
        self._why = ""
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._websocket: web.WebSocketResponse | None = None
        self._is_handling = False  # a message of this client is at work
        self._is_polling = False
        self._is_posting = False

    # sending ----------------------------------------------------------------------------------

    def push(self, out: Outgoing) -> None:
        """Send, or drop a client that has too much unsent.

        Packets keep their order: while a client polls all of them go through its queue, which is
        emptied into the WebSocket before anything is written there directly.
        """
        transport = self._transport
        if transport is None:
            if self.queue.qsize() >= limits.REALTIME_QUEUE_PACKETS_MAX:
                self.drop("polls too slowly")
            elif not self.closed:
                self.queue.put_nowait(out.packet)
        elif transport.get_write_buffer_size() > limits.REALTIME_SEND_BUFFER_BYTES_MAX:
            self.drop("reads too slowly")
        elif not transport.is_closing():
            transport.write(out.frame)

    async def send(self, pkt: Packet) -> None:
        """The library's own way to send, for acks and the handshake."""
        self.push(outgoing(pkt))

    # pings ------------------------------------------------------------------------------------

    def schedule_ping(self) -> None:
        """At the start and after each pong."""
        self._after(limits.REALTIME_PING_INTERVAL_S, self._ping)

    async def check_ping_timeout(self) -> bool:
        return not self.closed

    def _ping(self) -> None:
        self.push(_PING)
        self._after(limits.REALTIME_PING_TIMEOUT_S, self._no_pong)

    def _no_pong(self) -> None:
        if self._is_handling:  # then its pong may lie behind the message that we are at
            self._after(limits.REALTIME_PING_TIMEOUT_S, self._no_pong)
        else:
            self.drop("didn't answer a ping")

    def _after(self, delay_s: float, call: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self.closed and not self.closing:
            self._timer = asyncio.get_running_loop().call_later(delay_s, call)

    # receiving --------------------------------------------------------------------------------

    async def receive_text(self, text: str) -> None:
        """One packet of the client; the next one is read when this one is done."""
        kind = text[:1]
        if kind == _TEXT_MESSAGE:
            self._is_handling = True
            try:
                await self.server.receive(self, text[1:])
            finally:
                self._is_handling = False
        elif kind == _TEXT_CLOSE:
            self._why = self._why or "left"
            await self.close(wait=False, abort=True, reason=self.server.reason.CLIENT_DISCONNECT)
        elif not self.is_within_budget():
            return
        elif kind == _TEXT_PONG:
            self.schedule_ping()
        elif kind != _TEXT_UPGRADE:
            raise Nonsense("sent a packet of no known kind")

    def is_within_budget(self) -> bool:
        """Spend one packet. False when there are too many; more and more of them end it."""
        if self.budget.take():
            return True
        self.refused += 1
        if self.refused > limits.REALTIME_REFUSED_MAX:
            self.drop("sent far too much")
        return False

    async def handle_post_request(self, environ: dict[str, Any]) -> None:
        """What a polling client sends. One request at a time, as the protocol has it."""
        if self._is_posting:
            self.drop("sent two requests at once")
            raise EngineIOError
        self._is_posting = True
        try:
            for text in await _read_texts(environ["aiohttp.request"]):
                if not self.closed:
                    await self.receive_text(text)
        except Nonsense as error:
            self.drop(str(error))
            raise EngineIOError from error
        finally:
            self._is_posting = False

    async def poll(self) -> list[Packet]:
        """What waits for a polling client. A second poll beside the first one is refused."""
        if self._is_polling:
            self.drop("polled twice at once")
            raise EngineIOError
        self._is_polling = True
        try:
            packets: list[Packet] = await super().poll()
            return packets
        finally:
            self._is_polling = False

    # the WebSocket ----------------------------------------------------------------------------

    async def _upgrade_websocket(self, environ: dict[str, Any]) -> web.StreamResponse:
        request: web.Request = environ["aiohttp.request"]
        if self._websocket is not None:
            raise web.HTTPBadRequest
        websocket = web.WebSocketResponse(
            max_msg_size=limits.REALTIME_MESSAGE_BYTES_MAX + 1,  # it refuses from this size on
            compress=False,  # deflate costs 300 KiB and much time for each client
            timeout=limits.REALTIME_CLOSE_TIMEOUT_S,
        )
        self._websocket = websocket
        try:
            await websocket.prepare(request)
            if not self.connected or await self._take_over(websocket):
                await self._serve(websocket, request)
        except ConnectionError:
            self._why = self._why or "connection lost"
        finally:
            self._transport = None
            if not self.connected or self.upgraded:
                await self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
            self._websocket = None
        if not websocket.prepared:
            return web.Response()  # the visitor left during the handshake: nobody reads it
        if not websocket.closed:
            await _close(websocket, request.transport, WSCloseCode.POLICY_VIOLATION)
        return websocket

    async def _take_over(self, websocket: web.WebSocketResponse) -> bool:
        """The probe by which a polling client moves to a WebSocket; whether it did."""
        self.upgrading = True  # polls are answered at once from here on
        try:
            async with asyncio.timeout(limits.REALTIME_UPGRADE_TIMEOUT_S):
                if (await websocket.receive()).data != "2probe":
                    return False
                await websocket.send_str("3probe")
                self.queue.put_nowait(Packet(NOOP))  # ends the poll that waits
                return bool((await websocket.receive()).data == "5")
        except TimeoutError:
            return False
        finally:
            self.upgrading = False

    async def _serve(self, websocket: web.WebSocketResponse, request: web.Request) -> None:
        transport = request.transport
        if transport is None or self.closed:
            return
        self.connected = self.upgraded = True
        _bound_system_buffer(transport)
        while not self.queue.empty():  # no await up to here: nothing can overtake what waits
            transport.write(text_frame(self.queue.get_nowait().encode().encode()))
        self._transport = transport
        while not self.closed:
            message = await websocket.receive()
            if message.type is WSMsgType.TEXT:
                try:
                    await self.receive_text(message.data)
                except Nonsense as error:
                    self.drop(str(error))
            elif message.type is WSMsgType.BINARY:
                self.drop("sent binary data")
            else:
                if isinstance(message.data, WebSocketError):
                    self._why = self._why or _WHY.get(message.data.code, "broke the protocol")
                break

    # the end ----------------------------------------------------------------------------------

    def drop_unless_entered(self) -> None:
        """A while after the start: a connection without a namespace is of no use."""
        if not self.entered and not self.closed:
            self.drop("entered no namespace")

    def drop(self, why: str) -> None:
        """End the connection now, unsent bytes included."""
        if self._why or self.closed:
            return
        self._why = why
        self.was_dropped = True
        if self._transport is not None:
            self._transport.abort()  # the reading end notices and cleans up
            self._transport = None
        else:
            self.server.tasks.start(self.close(wait=False, abort=True), "close")

    async def close(
        self, wait: bool = True, abort: bool = False, reason: str | None = None
    ) -> None:
        """The library's own way to end a connection; it never waits here."""
        if self.closed or self.closing:
            return
        self.closing = True
        if self._timer is not None:
            self._timer.cancel()
        await self.server._trigger_event(
            "disconnect", self.sid, reason or self.server.reason.SERVER_DISCONNECT
        )
        self.closed = True
        self.server.sockets.pop(self.sid, None)
        self.server.keeper.closed(self, self._why or reason or "ended by the server")
        if self._websocket is None:
            self.queue.put_nowait(Packet(CLOSE))  # ends the poll that waits
        elif not abort and self._transport is not None:
            transport, self._transport = self._transport, None
            self.server.tasks.start(
                _close(self._websocket, transport, WSCloseCode.SERVICE_RESTART), "close"
            )


class Keeper(Protocol):
    """Who lets connections in and counts them."""

    def admit(self, request: web.Request) -> None:
        """Raises what a client is to be told that may not connect."""
        ...

    def opened(self, socket: Socket) -> None: ...

    def closed(self, socket: Socket, why: str) -> None: ...


class Engine(engineio.AsyncServer):  # type: ignore[misc]
    """The server side of all connections.

    `receive(socket, text)` gets a client's messages without Engine.IO's prefix; it may raise
    `Nonsense`.
    """

    def __init__(
        self,
        clock: Clock,
        tasks: Tasks,
        keeper: Keeper,
        receive: Callable[[Socket, str], Awaitable[None]],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.clock = clock
        self.tasks = tasks
        self.keeper = keeper
        self.receive = receive

    def _log_error_once(self, message: str, message_key: str) -> None:
        """Strangers cause these, so they are no errors of ours."""
        _log.debug("refused", why=message)

    async def _handle_connect(
        self, environ: dict[str, Any], transport: str, jsonp_index: int | None = None
    ) -> Any:
        request: web.Request = environ["aiohttp.request"]
        self.keeper.admit(request)
        socket = Socket(self, self.generate_id(), request)
        self.sockets[socket.sid] = socket
        self.keeper.opened(socket)
        socket.queue.put_nowait(
            Packet(
                OPEN,
                {
                    "sid": socket.sid,
                    "upgrades": [] if transport == "websocket" else ["websocket"],
                    "pingInterval": int(limits.REALTIME_PING_INTERVAL_S * 1000),
                    "pingTimeout": int(limits.REALTIME_PING_TIMEOUT_S * 1000),
                    "maxPayload": limits.REALTIME_MESSAGE_BYTES_MAX,
                },
            )
        )
        await self._trigger_event("connect", socket.sid, environ, run_async=False)
        socket.schedule_ping()
        asyncio.get_running_loop().call_later(
            limits.REALTIME_ENTER_TIMEOUT_S, socket.drop_unless_entered
        )
        if transport == "websocket":
            return await socket.handle_get_request(environ)
        socket.connected = True
        return self._ok(await socket.poll())


async def _close(
    websocket: web.WebSocketResponse, transport: asyncio.Transport | None, code: int
) -> None:
    """Say goodbye to a client; one that doesn't take it is cut off."""
    try:
        async with asyncio.timeout(limits.REALTIME_CLOSE_TIMEOUT_S):
            await websocket.close(code=code)
    except (TimeoutError, ConnectionError):
        pass
    finally:
        if transport is not None:
            transport.abort()


async def _read_texts(request: web.Request) -> list[str]:
    """The packets in the body of a polling client's request. Raises `Nonsense`."""
    body = b""
    try:
        async with asyncio.timeout(limits.REQUEST_BODY_TIMEOUT_S):
            async for data in request.content.iter_any():
                body += data
                if len(body) > limits.REALTIME_MESSAGE_BYTES_MAX:
                    raise Nonsense("sent too large a message")
        texts = body.decode().split(_SEPARATOR)
    except (TimeoutError, ConnectionError, web.RequestPayloadError) as error:
        raise Nonsense("didn't send all of its message") from error
    except UnicodeDecodeError as error:
        raise Nonsense("sent what is no text") from error
    if len(texts) > Payload.max_decode_packets:
        raise Nonsense("sent too many packets at once")
    return texts


def _bound_system_buffer(transport: asyncio.Transport) -> None:
    connection = transport.get_extra_info("socket")
    if connection is not None:
        size = limits.REALTIME_SYSTEM_BUFFER_BYTES
        connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, size)

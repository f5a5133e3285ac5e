"""Socket.IO on top of engine.py: namespaces, who entered them, events and their acknowledgements.

python-socketio decodes packets and runs the handshake of namespaces. Rooms and sending are ours
(broadcast.py), events of one client are handled one after the other, and what no client of ours
would send ends the connection instead of the log's patience.

It leans on: `AsyncServer._handle_connect`, `._handle_disconnect`, `._engineio_server_class`,
`.environ`, `.packet_class`; `AsyncManager.basic_enter_room` and the dictionaries behind it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

import socketio
from aiohttp import web
from bidict import ValueDuplicationError
from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio import packet as kinds
from socketio.exceptions import ConnectionRefusedError as Refused

from mediaserver.kernel.clock import Clock
from mediaserver.kernel.errors import MediaserverError
from mediaserver.kernel.tasks import Tasks
from mediaserver.realtime.engine import Engine, Keeper, Nonsense, Socket
from mediaserver.realtime.packets import outgoing

_RESERVED = ("connect", "disconnect")

_quiet = logging.getLogger("mediaserver.realtime.library")
_quiet.setLevel(logging.CRITICAL)  # what it would say is caused by strangers, or raised to us


class Space(Protocol):
    """What stands behind a namespace."""

    async def enter(self, socket: Socket, request: web.Request, auth: Mapping[str, Any]) -> None:
        """Let somebody in. Raises a `MediaserverError` for those who may not."""
        ...

    async def answer(self, socket: Socket, event: str, payloads: list[Any]) -> bytes:
        """Handle an event; the JSON of its acknowledgement. Raises nothing."""
        ...

    def leave(self, socket: Socket) -> None:
        """Somebody has left or lost the connection."""
        ...

    def too_much(self, socket: Socket) -> bytes:
        """The acknowledgement for an event beyond the rate."""
        ...


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]  # the library carries no types
    """All namespaces."""

    def __init__(
        self,
        clock: Clock,
        tasks: Tasks,
        namespaces: Mapping[str, Space],
        keeper: Keeper,
    ) -> None:
        self._namespaces = namespaces
        self._make_engine = partial(Engine, clock, tasks, keeper, self._receive)
        super().__init__(
            client_manager=_Manager(),
            async_mode="aiohttp",
            async_handlers=False,
            namespaces=list(namespaces),
            cors_allowed_origins=[],  # checked before, by the site's own rule
            http_compression=False,
            monitor_clients=False,  # timers of engine.py do
            logger=_quiet,
            engineio_logger=_quiet,
        )

    def _engineio_server_class(self) -> Any:
        return self._make_engine

    async def _receive(self, socket: Socket, text: str) -> None:
        try:
            packet = self.packet_class(encoded_packet=text)
        except (ValueError, IndexError, TypeError, RecursionError) as error:
            raise Nonsense("sent what can't be read") from error
        namespace, data = packet.namespace or "/", packet.data
        is_event = packet.packet_type == kinds.EVENT
        if not socket.is_within_budget():
            if is_event and packet.id is not None and namespace in socket.entered:
                self._acknowledge(
                    socket, namespace, packet.id, self._namespaces[namespace].too_much(socket)
                )
        elif is_event:
            if not isinstance(data, list) or not data or not isinstance(data[0], str):
                raise Nonsense("sent an event without a name")
            if data[0] in _RESERVED:
                raise Nonsense("sent an event with a reserved name")
            if namespace in socket.entered:
                answer = await self._namespaces[namespace].answer(socket, data[0], data[1:])
                if packet.id is not None:
                    self._acknowledge(socket, namespace, packet.id, answer)
        elif packet.packet_type == kinds.CONNECT:
            if not isinstance(data, dict | None):
                raise Nonsense("sent what is no authentication")
            await self._handle_connect(socket.sid, namespace, data)
        elif packet.packet_type == kinds.DISCONNECT:
            await self._handle_disconnect(socket.sid, namespace)
        else:
            raise Nonsense("sent a packet that we never ask for")

    def _acknowledge(self, socket: Socket, namespace: str, id_: int, answer: bytes) -> None:
        text = f"{kinds.ACK}{namespace},{id_}[{answer.decode()}]"
        socket.push(outgoing(EnginePacket(MESSAGE, text)))

    async def _trigger_event(self, event: str, namespace: str, *args: Any) -> Any:
        """The library's handshakes come here; events of clients never do."""
        space = self._namespaces[namespace]
        socket = self.eio.sockets.get(self.manager.eio_sid_from_sid(args[0], namespace))
        if event == "connect":
            environ, auth = args[1], args[2]
            if socket is None or socket.closed:
                return False
            try:
                await space.enter(socket, environ["aiohttp.request"], auth or {})
            except MediaserverError as error:
                raise Refused(error.message, {"code": error.code}) from error
            if socket.closed:  # in the meantime
                space.leave(socket)
                return False
            socket.entered.add(namespace)
        elif event == "disconnect" and socket is not None and namespace in socket.entered:
            socket.entered.discard(namespace)
            space.leave(socket)
        return None


class _Manager(socketio.AsyncManager):  # type: ignore[misc]
    """The library's list of clients without a room for each: those make every goodbye cost as much
    as there are clients.
    """

    async def pre_connect(self, eio_sid: str, namespace: str) -> str | None:
        sid: str = self.server.eio.generate_id()
        try:
            self.basic_enter_room(sid, namespace, None, eio_sid=eio_sid)
        except ValueDuplicationError:
            return None  # it has entered already
        self.pending_connect.setdefault(namespace, []).append(sid)
        return sid

    def basic_disconnect(self, sid: str, namespace: str, **options: Any) -> None:
        self.basic_leave_room(sid, namespace, None)
        for pending in (self.pending_connect, self.pending_disconnect):
            if sid in pending.get(namespace, ()):
                pending[namespace].remove(sid)

"""What all namespaces share: clients, and the way of an event: parse → one call → acknowledge."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiohttp import web
from pydantic import ValidationError
from pydantic_core import to_json

from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.budget import Budget
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    MediaserverError,
    NotFound,
    RateLimited,
)
from mediaserver.kernel.metrics import RealtimeMetrics
from mediaserver.realtime import packets
from mediaserver.realtime.broadcast import Rooms
from mediaserver.realtime.engine import Socket
from mediaserver.realtime.guests import Guest
from mediaserver.realtime.messages import FromClient, FromServer

_log = structlog.get_logger(__name__)

Handler = Callable[[Any, Any], Awaitable[Mapping[str, Any] | None]]


class Client:
    """Somebody in a namespace: who they are and in which rooms."""

    __slots__ = ("guest", "opened", "played", "rooms", "say_budget", "socket", "user")

    def __init__(self, socket: Socket, guest: Guest, clock: Clock) -> None:
        self.socket = socket
        self.guest = guest
        self.user = guest.user
        self.opened = guest.opened
        self.rooms: dict[str, Channel] = {}
        self.played: dict[str, tuple[int, int]] = {}  # stalls and lost frames, as last reported
        self.say_budget = Budget(clock, limits.REALTIME_SAY_BURST, limits.REALTIME_SAY_PER_S)

    def check_sees(self, channel: Channel) -> None:
        """Raises `Forbidden` for a channel that this client's token doesn't open."""
        if self.opened is not None and self.opened.channel.id != channel.id:
            raise Forbidden("This token is for another channel.")


class Namespace(ABC):
    """A namespace answers the events for which it has a handler.

    A subclass says in `enter` who may come in, and lets them in with `admit`.
    """

    def __init__(
        self,
        path: str,
        handlers: Mapping[FromClient, Handler],
        clock: Clock,
        metrics: RealtimeMetrics,
    ) -> None:
        assert all(declared.namespace == path for declared in handlers)
        self.path = path
        self.rooms = Rooms()
        self.clients: dict[Socket, Client] = {}
        self._by_user: dict[str, dict[Client, None]] = {}
        self._handlers = {declared.name: (declared, call) for declared, call in handlers.items()}
        self._clock = clock
        self._metrics = metrics

    @property
    def events(self) -> frozenset[str]:
        """The names of what clients may send."""
        return frozenset(self._handlers)

    @abstractmethod
    async def enter(self, socket: Socket, request: web.Request, auth: Mapping[str, Any]) -> None:
        """Look at who comes, and `admit` them or raise."""

    def admit(self, socket: Socket, guest: Guest) -> Client:
        client = self.clients[socket] = Client(socket, guest, self._clock)
        if guest.user is not None:
            self._by_user.setdefault(guest.user.id, {})[client] = None
        return client

    def leave(self, socket: Socket) -> None:
        client = self.clients.pop(socket, None)
        if client is None:
            return
        for room in client.rooms:
            self.rooms.leave(room, socket)
        if client.user is not None:
            theirs = self._by_user[client.user.id]
            del theirs[client]
            if not theirs:
                del self._by_user[client.user.id]

    @property
    def user_ids(self) -> tuple[str, ...]:
        """Everybody here who has an account."""
        return tuple(self._by_user)

    def clients_of(self, user_id: str) -> tuple[Client, ...]:
        """The connections of one user."""
        return tuple(self._by_user.get(user_id, ()))

    def users_in(self, room: str) -> tuple[str, ...]:
        """The ids of those in a room who have an account, each once."""
        members = self.rooms.members(room)
        clients = (self.clients[member] for member in members if isinstance(member, Socket))
        return tuple({client.user.id: None for client in clients if client.user is not None})

    async def answer(self, socket: Socket, event: str, payloads: list[Any]) -> bytes:
        client = self.clients[socket]
        try:
            if event not in self._handlers:
                raise NotFound("There is no such event.", code="unknown_event")
            declared, call = self._handlers[event]
            self._metrics.events.labels(f"{self.path} {event}").inc()
            if len(payloads) > 1:
                raise Invalid("Send one object.")
            payload = declared.payload.model_validate(payloads[0] if payloads else {})
            return to_json({"ok": True, **(await call(client, payload) or {})})
        except ValidationError as error:
            problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
            field = ".".join(str(part) for part in problem["loc"])
            return refusal(Invalid(f"{field}: {problem['msg']}", field=field or None))
        except MediaserverError as error:
            return refusal(error)
        except Exception:
            _log.exception("event failed", namespace=self.path, name=event)
            return refusal(MediaserverError("Something went wrong on the server.", code="internal"))

    def too_much(self, socket: Socket) -> bytes:
        return refusal(
            RateLimited("That was too much at once.", retry_after_s=socket.budget.retry_after_s())
        )

    def enter_room(self, client: Client, channel: Channel) -> None:
        """Raises `Conflict` for a client that is in too many."""
        is_new = channel.id not in client.rooms
        if is_new and len(client.rooms) >= limits.REALTIME_ROOMS_PER_CLIENT_MAX:
            raise Conflict("You're in too many channels at once.", code="too_many_rooms")
        client.rooms[channel.id] = channel
        self.rooms.enter(channel.id, client.socket)

    def leave_room(self, client: Client, channel: Channel) -> None:
        client.rooms.pop(channel.id, None)
        client.played.pop(channel.id, None)
        self.rooms.leave(channel.id, client.socket)


def refusal(error: MediaserverError) -> bytes:
    """The acknowledgement that says what was wrong: `Refused` of told.py."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    field = getattr(error, "field", None)
    if field is not None:
        body["field"] = field
    if isinstance(error, RateLimited):
        body["retry_after_s"] = error.retry_after_s
    return to_json({"ok": False, "error": body})


def encode(declared: FromServer, payload: Mapping[str, Any]) -> packets.Outgoing:
    """An event for clients; a test holds what is sent against the declaration."""
    return packets.event(declared.namespace, declared.name, to_json(payload).decode())

"""What all namespaces share: clients, and the way of an event: parse → one call → acknowledge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiohttp import web
from pydantic import ValidationError
from pydantic_core import to_json

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
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
from mediaserver.realtime.budget import Budget
from mediaserver.realtime.engine import Socket
from mediaserver.realtime.messages import FromClient, FromServer

_log = structlog.get_logger(__name__)

Handler = Callable[[Any, Any], Awaitable[Mapping[str, Any] | None]]


class Client:
    """Somebody in a namespace: who they are and in which rooms."""

    __slots__ = ("channel_id", "rooms", "say_budget", "socket", "user")

    def __init__(
        self, socket: Socket, user: User | None, clock: Clock, channel_id: str | None = None
    ) -> None:
        self.socket = socket
        self.user = user
        self.channel_id = channel_id
        """The one channel that this client may see; None for all."""
        self.rooms: set[str] = set()
        self.say_budget = Budget(clock, limits.REALTIME_SAY_BURST, limits.REALTIME_SAY_PER_S)

    def check_sees(self, channel: Channel) -> None:
        """Raises `Forbidden` for a channel that this client's token doesn't open."""
        if self.channel_id is not None and self.channel_id != channel.id:
            raise Forbidden("This token is for another channel.")


class Namespace:
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
        self._handlers = {declared.name: (declared, call) for declared, call in handlers.items()}
        self._clock = clock
        self._metrics = metrics

    @property
    def events(self) -> frozenset[str]:
        """The names of what clients may send."""
        return frozenset(self._handlers)

    async def enter(self, socket: Socket, request: web.Request, auth: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def admit(self, socket: Socket, user: User | None, channel_id: str | None = None) -> None:
        self.clients[socket] = Client(socket, user, self._clock, channel_id)

    def leave(self, socket: Socket) -> None:
        client = self.clients.pop(socket, None)
        if client is not None:
            for room in client.rooms:
                self.rooms.leave(room, socket)

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

    def enter_room(self, client: Client, room: str) -> None:
        """Raises `Conflict` for a client that is in too many."""
        if room not in client.rooms and len(client.rooms) >= limits.REALTIME_ROOMS_PER_CLIENT_MAX:
            raise Conflict("You're in too many channels at once.", code="too_many_rooms")
        client.rooms.add(room)
        self.rooms.enter(room, client.socket)

    def leave_room(self, client: Client, room: str) -> None:
        client.rooms.discard(room)
        self.rooms.leave(room, client.socket)


def refusal(error: MediaserverError) -> bytes:
    """The acknowledgement that says what was wrong, with the API's fields."""
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

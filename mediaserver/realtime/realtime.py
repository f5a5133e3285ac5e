"""Everything behind /socket.io/ as one thing to start and stop.

browser ─▶ sockets.py ─▶ chat.py studio.py overlay.py ─▶ mediaserver/chat and the like
        ◀─ engine.py  ◀─ broadcast.py ◀─ relay.py      ◀─ events, after their commit
"""

from __future__ import annotations

import asyncio
from collections import Counter
from types import TracebackType
from typing import Self

import structlog
from aiohttp import web

from mediaserver.accounts.tickets import Tickets
from mediaserver.accounts.users import Users
from mediaserver.channels.channels import Channels
from mediaserver.channels.display_tokens import DisplayTokens
from mediaserver.channels.follows import Follows
from mediaserver.chat.chat import Chat
from mediaserver.kernel.addresses import network_of
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import ChatConfig
from mediaserver.kernel.errors import Forbidden, Unavailable
from mediaserver.kernel.events import Events
from mediaserver.kernel.metrics import RealtimeMetrics
from mediaserver.kernel.tasks import Tasks
from mediaserver.money.alert_desk import AlertDesk
from mediaserver.realtime import messages
from mediaserver.realtime.broadcast import Broadcast
from mediaserver.realtime.chat import ChatNamespace
from mediaserver.realtime.engine import Socket
from mediaserver.realtime.guests import Guests
from mediaserver.realtime.namespace import Namespace, encode
from mediaserver.realtime.overlay import OverlayNamespace
from mediaserver.realtime.presence import Presence
from mediaserver.realtime.relay import Relay
from mediaserver.realtime.shared_reads import SharedReads
from mediaserver.realtime.site import Site
from mediaserver.realtime.sockets import SocketServer
from mediaserver.realtime.studio import Desks, StudioNamespace

_log = structlog.get_logger(__name__)

_CLOSING = (messages.CHAT_CLOSING, messages.STUDIO_CLOSING, messages.OVERLAY_CLOSING)


class Realtime:
    """An async context manager. `routes` go into the web application; `say_goodbye` is called
    before its connections are closed.
    """

    def __init__(
        self,
        config: ChatConfig,
        site: Site,
        *,
        tickets: Tickets,
        display_tokens: DisplayTokens,
        users: Users,
        channels: Channels,
        follows: Follows,
        chat: Chat,
        alerts: AlertDesk,
        events: Events,
        clock: Clock,
        metrics: RealtimeMetrics,
    ) -> None:
        self._config = config
        self._site = site
        self._metrics = metrics

        self._tasks = Tasks("realtime")
        self._opened_by: Counter[str] = Counter()
        self._is_closing = False
        self._broadcast = Broadcast(metrics)
        guests = Guests(site, tickets, display_tokens)
        presence = Presence(site.count_viewers, follows)
        desks = Desks(clock)
        overlays = OverlayNamespace(guests, chat, alerts, events, clock, metrics)
        self.namespaces: dict[str, Namespace] = {
            messages.CHAT: ChatNamespace(
                guests,
                channels,
                chat,
                alerts,
                presence,
                SharedReads(self._tasks),
                site,
                clock,
                metrics,
            ),
            messages.STUDIO: StudioNamespace(
                guests, channels, chat, desks, site, overlays.open_for, clock, metrics
            ),
            messages.OVERLAY: overlays,
        }
        self._relay = Relay(
            self.namespaces,
            self._broadcast,
            guests,
            presence,
            desks,
            site,
            users=users,
            channels=channels,
            follows=follows,
            chat=chat,
            alerts=alerts,
            events=events,
        )
        self._server = SocketServer(clock, self._tasks, self.namespaces, self)

    @property
    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/socket.io/", self._handle),
            web.post("/socket.io/", self._handle),
        ]

    async def __aenter__(self) -> Self:
        self._tasks.start(self._broadcast.run(), "broadcast")
        self._relay.start(self._tasks)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._tasks.aclose()

    async def say_goodbye(self) -> None:
        """Tell all clients to come back in a moment, and end their connections."""
        self._is_closing = True
        for declared in _CLOSING:
            out = encode(declared, {"reason": "restart"})
            for socket in tuple(self.namespaces[declared.namespace].clients):
                socket.push(out)
        sockets: list[Socket] = list(self._server.eio.sockets.values())
        await asyncio.gather(*(socket.close(wait=False) for socket in sockets))

    # connections ------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self._site.is_foreign(request):
            _log.warning("foreign connection refused", origin=request.headers.get("Origin"))
            raise Forbidden("This came from another site, so it was refused.", code="cross_site")
        if "j" in request.query:
            raise web.HTTPBadRequest
        response: web.StreamResponse = await self._server.handle_request(request)
        return response

    def admit(self, request: web.Request) -> None:
        """Room for one more? Raises `Unavailable`."""
        if self._is_closing:
            raise Unavailable("The server restarts.")
        if len(self._server.eio.sockets) >= self._config.connections_max:
            self._metrics.refused.labels("full").inc()
            raise Unavailable("Too many people are here right now.", code="full")
        address = network_of(request.remote or "")
        if self._opened_by[address] >= self._config.connections_per_address_max:
            self._metrics.refused.labels("address").inc()
            raise Unavailable("Too many connections from your address.", code="too_many")

    def opened(self, socket: Socket) -> None:
        self._opened_by[network_of(socket.address)] += 1
        self._metrics.sockets.inc()
        _log.debug("opened", peer=socket.address, id=socket.sid[:8])

    def closed(self, socket: Socket, why: str) -> None:
        address = network_of(socket.address)
        self._opened_by[address] -= 1
        if self._opened_by[address] <= 0:
            del self._opened_by[address]
        self._metrics.sockets.dec()
        if socket.was_dropped:
            self._metrics.dropped.inc()
            _log.info("closed", peer=socket.address, id=socket.sid[:8], why=why)
        else:
            _log.debug("closed", peer=socket.address, id=socket.sid[:8], why=why)

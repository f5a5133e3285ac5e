"""/overlay: what pages in streaming software show of one channel: its chat, alerts, goal, board.

They can only read, and say which alert they have begun to show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from mediaserver.channels.channels import Channel
from mediaserver.chat.chat import Chat
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.events import Events
from mediaserver.kernel.metrics import RealtimeMetrics
from mediaserver.money.alert_desk import AlertDesk
from mediaserver.realtime import messages
from mediaserver.realtime.asked import Hello, Shown
from mediaserver.realtime.engine import Socket
from mediaserver.realtime.guests import Guests
from mediaserver.realtime.namespace import Client, Namespace


@dataclass(frozen=True, slots=True)
class OverlaysChanged:
    """An overlay for alerts was opened or closed; so many are open now."""

    channel_id: str
    channel_slug: str
    open: int


class OverlayNamespace(Namespace):
    """Rooms are keyed by the channel's id; the token says which."""

    def __init__(
        self,
        guests: Guests,
        chat: Chat,
        alerts: AlertDesk,
        events: Events,
        clock: Clock,
        metrics: RealtimeMetrics,
    ) -> None:
        super().__init__(
            messages.OVERLAY,
            {messages.HELLO: self.hello, messages.SHOWN: self.shown},
            clock,
            metrics,
        )
        self._guests = guests
        self._chat = chat
        self._alerts = alerts
        self._events = events

        self._showing: dict[str, set[Socket]] = {}

    async def enter(self, socket: Socket, request: web.Request, auth: Mapping[str, Any]) -> None:
        """With the token in the overlay's address."""
        guest = await self._guests.overlay(auth)
        client = self.admit(socket, guest)
        assert guest.opened is not None
        self.enter_room(client, guest.opened.channel)

    def leave(self, socket: Socket) -> None:
        client = self.clients.get(socket)
        super().leave(socket)
        if client is None or client.opened is None:
            return
        channel = client.opened.channel
        showing = self._showing.get(channel.id, set())
        if socket in showing:
            showing.remove(socket)
            self._tell_open(channel)
            if not showing:
                del self._showing[channel.id]

    def open_for(self, channel_id: str) -> int:
        """How many overlays show the channel's alerts."""
        return len(self._showing.get(channel_id, ()))

    async def hello(self, client: Client, asked: Hello) -> Mapping[str, Any]:
        assert client.opened is not None
        channel = client.opened.channel
        answer: dict[str, Any] = {"channel": channel.slug, "name": channel.name}
        nothing = {"sequence": 0, "reset": True, "events": (), "emotes": ()}
        if asked.part == "chat":
            joined = await self._chat.join(channel, None, asked.after)
            lines = {name: getattr(joined, name) for name in nothing}
            return {**answer, **lines, "alerts": (), "more": False, "support": None}
        if not self._alerts.is_on:
            raise NotFound("This site has no tips.", code="no_money")
        waiting = await self._alerts.waiting(channel.id) if asked.part == "alerts" else []
        support = await self._alerts.support(channel.id)
        if asked.part == "alerts" and client.socket in self.clients:
            self._showing.setdefault(channel.id, set()).add(client.socket)
            self._tell_open(channel)
        return {
            **answer,
            **nothing,
            "alerts": waiting,
            "more": len(waiting) == limits.ALERTS_WAITING_MAX,
            "support": support.for_overlay(),
        }

    async def shown(self, client: Client, asked: Shown) -> None:
        assert client.opened is not None
        await self._alerts.shown(client.opened.channel, asked.id, asked.turn)

    def _tell_open(self, channel: Channel) -> None:
        self._events.publish(OverlaysChanged(channel.id, channel.slug, self.open_for(channel.id)))

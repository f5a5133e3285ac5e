"""/overlay: what a page in streaming software shows of one channel's chat. It can only read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from mediaserver.chat.chat import Chat
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.metrics import RealtimeMetrics
from mediaserver.realtime import messages
from mediaserver.realtime.asked import Hello
from mediaserver.realtime.engine import Socket
from mediaserver.realtime.guests import Guests
from mediaserver.realtime.namespace import Client, Namespace


class OverlayNamespace(Namespace):
    """Rooms are keyed by the channel's id; the token says which."""

    def __init__(self, guests: Guests, chat: Chat, clock: Clock, metrics: RealtimeMetrics) -> None:
        super().__init__(messages.OVERLAY, {messages.HELLO: self.hello}, clock, metrics)
        self._guests = guests
        self._chat = chat

    async def enter(self, socket: Socket, request: web.Request, auth: Mapping[str, Any]) -> None:
        """With the token in the overlay's address."""
        guest = await self._guests.overlay(auth)
        client = self.admit(socket, guest)
        assert guest.opened is not None
        self.enter_room(client, guest.opened.channel)

    async def hello(self, client: Client, asked: Hello) -> Mapping[str, Any]:
        assert client.opened is not None
        channel = client.opened.channel
        joined = await self._chat.join(channel, None, asked.after)
        return {
            "channel": channel.slug,
            "name": channel.name,
            "sequence": joined.sequence,
            "reset": joined.reset,
            "events": joined.events,
            "emotes": joined.emotes,
        }

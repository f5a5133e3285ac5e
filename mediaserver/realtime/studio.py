"""/studio: a stream's health and what happens round it, for those who run the channel."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from mediaserver.channels.channels import Channels
from mediaserver.chat.chat import Chat
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.errors import Forbidden, Unauthorized
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.metrics import RealtimeMetrics
from mediaserver.realtime import messages
from mediaserver.realtime.asked import Watch
from mediaserver.realtime.engine import Socket
from mediaserver.realtime.guests import Guests
from mediaserver.realtime.namespace import Client, Namespace
from mediaserver.realtime.site import Site


class Desk:
    """What is remembered of one channel: while the site runs, and bounded."""

    __slots__ = ("activity", "announced")

    def __init__(self) -> None:
        self.announced = ""  # the broadcast that followers have been told of
        self.activity: deque[Mapping[str, Any]] = deque(maxlen=limits.REALTIME_ACTIVITY_MAX)


class Desks:
    """The desks of all channels by id, the least recent ones forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

        self._desks: OrderedDict[str, Desk] = OrderedDict()

    def of(self, channel_id: str) -> Desk:
        desk = self._desks.setdefault(channel_id, Desk())
        self._desks.move_to_end(channel_id)
        if len(self._desks) > limits.REALTIME_DESKS_MAX:
            self._desks.popitem(last=False)
        return desk

    def note(
        self,
        channel_id: str,
        kind: str,
        text: str,
        username: str | None = None,
        given: dict[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """Write down that something happened; the entry, as clients get it."""
        item = {
            "id": new_id("act"),
            "at_ms": self._clock.wall_ms(),
            "kind": kind,
            "text": text,
            "username": username,
            "given": given,
        }
        self.of(channel_id).activity.append(item)
        return item

    def note_alert(self, channel_id: str, contribution_id: str, state: str) -> None:
        """What became of a contribution's alert, for who looks at the desk later."""
        for item in self.of(channel_id).activity:
            given = item["given"]
            if given is not None and given["id"] == contribution_id:
                given["alert"] = state


class StudioNamespace(Namespace):
    """Rooms are keyed by the channel's id."""

    def __init__(
        self,
        guests: Guests,
        channels: Channels,
        chat: Chat,
        desks: Desks,
        site: Site,
        count_overlays: Callable[[str], int],
        clock: Clock,
        metrics: RealtimeMetrics,
    ) -> None:
        super().__init__(messages.STUDIO, {messages.WATCH: self.watch}, clock, metrics)
        self._guests = guests
        self._channels = channels
        self._chat = chat
        self._desks = desks
        self._site = site
        self._count_overlays = count_overlays

    async def enter(self, socket: Socket, request: web.Request, auth: Mapping[str, Any]) -> None:
        """With an account."""
        guest = await self._guests.identify(request, auth)
        if guest.user is None:
            raise Unauthorized("Log in first.", code="sign_in")
        self.admit(socket, guest)

    async def watch(self, client: Client, asked: Watch) -> Mapping[str, Any]:
        channel = await self._channels.get(asked.channel)
        client.check_sees(channel)
        if (await self._chat.you(channel, client.user)).role == "viewer":
            raise Forbidden("Only the channel's owner and moderators see this.")
        self.enter_room(client, channel)
        return {
            "health": self._site.current_health(channel.slug),
            "history": self._site.health_history(channel.slug),
            "activity": tuple(self._desks.of(channel.id).activity),
            "overlays": self._count_overlays(channel.id),
        }

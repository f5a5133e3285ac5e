"""From what happened to who is told: events of the kernel become packets for rooms and people.

Events arrive after their commit and must not wait. Chat goes out at once; what first has to look
something up goes through one queue, in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from mediaserver.kernel import limits
from mediaserver.kernel.errors import MediaserverError, NotFound
from mediaserver.kernel.events import Events
from mediaserver.kernel.tasks import Tasks
from mediaserver.media.events import (
    BroadcastEnded,
    BroadcastInterrupted,
    BroadcastResumed,
    BroadcastStarted,
    BroadcastWentLive,
)
from mediaserver.realtime import messages
from mediaserver.realtime.broadcast import Broadcast
from mediaserver.realtime.chat import ChatNamespace
from mediaserver.realtime.domain import ChannelList, ChatDomain, DescribeLive, FollowerList
from mediaserver.realtime.namespace import encode
from mediaserver.realtime.presence import Presence

_log = structlog.get_logger(__name__)


class Relay:
    """Subscribes when it is made; `start` begins the work that waits."""

    def __init__(
        self,
        chat_namespace: ChatNamespace,
        broadcast: Broadcast,
        channels: ChannelList,
        chat: ChatDomain,
        followers: FollowerList,
        presence: Presence,
        describe_live: DescribeLive,
        events: Events,
    ) -> None:
        self._namespace = chat_namespace
        self._broadcast = broadcast
        self._channels = channels
        self._chat = chat
        self._followers = followers
        self._presence = presence
        self._describe_live = describe_live

        self._errands: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(
            limits.REALTIME_ERRANDS_MAX
        )
        events.subscribe(BroadcastStarted, self._stream_changed)
        events.subscribe(BroadcastWentLive, self._stream_changed)
        events.subscribe(BroadcastInterrupted, self._stream_changed)
        events.subscribe(BroadcastResumed, self._stream_changed)
        events.subscribe(BroadcastEnded, self._stream_changed)
        events.subscribe(BroadcastWentLive, self._went_live)

    def start(self, tasks: Tasks) -> None:
        tasks.start(self._run(), "relay")
        tasks.start(self._tell_presence(), "presence")

    def chat_events(self, channel_id: str, slug: str, events: object) -> None:
        """Lines and changes of a chat."""
        out = encode(messages.EVENTS, {"channel": slug, "events": events})
        self._broadcast.send(self._namespace.rooms, channel_id, out)

    def you_changed(self, slug: str, user_id: str) -> None:
        self._later(partial(self._tell_you, slug, user_id))

    def _stream_changed(
        self,
        event: BroadcastStarted
        | BroadcastWentLive
        | BroadcastInterrupted
        | BroadcastResumed
        | BroadcastEnded,
    ) -> None:
        self._later(partial(self._tell_live, event.channel))

    def _went_live(self, event: BroadcastWentLive) -> None:
        self._later(partial(self._tell_followers, event.channel))

    def _later(self, errand: Callable[[], Awaitable[None]]) -> None:
        try:
            self._errands.put_nowait(errand)
        except asyncio.QueueFull:
            _log.error("clients aren't told: the database is too slow")

    async def _run(self) -> None:
        while True:
            errand = await self._errands.get()
            try:
                await errand()
            except NotFound:
                pass  # the channel went in the meantime
            except MediaserverError as error:
                _log.warning("clients aren't told", reason=error.message)
            except Exception:
                _log.exception("errand failed")

    async def _tell_live(self, slug: str) -> None:
        channel = await self._channels.get(slug)
        payload = {"channel": slug, "live": self._describe_live(channel)}
        self._broadcast.send(self._namespace.rooms, channel.id, encode(messages.LIVE, payload))

    async def _tell_you(self, slug: str, user_id: str) -> None:
        channel = await self._channels.get(slug)
        clients = [
            client
            for client in self._namespace.clients.values()
            if client.user is not None and client.user.id == user_id and channel.id in client.rooms
        ]
        if clients:
            you = await self._chat.you(channel, clients[0].user)
            out = encode(messages.YOU, {"channel": slug, "you": you})
            for client in clients:
                client.socket.push(out)

    async def _tell_followers(self, slug: str) -> None:
        channel = await self._channels.get(slug)
        here = {client.user.id for client in self._namespace.clients.values() if client.user}
        followers = await self._followers.among(channel.id, here) if here else set()
        if not followers:
            return
        out = encode(
            messages.NOTICE,
            {
                "kind": "went-live",
                "slug": slug,
                "name": channel.name,
                "title": channel.title or channel.name,
                "url": f"/@{slug}",
            },
        )
        for client in tuple(self._namespace.clients.values()):
            if client.user is not None and client.user.id in followers:
                client.socket.push(out)

    async def _tell_presence(self) -> None:
        rooms = self._namespace.rooms
        while True:
            await asyncio.sleep(limits.REALTIME_PRESENCE_INTERVAL_S)
            try:
                for channel_id, payload in await self._presence.changed(rooms.__contains__):
                    self._broadcast.send(rooms, channel_id, encode(messages.PRESENCE, payload))
            except MediaserverError as error:
                _log.warning("presence isn't told", reason=error.message)

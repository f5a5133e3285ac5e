"""/chat: rooms of channels. Anybody may read; writing needs an account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.errors import RateLimited, Unauthorized
from mediaserver.kernel.metrics import RealtimeMetrics
from mediaserver.realtime import messages
from mediaserver.realtime.domain import ChannelList, ChatDomain, DescribeLive
from mediaserver.realtime.engine import Socket
from mediaserver.realtime.messages import Act, AskCard, Join, Leave, Report, Say
from mediaserver.realtime.namespace import Client, Namespace
from mediaserver.realtime.presence import Presence

Identify = Callable[[web.Request, Mapping[str, Any]], Awaitable[tuple[User | None, str | None]]]
"""Who connects, and the one channel that they may see, if it is but one."""

TakeReport = Callable[[str, str, Report], None]
"""(channel's slug, key of the viewer, report)."""


class ChatNamespace(Namespace):
    """Rooms are keyed by the channel's id."""

    def __init__(
        self,
        identify: Identify,
        channels: ChannelList,
        chat: ChatDomain,
        presence: Presence,
        describe_live: DescribeLive,
        take_report: TakeReport,
        clock: Clock,
        metrics: RealtimeMetrics,
    ) -> None:
        super().__init__(
            messages.CHAT,
            {
                messages.JOIN: self.join,
                messages.LEAVE: self.leave_channel,
                messages.SAY: self.say,
                messages.ACT: self.act,
                messages.CARD: self.card,
                messages.REPORT: self.report,
            },
            clock,
            metrics,
        )
        self._identify = identify
        self._channels = channels
        self._chat = chat
        self._presence = presence
        self._describe_live = describe_live
        self._take_report = take_report

    async def enter(self, socket: Socket, request: web.Request, auth: Mapping[str, Any]) -> None:
        user, channel_id = await self._identify(request, auth)
        self.admit(socket, user, channel_id)

    async def join(self, client: Client, asked: Join) -> Mapping[str, Any]:
        channel = await self._channels.get(asked.channel)
        client.check_sees(channel)
        is_new = channel.id not in client.rooms
        self.enter_room(client, channel.id)  # first, so that nothing falls between
        try:
            joined = await self._chat.join(channel, client.user, asked.after)
            presence = await self._presence.of(channel)
        except BaseException:
            if is_new:
                self.leave_room(client, channel.id)
            raise
        return {
            "channel": channel.slug,
            "sequence": joined.sequence,
            "reset": joined.reset,
            "events": joined.events,
            "pinned": joined.pinned,
            "rules": joined.rules,
            "emotes": joined.emotes,
            "you": joined.you,
            "commands": joined.commands,
            "live": self._describe_live(channel),
            **presence,
        }

    async def leave_channel(self, client: Client, asked: Leave) -> None:
        channel = await self._channels.get(asked.channel)
        self.leave_room(client, channel.id)

    async def say(self, client: Client, asked: Say) -> Mapping[str, Any]:
        user = _signed_in(client)
        if not client.say_budget.take():
            wait_s = client.say_budget.retry_after_s()
            raise RateLimited("You write too fast.", retry_after_s=wait_s)
        channel = await self._channels.get(asked.channel)
        client.check_sees(channel)
        said = await self._chat.say(
            user, channel, asked.text, reply_to=asked.reply_to, nonce=asked.nonce
        )
        return {"id": said.id, "sequence": said.sequence, "notice": said.notice}

    async def act(self, client: Client, asked: Act) -> Mapping[str, Any]:
        user = _signed_in(client)
        channel = await self._channels.get(asked.channel)
        client.check_sees(channel)
        return {"notice": await self._chat.act(user, channel, asked.action)}

    async def card(self, client: Client, asked: AskCard) -> Mapping[str, Any]:
        channel = await self._channels.get(asked.channel)
        client.check_sees(channel)
        card: Mapping[str, Any] = await self._chat.card(client.user, channel, asked.username)
        return card

    async def report(self, client: Client, asked: Report) -> None:
        self._take_report(asked.channel, client.socket.sid, asked)


def _signed_in(client: Client) -> User:
    if client.user is None:
        raise Unauthorized("Log in to write.", code="sign_in")
    return client.user

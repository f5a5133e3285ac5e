"""/chat: rooms of channels. Anybody may read; writing needs an account."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import web

from mediaserver.accounts.permissions import Rank
from mediaserver.channels.channels import Channel, Channels
from mediaserver.chat.chat import Chat
from mediaserver.chat.commands import commands_for
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.errors import RateLimited
from mediaserver.kernel.metrics import RealtimeMetrics
from mediaserver.media.audience import ViewerReport
from mediaserver.money.alert_desk import AlertDesk
from mediaserver.realtime import messages
from mediaserver.realtime.actions import action_of
from mediaserver.realtime.asked import Act, AskCard, Join, Leave, Report, Say
from mediaserver.realtime.engine import Socket
from mediaserver.realtime.guests import Guests
from mediaserver.realtime.namespace import Client, Namespace
from mediaserver.realtime.presence import Presence
from mediaserver.realtime.shared_reads import SharedReads
from mediaserver.realtime.site import Site


class ChatNamespace(Namespace):
    """Rooms are keyed by the channel's id."""

    def __init__(
        self,
        guests: Guests,
        channels: Channels,
        chat: Chat,
        alerts: AlertDesk,
        presence: Presence,
        reads: SharedReads,
        site: Site,
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
        self._guests = guests
        self._channels = channels
        self._chat = chat
        self._alerts = alerts
        self._presence = presence
        self._reads = reads
        self._site = site

    async def enter(self, socket: Socket, request: web.Request, auth: Mapping[str, Any]) -> None:
        """With a session or a ticket, with the token of a dock for its channel, or as nobody."""
        self.admit(socket, await self._guests.identify(request, auth))

    async def join(self, client: Client, asked: Join) -> Mapping[str, Any]:
        slug, after = asked.channel, asked.after
        channel = await self._reads.read(("channel", slug), partial(self._channels.get, slug))
        client.check_sees(channel)
        is_new = channel.id not in client.rooms
        self.enter_room(client, channel)  # first, so that nothing falls between
        try:
            joined = await self._reads.read(
                (channel.id, after), partial(self._chat.join, channel, None, after)
            )
            presence = await self._presence.of(channel)
            kept = await self._reads.read(
                ("kept", channel.id), partial(self._alerts.kept, channel.id)
            )
            you, commands = joined.you, joined.commands
            if client.user is not None:
                you = await self._chat.you(channel, client.user)
                commands = commands_for(Rank[you.role.upper()])
        except BaseException:
            if is_new:
                self.leave_room(client, channel)
            raise
        return {
            "channel": slug,
            "sequence": joined.sequence,
            "reset": joined.reset,
            "events": joined.events,
            "pinned": joined.pinned,
            "rules": joined.rules,
            "emotes": joined.emotes,
            "you": you,
            "commands": commands,
            "live": self._site.describe_live(channel),
            **presence,
            "kept": kept,
        }

    async def leave_channel(self, client: Client, asked: Leave) -> None:
        for channel in tuple(client.rooms.values()):
            if channel.slug == asked.channel:
                self.leave_room(client, channel)

    async def say(self, client: Client, asked: Say) -> Mapping[str, Any]:
        if not client.say_budget.take():
            wait_s = client.say_budget.retry_after_s()
            raise RateLimited("You write too fast.", retry_after_s=wait_s)
        said = await self._chat.say(
            client.user,
            await self._channel(client, asked.channel),
            asked.text,
            reply_to=asked.reply_to,
            nonce=asked.nonce,
        )
        return {"id": said.id, "sequence": said.sequence, "notice": said.notice}

    async def act(self, client: Client, asked: Act) -> Mapping[str, Any]:
        channel = await self._channel(client, asked.channel)
        acted = await self._chat.act(client.user, channel, action_of(asked.action))
        return {"notice": acted.notice}

    async def card(self, client: Client, asked: AskCard) -> Mapping[str, Any]:
        channel = await self._channel(client, asked.channel)
        card = await self._chat.card(channel, client.user, asked.username)
        held = card.restriction
        return {
            "username": card.username,
            "avatar_url": card.profile.avatar and f"/avatars/{card.profile.avatar}.webp",
            "about": card.profile.about,
            "links": [{"name": link.name, "url": link.url} for link in card.profile.links],
            "role": card.role,
            "follows_since_ms": card.follows_since_ms,
            "joined_at_ms": card.joined_at_ms,
            "lines": card.lines,
            "restriction": held
            and {"kind": held.kind, "until_ms": held.until_ms, "reason": held.reason},
        }

    async def report(self, client: Client, asked: Report) -> None:
        channel = next((one for one in client.rooms.values() if one.slug == asked.channel), None)
        if channel is None:
            return
        stalls, dropped = client.played.get(channel.id, (0, 0))
        report = ViewerReport(
            way=asked.way,
            latency_ms=asked.latency_ms,
            stalls=_more(asked.stalls, stalls),
            bandwidth_bps=asked.bandwidth_bps,
            dropped_frames=None
            if asked.dropped_frames is None
            else _more(asked.dropped_frames, dropped),
            width=asked.width,
            height=asked.height,
        )
        client.played[channel.id] = (asked.stalls, asked.dropped_frames or 0)
        self._site.take_report(channel.slug, client.socket.sid, report)

    async def _channel(self, client: Client, slug: str) -> Channel:
        """One that the client is in, or looked up: writing doesn't need a room."""
        for channel in client.rooms.values():
            if channel.slug == slug:
                return channel
        found = await self._channels.get(slug)
        client.check_sees(found)
        return found


def _more(count: int, before: int) -> int:
    """What came since the report before; a smaller count is that of another player."""
    return count - before if count >= before else count

"""From what happened to who is told: events of the kernel become packets for rooms and people.

Events arrive after their commit and must not wait. Chat goes out at once; what first has to look
something up is an errand, done one after the other, so that a room hears of things in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog

from mediaserver.accounts.sessions import SessionEnded
from mediaserver.accounts.users import Users
from mediaserver.channels.channels import Channel, ChannelChanged, Channels
from mediaserver.channels.deletion import ChannelDeleted
from mediaserver.channels.display_tokens import DisplayTokenRevoked
from mediaserver.channels.follows import Followed, Follows, Unfollowed
from mediaserver.channels.schedule_clock import ScheduleStarted
from mediaserver.chat.chat import Chat
from mediaserver.chat.events import ChatEvents, YouChanged
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
from mediaserver.media.health import BroadcastMeasured
from mediaserver.moderation.actions_log import Moderated
from mediaserver.money.alert_desk import AlertDesk
from mediaserver.money.alerts import AlertChanged, AlertReady, AlertTaken
from mediaserver.money.currencies import money
from mediaserver.money.support import SupportChanged
from mediaserver.notifications.notices import NoticeMade
from mediaserver.realtime import messages
from mediaserver.realtime.broadcast import Broadcast
from mediaserver.realtime.guests import Guests
from mediaserver.realtime.messages import FromServer
from mediaserver.realtime.namespace import Namespace, encode
from mediaserver.realtime.overlay import OverlaysChanged
from mediaserver.realtime.presence import Presence
from mediaserver.realtime.site import Site
from mediaserver.realtime.studio import Desks
from mediaserver.realtime.support import SupportTeller
from mediaserver.trust.bans import Banned

_log = structlog.get_logger(__name__)

_Stream = (
    BroadcastStarted | BroadcastWentLive | BroadcastInterrupted | BroadcastResumed | BroadcastEnded
)


class Relay:
    """Subscribes when it is made; `start` begins the work that waits."""

    def __init__(
        self,
        namespaces: Mapping[str, Namespace],
        broadcast: Broadcast,
        guests: Guests,
        presence: Presence,
        desks: Desks,
        site: Site,
        *,
        users: Users,
        channels: Channels,
        follows: Follows,
        chat: Chat,
        alerts: AlertDesk,
        events: Events,
    ) -> None:
        self._namespaces = namespaces
        self._broadcast = broadcast
        self._guests = guests
        self._presence = presence
        self._desks = desks
        self._site = site
        self._users = users
        self._channels = channels
        self._follows = follows
        self._chat = chat
        self._support = SupportTeller(namespaces, broadcast, alerts)

        self._errands: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(
            limits.REALTIME_ERRANDS_MAX
        )
        events.subscribe(ChatEvents, self._chat_events)
        events.subscribe(YouChanged, self._you_changed)
        events.subscribe(Moderated, self._moderated)
        events.subscribe(Followed, self._followed)
        events.subscribe(Unfollowed, self._unfollowed)
        events.subscribe(ChannelChanged, self._channel_changed)
        events.subscribe(ChannelDeleted, self._channel_deleted)
        events.subscribe(NoticeMade, self._notice_made)
        events.subscribe(SessionEnded, self._session_ended)
        events.subscribe(Banned, self._banned)
        events.subscribe(DisplayTokenRevoked, self._token_revoked)
        events.subscribe(BroadcastStarted, self._stream_changed)
        events.subscribe(BroadcastWentLive, self._went_live)
        events.subscribe(BroadcastInterrupted, self._interrupted)
        events.subscribe(BroadcastResumed, self._resumed)
        events.subscribe(BroadcastEnded, self._ended)
        events.subscribe(BroadcastMeasured, self._measured)
        events.subscribe(ScheduleStarted, self._schedule_started)
        events.subscribe(AlertReady, self._alert_ready)
        events.subscribe(AlertTaken, self._alert_taken)
        events.subscribe(AlertChanged, self._alert_changed)
        events.subscribe(SupportChanged, self._support_is_changed)
        events.subscribe(OverlaysChanged, self._overlays_changed)

    def start(self, tasks: Tasks) -> None:
        tasks.start(self._run_errands(), "errands")
        tasks.start(self._tell_presence(), "presence")
        tasks.start(self._support.run(), "support")

    # chat and people --------------------------------------------------------------------------

    def _chat_events(self, event: ChatEvents) -> None:
        payload = {"channel": event.channel_slug, "events": event.events}
        self._tell(messages.EVENTS, event.channel_id, payload)
        self._tell(messages.OVERLAY_EVENTS, event.channel_id, payload)
        for one in event.events:
            if one.kind == "rules":
                self._later(partial(self._tell_room_of_you, event.channel_slug))
            elif one.kind == "notice" and "tip" not in one.data:
                self._note(event.channel_id, event.channel_slug, "chat-notice", one.text)

    def _you_changed(self, event: YouChanged) -> None:
        self._later(partial(self._tell_you, event.channel_slug, event.user_id))

    def _moderated(self, event: Moderated) -> None:
        entry = event.entry
        slug = event.channel_slug
        self._note(event.channel_id, slug, "moderation", entry.sentence, entry.actor)

    def _followed(self, event: Followed) -> None:
        self._presence.followers_changed(event.channel_id)
        self._later(partial(self._tell_you, event.channel_slug, event.user_id))
        self._later(partial(self._note_follower, event))

    def _unfollowed(self, event: Unfollowed) -> None:
        self._presence.followers_changed(event.channel_id)
        self._later(partial(self._tell_you, event.channel_slug, event.user_id))

    def _notice_made(self, event: NoticeMade) -> None:
        made = event.notice
        out = encode(messages.INBOX, {"id": made.id, "title": made.title, "url": made.path})
        for client in self._namespaces[messages.CHAT].clients_of(event.user_id):
            client.socket.push(out)

    def _session_ended(self, event: SessionEnded) -> None:
        self._later(partial(self._drop_logged_out, event.user_id))

    def _banned(self, event: Banned) -> None:
        """All connections of theirs end, and those of everybody in one of their channels: a page
        that comes back finds it gone.
        """
        for namespace in self._namespaces.values():
            for client in tuple(namespace.clients.values()):
                is_theirs = client.user is not None and client.user.id == event.user_id
                if is_theirs or not event.channels.keys().isdisjoint(client.rooms):
                    client.socket.drop("banned" if is_theirs else "the channel is hidden")

    def _token_revoked(self, event: DisplayTokenRevoked) -> None:
        for namespace in self._namespaces.values():
            for client in tuple(namespace.clients.values()):
                if client.opened is not None and client.opened.token_id == event.token_id:
                    client.socket.drop("its token was revoked")

    # streams ----------------------------------------------------------------------------------

    def _channel_changed(self, event: ChannelChanged) -> None:
        self._later(partial(self._tell_live, event.slug))

    def _channel_deleted(self, event: ChannelDeleted) -> None:
        for namespace in self._namespaces.values():
            for client in tuple(namespace.clients.values()):
                if event.id in client.rooms:
                    client.socket.drop("its channel was deleted")

    def _stream_changed(self, event: _Stream) -> None:
        self._later(partial(self._tell_live, event.channel))

    def _went_live(self, event: BroadcastWentLive) -> None:
        self._stream_changed(event)
        desk = self._desks.of(event.channel_id)
        if desk.announced != event.broadcast_id:
            desk.announced = event.broadcast_id
            self._later(partial(self._notify, event.channel, "went-live"))
        self._note(event.channel_id, event.channel, "live", "The stream is live.")

    def _interrupted(self, event: BroadcastInterrupted) -> None:
        self._stream_changed(event)
        self._note(event.channel_id, event.channel, "interrupted", "The encoder is gone.")

    def _resumed(self, event: BroadcastResumed) -> None:
        self._stream_changed(event)
        self._note(event.channel_id, event.channel, "resumed", "The encoder is back.")

    def _ended(self, event: BroadcastEnded) -> None:
        self._stream_changed(event)
        self._note(event.channel_id, event.channel, "ended", event.reason)

    def _measured(self, event: BroadcastMeasured) -> None:
        payload = {"channel": event.channel, "health": event.health}
        self._tell(messages.HEALTH, event.channel_id, payload)

    def _schedule_started(self, event: ScheduleStarted) -> None:
        self._later(partial(self._notify, event.channel_slug, "schedule", event.title))

    # money ------------------------------------------------------------------------------------

    def _alert_ready(self, event: AlertReady) -> None:
        payload = {"channel": event.channel_slug, "alert": event.showing}
        self._tell(messages.ALERT, event.channel_id, payload)

    def _alert_taken(self, event: AlertTaken) -> None:
        payload = {"channel": event.channel_slug, "id": event.contribution_id}
        self._tell(messages.SKIP, event.channel_id, payload)

    def _alert_changed(self, event: AlertChanged) -> None:
        given, slug = event.given, event.channel_slug
        if not event.is_new:
            self._desks.note_alert(event.channel_id, given.id, given.alert)
            payload = {"channel": slug, "id": given.id, "alert": given.alert}
            self._tell(messages.ALERT_STATE, event.channel_id, payload)
            return
        amount = money(given.amount_minor, given.currency)
        shown = {
            "id": given.id,
            "kind": given.kind,
            "amount": amount,
            "name": given.public_name,
            "message": given.message,
            "alert": given.alert,
        }
        text = f"{given.public_name} gave {amount}."
        self._note(event.channel_id, slug, "tip", text, given=shown)
        self._support.changed(event.channel_id, slug)

    def _support_is_changed(self, event: SupportChanged) -> None:
        self._support.changed(event.channel_id, event.channel_slug)

    def _overlays_changed(self, event: OverlaysChanged) -> None:
        payload = {"channel": event.channel_slug, "open": event.open}
        self._tell(messages.OVERLAYS, event.channel_id, payload)

    # telling ----------------------------------------------------------------------------------

    def _tell(self, declared: FromServer, room: str, payload: Mapping[str, Any]) -> None:
        rooms = self._namespaces[declared.namespace].rooms
        if room in rooms:
            self._broadcast.send(rooms, room, encode(declared, payload))

    def _note(
        self,
        channel_id: str,
        slug: str,
        kind: str,
        text: str,
        username: str | None = None,
        given: dict[str, Any] | None = None,
    ) -> None:
        item = self._desks.note(channel_id, kind, text, username, given)
        self._tell(messages.ACTIVITY, channel_id, {"channel": slug, "item": item})

    async def _note_follower(self, event: Followed) -> None:
        user = await self._users.by_id(event.user_id)
        if user is not None:
            text = f"{user.username} follows you now."
            self._note(event.channel_id, event.channel_slug, "follow", text, user.username)

    async def _tell_live(self, slug: str) -> None:
        channel = await self._channels.get(slug)
        payload = {"channel": slug, "live": self._site.describe_live(channel)}
        self._tell(messages.LIVE, channel.id, payload)
        self._tell(messages.OVERLAY_LIVE, channel.id, payload)

    async def _tell_you(self, slug: str, user_id: str) -> None:
        await self._tell_one(await self._channels.get(slug), user_id)

    async def _tell_room_of_you(self, slug: str) -> None:
        """After new rules: everybody in the room, some at a time."""
        channel = await self._channels.get(slug)
        if inside := self._namespaces[messages.CHAT].users_in(channel.id):
            await self._tell_some_of_you(channel, inside)

    async def _tell_some_of_you(self, channel: Channel, user_ids: Sequence[str]) -> None:
        """The first of them now; the others wait behind what else there is to tell."""
        now, later = user_ids[: limits.REALTIME_YOU_PAGE], user_ids[limits.REALTIME_YOU_PAGE :]
        for user_id, you in (await self._chat.yous(channel, now)).items():
            out = encode(messages.YOU, {"channel": channel.slug, "you": you})
            for client in self._namespaces[messages.CHAT].clients_of(user_id):
                if channel.id in client.rooms:
                    client.socket.push(out)
        if later:
            self._later(partial(self._tell_some_of_you, channel, later))

    async def _tell_one(self, channel: Channel, user_id: str) -> None:
        """What somebody may do has changed; whoever isn't a moderator any more leaves the desk."""
        chat, studio = self._namespaces[messages.CHAT], self._namespaces[messages.STUDIO]
        here = [one for one in chat.clients_of(user_id) if channel.id in one.rooms]
        at_desk = [one for one in studio.clients_of(user_id) if channel.id in one.rooms]
        if not here and not at_desk:
            return
        you = await self._chat.you(channel, (here or at_desk)[0].user)
        out = encode(messages.YOU, {"channel": channel.slug, "you": you})
        for client in here:
            client.socket.push(out)
        for client in at_desk:
            if you.role == "viewer":
                studio.leave_room(client, channel)

    async def _notify(self, slug: str, kind: str, title: str | None = None) -> None:
        """A notice to all followers who are connected."""
        channel = await self._channels.get(slug)
        namespace = self._namespaces[messages.CHAT]
        followers = await self._follows.among(channel.id, namespace.user_ids)
        if not followers:
            return
        notice = {
            "kind": kind,
            "slug": slug,
            "name": channel.name,
            "title": title or channel.title or channel.name,
            "url": f"/@{slug}",
        }
        out = encode(messages.NOTICE, notice)
        for user_id in followers:
            for client in namespace.clients_of(user_id):
                client.socket.push(out)

    async def _drop_logged_out(self, user_id: str) -> None:
        for namespace in self._namespaces.values():
            for client in namespace.clients_of(user_id):
                if not await self._guests.is_still(client.guest):
                    client.socket.drop("logged out")

    # tasks ------------------------------------------------------------------------------------

    def _later(self, errand: Callable[[], Awaitable[None]]) -> None:
        try:
            self._errands.put_nowait(errand)
        except asyncio.QueueFull:
            _log.error("clients aren't told: the database is too slow")

    async def _run_errands(self) -> None:
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

    async def _tell_presence(self) -> None:
        rooms = self._namespaces[messages.CHAT].rooms
        while True:
            await asyncio.sleep(limits.REALTIME_PRESENCE_INTERVAL_S)
            try:
                for channel_id, payload in await self._presence.changed(rooms.__contains__):
                    self._tell(messages.PRESENCE, channel_id, payload)
            except MediaserverError as error:
                _log.warning("presence isn't told", reason=error.message)
            except Exception:
                _log.exception("presence isn't told")

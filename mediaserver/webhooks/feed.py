"""From what happened to who is told: events of the kernel become deliveries.

What a transaction emits is written by that very transaction, so that none of it is lost. Streams
and lines of the chat come from memory: they go through one queue to one writer, and those of the
moment in which the server dies may be missing. What nobody wants to know costs no look at the
database.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from mediaserver.accounts.personal_data import AccountDeleted
from mediaserver.accounts.users import AccountMade, find_by_id
from mediaserver.channels import channels, follows
from mediaserver.channels.channels import Channel, ChannelChanged
from mediaserver.channels.deletion import ChannelDeleted
from mediaserver.channels.follows import Followed
from mediaserver.chat.events import Author, ChatEvent, ChatEvents
from mediaserver.kernel import limits
from mediaserver.kernel.budget import Budget
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.event_writer import EventWriter
from mediaserver.kernel.events import Events
from mediaserver.kernel.mail import Letterhead
from mediaserver.media.events import BroadcastEnded, BroadcastWentLive
from mediaserver.moderation.actions_log import Moderated
from mediaserver.trust import bans
from mediaserver.trust.bans import Banned
from mediaserver.trust.reports import Reported
from mediaserver.webhooks import deliveries, webhooks
from mediaserver.webhooks.envelopes import (
    ChannelFollow,
    ChannelUpdated,
    ChatMessage,
    ChatModerated,
    Data,
    EventType,
    PersonRef,
    ReportCreated,
    StreamOffline,
    StreamOnline,
    UserBanned,
    UserCreated,
    UserDeleted,
    moment,
)
from mediaserver.webhooks.webhooks import WebhooksChanged

_Describe = Callable[[Transaction, Channel | None], Data | None]
"""Makes the data of an event, of what is true when it is written; None: nothing to tell."""


@dataclass(frozen=True, slots=True)
class _News:
    event_id: str
    event: EventType
    channel_id: str | None
    at_ms: int
    describe: _Describe


class Feed:
    """An async context manager: subscribes when it is made, writes from entering to leaving."""

    def __init__(self, db: Database, clock: Clock, events: Events, letterhead: Letterhead) -> None:
        self._db = db
        self._clock = clock
        self._letterhead = letterhead

        self._wanted: dict[str | None, set[EventType]] = {}
        self._stale: set[str | None] = set()  # channels whose part of it is read anew
        self._deleted: dict[str, Channel] = {}  # lately: their streams are about to end
        self._chat_budgets: dict[str, tuple[Budget, int]] = {}  # and how many lines were skipped
        self._writer = EventWriter[_News | WebhooksChanged](
            "webhooks", self._write, limits.WEBHOOK_EVENTS_WAITING_MAX
        )

        events.subscribe(WebhooksChanged, self._webhooks_changed)
        events.subscribe(BroadcastWentLive, self._went_live)
        events.subscribe(BroadcastEnded, self._ended)
        events.subscribe(ChannelDeleted, self._channel_deleted)
        events.subscribe(ChatEvents, self._chat)
        events.join(ChannelChanged, self._channel_changed)
        events.join(Followed, self._followed)
        events.join(Moderated, self._moderated)
        events.join(AccountMade, self._account_made)
        events.join(AccountDeleted, self._account_deleted)
        events.join(Banned, self._banned)
        events.join(Reported, self._reported)

    async def __aenter__(self) -> Self:
        self._wanted = await self._db.read(webhooks.wanted)
        await self._writer.__aenter__()
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._writer.__aexit__(exception_type, exception, traceback)

    async def flushed(self) -> None:
        """Wait until everything that happened so far is written."""
        await self._writer.flushed()

    # what happened ----------------------------------------------------------------------------

    def _went_live(self, event: BroadcastWentLive) -> None:
        def describe(tx: Transaction, channel: Channel | None) -> Data | None:
            assert channel is not None
            return StreamOnline(
                stream_id=event.broadcast_id,
                title=channel.title,
                category=channel.category,
                tags=list(channel.tags),
                started_at=moment(event.at_ms),
            )

        self._tell(EventType.STREAM_ONLINE, event.channel_id, describe, event.at_ms)

    def _ended(self, event: BroadcastEnded) -> None:
        if event.went_live:
            data = StreamOffline(
                stream_id=event.broadcast_id, reason=event.reason, ended_at=moment(event.at_ms)
            )
            self._tell(EventType.STREAM_OFFLINE, event.channel_id, lambda *_: data, event.at_ms)

    def _channel_deleted(self, event: ChannelDeleted) -> None:
        self._deleted[event.id] = event.was
        if len(self._deleted) > limits.WEBHOOK_CHANNELS_DELETED_MAX:
            del self._deleted[next(iter(self._deleted))]

    def _channel_changed(self, tx: Transaction, event: ChannelChanged) -> None:
        self._tell_within(tx, EventType.CHANNEL_UPDATED, event.channel_id, _updated)

    def _followed(self, tx: Transaction, event: Followed) -> None:
        def describe(tx: Transaction, channel: Channel | None) -> Data | None:
            user = find_by_id(tx, event.user_id)
            if user is None:
                return None
            person = PersonRef(id=user.id, username=user.username)
            return ChannelFollow(user=person, followers=follows.count(tx, event.channel_id))

        self._tell_within(tx, EventType.CHANNEL_FOLLOW, event.channel_id, describe)

    def _chat(self, event: ChatEvents) -> None:
        if not self._is_wanted(EventType.CHAT_MESSAGE, event.channel_id):
            return
        for one in event.events:
            if one.kind == "message" and one.author is not None:
                self._chat_line(event.channel_id, one, one.author)

    def _chat_line(self, channel_id: str, line: ChatEvent, author: Author) -> None:
        if (known := self._chat_budgets.pop(channel_id, None)) is None:
            burst, per_s = limits.WEBHOOK_CHAT_BURST, limits.WEBHOOK_CHAT_PER_S
            known = Budget(self._clock, burst, per_s), 0
        budget, skipped = known
        is_told = budget.take()
        self._chat_budgets[channel_id] = budget, 0 if is_told else skipped + 1
        if len(self._chat_budgets) > limits.WEBHOOK_CHANNELS_COUNTED_MAX:
            del self._chat_budgets[next(iter(self._chat_budgets))]  # the longest silent one
        if is_told:
            data = ChatMessage(
                message_id=line.id,
                user=PersonRef(id=author.id, username=author.username),
                role=author.role,
                text=line.text,
                skipped=skipped,
            )
            self._tell(EventType.CHAT_MESSAGE, channel_id, lambda *_: data, line.at_ms)

    def _moderated(self, tx: Transaction, event: Moderated) -> None:
        entry = event.entry
        data = ChatModerated(
            action=entry.action, moderator=entry.actor, target=entry.target, detail=entry.detail
        )
        self._tell_within(
            tx, EventType.CHAT_MODERATED, event.channel_id, lambda *_: data, entry.at_ms
        )

    def _account_made(self, tx: Transaction, event: AccountMade) -> None:
        data = UserCreated(user=PersonRef(id=event.user_id, username=event.username))
        self._tell_within(tx, EventType.USER_CREATED, None, lambda *_: data)

    def _account_deleted(self, tx: Transaction, event: AccountDeleted) -> None:
        data = UserDeleted(user=PersonRef(id=event.user_id, username=event.username))
        self._tell_within(tx, EventType.USER_DELETED, None, lambda *_: data)

    def _banned(self, tx: Transaction, event: Banned) -> None:
        def describe(tx: Transaction, channel: Channel | None) -> Data | None:
            user, ban = find_by_id(tx, event.user_id), bans.standing(tx, event.user_id)
            if user is None or ban is None:
                return None  # gone, or lifted, already
            person = PersonRef(id=user.id, username=user.username)
            until = None if ban.until_ms is None else moment(ban.until_ms)
            return UserBanned(user=person, reason=ban.reason, until=until)

        self._tell_within(tx, EventType.USER_BANNED, None, describe)

    def _reported(self, tx: Transaction, event: Reported) -> None:
        data = ReportCreated(
            report_id=event.report_id,
            kind=event.kind,
            target=event.target,
            reason=event.reason,
            url=f"{self._letterhead.url}/admin/reports/{event.report_id}",
        )
        self._tell_within(tx, EventType.REPORT_CREATED, event.channel_id, lambda *_: data)

    # telling ----------------------------------------------------------------------------------

    def _is_wanted(self, event: EventType, channel_id: str | None) -> bool:
        return any(event in self._wanted.get(place, ()) for place in (None, channel_id))

    def _tell(
        self,
        event: EventType,
        channel_id: str | None,
        describe: _Describe,
        at_ms: int | None = None,
    ) -> None:
        if self._is_wanted(event, channel_id):
            now_ms = self._clock.wall_ms()
            event_id = deliveries.new_event_id()
            self._writer.put(_News(event_id, event, channel_id, at_ms or now_ms, describe))

    def _tell_within(
        self,
        tx: Transaction,
        event: EventType,
        channel_id: str | None,
        describe: _Describe,
        at_ms: int | None = None,
    ) -> None:
        """Written with what it tells of."""
        if self._stale or self._is_wanted(event, channel_id):
            now_ms = self._clock.wall_ms()
            event_id = deliveries.new_event_id()
            with suppress(NotFound):
                self._announce(tx, _News(event_id, event, channel_id, at_ms or now_ms, describe))

    def _webhooks_changed(self, event: WebhooksChanged) -> None:
        self._stale.add(event.channel_id)
        if not self._writer.waiting:  # else what waits makes it look
            self._writer.put(event)

    async def _write(self, news: _News | WebhooksChanged) -> None:
        await self._read_stale()
        if isinstance(news, WebhooksChanged):
            return
        with suppress(NotFound):  # the channel went in the meantime
            await self._db.write(self._announce, news)

    async def _read_stale(self) -> None:
        while self._stale:
            channel_id = self._stale.pop()
            try:
                self._wanted[channel_id] = await self._db.read(webhooks.wanted_in, channel_id)
            except BaseException:
                self._stale.add(channel_id)
                raise

    def _announce(self, tx: Transaction, news: _News) -> None:
        channel = self._channel(tx, news.channel_id) if news.channel_id else None
        data = news.describe(tx, channel)
        if data is not None:
            now_ms = self._clock.wall_ms()
            deliveries.announce(
                tx,
                self._letterhead,
                news.event_id,
                news.event,
                channel,
                data,
                news.at_ms,
                now_ms,
            )

    def _channel(self, tx: Transaction, channel_id: str) -> Channel:
        """Also one that was deleted a moment ago. Raises `NotFound`."""
        try:
            return channels.get_by_id(tx, channel_id)
        except NotFound:
            if (deleted := self._deleted.get(channel_id)) is None:
                raise
            return deleted


def _updated(tx: Transaction, channel: Channel | None) -> Data | None:
    assert channel is not None
    return ChannelUpdated(
        title=channel.title,
        description=channel.description,
        category=channel.category,
        tags=list(channel.tags),
        age_restricted=channel.age_restricted,
    )

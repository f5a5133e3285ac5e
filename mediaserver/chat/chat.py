"""`Chat`: what the edges call to join a channel's chat, to say something and to moderate.

Everything is checked and written in transactions of the database; what came of it is published as
`ChatEvents` and `YouChanged` after the commit. Knows no connections: realtime/ holds those.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from mediaserver.accounts import profiles
from mediaserver.accounts.permissions import Rank
from mediaserver.accounts.profiles import Profile
from mediaserver.accounts.users import User, find_by_typed_name, reload
from mediaserver.channels.channels import Channel
from mediaserver.channels.follows import followed_since_ms
from mediaserver.chat import actions, admission, commands, lines, log
from mediaserver.chat.actions import Acted, Action
from mediaserver.chat.commands import CommandHelp, ListModerators, Meaning, PinNewest, ShowHelp
from mediaserver.chat.emote_list import list_emotes
from mediaserver.chat.events import ChatEvent, Emote, You
from mediaserver.chat.line_text import checked_nonce, checked_text
from mediaserver.chat.lines import NewLine, Outcome, Said
from mediaserver.chat.pace import Pace
from mediaserver.chat.snapshots import Snapshot, Snapshots
from mediaserver.chat.writer import LineWriter
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound, Unauthorized, Unavailable
from mediaserver.moderation import ranks, restrictions, rules
from mediaserver.moderation.restrictions import Restriction
from mediaserver.moderation.rules import Rules

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Joined:
    """A channel's chat as of `sequence`. `reset`: `events` are history, so forget older ones;
    else exactly what came after the sequence that was asked for.
    """

    sequence: int
    reset: bool
    events: tuple[ChatEvent, ...]
    pinned: ChatEvent | None
    rules: Rules
    emotes: tuple[Emote, ...]
    you: You
    commands: tuple[CommandHelp, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """Somebody as the chat shows them on a click. `lines` and `restriction` for moderators only."""

    username: str
    profile: Profile
    role: str
    joined_at_ms: int
    follows_since_ms: int | None
    lines: int | None
    restriction: Restriction | None


class Chat:
    """An async context manager: entering starts the writer, leaving writes what is queued."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        *,
        batch_ms: int = limits.CHAT_BATCH_MS,
    ) -> None:
        self._db = db
        self._clock = clock

        self._pace = Pace(clock)
        self._snapshots = Snapshots(clock)
        self._writer = LineWriter(self._write_lines, batch_ms=batch_ms)
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def __aenter__(self) -> Self:
        await self._db.write(restrictions.delete_expired, self._clock.wall_ms())
        self._writer.start()
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._writer.aclose()

    async def join(self, channel: Channel, user: User | None, after: int | None = None) -> Joined:
        """What somebody needs to follow the chat from here on; `after` is the last sequence that
        they have seen.
        """
        known = self._snapshots.get(channel.id)
        joined, snapshot = await self._db.read(
            _join, channel, user, after, known, self._clock.wall_ms()
        )
        self._snapshots.put(channel.id, snapshot)
        return joined

    def forget_snapshots(self) -> None:
        """What is the same for all channels changed, such as the site's emotes."""
        self._snapshots.clear()

    async def history(
        self, channel: Channel, before: int | None = None, limit: int = limits.CHAT_HISTORY_LINES
    ) -> tuple[ChatEvent, ...]:
        """The lines before a sequence (None: the newest), oldest first."""
        upto = limits.CHAT_SEQUENCE_MAX if before is None else max(0, before - 1)
        limit = max(1, min(limit, limits.CHAT_HISTORY_LINES))
        return await self._db.read(
            log.history, channel.id, upto=min(upto, limits.CHAT_SEQUENCE_MAX), limit=limit
        )

    async def you(self, channel: Channel, user: User | None) -> You:
        """What the asker may do now."""
        return await self._db.read(admission.you, channel, user, self._clock.wall_ms())

    async def yous(self, channel: Channel, user_ids: Sequence[str]) -> dict[str, You]:
        """What each of them may do now; without accounts that are gone."""
        return await self._db.read(admission.yous, channel, user_ids, self._clock.wall_ms())

    async def card(self, channel: Channel, viewer: User | None, username: str) -> Card:
        """Raises `NotFound`."""
        return await self._db.read(_card, channel, viewer, username, self._clock.wall_ms())

    async def say(
        self,
        user: User | None,
        channel: Channel,
        text: str,
        *,
        reply_to: str | None = None,
        nonce: str,
    ) -> Said:
        """Write a line and wait until it is committed, or do what a line with a / says.

        The same nonce from the same user again answers with the line that it was used for.
        Raises `Unauthorized`, `Invalid(field="text"|"nonce"|"reply_to")`, `Forbidden` (its code
        says which rule), `RateLimited`, `Unavailable`; what commands raise besides: `act`.
        """
        if user is None:
            raise Unauthorized("Log in to write.", code="sign_in")
        text, nonce = checked_text(text), checked_nonce(nonce)
        self._pace.charge(user.id)
        if commands.is_command(text):
            return await self._command(user, channel, text, reply_to, nonce)
        return await self._writer.write(NewLine(user, channel, text, reply_to, nonce))

    async def write(
        self, fn: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a transaction that adds to a log. Raises what `fn` raises, or `Unavailable`.

        One at a time, so that events are published in the order of their sequence.
        """
        if self._waiting >= limits.CHAT_WAITING_MAX:
            raise Unavailable("The chat is too busy right now. Try again in a moment.")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._db.write(fn, *args, **kwargs)
        finally:
            self._waiting -= 1

    async def act(self, user: User | None, channel: Channel, action: Action) -> Acted:
        """Do what only moderators may. Raises `Unauthorized`, `Forbidden`, `NotFound`, `Invalid`,
        `Conflict`, `RateLimited` or `Unavailable`.
        """
        if user is None:
            raise Unauthorized("Log in first.", code="sign_in")
        self._pace.charge(user.id)
        return await self.write(_act, channel, user, action, self._clock.wall_ms())

    async def _command(
        self, user: User, channel: Channel, text: str, reply_to: str | None, nonce: str
    ) -> Said:
        rank = await self._db.read(_current_rank, channel, user, self._clock.wall_ms())
        meaning: Meaning = commands.parse(text, rank, reply_to=reply_to, nonce=nonce)
        match meaning:
            case ShowHelp():
                return Said(notice=commands.help_text(rank))
            case ListModerators():
                names = [one.username for one in await self._db.read(_moderators, channel.id)]
                return Said(notice=f"Moderators: {', '.join(names)}." if names else "Nobody yet.")
            case PinNewest():
                line_id = await self._db.read(_newest_line_id, channel.id, user.id)
                meaning = actions.Pin(line_id)
        acted = await self.write(_act, channel, user, meaning, self._clock.wall_ms())
        return Said(notice=acted.notice)

    async def _write_lines(self, new_lines: Sequence[NewLine]) -> list[Outcome]:
        return await self.write(lines.write, new_lines, self._clock.wall_ms())


def _join(
    tx: Transaction,
    channel: Channel,
    user: User | None,
    after: int | None,
    known: Snapshot | None,
    now_ms: int,
) -> tuple[Joined, Snapshot]:
    # PostgreSQL gives each statement a view of its own: all that follows is bounded by this one.
    room = log.room_of(tx, channel.id)
    snapshot = known
    if snapshot is None or snapshot.sequence != room.sequence:
        snapshot = Snapshot(
            sequence=room.sequence,
            lines=None,
            pinned=log.pinned_line(tx, room),
            rules=rules.get(tx, channel.id),
            emotes=list_emotes(tx, channel.id),
        )
    is_resumed = after is not None and 0 <= room.sequence - after <= limits.CHAT_RESUME_EVENTS_MAX
    if is_resumed:
        assert after is not None
        events = log.events_between(tx, channel.id, after, room.sequence)
    else:
        if snapshot.lines is None:
            lines = log.history(tx, channel.id, upto=room.sequence, limit=limits.CHAT_HISTORY_LINES)
            snapshot = dataclasses.replace(snapshot, lines=lines)
        assert snapshot.lines is not None
        events = snapshot.lines
    fresh = reload(tx, user) if user else None
    you = admission.you(tx, channel, fresh, now_ms) if fresh else admission.visitor(snapshot.rules)
    joined = Joined(
        sequence=room.sequence,
        reset=not is_resumed,
        events=events,
        pinned=snapshot.pinned,
        rules=snapshot.rules,
        emotes=snapshot.emotes,
        you=you,
        commands=commands.commands_for(Rank[you.role.upper()]) if fresh else (),
    )
    return joined, snapshot


def _act(tx: Transaction, channel: Channel, user: User, action: Action, now_ms: int) -> Acted:
    fresh = reload(tx, user)
    if fresh is None:
        raise Unauthorized("Log in first.")
    _check_free(tx, channel, fresh, now_ms)
    return actions.act(tx, channel, fresh, action, now_ms)


def _check_free(tx: Transaction, channel: Channel, user: User, now_ms: int) -> None:
    """Somebody who is banned or timed out moderates as little as they write."""
    if user.is_banned:
        raise Forbidden(admission.BANNED_FROM_SITE.message, code=admission.BANNED_FROM_SITE.code)
    held = restrictions.find(tx, channel.id, user.id, now_ms)
    if held is not None:
        refusal = admission.refusal_of(held, now_ms)
        raise Forbidden(refusal.message, code=refusal.code)


def _current_rank(tx: Transaction, channel: Channel, user: User, now_ms: int) -> Rank:
    fresh = reload(tx, user)
    if fresh is None:
        raise Unauthorized("Log in first.")
    _check_free(tx, channel, fresh, now_ms)
    return ranks.rank_of(tx, fresh, channel)


def _moderators(tx: Transaction, channel_id: str) -> list[ranks.Moderator]:
    return ranks.list_moderators(tx, channel_id)


def _newest_line_id(tx: Transaction, channel_id: str, user_id: str) -> str:
    line = log.newest_line(tx, log.room_of(tx, channel_id), user_id)
    if line is None or line.is_removed:
        raise Conflict("You have no message to pin. Reply to one with /pin.", code="no_line")
    return line.id


def _card(
    tx: Transaction,
    channel: Channel,
    viewer: User | None,
    username: str,
    now_ms: int,
) -> Card:
    target = find_by_typed_name(tx, username)
    if target is None:
        raise NotFound("There is nobody with that name.", code="user_not_found")
    moderates = ranks.rank_of(tx, viewer, channel) >= Rank.MODERATOR
    return Card(
        username=target.username,
        profile=Profile() if target.is_banned else profiles.find(tx, target.id),
        role=ranks.role_of(ranks.rank_of(tx, target, channel), target.id, channel),
        joined_at_ms=target.created_at_ms,
        follows_since_ms=followed_since_ms(tx, target.id, channel.id),
        lines=log.count_lines(tx, channel.id, target.id) if moderates else None,
        restriction=(restrictions.find(tx, channel.id, target.id, now_ms) if moderates else None),
    )

"""Actions of moderators: each a small dataclass, checked and done in one transaction.

Whoever acts must be a moderator at least and stand above whom they act on. Each action is logged,
and what viewers should see of it becomes events of the chat. Called by chat/chat.py alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mediaserver.accounts import permissions
from mediaserver.accounts.permissions import Rank
from mediaserver.accounts.users import User, find_by_typed_name, users_by_id
from mediaserver.channels.channels import Channel
from mediaserver.chat import log
from mediaserver.chat.events import ChatEvent, YouChanged
from mediaserver.chat.line_text import checked_text
from mediaserver.chat.log import Line, NewEvent, Room
from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.texts import checked_line
from mediaserver.moderation import actions_log, ranks, restrictions, rules, words
from mediaserver.moderation.durations import in_words

COLOURS = ("accent", "good", "warn")


@dataclass(frozen=True, slots=True)
class Remove:
    """Take a line away; it stays as "removed"."""

    id: str


@dataclass(frozen=True, slots=True)
class TimeOut:
    """Nothing to write for `seconds`; the last lines go."""

    username: str
    seconds: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Untimeout:
    username: str


@dataclass(frozen=True, slots=True)
class Ban:
    """Nothing to write until unbanned; the last lines go."""

    username: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unban:
    """Lift a ban or a time-out."""

    username: str


@dataclass(frozen=True, slots=True)
class Clear:
    """Take all lines away."""


@dataclass(frozen=True, slots=True)
class Pin:
    """Show a line on top, in the place of what was there."""

    id: str


@dataclass(frozen=True, slots=True)
class Unpin:
    pass


@dataclass(frozen=True, slots=True)
class Announce:
    """A highlighted line."""

    text: str
    colour: str = "accent"
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class SetRules:
    """Change the rules that are named and leave the others."""

    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AddModerator:
    username: str


@dataclass(frozen=True, slots=True)
class RemoveModerator:
    username: str


@dataclass(frozen=True, slots=True)
class AddWord:
    """Block a word or phrase."""

    word: str


@dataclass(frozen=True, slots=True)
class RemoveWord:
    word: str


Action = (
    Remove
    | TimeOut
    | Untimeout
    | Ban
    | Unban
    | Clear
    | Pin
    | Unpin
    | Announce
    | SetRules
    | AddModerator
    | RemoveModerator
    | AddWord
    | RemoveWord
)


@dataclass(frozen=True, slots=True)
class Acted:
    """What came of it: a sentence for whoever acted, and the events that tell everybody."""

    notice: str
    events: tuple[ChatEvent, ...] = ()


def act(tx: Transaction, channel: Channel, actor: User, action: Action, now_ms: int) -> Acted:
    """Do it. Raises `Forbidden`, `NotFound`, `Invalid` or `Conflict`; then nothing has happened."""
    room = log.lock_room(tx, channel)
    work = _Work(tx, channel, room, actor, ranks.rank_of(tx, actor, channel), now_ms)
    permissions.check_rank(work.rank, permissions.Action.MODERATE_CHAT)
    match action:
        case Remove():
            notice = work.remove(action)
        case TimeOut():
            notice = work.time_out(action)
        case Ban():
            notice = work.ban(action)
        case Untimeout() | Unban():
            notice = work.forgive(action)
        case Clear():
            notice = work.clear()
        case Pin():
            notice = work.pin(action)
        case Unpin():
            notice = work.unpin()
        case Announce():
            notice = work.announce(action)
        case SetRules():
            notice = work.set_rules(action)
        case AddModerator() | RemoveModerator():
            notice = work.change_moderators(action)
        case AddWord():
            notice = work.add_word(action)
        case RemoveWord():
            notice = work.remove_word(action)
    return Acted(notice, log.append(tx, channel, room, work.events, now_ms))


class _Work:
    """One action under way: the room is locked, the actor is a moderator at least."""

    def __init__(
        self,
        tx: Transaction,
        channel: Channel,
        room: Room,
        actor: User,
        rank: Rank,
        now_ms: int,
    ) -> None:
        self.tx = tx
        self.channel = channel
        self.room = room
        self.actor = actor
        self.rank = rank
        self.now_ms = now_ms

        self.events: list[NewEvent] = []

    def remove(self, action: Remove) -> str:
        line = self._line(action.id)
        if line.is_removed:
            return "That message was removed already."
        self._check_author(line)
        self._remove_lines([line.id], None)
        self._log("remove", self._author(line), line.text)
        return "The message was removed."

    def time_out(self, action: TimeOut) -> str:
        if not 1 <= action.seconds <= limits.TIMEOUT_S_MAX:
            raise Invalid(f"Use 1 s to {in_words(limits.TIMEOUT_S_MAX)}.", field="seconds")
        reason = _checked_reason(action.reason)
        target = self._target(action.username)
        held = restrictions.find(self.tx, self.channel.id, target.id, self.now_ms)
        if held is not None and held.is_ban:
            raise Conflict(f"{target.username} is banned.", code="already_banned")
        length = in_words(action.seconds)
        until_ms = self.now_ms + action.seconds * 1000
        self._restrict(target, reason, until_ms)
        self._log("timeout", target, f"{length}. {reason}".rstrip(". ") if reason else length)
        return f"{target.username} can't write for {length}."

    def ban(self, action: Ban) -> str:
        reason = _checked_reason(action.reason)
        target = self._target(action.username)
        held = restrictions.find(self.tx, self.channel.id, target.id, self.now_ms)
        if held is not None and held.is_ban:
            return f"{target.username} is banned already."
        ranks.remove_moderator(self.tx, self.channel.id, target.id)
        self._restrict(target, reason, None)
        self._log("ban", target, reason)
        return f"{target.username} is banned."

    def forgive(self, action: Untimeout | Unban) -> str:
        target = self._target(action.username)
        held = restrictions.find(self.tx, self.channel.id, target.id, self.now_ms)
        if held is None:
            return f"{target.username} can write already."
        if held.is_ban and isinstance(action, Untimeout):
            raise Conflict(f"{target.username} is banned: unban them instead.", code="banned")
        restrictions.lift(self.tx, self.channel.id, target.id)
        self._you_changed(target)
        self._log("unban" if held.is_ban else "untimeout", target)
        return f"{target.username} can write again."

    def clear(self) -> str:
        if self.room.pinned_id is not None:
            self._unpin()
        log.clear(self.tx, self.room)
        self._tell("cleared", by=self.actor.username)
        self._log("clear")
        return "The chat was cleared."

    def pin(self, action: Pin) -> str:
        line = self._line(action.id)
        if line.is_removed:
            raise Conflict("That message was removed.", code="removed")
        if self.room.pinned_id == line.id:
            return "That message is pinned already."
        log.set_pinned(self.tx, self.room, line.id)
        self._tell("pinned", id=line.id, by=self.actor.username)
        self._log("pin", self._author(line), line.text)
        return "The message is pinned."

    def unpin(self) -> str:
        if self.room.pinned_id is None:
            return "Nothing is pinned."
        self._unpin()
        self._log("unpin")
        return "The message is no longer pinned."

    def announce(self, action: Announce) -> str:
        text = checked_text(action.text)
        if action.colour not in COLOURS:
            raise Invalid(f"Use one of {', '.join(COLOURS)}.", field="colour")
        if action.nonce is not None:
            key = (self.channel.id, self.actor.id, action.nonce)
            if key in log.said_before(self.tx, [key]):
                return "That was announced already."
        self._tell_line("announcement", text, action.nonce, colour=action.colour)
        self._log("announce", detail=text)
        return "Announced."

    def set_rules(self, action: SetRules) -> str:
        before = rules.get(self.tx, self.channel.id)
        after = rules.changed(before, dict(action.changes))
        if after == before:
            return "The rules are like that already."
        rules.put(self.tx, self.channel.id, after)
        self._tell("rules", rules=dataclasses.asdict(after), by=self.actor.username)
        self._log("rules", detail=rules.differences(before, after))
        return "The rules are changed."

    def change_moderators(self, action: AddModerator | RemoveModerator) -> str:
        permissions.check_rank(self.rank, permissions.Action.CHANGE_MODERATORS)
        target = self._user(action.username)
        rank = ranks.rank_of(self.tx, target, self.channel)
        if isinstance(action, AddModerator):
            if rank > Rank.MODERATOR:
                return f"{target.username} may do that and more already."
            if not ranks.add_moderator(
                self.tx, self.channel.id, target.id, self.actor.id, self.now_ms
            ):
                return f"{target.username} is a moderator already."
            restrictions.lift(self.tx, self.channel.id, target.id)
            self._log("mod", target)
            notice = f"{target.username} is a moderator now."
        else:
            if not ranks.remove_moderator(self.tx, self.channel.id, target.id):
                return f"{target.username} is no moderator."
            self._log("unmod", target)
            notice = f"{target.username} is no longer a moderator."
        self._you_changed(target)
        return notice

    def add_word(self, action: AddWord) -> str:
        word = words.add(self.tx, self.channel.id, action.word, self.actor.id, self.now_ms)
        if word is None:
            return "That word is blocked already."
        self._log("block-word", detail=word)
        return "The word is blocked."

    def remove_word(self, action: RemoveWord) -> str:
        words.remove(self.tx, self.channel.id, action.word)
        self._log("unblock-word", detail=action.word)
        return "The word is allowed again."

    def _restrict(self, target: User, reason: str, until_ms: int | None) -> None:
        restrictions.impose(
            self.tx,
            self.channel.id,
            target.id,
            reason=reason,
            made_by_id=self.actor.id,
            now_ms=self.now_ms,
            until_ms=until_ms,
        )
        if ids := log.lines_of(self.tx, self.room, target.id):
            self._remove_lines(ids, target.username)
        self._you_changed(target)

    def _remove_lines(self, ids: list[str], username: str | None) -> None:
        log.remove_lines(self.tx, ids, self.actor.id, self.now_ms)
        self._tell("removed", ids=ids, username=username, by=self.actor.username)
        if self.room.pinned_id in ids:
            self._unpin()

    def _unpin(self) -> None:
        log.set_pinned(self.tx, self.room, None)
        self._tell("unpinned", by=self.actor.username)

    def _tell(self, kind: str, **data: Any) -> None:
        self.events.append(
            NewEvent(kind, new_id(log.EVENT_PREFIX), self.actor.id, self._role(), data=data)
        )

    def _tell_line(self, kind: str, text: str, nonce: str | None, **data: Any) -> None:
        self.events.append(
            NewEvent(
                kind, new_id(log.LINE_PREFIX), self.actor.id, self._role(), text, None, data, nonce
            )
        )

    def _role(self) -> str:
        return ranks.role_of(self.rank, self.actor.id, self.channel)

    def _line(self, line_id: str) -> Line:
        line = log.find_lines(self.tx, self.room, [line_id]).get(line_id)
        if line is None:
            raise NotFound("There is no such message.", code="line_not_found")
        return line

    def _author(self, line: Line) -> User | None:
        return users_by_id(self.tx, [line.user_id]).get(line.user_id) if line.user_id else None

    def _check_author(self, line: Line) -> None:
        author = self._author(line)
        if author is not None and author.id != self.actor.id:
            ranks.check_outranks(self.rank, ranks.rank_of(self.tx, author, self.channel))

    def _user(self, username: str) -> User:
        user = find_by_typed_name(self.tx, username)
        if user is None:
            raise NotFound("There is nobody with that name.", code="user_not_found")
        return user

    def _target(self, username: str) -> User:
        """Somebody whom the actor stands above."""
        target = self._user(username)
        ranks.check_outranks(self.rank, ranks.rank_of(self.tx, target, self.channel))
        return target

    def _you_changed(self, target: User) -> None:
        self.tx.emit(YouChanged(self.channel.id, self.channel.slug, target.id))

    def _log(self, action: str, target: User | None = None, detail: str = "") -> None:
        actions_log.write(
            self.tx,
            self.channel.id,
            self.channel.slug,
            actor=(self.actor.id, self.actor.username),
            action=action,
            target=(target.id, target.username) if target else None,
            detail=detail,
            now_ms=self.now_ms,
        )


def _checked_reason(reason: str) -> str:
    return checked_line(reason, "reason", limits.MODERATION_REASON_CHARS_MAX)

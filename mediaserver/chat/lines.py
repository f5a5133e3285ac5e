"""Lines on their way into the log: one transaction checks and writes all that have gathered.

Called by chat/writer.py alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mediaserver.accounts.users import User, users_by_id
from mediaserver.channels.channels import Channel
from mediaserver.chat import log
from mediaserver.chat.admission import Admission
from mediaserver.chat.log import Line, NewEvent
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.errors import Invalid, MediaserverError, NotFound, Unauthorized
from mediaserver.kernel.ids import new_id
from mediaserver.moderation import ranks


@dataclass(frozen=True, slots=True)
class NewLine:
    """What somebody wants to say; the text is checked."""

    user: User
    channel: Channel
    text: str
    reply_to: str | None
    nonce: str

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.channel.id, self.user.id, self.nonce)


@dataclass(frozen=True, slots=True)
class Said:
    """A line that was written, or a command that was done (then `notice` says what came of it)."""

    sequence: int | None = None
    id: str | None = None
    notice: str | None = None


Outcome = Said | MediaserverError


def write(tx: Transaction, lines: Sequence[NewLine], now_ms: int) -> list[Outcome]:
    """What became of each line, in order. A line that is refused keeps no other from its turn."""
    rooms = log.lock_rooms(tx, {line.channel.id for line in lines})
    by_channel = {line.channel.id: line.channel for line in lines if line.channel.id in rooms}
    users = users_by_id(tx, [line.user.id for line in lines])
    said = log.said_before(tx, [line.key for line in lines])
    admission = Admission(tx, by_channel.values(), users.values(), now_ms)
    targets: dict[str, dict[str, Line]] = {
        channel_id: log.find_lines(
            tx,
            room,
            {line.reply_to for line in lines if line.reply_to and line.channel.id == channel_id},
        )
        for channel_id, room in rooms.items()
        if any(line.reply_to and line.channel.id == channel_id for line in lines)
    }
    added: dict[str, list[NewEvent]] = {}
    outcomes: list[Outcome] = []
    for line in lines:
        if line.key in said:  # sent again, because the answer got lost
            line_id, sequence = said[line.key]
            outcomes.append(Said(sequence, line_id))
            continue
        try:
            if line.channel.id not in rooms:
                raise NotFound("There is no such channel.", code="channel_not_found")
            user = users.get(line.user.id)
            if user is None:
                raise Unauthorized("Log in first.")
            if line.reply_to and line.reply_to not in targets.get(line.channel.id, {}):
                raise Invalid("That message isn't there to reply to.", field="reply_to")
            admission.check(line.channel, user, line.text)
        except MediaserverError as error:
            outcomes.append(error)
            continue
        rank = admission.rank(line.channel, user)
        event = NewEvent(
            "message",
            new_id(log.LINE_PREFIX),
            user.id,
            ranks.role_of(rank, user.id, line.channel),
            line.text,
            line.reply_to,
            nonce=line.nonce,
        )
        events = added.setdefault(line.channel.id, [])
        events.append(event)
        sequence = rooms[line.channel.id].sequence + len(events)
        said[line.key] = (event.id, sequence)
        outcomes.append(Said(sequence, event.id))
    for channel_id, events in added.items():
        log.append(tx, by_channel[channel_id], rooms[channel_id], events, now_ms)
    return outcomes

"""The log of a channel's chat: every event that ever reached anybody, numbered without a hole.

`chat_room` holds a channel's counter; whoever adds to the log locks that row first, so that two
processes number one after the other. Owns the tables `chat_event` and `chat_room`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Row,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)
from sqlalchemy import text as sql

from mediaserver.accounts.users import user_account
from mediaserver.channels.channels import Channel, channel
from mediaserver.channels.streams import open_stream_id
from mediaserver.chat.emote_list import list_emotes
from mediaserver.chat.events import LINES, Author, ChatEvent, ChatEvents, Quote
from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.ids import is_id

chat_event = table(
    "chat_event",
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), primary_key=True),
    int64("sequence", primary_key=True),
    text("id"),
    text("kind"),
    int64("at_ms", index=True),
    text("user_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    text("role", nullable=True),
    text("stream_id", ForeignKey("stream.id", ondelete="SET NULL"), nullable=True),
    text("text"),
    text("reply_to_id", nullable=True),
    text("data"),
    text("nonce", nullable=True),
    int64("removed_at_ms", nullable=True),
    text("removed_by_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    UniqueConstraint("id"),
    UniqueConstraint("channel_id", "user_id", "nonce", name="uq_chat_event_nonce"),
    Index("ix_chat_event_author", "user_id", "channel_id", "sequence"),
    CheckConstraint("sequence >= 1", name="sequence"),
    CheckConstraint(
        "kind IN ('message', 'announcement', 'notice', 'removed', 'pinned', 'unpinned', "
        "'rules', 'emotes', 'cleared')",
        name="kind",
    ),
    CheckConstraint("role IN ('viewer', 'moderator', 'owner', 'admin')", name="role"),
    CheckConstraint("length(text) <= 500", name="text"),
    CheckConstraint("length(nonce) BETWEEN 1 AND 64", name="nonce"),
)

chat_room = table(
    "chat_room",
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), primary_key=True),
    int64("sequence"),
    int64("cleared_sequence"),
    text("pinned_id", ForeignKey("chat_event.id", ondelete="SET NULL"), nullable=True),
    CheckConstraint("sequence >= 0", name="sequence"),
    CheckConstraint("cleared_sequence BETWEEN 0 AND sequence", name="cleared"),
)


LINE_PREFIX, EVENT_PREFIX = "msg", "evt"
"""How identifiers of lines, and of everything else in the log, begin."""


@dataclass(frozen=True, slots=True)
class Room:
    """Where a channel's log stands: its last sequence, how far it was cleared, what is pinned."""

    channel_id: str
    sequence: int = 0
    cleared_sequence: int = 0
    pinned_id: str | None = None


@dataclass(frozen=True, slots=True)
class NewEvent:
    """What is to be added to a log."""

    kind: str
    id: str
    user_id: str | None
    role: str | None = None
    text: str = ""
    reply_to_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line as moderators act on it."""

    id: str
    sequence: int
    kind: str
    user_id: str | None
    text: str
    is_removed: bool


def room_of(tx: Transaction, channel_id: str) -> Room:
    """As it is, without a lock."""
    row = tx.execute(select(chat_room).where(chat_room.c.channel_id == channel_id)).first()
    return _to_room(row) if row else Room(channel_id)


def lock_rooms(tx: Transaction, channel_ids: Iterable[str]) -> dict[str, Room]:
    """The rooms of those channels that exist, held until the transaction ends. Always in one
    order, so that two transactions never wait for each other.
    """
    ids = sorted(set(channel_ids))
    query = select(chat_room).where(chat_room.c.channel_id.in_(ids)).order_by("channel_id")
    rooms = {row.channel_id: _to_room(row) for row in tx.execute(query.with_for_update())}
    missing = [channel_id for channel_id in ids if channel_id not in rooms]
    if missing:
        known = tx.execute(select(channel.c.id).where(channel.c.id.in_(missing)))
        missing = list(known.scalars())
    if missing:
        tx.execute(
            sql(
                "INSERT INTO chat_room (channel_id, sequence, cleared_sequence)"
                " VALUES (:channel_id, 0, 0) ON CONFLICT DO NOTHING"
            ),
            [{"channel_id": channel_id} for channel_id in missing],
        )
        rooms = {row.channel_id: _to_room(row) for row in tx.execute(query.with_for_update())}
    return rooms


def lock_room(tx: Transaction, channel: Channel) -> Room:
    """`lock_rooms` for one channel. Raises `NotFound`."""
    room = lock_rooms(tx, [channel.id]).get(channel.id)
    if room is None:
        raise NotFound("There is no such channel.", code="channel_not_found")
    return room


def append(
    tx: Transaction, channel: Channel, room: Room, events: Sequence[NewEvent], now_ms: int
) -> tuple[ChatEvent, ...]:
    """Add `events` to the log of a locked room and publish them after the commit."""
    if not events:
        return ()
    stream_id = open_stream_id(tx, channel.id)
    tx.execute(
        insert(chat_event),
        [
            {
                "channel_id": channel.id,
                "sequence": room.sequence + place,
                "id": event.id,
                "kind": event.kind,
                "at_ms": now_ms,
                "user_id": event.user_id,
                "role": event.role,
                "stream_id": stream_id,
                "text": event.text,
                "reply_to_id": event.reply_to_id,
                "data": json.dumps(dict(event.data)),
                "nonce": event.nonce,
            }
            for place, event in enumerate(events, 1)
        ],
    )
    tx.execute(
        update(chat_room)
        .where(chat_room.c.channel_id == channel.id)
        .values(sequence=room.sequence + len(events))
    )
    made = _events(
        tx,
        channel.id,
        _select()
        .where(chat_event.c.channel_id == channel.id, chat_event.c.sequence > room.sequence)
        .order_by(chat_event.c.sequence),
    )
    tx.emit(ChatEvents(channel.id, channel.slug, made))
    return made


def history(tx: Transaction, channel_id: str, *, upto: int, limit: int) -> tuple[ChatEvent, ...]:
    """The last `limit` lines with a sequence of at most `upto`, oldest first; none from before the
    chat was cleared.
    """
    room = room_of(tx, channel_id)
    events = _events(
        tx,
        channel_id,
        _select()
        .where(
            chat_event.c.channel_id == channel_id,
            chat_event.c.sequence <= upto,
            chat_event.c.sequence > room.cleared_sequence,
            chat_event.c.kind.in_(LINES),
        )
        .order_by(chat_event.c.sequence.desc())
        .limit(limit),
    )
    return events[::-1]


def events_between(
    tx: Transaction, channel_id: str, after: int, upto: int
) -> tuple[ChatEvent, ...]:
    """All events with a sequence above `after`, up to `upto`."""
    return _events(
        tx,
        channel_id,
        _select()
        .where(
            chat_event.c.channel_id == channel_id,
            chat_event.c.sequence > after,
            chat_event.c.sequence <= upto,
        )
        .order_by(chat_event.c.sequence),
    )


def pinned_line(tx: Transaction, room: Room) -> ChatEvent | None:
    if room.pinned_id is None:
        return None
    return _lines_by_id(tx, room.channel_id, [room.pinned_id]).get(room.pinned_id)


def find_lines(tx: Transaction, room: Room, ids: Iterable[str]) -> dict[str, Line]:
    """Those of `ids` that are lines of the room."""
    rows = tx.execute(
        select(chat_event).where(
            chat_event.c.id.in_([line_id for line_id in ids if is_id(line_id, LINE_PREFIX)]),
            chat_event.c.channel_id == room.channel_id,
            chat_event.c.kind.in_(LINES),
        )
    )
    return {row.id: _to_line(row, room) for row in rows}


def newest_line(tx: Transaction, room: Room, user_id: str) -> Line | None:
    """The last line of `user_id`, removed or not."""
    row = tx.execute(
        select(chat_event)
        .where(
            chat_event.c.user_id == user_id,
            chat_event.c.channel_id == room.channel_id,
            chat_event.c.kind.in_(LINES),
        )
        .order_by(chat_event.c.sequence.desc())
        .limit(1)
    ).first()
    return _to_line(row, room) if row else None


def lines_of(tx: Transaction, room: Room, user_id: str) -> list[str]:
    """Ids of the newest lines of `user_id` that aren't removed, oldest first."""
    ids = tx.execute(
        select(chat_event.c.id)
        .where(
            chat_event.c.user_id == user_id,
            chat_event.c.channel_id == room.channel_id,
            chat_event.c.sequence > room.cleared_sequence,
            chat_event.c.kind.in_(LINES),
            chat_event.c.removed_at_ms.is_(None),
        )
        .order_by(chat_event.c.sequence.desc())
        .limit(limits.CHAT_REMOVED_LINES_MAX)
    ).scalars()
    return list(ids)[::-1]


def remove_lines(tx: Transaction, ids: Sequence[str], by_id: str, now_ms: int) -> None:
    """The text stays in the table, for the moderators' log; nobody is sent it again."""
    tx.execute(
        update(chat_event)
        .where(chat_event.c.id.in_(ids))
        .values(removed_at_ms=now_ms, removed_by_id=by_id)
    )


def clear(tx: Transaction, room: Room) -> None:
    """Every line so far counts as removed."""
    tx.execute(
        update(chat_room)
        .where(chat_room.c.channel_id == room.channel_id)
        .values(cleared_sequence=room.sequence)
    )


def forget(
    tx: Transaction,
    line_id: str,
    data: Callable[[dict[str, Any]], dict[str, Any]],
    now_ms: int,
) -> None:
    """Empty a line for good; `data` makes what is left of its data."""
    row = tx.execute(
        select(chat_event.c.data, chat_event.c.removed_at_ms).where(chat_event.c.id == line_id)
    ).first()
    if row is not None:
        tx.execute(
            update(chat_event)
            .where(chat_event.c.id == line_id)
            .values(
                text="",
                data=json.dumps(data(json.loads(row.data))),
                removed_at_ms=row.removed_at_ms or now_ms,
            )
        )


def set_pinned(tx: Transaction, room: Room, line_id: str | None) -> None:
    tx.execute(
        update(chat_room).where(chat_room.c.channel_id == room.channel_id).values(pinned_id=line_id)
    )


def said_before(
    tx: Transaction, nonces: Iterable[tuple[str, str, str]]
) -> dict[tuple[str, str, str], tuple[str, int]]:
    """(channel, user, nonce) → id and sequence of the line that it was used for."""
    wanted = set(nonces)
    if not wanted:
        return {}
    rows = tx.execute(
        select(
            chat_event.c.channel_id,
            chat_event.c.user_id,
            chat_event.c.nonce,
            chat_event.c.id,
            chat_event.c.sequence,
        ).where(
            chat_event.c.channel_id.in_({channel_id for channel_id, _, _ in wanted}),
            chat_event.c.user_id.in_({user_id for _, user_id, _ in wanted}),
            chat_event.c.nonce.in_({nonce for _, _, nonce in wanted}),
        )
    )
    return {(row.channel_id, row.user_id, row.nonce): (row.id, row.sequence) for row in rows}


def last_said_ms(tx: Transaction, channel_id: str, user_id: str) -> int | None:
    """When the user's last line was written; by sequence, as clocks may be set back."""
    at_ms = tx.execute(
        select(chat_event.c.at_ms)
        .where(
            chat_event.c.user_id == user_id,
            chat_event.c.channel_id == channel_id,
            chat_event.c.kind == "message",
        )
        .order_by(chat_event.c.sequence.desc())
        .limit(1)
    ).scalar()
    return None if at_ms is None else int(at_ms)


def last_texts(tx: Transaction, channel_id: str, limit: int) -> list[str]:
    """Texts of the newest lines."""
    return list(
        tx.execute(
            select(chat_event.c.text)
            .where(chat_event.c.channel_id == channel_id, chat_event.c.kind == "message")
            .order_by(chat_event.c.sequence.desc())
            .limit(limit)
        ).scalars()
    )


def count_lines(tx: Transaction, channel_id: str, user_id: str) -> int:
    return int(
        tx.execute(
            select(func.count())
            .select_from(chat_event)
            .where(
                chat_event.c.user_id == user_id,
                chat_event.c.channel_id == channel_id,
                chat_event.c.kind.in_(LINES),
            )
        ).scalar_one()
    )


_author = user_account.alias("author")
_target = chat_event.alias("target")
_target_author = user_account.alias("target_author")


def _select() -> Any:
    """Events with who wrote them, what they answer, and how far their room was cleared."""
    return (
        select(
            chat_event,
            _author.c.username,
            chat_room.c.cleared_sequence,
            _target.c.id.label("target_id"),
            _target.c.text.label("target_text"),
            _target.c.sequence.label("target_sequence"),
            _target.c.removed_at_ms.label("target_removed_at_ms"),
            _target_author.c.username.label("target_username"),
        )
        .join(chat_room, chat_room.c.channel_id == chat_event.c.channel_id)
        .outerjoin(_author, _author.c.id == chat_event.c.user_id)
        .outerjoin(_target, _target.c.id == chat_event.c.reply_to_id)
        .outerjoin(_target_author, _target_author.c.id == _target.c.user_id)
    )


def _events(tx: Transaction, channel_id: str, query: Any) -> tuple[ChatEvent, ...]:
    """Run a `_select()` and fill in what is looked up anew each time: pinned lines and emotes."""
    rows = list(tx.execute(query))
    pinned = [json.loads(row.data)["id"] for row in rows if row.kind == "pinned"]
    lines = _lines_by_id(tx, channel_id, pinned) if pinned else {}
    emotes = (
        [asdict(emote) for emote in list_emotes(tx, channel_id)]
        if any(row.kind == "emotes" for row in rows)
        else []
    )
    events = []
    for row in rows:
        data = json.loads(row.data)
        if row.kind == "pinned":
            line = lines.get(data["id"])
            data["line"] = line.as_json() if line else None
        elif row.kind == "emotes":
            data["emotes"] = emotes
        events.append(_to_event(row, data))
    return tuple(events)


def _lines_by_id(tx: Transaction, channel_id: str, ids: Sequence[str]) -> dict[str, ChatEvent]:
    query = _select().where(chat_event.c.id.in_(ids), chat_event.c.channel_id == channel_id)
    return {row.id: _to_event(row, json.loads(row.data)) for row in tx.execute(query)}


def _to_event(row: Row[Any], data: dict[str, Any]) -> ChatEvent:
    is_removed = _is_removed(row.kind, row.sequence, row.removed_at_ms, row.cleared_sequence)
    quote = None
    if row.target_id is not None:
        is_quote_removed = (
            row.target_removed_at_ms is not None or row.target_sequence <= row.cleared_sequence
        )
        quote = Quote(
            row.target_id,
            row.target_username or "",
            "" if is_quote_removed else row.target_text[: limits.CHAT_QUOTE_CHARS],
        )
    return ChatEvent(
        sequence=row.sequence,
        kind=row.kind,
        id=row.id,
        at_ms=row.at_ms,
        author=Author(row.user_id, row.username, row.role or "viewer") if row.username else None,
        text="" if is_removed else row.text,
        reply_to=None if is_removed else quote,
        removed=is_removed,
        data=data,
    )


def _is_removed(kind: str, sequence: int, removed_at_ms: int | None, cleared: int) -> bool:
    return removed_at_ms is not None or (kind in LINES and sequence <= cleared)


def _to_line(row: Row[Any], room: Room) -> Line:
    return Line(
        row.id,
        row.sequence,
        row.kind,
        row.user_id,
        row.text,
        _is_removed(row.kind, row.sequence, row.removed_at_ms, room.cleared_sequence),
    )


def _to_room(row: Row[Any]) -> Room:
    return Room(row.channel_id, row.sequence, row.cleared_sequence, row.pinned_id)

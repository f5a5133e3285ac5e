"""Streams: planned by hand or begun by an encoder, one row from then until they are over.

    planned → start asked → started (held, starting, live, reconnecting: the engine knows) → ended

A stream that was planned gets the broadcast of the next encoder; otherwise the broadcast makes its
stream. Owns the table `stream`; stream_recorder.py writes through the functions here what the
engine reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Unpack

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Row,
    Text,
    func,
    insert,
    select,
    update,
)
from sqlalchemy import text as sql

from mediaserver.accounts.users import User
from mediaserver.channels import channels, information
from mediaserver.channels.categories import category
from mediaserver.channels.channels import channel
from mediaserver.channels.information import Changes, Information
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound
from mediaserver.kernel.ids import new_id
from mediaserver.media.events import SERVER_STOPS

_OPEN = "ended_at_ms IS NULL AND started_at_ms IS NOT NULL"

stream = table(
    "stream",
    identifier(),  # of a planned stream its own, else that of the broadcast
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), index=True),
    text("stream_key_id", ForeignKey("stream_key.id", ondelete="SET NULL"), nullable=True),
    text("title"),
    int64("created_at_ms"),
    int64("live_at_ms", nullable=True),
    int64("ended_at_ms", nullable=True, index=True),
    text("end_reason", nullable=True),
    *information.columns(),
    int64("started_at_ms", nullable=True),
    int64("start_asked_at_ms", nullable=True),
    text("broadcast_id", nullable=True, index=True),
    Column("description", Text, nullable=False, server_default=""),
    CheckConstraint("(ended_at_ms IS NULL) = (end_reason IS NULL)", name="ended"),
    Index(
        "uq_stream_open",
        "channel_id",
        unique=True,
        sqlite_where=sql(_OPEN),
        postgresql_where=sql(_OPEN),
    ),
)

STOPPED = "The stream was stopped from the studio."
CANCELLED = "It was cancelled."
_CRASHED = "The server stopped unexpectedly."

Phase = Literal["planned", "waiting", "started", "ended", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(Information):
    """A stream with its own copy of what it is about. `channel` is a slug.

    `waiting`: it was started and waits for an encoder. What happens while it is `started` is known
    to the engine under `broadcast_id`.
    """

    id: str
    channel_id: str
    channel: str
    owner_id: str
    broadcast_id: str | None
    created_at_ms: int
    start_asked_at_ms: int | None
    started_at_ms: int | None
    live_at_ms: int | None
    ended_at_ms: int | None
    end_reason: str | None

    @property
    def phase(self) -> Phase:
        if self.ended_at_ms is not None:
            return "ended" if self.started_at_ms is not None else "cancelled"
        if self.started_at_ms is not None:
            return "started"
        return "planned" if self.start_asked_at_ms is None else "waiting"


class Broadcasts(Protocol):
    """The engine's registry, as far as streams are started and stopped."""

    def status(self, channel: str) -> Any: ...

    def start(self, channel: str) -> bool: ...

    def stop(self, channel: str, reason: str) -> bool: ...

    def withdraw(self, channel: str, reason: str) -> bool: ...


class Streams:
    """Plans, starts, stops and finds streams."""

    def __init__(self, db: Database, clock: Clock, broadcasts: Broadcasts) -> None:
        self._db = db
        self._clock = clock
        self._broadcasts = broadcasts

    async def plan(self, actor: User, slug: str, **about: Unpack[Changes]) -> Stream:
        """A stream of the channel for later; what isn't given is as the channel has it now.

        Raises `NotFound`, `Forbidden`, `Invalid` or `Conflict` (too many of them).
        """
        return await self._db.write(_plan, actor, slug, about, self._clock.wall_ms())

    async def start(self, actor: User, stream_id: str) -> Stream:
        """What the encoder sends is public from now on, or from when it connects.

        Raises `NotFound`, `Forbidden` or `Conflict` (over, another one is live, encoder away).
        """
        started = await self._db.write(_start, actor, stream_id, self._clock.wall_ms())
        if started.phase == "started" and not self._broadcasts.start(started.channel):
            status = self._broadcasts.status(started.channel)
            if status is not None and not status.is_public:
                raise Conflict(
                    "Your encoder has lost its connection. Start when it is back.",
                    code="encoder_away",
                )
        return started

    async def stop(self, actor: User, stream_id: str) -> Stream:
        """Over: the encoder is disconnected, or a plan is dropped. Raises as `start` does."""
        stopped = await self._db.write(_cancel, actor, stream_id, self._clock.wall_ms())
        if stopped.phase == "started":
            self._broadcasts.stop(stopped.channel, STOPPED)
        return stopped

    async def get(self, stream_id: str) -> Stream:
        """Raises `NotFound`. Whether it is public yet is for the caller to look at."""
        return await self._db.read(get, stream_id)

    async def running(self, channel_id: str) -> Stream | None:
        """What the channel's encoder sends right now, held or live."""
        return await self._db.read(_running, channel_id)

    async def list_of(self, channel_id: str, *, with_plans: bool) -> list[Stream]:
        """Newest first, at most `STREAMS_LISTED_MAX`; without plans only those that went live."""
        return await self._db.read(_list_of, channel_id, with_plans)

    async def last_live_at_ms(self, channel_ids: Sequence[str]) -> dict[str, int]:
        """Channel id → when its latest live stream ended; without channels that never had one."""
        return await self._db.read(_last_live_at_ms, channel_ids) if channel_ids else {}


def get(tx: Transaction, stream_id: str) -> Stream:
    """Raises `NotFound`."""
    if len(stream_id) <= limits.ID_CHARS_MAX and "\0" not in stream_id:
        row = tx.execute(_select().where(stream.c.id == stream_id)).first()
        if row is not None:
            return _to_stream(row)
    raise NotFound("There is no such stream.", code="stream_not_found")


def open_stream_id(tx: Transaction, channel_id: str) -> str | None:
    """The stream that the channel's encoder sends right now."""
    found = tx.execute(
        select(stream.c.id).where(stream.c.channel_id == channel_id, sql(_OPEN))
    ).scalar()
    return None if found is None else str(found)


def _running(tx: Transaction, channel_id: str) -> Stream | None:
    row = tx.execute(_select().where(stream.c.channel_id == channel_id, sql(_OPEN))).first()
    return None if row is None else _to_stream(row)


def start_is_asked(tx: Transaction, channel_id: str) -> bool:
    """Whether a stream of the channel was started and waits for an encoder."""
    return _waiting(tx, channel_id) is not None


def was_cut_off(tx: Transaction, channel_id: str, now_ms: int) -> bool:
    """Whether the channel's latest stream was public and only the server's own stop, or crash, took
    it off air, a moment ago. A crash leaves no time of its own: the start after it counts."""
    latest = tx.execute(
        select(stream.c.live_at_ms, stream.c.ended_at_ms, stream.c.end_reason)
        .where(stream.c.channel_id == channel_id, stream.c.started_at_ms.is_not(None))
        .order_by(stream.c.started_at_ms.desc(), stream.c.id.desc())
        .limit(1)
    ).first()
    return (
        latest is not None
        and latest.live_at_ms is not None
        and latest.end_reason in (SERVER_STOPS, _CRASHED)
        and now_ms - latest.ended_at_ms <= limits.RESTART_RESUMES_MS
    )


def begin(
    tx: Transaction, channel_id: str, broadcast_id: str, stream_key_id: str, at_ms: int
) -> bool:
    """An encoder was accepted. True when the streamer has asked for the start already. Twice is as
    good as once.
    """
    begun = tx.execute(
        select(stream.c.start_asked_at_ms).where(stream.c.broadcast_id == broadcast_id)
    ).first()
    if begun is not None:
        return begun.start_asked_at_ms is not None
    _end_open(tx, channel_id, at_ms, "Another stream took its place.")
    found = channels.get_by_id(tx, channel_id)
    plan = _waiting(tx, channel_id)
    is_asked = plan is not None
    if plan is None and found.starts_automatically:
        plan = _newest_plan(tx, channel_id)
    of_broadcast = {
        "broadcast_id": broadcast_id,
        "stream_key_id": stream_key_id,
        "started_at_ms": at_ms,
    }
    if plan is None:
        tx.execute(
            insert(stream).values(
                id=broadcast_id,
                channel_id=channel_id,
                created_at_ms=at_ms,
                **of_broadcast,
                **channels.information_of(tx, channel_id),
            )
        )
    else:
        tx.execute(update(stream).where(stream.c.id == plan).values(**of_broadcast))
        if is_asked:  # the channel took it over then, and may have been edited since
            copy_information(tx, channel_id)
        else:
            channels.adopt(tx, channel_id, _information(tx, plan), at_ms)
    return is_asked


def set_live(tx: Transaction, broadcast_id: str, at_ms: int) -> None:
    tx.execute(update(stream).where(stream.c.broadcast_id == broadcast_id).values(live_at_ms=at_ms))


def set_ended(tx: Transaction, broadcast_id: str, at_ms: int, reason: str) -> None:
    tx.execute(
        update(stream)
        .where(stream.c.broadcast_id == broadcast_id, stream.c.ended_at_ms.is_(None))
        .values(ended_at_ms=at_ms, end_reason=reason)
    )


def copy_information(tx: Transaction, channel_id: str) -> None:
    """The channel's running stream is now about what the channel says."""
    tx.execute(
        update(stream)
        .where(stream.c.channel_id == channel_id, sql(_OPEN))
        .values(**channels.information_of(tx, channel_id))
    )


def close_left_open(tx: Transaction, now_ms: int) -> int:
    """End what a crash has left running; how many there were."""
    return tx.execute(
        update(stream).where(sql(_OPEN)).values(ended_at_ms=now_ms, end_reason=_CRASHED)
    ).rowcount


def _plan(tx: Transaction, actor: User, slug: str, about: Changes, now_ms: int) -> Stream:
    managed = channels.get_managed(tx, actor, slug)
    channels.lock(tx, managed.id)
    plans = tx.execute(
        select(func.count())
        .select_from(stream)
        .where(
            stream.c.channel_id == managed.id,
            stream.c.started_at_ms.is_(None),
            stream.c.ended_at_ms.is_(None),
        )
    ).scalar_one()
    if plans >= limits.STREAM_PLANS_MAX:
        raise Conflict(
            f"{plans} streams are planned already. Stop one of them first.",
            code="too_many_streams",
        )
    stream_id = new_id("str")
    values = channels.information_of(tx, managed.id)
    values |= information.checked(tx, about, managed)
    tx.execute(
        insert(stream).values(id=stream_id, channel_id=managed.id, created_at_ms=now_ms, **values)
    )
    return get(tx, stream_id)


def _managed(tx: Transaction, actor: User, stream_id: str) -> Stream:
    found = get(tx, stream_id)
    if not channels.manages(actor, found.owner_id):
        if found.live_at_ms is None:
            raise NotFound("There is no such stream.", code="stream_not_found")
        raise Forbidden("Only the owner of this channel may do that.")
    channels.lock(tx, found.channel_id)
    return get(tx, stream_id)


def _start(tx: Transaction, actor: User, stream_id: str, now_ms: int) -> Stream:
    found = _managed(tx, actor, stream_id)
    if found.ended_at_ms is not None:
        raise Conflict("This stream is over. Make a new one.", code="stream_over")
    if found.started_at_ms is not None:
        return found
    running = tx.execute(
        select(stream).where(stream.c.channel_id == found.channel_id, sql(_OPEN))
    ).first()
    if running is None:
        tx.execute(
            update(stream)
            .where(stream.c.channel_id == found.channel_id, stream.c.started_at_ms.is_(None))
            .values(start_asked_at_ms=None)
        )
        changes: dict[str, Any] = {"start_asked_at_ms": now_ms}
    elif running.live_at_ms is not None:
        raise Conflict(
            "The channel is live with another stream. Stop that one first.", code="already_live"
        )
    else:
        changes = _take_over(tx, running, now_ms)
    tx.execute(update(stream).where(stream.c.id == stream_id).values(**changes))
    channels.adopt(tx, found.channel_id, _information(tx, stream_id), now_ms)
    return get(tx, stream_id)


def _take_over(tx: Transaction, running: Row[Any], now_ms: int) -> dict[str, Any]:
    """The encoder is there, and nobody has seen its picture: its broadcast changes hands."""
    tx.execute(
        update(stream)
        .where(stream.c.id == running.id)
        .values(broadcast_id=None, ended_at_ms=now_ms, end_reason="A planned stream took over.")
    )
    return {
        "broadcast_id": running.broadcast_id,
        "stream_key_id": running.stream_key_id,
        "started_at_ms": running.started_at_ms,
    }


def _cancel(tx: Transaction, actor: User, stream_id: str, now_ms: int) -> Stream:
    found = _managed(tx, actor, stream_id)
    if found.ended_at_ms is None and found.started_at_ms is None:
        tx.execute(
            update(stream)
            .where(stream.c.id == stream_id)
            .values(ended_at_ms=now_ms, end_reason=CANCELLED)
        )
        return get(tx, stream_id)
    return found


def _end_open(tx: Transaction, channel_id: str, at_ms: int, reason: str) -> None:
    tx.execute(
        update(stream)
        .where(stream.c.channel_id == channel_id, sql(_OPEN))
        .values(ended_at_ms=at_ms, end_reason=reason)
    )


def _plans(channel_id: str) -> Any:
    return select(stream.c.id).where(
        stream.c.channel_id == channel_id,
        stream.c.started_at_ms.is_(None),
        stream.c.ended_at_ms.is_(None),
    )


def _waiting(tx: Transaction, channel_id: str) -> str | None:
    return tx.execute(
        _plans(channel_id).where(stream.c.start_asked_at_ms.is_not(None)).limit(1)
    ).scalar()


def _newest_plan(tx: Transaction, channel_id: str) -> str | None:
    return tx.execute(
        _plans(channel_id).order_by(stream.c.created_at_ms.desc(), stream.c.id.desc()).limit(1)
    ).scalar()


def _information(tx: Transaction, stream_id: str) -> dict[str, Any]:
    row = tx.execute(
        select(*(stream.c[name] for name in information.SHARED)).where(stream.c.id == stream_id)
    ).one()
    return dict(row._mapping)


def _select() -> Any:
    return (
        select(
            stream,
            channel.c.slug.label("channel"),
            channel.c.owner_id,
            category.c.name.label("category"),
            category.c.slug.label("category_slug"),
        )
        .join(channel, channel.c.id == stream.c.channel_id)
        .outerjoin(category, category.c.id == stream.c.category_id)
    )


def _to_stream(row: Row[Any]) -> Stream:
    return Stream(
        id=row.id,
        channel_id=row.channel_id,
        channel=row.channel,
        owner_id=row.owner_id,
        broadcast_id=row.broadcast_id,
        created_at_ms=row.created_at_ms,
        start_asked_at_ms=row.start_asked_at_ms,
        started_at_ms=row.started_at_ms,
        live_at_ms=row.live_at_ms,
        ended_at_ms=row.ended_at_ms,
        end_reason=row.end_reason,
        **information.of_row(row),
    )


def _list_of(tx: Transaction, channel_id: str, with_plans: bool) -> list[Stream]:
    query = _select().where(stream.c.channel_id == channel_id)
    if not with_plans:
        query = query.where(stream.c.live_at_ms.is_not(None))
    rows = tx.execute(
        query.order_by(stream.c.created_at_ms.desc(), stream.c.id.desc()).limit(
            limits.STREAMS_LISTED_MAX
        )
    )
    return [_to_stream(row) for row in rows]


def _last_live_at_ms(tx: Transaction, channel_ids: Sequence[str]) -> dict[str, int]:
    rows = tx.execute(
        select(stream.c.channel_id, func.max(stream.c.ended_at_ms).label("at_ms"))
        .where(
            stream.c.channel_id.in_(channel_ids),
            stream.c.live_at_ms.is_not(None),  # a stream that never had a picture doesn't count
            stream.c.ended_at_ms.is_not(None),
        )
        .group_by(stream.c.channel_id)
    )
    return {row.channel_id: row.at_ms for row in rows}

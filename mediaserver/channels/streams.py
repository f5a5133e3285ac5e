"""Streams: one row for each live session, written from what the engine reports.

Events arrive on the event loop and must not wait, so they go through one queue to one writer task:
the rows change in the order in which things happened. Owns the table `stream`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Text,
    func,
    insert,
    select,
    update,
)
from sqlalchemy import text as sql

from mediaserver.channels import information, stream_keys
from mediaserver.channels.channels import channel
from mediaserver.channels.publish_gate import PublishGranted
from mediaserver.channels.stream_keys import StreamKeyRevoked
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Unavailable
from mediaserver.kernel.events import Events
from mediaserver.kernel.tasks import Tasks
from mediaserver.media.events import BroadcastEnded, BroadcastStarted, BroadcastWentLive

_log = structlog.get_logger(__name__)

stream = table(
    "stream",
    identifier(),  # of a planned stream its own, else that of the broadcast
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), index=True),
    text("stream_key_id", ForeignKey("stream_key.id", ondelete="SET NULL"), nullable=True),
    text("title"),
    int64("created_at_ms"),
    int64("live_at_ms", nullable=True),
    int64("ended_at_ms", nullable=True),
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
        sqlite_where=sql("ended_at_ms IS NULL AND started_at_ms IS NOT NULL"),
        postgresql_where=sql("ended_at_ms IS NULL AND started_at_ms IS NOT NULL"),
    ),
)

KEY_REVOKED = "The stream key was revoked."

_Event = PublishGranted | BroadcastStarted | BroadcastWentLive | BroadcastEnded

_GRANT_SETTLES_S = 1.0
"""From a grant to a stream that can be stopped; the engine needs a few turns of the loop."""


class Streams:
    """Keeps the rows and ends what a revoked key has opened.

    An async context manager: entering closes rows that a crash left open and starts the writer;
    leaving writes what is still queued. `stop_broadcast(channel, reason)` disconnects an encoder.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        events: Events,
        stop_broadcast: Callable[[str, str], bool],
    ) -> None:
        self._db = db
        self._clock = clock
        self._stop_broadcast = stop_broadcast

        self._tasks = Tasks("streams")
        self._queue: asyncio.Queue[_Event | None] = asyncio.Queue(limits.STREAM_WRITES_WAITING_MAX)
        self._keys_of_channel: defaultdict[str, set[str]] = defaultdict(set)
        self._writer: asyncio.Task[None] | None = None

        events.subscribe(PublishGranted, self._granted)
        events.subscribe(BroadcastStarted, self._enqueue)
        events.subscribe(BroadcastWentLive, self._enqueue)
        events.subscribe(BroadcastEnded, self._ended)
        events.subscribe(StreamKeyRevoked, self._key_revoked)

    async def __aenter__(self) -> Self:
        closed = await self._db.write(_close_left_open, self._clock.wall_ms())
        if closed:
            _log.warning("streams left open by the last run were closed", count=closed)
        self._writer = self._tasks.start(self._write(), "writer")
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._writer is not None and not self._writer.done():
            self._enqueue(None)
            await asyncio.wait([self._writer], timeout=limits.DATABASE_CLOSE_TIMEOUT_S)
        await self._tasks.aclose()

    async def flushed(self) -> None:
        """Wait until everything reported so far is written."""
        await self._queue.join()

    async def last_live_at_ms(self, channel_ids: Sequence[str]) -> dict[str, int]:
        """Channel id → when its latest live stream ended; without channels that never had one."""
        return await self._db.read(_last_live_at_ms, channel_ids) if channel_ids else {}

    def _granted(self, event: PublishGranted) -> None:
        self._keys_of_channel[event.channel].add(event.stream_key_id)
        self._enqueue(event)

    def _ended(self, event: BroadcastEnded) -> None:
        self._keys_of_channel.pop(event.channel, None)
        self._enqueue(event)

    def _key_revoked(self, event: StreamKeyRevoked) -> None:
        # Any key that had a part in this stream counts: which one sends right now is not known
        # here, and stopping one stream too many is better than leaving a revoked key on air.
        if event.stream_key_id in self._keys_of_channel.get(event.channel, ()):
            self._stop_broadcast(event.channel, KEY_REVOKED)

    def _enqueue(self, event: _Event | None) -> None:
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            _log.error("stream event lost: the database is too slow", stream_event=str(event))

    async def _write(self) -> None:
        while (event := await self._queue.get()) is not None:
            delay_s = limits.STREAM_WRITE_RETRY_S
            while True:
                try:
                    await self._apply(event)
                    break
                except Unavailable:
                    await asyncio.sleep(delay_s)
                    delay_s = min(limits.STREAM_WRITE_RETRY_S_MAX, delay_s * 2)
                except Exception:
                    _log.exception("stream event not written", stream_event=str(event))
                    break
            self._queue.task_done()

    async def _apply(self, event: _Event) -> None:
        match event:
            case PublishGranted():
                await self._confirm(event)
            case BroadcastStarted():
                await self._db.write(_insert, event)
            case BroadcastWentLive():
                await self._db.write(_set_live, event)
            case BroadcastEnded():
                await self._db.write(_set_ended, event)

    async def _confirm(self, event: PublishGranted) -> None:
        """Write down the use of the key. A key revoked between the gate's look at it and the start
        of the stream was missed by `_key_revoked`: it is caught here.
        """
        if await self._db.write(stream_keys.touch, event.stream_key_id, self._clock.wall_ms()):
            return
        if not self._stop_broadcast(event.channel, KEY_REVOKED):
            await asyncio.sleep(_GRANT_SETTLES_S)
            self._stop_broadcast(event.channel, KEY_REVOKED)


def _insert(tx: Transaction, event: BroadcastStarted) -> None:
    tx.execute(
        update(stream)
        .where(
            stream.c.channel_id == event.channel_id,
            stream.c.ended_at_ms.is_(None),
            stream.c.started_at_ms.is_not(None),
        )
        .values(ended_at_ms=event.at_ms, end_reason="Another stream took its place.")
    )
    title = tx.execute(select(channel.c.title).where(channel.c.id == event.channel_id)).scalar()
    tx.execute(
        insert(stream).values(
            id=event.broadcast_id,
            channel_id=event.channel_id,
            stream_key_id=event.stream_key_id,
            title=title or "",
            created_at_ms=event.at_ms,
            started_at_ms=event.at_ms,
            broadcast_id=event.broadcast_id,
        )
    )


def _set_live(tx: Transaction, event: BroadcastWentLive) -> None:
    tx.execute(
        update(stream)
        .where(stream.c.broadcast_id == event.broadcast_id)
        .values(live_at_ms=event.at_ms)
    )


def _set_ended(tx: Transaction, event: BroadcastEnded) -> None:
    tx.execute(
        update(stream)
        .where(stream.c.broadcast_id == event.broadcast_id, stream.c.ended_at_ms.is_(None))
        .values(ended_at_ms=event.at_ms, end_reason=event.reason)
    )


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


def _close_left_open(tx: Transaction, now_ms: int) -> int:
    return tx.execute(
        update(stream)
        .where(stream.c.ended_at_ms.is_(None), stream.c.started_at_ms.is_not(None))
        .values(ended_at_ms=now_ms, end_reason="The server stopped unexpectedly.")
    ).rowcount

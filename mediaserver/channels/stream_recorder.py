"""Writes the rows of streams from what the engine reports, and ends what a revoked key has opened.

Events arrive on the event loop and must not wait, so they go through one queue to one writer task:
the rows change in the order in which things happened.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from types import TracebackType
from typing import Self

import structlog

from mediaserver.channels import stream_keys, streams
from mediaserver.channels.channels import ChannelChanged
from mediaserver.channels.deletion import ChannelDeleted
from mediaserver.channels.publish_gate import PublishGranted
from mediaserver.channels.stream_keys import StreamKeyRevoked
from mediaserver.channels.streams import Broadcasts
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database
from mediaserver.kernel.event_writer import EventWriter
from mediaserver.kernel.events import Events
from mediaserver.media.events import BroadcastEnded, BroadcastStarted, BroadcastWentLive

_log = structlog.get_logger(__name__)

KEY_REVOKED = "The stream key was revoked."
CHANNEL_DELETED = "The channel was deleted."

_Event = PublishGranted | BroadcastStarted | BroadcastWentLive | BroadcastEnded | ChannelChanged

_GRANT_SETTLES_S = 1.0
"""From a grant to a stream that can be stopped; the engine needs a few turns of the loop."""


class StreamRecorder:
    """An async context manager: entering closes rows that a crash left open and starts the writer;
    leaving writes what is still queued.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        events: Events,
        broadcasts: Broadcasts,
    ) -> None:
        self._db = db
        self._clock = clock
        self._broadcasts = broadcasts

        self._writer = EventWriter[_Event]("streams", self._apply, limits.STREAM_WRITES_WAITING_MAX)
        self._keys_of_channel: defaultdict[str, set[str]] = defaultdict(set)

        events.subscribe(PublishGranted, self._granted)
        events.subscribe(BroadcastStarted, self._writer.put)
        events.subscribe(BroadcastWentLive, self._writer.put)
        events.subscribe(BroadcastEnded, self._ended)
        events.subscribe(StreamKeyRevoked, self._key_revoked)
        events.subscribe(ChannelChanged, self._writer.put)
        events.subscribe(ChannelDeleted, self._deleted)

    async def __aenter__(self) -> Self:
        closed = await self._db.write(streams.close_left_open, self._clock.wall_ms())
        if closed:
            _log.warning("streams left open by the last run were closed", count=closed)
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
        """Wait until everything reported so far is written."""
        await self._writer.flushed()

    def _granted(self, event: PublishGranted) -> None:
        self._keys_of_channel[event.channel].add(event.stream_key_id)
        self._writer.put(event)

    def _ended(self, event: BroadcastEnded) -> None:
        self._keys_of_channel.pop(event.channel, None)
        self._writer.put(event)

    def _key_revoked(self, event: StreamKeyRevoked) -> None:
        # Any key that had a part in this stream counts: which one sends right now is not known
        # here, and stopping one stream too many is better than leaving a revoked key on air.
        if event.stream_key_id in self._keys_of_channel.get(event.channel, ()):
            self._broadcasts.stop(event.channel, KEY_REVOKED)

    def _deleted(self, event: ChannelDeleted) -> None:
        self._broadcasts.withdraw(event.slug, CHANNEL_DELETED)

    async def _apply(self, event: _Event) -> None:
        match event:
            case PublishGranted():
                await self._confirm(event)
            case BroadcastStarted():
                await self._begin(event)
            case BroadcastWentLive():
                await self._db.write(streams.set_live, event.broadcast_id, event.at_ms)
            case BroadcastEnded():
                await self._db.write(
                    streams.set_ended, event.broadcast_id, event.at_ms, event.reason
                )
            case ChannelChanged():
                await self._db.write(streams.copy_information, event.channel_id)

    async def _begin(self, event: BroadcastStarted) -> None:
        """Also starts a stream whose start was asked for while its encoder connected."""
        if await self._db.write(
            streams.begin,
            event.channel_id,
            event.broadcast_id,
            event.stream_key_id,
            event.at_ms,
        ):
            self._broadcasts.start(event.channel)

    async def _confirm(self, event: PublishGranted) -> None:
        """Write down the use of the key. A key revoked between the gate's look at it and the start
        of the stream was missed by `_key_revoked`: it is caught here.
        """
        if await self._db.write(stream_keys.touch, event.stream_key_id, self._clock.wall_ms()):
            return
        if not self._broadcasts.stop(event.channel, KEY_REVOKED):
            await asyncio.sleep(_GRANT_SETTLES_S)
            self._broadcasts.stop(event.channel, KEY_REVOKED)

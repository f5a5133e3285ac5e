"""Rooms, and how something said in one reaches everybody there.

The library takes 80 µs for each client of an emit (a task, a queue, a writer task, a frame made
anew). Here a packet is encoded and framed once and written straight into each transport, about 5 µs
for each client. Broadcasts leave one after the other, so that those of a room keep their order,
with a pause for everybody else's work after each few hundred clients.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Protocol

import structlog

from mediaserver.kernel import limits
from mediaserver.kernel.metrics import RealtimeMetrics
from mediaserver.realtime.packets import Outgoing

_log = structlog.get_logger(__name__)


class Member(Protocol):
    """A client as far as it is written to; engine.py's `Socket`."""

    def push(self, out: Outgoing) -> None:
        """Send or drop, without waiting."""
        ...


class Rooms:
    """Who is in which room. A room exists while somebody is in it."""

    def __init__(self) -> None:
        self._members: dict[str, dict[Member, None]] = {}

    def __iter__(self) -> Iterable[str]:
        return iter(tuple(self._members))

    def enter(self, room: str, member: Member) -> None:
        self._members.setdefault(room, {})[member] = None

    def leave(self, room: str, member: Member) -> None:
        members = self._members.get(room)
        if members is not None and members.pop(member, self) is None and not members:
            del self._members[room]

    def members(self, room: str) -> tuple[Member, ...]:
        """As of now: whoever enters later has asked for what they missed."""
        return tuple(self._members.get(room, ()))

    def __contains__(self, room: str) -> bool:
        return room in self._members


class Broadcast:
    """Sends to rooms. `run` is a task; `send` never waits.

    A client that enters between `send` and its turn gets the packet as well as an answer that
    already contains it: clients go by sequence numbers.
    """

    def __init__(self, metrics: RealtimeMetrics) -> None:
        self._metrics = metrics

        self._outbox: deque[tuple[Rooms, str, Outgoing]] = deque()
        self._wake = asyncio.Event()

    def send(self, rooms: Rooms, room: str, out: Outgoing) -> None:
        """Have everybody in `room` told. What is too much for the outbox is lost and counted."""
        if room not in rooms:
            return
        if len(self._outbox) >= limits.REALTIME_OUTBOX_MAX:
            self._metrics.lost.inc()
            return
        self._outbox.append((rooms, room, out))
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._outbox:
                rooms, room, out = self._outbox.popleft()
                await self._send(rooms.members(room), out)

    async def _send(self, members: tuple[Member, ...], out: Outgoing) -> None:
        step = limits.REALTIME_FAN_OUT_CLIENTS
        for start in range(0, len(members), step):
            for member in members[start : start + step]:
                member.push(out)
            await asyncio.sleep(0)
        self._metrics.sent.inc(len(members))

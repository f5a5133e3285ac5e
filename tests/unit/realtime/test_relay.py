"""New rules reach everybody in the room, and nobody else is looked up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.chat.events import ChatEvent, ChatEvents
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.events import Events
from mediaserver.kernel.metrics import RealtimeMetrics
from mediaserver.kernel.tasks import Tasks
from mediaserver.realtime import messages
from mediaserver.realtime.broadcast import Broadcast
from mediaserver.realtime.engine import Socket
from mediaserver.realtime.guests import Guest
from mediaserver.realtime.namespace import Namespace
from mediaserver.realtime.relay import Relay
from tests.unit.realtime.sockets import QuietSocket

ALICE_TV = Channel(
    id="chn_1", slug="alice", name="Alice", owner_id="usr_1", owner="alice", created_at_ms=0
)
NEW_RULES = ChatEvents(
    "chn_1", "alice", (ChatEvent(1, "rules", "evt_1", 0, None, "", data={"rules": {}}),)
)


class Door(Namespace):
    """A namespace that lets everybody in."""

    def __init__(self, path: str) -> None:
        super().__init__(path, {}, FakeClock(), RealtimeMetrics())

    async def enter(self, socket: Socket, request: web.Request, auth: Mapping[str, Any]) -> None:
        raise AssertionError

    def visit(self, name: str, channel: Channel | None) -> QuietSocket:
        user = User(id=f"usr_{name}", username=name, email="", is_admin=False, created_at_ms=0)
        socket = QuietSocket()
        client = self.admit(socket, Guest(user))
        if channel is not None:
            self.enter_room(client, channel)
        return socket


class Known:
    """`Channels` and `Chat`, as far as the relay asks them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    async def get(self, slug: str) -> Channel:
        return ALICE_TV

    async def yous(self, channel: Channel, user_ids: Sequence[str]) -> dict[str, Any]:
        self.asked.append(tuple(user_ids))
        return {user_id: {"username": user_id} for user_id in user_ids}


@dataclass
class Room:
    chat: Door
    known: Known
    events: Events


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    none: Any = None
    known: Any = Known()
    events = Events()
    chat = Door(messages.CHAT)
    spaces = {
        messages.CHAT: chat,
        messages.STUDIO: Door(messages.STUDIO),
        messages.OVERLAY: Door(messages.OVERLAY),
    }
    relay = Relay(
        spaces,
        Broadcast(RealtimeMetrics()),
        none,
        none,
        none,
        none,
        users=none,
        channels=known,
        follows=none,
        chat=known,
        alerts=none,
        events=events,
    )
    tasks = Tasks("test")
    relay.start(tasks)
    yield Room(chat, known, events)
    await tasks.aclose()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_only_those_in_the_room_are_looked_up(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REALTIME_YOU_PAGE", 2)
    inside = [room.chat.visit(name, ALICE_TV) for name in ("ann", "ben", "cid", "ann")]
    outside = room.chat.visit("dan", None)
    room.events.publish(NEW_RULES)
    await settled()
    assert room.known.asked == [("usr_ann", "usr_ben"), ("usr_cid",)]
    assert [sum('"you"' in text for text in socket.got) for socket in inside] == [1, 1, 1, 1]
    assert outside.got == []


async def test_an_empty_room_costs_nothing(room: Room) -> None:
    room.chat.visit("dan", None)
    room.events.publish(NEW_RULES)
    await settled()
    assert room.known.asked == []

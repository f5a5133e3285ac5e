"""Order, loss and fairness of what is said in rooms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mediaserver.kernel import limits
from mediaserver.kernel.metrics import RealtimeMetrics
from mediaserver.kernel.tasks import Tasks
from mediaserver.realtime import packets
from mediaserver.realtime.broadcast import Broadcast, Rooms
from mediaserver.realtime.packets import Outgoing


class Listener:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def push(self, out: Outgoing) -> None:
        self.heard.append(out.frame[2:].decode())


def said(text: str) -> Outgoing:
    return Outgoing(packets.Packet(), packets.text_frame(text.encode()))


@pytest.fixture
async def broadcast() -> AsyncIterator[Broadcast]:
    tasks = Tasks("test")
    made = Broadcast(RealtimeMetrics())
    tasks.start(made.run(), "broadcast")
    yield made
    await tasks.aclose()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_each_room_hears_its_own_in_order(broadcast: Broadcast) -> None:
    rooms, one, two, both = Rooms(), Listener(), Listener(), Listener()
    rooms.enter("a", one)
    rooms.enter("b", two)
    rooms.enter("a", both)
    rooms.enter("b", both)
    for index in range(5):
        broadcast.send(rooms, "a", said(f"a{index}"))
        broadcast.send(rooms, "b", said(f"b{index}"))
    await settled()
    assert one.heard == [f"a{index}" for index in range(5)]
    assert two.heard == [f"b{index}" for index in range(5)]
    assert both.heard == [f"{room}{index}" for index in range(5) for room in "ab"]


async def test_who_has_left_hears_nothing_and_who_enters_in_between_may(
    broadcast: Broadcast,
) -> None:
    rooms, gone, late = Rooms(), Listener(), Listener()
    rooms.enter("a", gone)
    broadcast.send(rooms, "a", said("1"))
    rooms.leave("a", gone)
    rooms.enter("a", late)
    await settled()
    assert (gone.heard, late.heard) == ([], ["1"])


async def test_a_room_exists_while_somebody_is_in_it() -> None:
    rooms, one = Rooms(), Listener()
    rooms.enter("a", one)
    rooms.enter("a", one)
    assert "a" in rooms
    rooms.leave("b", one)
    rooms.leave("a", Listener())
    assert "a" in rooms
    rooms.leave("a", one)
    assert "a" not in rooms
    rooms.leave("a", one)


async def test_others_get_their_turn_within_a_large_room(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REALTIME_FAN_OUT_CLIENTS", 10)
    rooms, listeners = Rooms(), [Listener() for _ in range(35)]
    for one in listeners:
        rooms.enter("a", one)
    await settled()
    broadcast.send(rooms, "a", said("1"))
    reached = []
    while not listeners[-1].heard:
        await asyncio.sleep(0)
        reached.append(sum(bool(one.heard) for one in listeners))
    assert set(reached) - {0} == {10, 20, 30, 35}


async def test_a_full_outbox_loses_the_newest_and_counts_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "REALTIME_OUTBOX_MAX", 3)
    metrics, rooms, one = RealtimeMetrics(), Rooms(), Listener()
    broadcast = Broadcast(metrics)
    rooms.enter("a", one)
    for index in range(5):
        broadcast.send(rooms, "a", said(str(index)))
    broadcast.send(rooms, "nobody", said("x"))
    tasks = Tasks("test")
    tasks.start(broadcast.run(), "broadcast")
    await settled()
    await tasks.aclose()
    assert one.heard == ["0", "1", "2"]
    assert b"mediaserver_realtime_lost_total 2.0" in metrics.render()
    assert b"mediaserver_realtime_sent_total 3.0" in metrics.render()

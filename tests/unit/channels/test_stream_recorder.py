"""Rows of live sessions, written in the order in which things happened."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User
from mediaserver.channels import stream_recorder
from mediaserver.channels import streams as stream_rows
from mediaserver.channels.channels import Channel, Channels
from mediaserver.channels.publish_gate import PublishGranted, StreamKeyGate
from mediaserver.channels.stream_keys import StreamKeys
from mediaserver.channels.stream_recorder import KEY_REVOKED, StreamRecorder
from mediaserver.channels.streams import STOPPED, Streams
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Unavailable
from mediaserver.kernel.events import Events
from mediaserver.media.events import (
    SERVER_STOPS,
    BroadcastEnded,
    BroadcastStarted,
    BroadcastWentLive,
)
from mediaserver.media.gate import PublishRequest


class Registry:
    """The engine's: what was started and stopped; `is_live` is what it answers."""

    def __init__(self) -> None:
        self.is_live = True
        self.started: list[str] = []
        self.stopped: list[tuple[str, str]] = []

    def status(self, channel: str) -> None:
        return None

    def start(self, channel: str) -> bool:
        self.started.append(channel)
        return True

    def stop(self, channel: str, reason: str) -> bool:
        self.stopped.append((channel, reason))
        return self.is_live

    def withdraw(self, channel: str, reason: str) -> bool:
        return self.stop(channel, reason)


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
async def recorder(
    db: Database, clock: FakeClock, events: Events, registry: Registry
) -> AsyncIterator[StreamRecorder]:
    async with StreamRecorder(db, clock, events, registry) as one:
        yield one


@pytest.fixture
def streams(db: Database, clock: FakeClock, registry: Registry) -> Streams:
    return Streams(db, clock, registry)


async def _rows(db: Database) -> list[Any]:
    query = text("SELECT * FROM stream ORDER BY started_at_ms, id")
    return await db.read(lambda tx: list(tx.execute(query).all()))


async def test_a_session_from_start_to_end(
    recorder: StreamRecorder,
    events: Events,
    db: Database,
    channel: Channel,
    stream_keys: StreamKeys,
    alice: User,
) -> None:
    key, _ = await stream_keys.create(alice, "alice-tv", "OBS")
    events.publish(BroadcastStarted("brc_1", channel.id, "alice-tv", key.id, 1000))
    events.publish(BroadcastWentLive("brc_1", channel.id, "alice-tv", 2000))
    await recorder.flushed()
    (row,) = await _rows(db)
    assert (row.id, row.title, row.live_at_ms, row.ended_at_ms) == ("brc_1", "Painting", 2000, None)
    events.publish(BroadcastEnded("brc_1", channel.id, "alice-tv", 3000, "OBS stopped.", True))
    await recorder.flushed()
    (row,) = await _rows(db)
    assert (row.started_at_ms, row.ended_at_ms, row.end_reason) == (1000, 3000, "OBS stopped.")


async def test_a_new_session_closes_one_left_open(
    recorder: StreamRecorder,
    events: Events,
    db: Database,
    channel: Channel,
    stream_keys: StreamKeys,
    alice: User,
) -> None:
    key, _ = await stream_keys.create(alice, "alice-tv", "OBS")
    events.publish(BroadcastStarted("brc_1", channel.id, "alice-tv", key.id, 1000))
    events.publish(BroadcastStarted("brc_2", channel.id, "alice-tv", key.id, 2000))
    events.publish(BroadcastEnded("brc_1", channel.id, "alice-tv", 3000, "late", True))
    await recorder.flushed()
    one, two = await _rows(db)
    assert (one.ended_at_ms, two.ended_at_ms) == (2000, None)


async def test_rows_that_a_crash_left_open_are_closed(
    db: Database,
    clock: FakeClock,
    channel: Channel,
    stream_keys: StreamKeys,
    alice: User,
    registry: Registry,
) -> None:
    key, _ = await stream_keys.create(alice, "alice-tv", "OBS")
    await db.write(stream_rows.begin, channel.id, "brc_1", key.id, 1000)
    async with StreamRecorder(db, clock, Events(), registry):
        (row,) = await _rows(db)
        assert row.ended_at_ms == clock.wall_ms()
        assert "unexpectedly" in row.end_reason


async def test_what_is_queued_is_written_before_the_end(
    db: Database,
    clock: FakeClock,
    channel: Channel,
    stream_keys: StreamKeys,
    alice: User,
    registry: Registry,
) -> None:
    key, _ = await stream_keys.create(alice, "alice-tv", "OBS")
    events = Events()
    async with StreamRecorder(db, clock, events, registry):
        for n in range(20):
            events.publish(BroadcastStarted(f"brc_{n}", channel.id, "alice-tv", key.id, n))
            events.publish(BroadcastEnded(f"brc_{n}", channel.id, "alice-tv", n, "x", False))
    assert [row.ended_at_ms for row in await _rows(db)] == list(range(20))


async def test_a_busy_database_delays_and_loses_nothing(
    recorder: StreamRecorder,
    events: Events,
    db: Database,
    channel: Channel,
    stream_keys: StreamKeys,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key, _ = await stream_keys.create(alice, "alice-tv", "OBS")
    write, failures = db.write, [Unavailable("busy")] * 1

    async def failing(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return await write(*arguments)

    monkeypatch.setattr(db, "write", failing)
    events.publish(BroadcastStarted("brc_1", channel.id, "alice-tv", key.id, 1000))
    events.publish(BroadcastEnded("brc_1", channel.id, "alice-tv", 2000, "x", False))
    await recorder.flushed()
    assert [row.ended_at_ms for row in await _rows(db)] == [2000]


async def test_an_event_that_makes_no_sense_stops_nothing(
    recorder: StreamRecorder,
    events: Events,
    db: Database,
    channel: Channel,
    stream_keys: StreamKeys,
    alice: User,
) -> None:
    key, _ = await stream_keys.create(alice, "alice-tv", "OBS")
    events.publish(BroadcastStarted("brc_0", "chn_gone", "gone", key.id, 1))
    events.publish(BroadcastStarted("brc_1", channel.id, "alice-tv", key.id, 1000))
    await recorder.flushed()
    assert [row.id for row in await _rows(db)] == ["brc_1"]


async def test_revoking_a_live_key_stops_its_stream(
    recorder: StreamRecorder,
    events: Events,
    db: Database,
    channel: Channel,
    stream_keys: StreamKeys,
    alice: User,
    registry: Registry,
    throttles: Throttles,
    clock: FakeClock,
) -> None:
    gate = StreamKeyGate(db, throttles, events, clock)
    key, secret = await stream_keys.create(alice, "alice-tv", "OBS")
    other, _ = await stream_keys.create(alice, "alice-tv", "Phone")
    await gate.authorise(PublishRequest("live", secret, "1.1.1.1", "OBS"))
    await recorder.flushed()
    used = {one.id: one.last_used_at_ms for one in await stream_keys.list_active(alice, "alice-tv")}
    assert used == {key.id: clock.wall_ms(), other.id: None}
    await stream_keys.revoke(alice, "alice-tv", other.id)
    assert registry.stopped == []
    await stream_keys.revoke(alice, "alice-tv", key.id)
    assert registry.stopped == [("alice-tv", KEY_REVOKED)]


async def test_revoking_after_the_end_stops_nothing(
    recorder: StreamRecorder,
    events: Events,
    channel: Channel,
    stream_keys: StreamKeys,
    alice: User,
    registry: Registry,
) -> None:
    key, _ = await stream_keys.create(alice, "alice-tv", "OBS")
    events.publish(PublishGranted("alice-tv", key.id))
    events.publish(BroadcastEnded("brc_1", channel.id, "alice-tv", 3000, "x", True))
    await recorder.flushed()
    await stream_keys.revoke(alice, "alice-tv", key.id)
    assert registry.stopped == []


async def test_a_key_revoked_while_its_encoder_connects(
    recorder: StreamRecorder,
    events: Events,
    channel: Channel,
    stream_keys: StreamKeys,
    alice: User,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_recorder, "_GRANT_SETTLES_S", 0.01)
    key, _ = await stream_keys.create(alice, "alice-tv", "OBS")
    await stream_keys.revoke(alice, "alice-tv", key.id)
    registry.is_live = False  # not yet
    events.publish(PublishGranted("alice-tv", key.id))
    await recorder.flushed()
    assert registry.stopped == [("alice-tv", KEY_REVOKED)] * 2


@pytest.mark.parametrize(
    ("went_live", "reason", "late_ms", "goes_on"),
    [
        (True, SERVER_STOPS, limits.RESTART_RESUMES_MS, True),
        (True, None, limits.RESTART_RESUMES_MS, True),
        (True, SERVER_STOPS, limits.RESTART_RESUMES_MS + 1, False),
        (True, None, limits.RESTART_RESUMES_MS + 1, False),
        (False, SERVER_STOPS, 0, False),
        (False, None, 0, False),
        (True, STOPPED, 0, False),
        (True, "The encoder did not come back in time.", 0, False),
    ],
)
async def test_a_restart_does_not_take_a_stream_off_air(
    events: Events,
    channels: Channels,
    channel: Channel,
    stream_keys: StreamKeys,
    alice: User,
    db: Database,
    registry: Registry,
    throttles: Throttles,
    clock: FakeClock,
    went_live: bool,
    reason: str | None,
    late_ms: int,
    goes_on: bool,
) -> None:
    """Where streams start by hand, what was public goes on, once. Without a reason: a crash."""
    gate = StreamKeyGate(db, throttles, events, clock)
    key, secret = await stream_keys.create(alice, "alice-tv", "OBS")
    request = PublishRequest("live", secret, "1.1.1.1", "OBS")
    await channels.update(alice, "alice-tv", starts_automatically=False)
    broadcast = ("brc_1", channel.id, "alice-tv")
    async with StreamRecorder(db, clock, events, registry):
        events.publish(BroadcastStarted(*broadcast, key.id, clock.wall_ms()))
        if went_live:
            events.publish(BroadcastWentLive(*broadcast, clock.wall_ms()))
        if reason:
            events.publish(BroadcastEnded(*broadcast, clock.wall_ms(), reason, went_live))
    async with StreamRecorder(db, clock, Events(), registry) as recorder:
        clock.advance(late_ms)
        assert (await gate.authorise(request)).starts_automatically is goes_on
        await db.write(stream_rows.begin, channel.id, "brc_2", key.id, clock.wall_ms() + 1)
        await db.write(stream_rows.set_live, "brc_2", clock.wall_ms() + 2)
        await db.write(stream_rows.set_ended, "brc_2", clock.wall_ms() + 3, STOPPED)
        assert (await gate.authorise(request)).starts_automatically is False
        await recorder.flushed()


async def test_when_a_channel_was_live_last(
    recorder: StreamRecorder,
    streams: Streams,
    events: Events,
    channel: Channel,
    stream_keys: StreamKeys,
    alice: User,
) -> None:
    assert await streams.last_live_at_ms([]) == {}
    key, _ = await stream_keys.create(alice, "alice-tv", "OBS")
    ids = [channel.id, "chn_none"]
    for number, (started_ms, is_live) in enumerate(((1000, True), (5000, True), (9000, False))):
        broadcast = (f"brc_{number}", channel.id, "alice-tv")
        events.publish(BroadcastStarted(*broadcast, key.id, started_ms))
        await recorder.flushed()
        expected = {0: {}, 1: {channel.id: 2000}, 2: {channel.id: 6000}}[number]
        assert await streams.last_live_at_ms(ids) == expected
        if is_live:
            events.publish(BroadcastWentLive(*broadcast, started_ms + 500))
        events.publish(BroadcastEnded(*broadcast, started_ms + 1000, "x", is_live))
    await recorder.flushed()
    assert await streams.last_live_at_ms(ids) == {channel.id: 6000}, "one without a picture counts"

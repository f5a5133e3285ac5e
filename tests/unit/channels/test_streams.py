"""Streams that are made before their broadcast: planned, started, taken over, stopped."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User
from mediaserver.channels import streams as rows
from mediaserver.channels.channels import Channel, ChannelChanged, Channels
from mediaserver.channels.publish_gate import StreamKeyGate
from mediaserver.channels.stream_keys import StreamKeys
from mediaserver.channels.stream_recorder import StreamRecorder
from mediaserver.channels.streams import STOPPED, Stream, Streams
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.db.migrate import MIGRATIONS
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.kernel.events import Events
from mediaserver.media.events import BroadcastEnded, BroadcastStarted, BroadcastWentLive
from mediaserver.media.gate import PublishRequest


@dataclass
class Status:
    is_public: bool


@dataclass
class Registry:
    """The engine's registry: `held` is the one channel whose broadcast waits for its start."""

    held: str | None = None
    is_away: bool = False
    started: list[str] = field(default_factory=list)
    stopped: list[tuple[str, str]] = field(default_factory=list)

    def status(self, channel: str) -> Status | None:
        return Status(is_public=self.held != channel)

    def start(self, channel: str) -> bool:
        if self.held != channel or self.is_away:
            return False
        self.held = None
        self.started.append(channel)
        return True

    def stop(self, channel: str, reason: str) -> bool:
        self.stopped.append((channel, reason))
        return True

    def withdraw(self, channel: str, reason: str) -> bool:
        return self.stop(channel, reason)


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def streams(db: Database, clock: FakeClock, registry: Registry) -> Streams:
    return Streams(db, clock, registry)


@dataclass
class Encoder:
    """Begins and ends broadcasts of alice-tv, as the recorder writes them."""

    db: Database
    channel_id: str
    key_id: str

    async def begin(self, broadcast_id: str, at_ms: int = 5000) -> bool:
        return await self.db.write(rows.begin, self.channel_id, broadcast_id, self.key_id, at_ms)

    async def go_live(self, broadcast_id: str) -> None:
        await self.db.write(rows.set_live, broadcast_id, 6000)

    async def end(self, broadcast_id: str) -> None:
        await self.db.write(rows.set_ended, broadcast_id, 7000, "OBS stopped.")


@pytest.fixture
async def encoder(db: Database, channel: Channel, stream_keys: StreamKeys, alice: User) -> Encoder:
    key, _ = await stream_keys.create(alice, "alice-tv", "OBS")
    return Encoder(db, channel.id, key.id)


async def _phases(streams: Streams, channel: Channel) -> list[str]:
    return [one.phase for one in await streams.list_of(channel.id, with_plans=True)]


async def test_a_plan_starts_from_what_the_channel_says(
    streams: Streams, channels: Channels, channel: Channel, alice: User
) -> None:
    await channels.update(alice, "alice-tv", category="art", tags=["ink"], age_restricted=True)
    made = await streams.plan(
        alice, "alice-tv", title="Boats", description="Two hours.", recorded_content=True
    )
    assert made.id.startswith("str_")
    assert (made.phase, made.title, made.description) == ("planned", "Boats", "Two hours.")
    assert (made.category, made.tags, made.age_restricted) == ("Art", ("ink",), True)
    assert made.recorded_content
    assert await streams.get(made.id) == made
    assert (await channels.get("alice-tv")).title == "Painting", "nothing is changed yet"


@pytest.mark.parametrize(
    ("about", "field"),
    [
        ({"title": "x" * 141}, "title"),
        ({"title": "two\nlines"}, "title"),
        ({"description": "\0"}, "description"),
        ({"category": "nothing"}, "category"),
        ({"tags": ["x" * 30]}, "tags"),
        ({"not_general": True}, "not_general_reason"),
    ],
)
async def test_wrong_plans(
    streams: Streams, channel: Channel, alice: User, about: Any, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await streams.plan(alice, "alice-tv", **about)
    assert caught.value.field == field
    assert await _phases(streams, channel) == []


async def test_started_before_the_encoder_comes(
    streams: Streams,
    channels: Channels,
    channel: Channel,
    alice: User,
    encoder: Encoder,
    registry: Registry,
) -> None:
    other = await streams.plan(alice, "alice-tv", title="Other")
    made = await streams.plan(alice, "alice-tv", title="Boats")
    await streams.start(alice, other.id)
    assert (await streams.start(alice, made.id)).phase == "waiting"
    assert (await streams.get(other.id)).phase == "planned", "one waits at a time"
    assert (await channels.get("alice-tv")).title == "Boats"
    await channels.update(alice, "alice-tv", title="Boats and rain")
    assert await encoder.begin("brc_1") is True, "the streamer has asked"
    begun = await streams.get(made.id)
    assert (begun.phase, begun.broadcast_id, begun.title) == ("started", "brc_1", "Boats and rain")
    await encoder.go_live("brc_1")
    assert await streams.start(alice, made.id) == await streams.get(made.id), "again"
    await encoder.end("brc_1")
    ended = await streams.get(made.id)
    assert (ended.phase, ended.live_at_ms, ended.end_reason) == ("ended", 6000, "OBS stopped.")
    with pytest.raises(Conflict) as caught:
        await streams.start(alice, made.id)
    assert caught.value.code == "stream_over"
    assert await streams.last_live_at_ms([channel.id]) == {channel.id: 7000}


async def test_a_beginning_that_is_written_twice(
    streams: Streams, encoder: Encoder, channel: Channel, alice: User
) -> None:
    """As when the database had committed, but didn't answer."""
    await streams.plan(alice, "alice-tv", title="Later")
    made = await streams.plan(alice, "alice-tv", title="Boats")
    await streams.start(alice, made.id)
    for _ in range(2):
        assert await encoder.begin("brc_1")
    assert sorted(await _phases(streams, channel)) == ["planned", "started"]


async def test_publishing_alone_starts_the_newest_plan(
    streams: Streams,
    channels: Channels,
    alice: User,
    channel: Channel,
    encoder: Encoder,
    clock: FakeClock,
) -> None:
    await streams.plan(alice, "alice-tv", title="Old")
    clock.advance(1)
    made = await streams.plan(alice, "alice-tv", title="New", tags=["ink"])
    assert await encoder.begin("brc_1") is False
    assert (await streams.get(made.id)).phase == "started"
    found = await channels.get("alice-tv")
    assert (found.title, found.tags) == ("New", ("ink",))
    assert await _phases(streams, channel) == ["started", "planned"]


async def test_without_a_plan_the_broadcast_makes_its_stream(
    streams: Streams, channels: Channels, alice: User, encoder: Encoder
) -> None:
    await channels.update(alice, "alice-tv", tags=["oil"], brand_promotion=True)
    await encoder.begin("brc_1")
    made = await streams.get("brc_1")
    assert (made.title, made.tags, made.brand_promotion) == ("Painting", ("oil",), True)
    assert (made.phase, made.created_at_ms, made.started_at_ms) == ("started", 5000, 5000)


async def test_held_until_started(
    streams: Streams,
    channels: Channels,
    channel: Channel,
    alice: User,
    encoder: Encoder,
    registry: Registry,
) -> None:
    await channels.update(alice, "alice-tv", starts_automatically=False)
    plan = await streams.plan(alice, "alice-tv", title="Boats")
    registry.held = "alice-tv"
    assert await encoder.begin("brc_1") is False
    assert (await streams.get(plan.id)).phase == "planned", "it isn't started by itself"
    assert (await streams.get("brc_1")).phase == "started"
    registry.is_away = True
    with pytest.raises(Conflict) as caught:
        await streams.start(alice, plan.id)
    assert caught.value.code == "encoder_away"
    registry.is_away = False
    started = await streams.start(alice, plan.id)
    assert (started.phase, started.broadcast_id) == ("started", "brc_1")
    assert registry.started == ["alice-tv"]
    taken = await streams.get("brc_1")
    assert (taken.phase, taken.broadcast_id) == ("ended", None)
    await encoder.go_live("brc_1")
    assert (await streams.get(plan.id)).live_at_ms == 6000
    assert (await streams.get("brc_1")).live_at_ms is None
    assert (await channels.get("alice-tv")).title == "Boats"
    other = await streams.plan(alice, "alice-tv", title="Other")
    with pytest.raises(Conflict) as caught:
        await streams.start(alice, other.id)
    assert caught.value.code == "already_live"


async def test_a_held_broadcast_starts_without_a_plan(
    streams: Streams, alice: User, encoder: Encoder, registry: Registry
) -> None:
    registry.held = "alice-tv"
    await encoder.begin("brc_1")
    assert (await streams.start(alice, "brc_1")).phase == "started"
    assert registry.started == ["alice-tv"]


async def test_the_gate_knows_what_is_held(
    streams: Streams,
    channels: Channels,
    channel: Channel,
    alice: User,
    stream_keys: StreamKeys,
    db: Database,
    throttles: Throttles,
    events: Events,
    clock: FakeClock,
) -> None:
    gate = StreamKeyGate(db, throttles, events, clock)
    _, secret = await stream_keys.create(alice, "alice-tv", "OBS")
    request = PublishRequest("live", secret, "1.1.1.1", "OBS")
    assert (await gate.authorise(request)).starts_automatically is True
    await channels.update(alice, "alice-tv", starts_automatically=False)
    assert (await gate.authorise(request)).starts_automatically is False
    made = await streams.plan(alice, "alice-tv")
    await streams.start(alice, made.id)
    assert (await gate.authorise(request)).starts_automatically is True
    await streams.stop(alice, made.id)
    assert (await gate.authorise(request)).starts_automatically is False


async def test_stop(
    streams: Streams, channel: Channel, alice: User, encoder: Encoder, registry: Registry
) -> None:
    plan = await streams.plan(alice, "alice-tv")
    stopped = await streams.stop(alice, plan.id)
    assert (stopped.phase, stopped.end_reason) == ("cancelled", "It was cancelled.")
    assert await streams.stop(alice, plan.id) == stopped
    assert registry.stopped == []
    await encoder.begin("brc_1")
    assert (await streams.stop(alice, "brc_1")).phase == "started", "until the engine says so"
    assert registry.stopped == [("alice-tv", STOPPED)]
    await encoder.end("brc_1")
    await streams.stop(alice, "brc_1")
    assert len(registry.stopped) == 1, "it is over"


async def test_whose_streams_they_are(
    streams: Streams, channel: Channel, alice: User, bob: User, admin: User, encoder: Encoder
) -> None:
    with pytest.raises(Forbidden):
        await streams.plan(bob, "alice-tv")
    plan = await streams.plan(alice, "alice-tv")
    for act in (streams.start, streams.stop):
        with pytest.raises(NotFound):
            await act(bob, plan.id)  # a plan is nobody's business
        for stream_id in ("str_nothing", "", "\0", "x" * 5000, "' OR 1=1 --"):
            with pytest.raises(NotFound):
                await act(alice, stream_id)
    await encoder.begin("brc_1")
    await encoder.go_live("brc_1")
    with pytest.raises(Forbidden):
        await streams.stop(bob, plan.id)
    public = await streams.list_of(channel.id, with_plans=False)
    assert [one.id for one in public] == [plan.id]
    await streams.stop(admin, plan.id)


async def test_plans_are_bounded_also_at_once(
    streams: Streams, channel: Channel, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STREAM_PLANS_MAX", 3)
    results = await asyncio.gather(
        *(streams.plan(alice, "alice-tv") for _ in range(6)), return_exceptions=True
    )
    assert sum(isinstance(one, Stream) for one in results) == 3
    assert sum(isinstance(one, Conflict) for one in results) == 3


async def test_two_starts_at_once(
    streams: Streams, channel: Channel, alice: User, encoder: Encoder, registry: Registry
) -> None:
    one = await streams.plan(alice, "alice-tv")
    two = await streams.plan(alice, "alice-tv")
    await asyncio.gather(streams.start(alice, one.id), streams.start(alice, two.id))
    assert sorted(await _phases(streams, channel)) == ["planned", "waiting"]


async def test_the_recorder_starts_what_was_asked_meanwhile(
    db: Database,
    clock: FakeClock,
    events: Events,
    streams: Streams,
    channels: Channels,
    channel: Channel,
    alice: User,
    encoder: Encoder,
    registry: Registry,
) -> None:
    """The gate answered "held", and the streamer pressed start before the broadcast was there."""
    registry.held = "alice-tv"
    plan = await streams.plan(alice, "alice-tv", title="Boats")
    await streams.start(alice, plan.id)
    changed: list[ChannelChanged] = []
    events.subscribe(ChannelChanged, changed.append)
    async with StreamRecorder(db, clock, events, registry) as recorder:
        ids = ("brc_1", channel.id, "alice-tv")
        events.publish(BroadcastStarted(*ids, encoder.key_id, 5000))
        await recorder.flushed()
        assert registry.started == ["alice-tv"]
        events.publish(BroadcastWentLive(*ids, 6000))
        await channels.update(alice, "alice-tv", title="Boats and rain")
        await recorder.flushed()
        assert (await streams.get(plan.id)).title == "Boats and rain", "edited while live"
        assert len(changed) == 1
        events.publish(BroadcastEnded(*ids, 7000, "OBS stopped.", True))
        await recorder.flushed()
        await channels.update(alice, "alice-tv", title="Tomorrow")
        await recorder.flushed()
    ended = await streams.get(plan.id)
    assert (ended.title, ended.phase) == ("Boats and rain", "ended")
    assert await db.read(rows.open_stream_id, channel.id) is None


async def test_streams_from_before_plans_keep_their_times(
    database_url: str, clock: FakeClock, registry: Registry
) -> None:
    """A database of the version before is filled by hand, then opened by this one."""
    from alembic import command
    from alembic.config import Config

    def fill(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        for statement in (
            "user_account VALUES ('usr_1', 'alice', 'alice@example.org', 'x', 0, 1)",
            "channel VALUES ('chn_1', 'alice-tv', 'Alice', 'Cats', '', 'usr_1', 1, 1)",
            "stream VALUES ('brc_1', 'chn_1', NULL, 'Old', 10, 20, 30, 'over')",
            "stream VALUES ('brc_2', 'chn_1', NULL, 'Left open', 40, 50, NULL, NULL)",
        ):
            connection.execute(text(f"INSERT INTO {statement}"))

    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(fill)
    await engine.dispose()
    async with Database(database_url, Events()) as db:
        streams = Streams(db, clock, registry)
        old = await streams.get("brc_1")
        assert (old.phase, old.started_at_ms, old.live_at_ms) == ("ended", 10, 20)
        assert (old.broadcast_id, old.created_at_ms, old.tags) == ("brc_1", 10, ())
        assert (await streams.get("brc_2")).phase == "started"
        assert await db.write(rows.close_left_open, 60) == 1
        assert await streams.last_live_at_ms(["chn_1"]) == {"chn_1": 60}

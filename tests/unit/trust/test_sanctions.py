"""Warnings and bans: what they do, when they end, and who can't have them."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from mediaserver.accounts.sessions import SessionEnded, Sessions
from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User, Users, user_account
from mediaserver.channels.channels import Channel, Channels
from mediaserver.channels.publish_gate import StreamKeyGate
from mediaserver.channels.stream_keys import StreamKeys
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import ModerationConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.kernel.events import Events
from mediaserver.kernel.jobs import job
from mediaserver.kernel.worker import Worker
from mediaserver.media.events import BroadcastStarted
from mediaserver.media.gate import PublishRefused, PublishRequest
from mediaserver.notifications.notices import Notices
from mediaserver.trust.bans import Banned
from mediaserver.trust.sanctions import BANNED, Sanctions
from tests.unit.trust.conftest import DAY_MS, FakeLive


async def is_banned(users: Users, user: User) -> bool:
    found = await users.by_id(user.id)
    assert found is not None
    return found.is_banned


async def actions(db: Database) -> list[str]:
    return [entry.action for entry in await db.read(audit.page)]


async def test_a_ban_ends_all_that_somebody_has_open(
    db: Database,
    clock: FakeClock,
    events: Events,
    users: Users,
    channels: Channels,
    channel: Channel,
    alice: User,
    actor: Actor,
    sanctions: Sanctions,
    live: FakeLive,
) -> None:
    sessions = Sessions(db, clock)
    opened = await sessions.start(alice, address="1.1.1.1", user_agent="", replaces=None)
    seen: list[object] = []
    events.subscribe(SessionEnded, seen.append)
    events.subscribe(Banned, seen.append)
    ban = await sanctions.ban(actor, "alice", "hate", "That was too much.", 7)
    assert (ban.until_ms, ban.given_by) == (clock.wall_ms() + 7 * DAY_MS, "root")
    assert await is_banned(users, alice)
    assert await sessions.find(opened.token) is None
    assert SessionEnded(alice.id) in seen
    assert Banned(alice.id, {channel.id: "alice-tv"}) in seen
    assert live.stopped == [("alice-tv", BANNED)]
    assert await actions(db) == ["user.ban"]
    with pytest.raises(NotFound) as caught:
        await channels.get("alice-tv")
    assert caught.value.code == "channel_unavailable"
    assert await channels.list_all() == []
    assert await channels.list_by_slug(["alice-tv"]) == []
    assert (await channels.find("alice-tv")).is_hidden


async def test_the_banned_are_told_why_and_how_to_appeal(
    db: Database, clock: FakeClock, alice: User, actor: Actor, sanctions: Sanctions
) -> None:
    await sanctions.ban(actor, "alice", "hate", "That was too much.", 7)
    (notice,) = await Notices(db, clock).page(alice)
    assert notice.title == "Your account is banned until 21 November 2023, 22:13 UTC"
    assert "Hate against a group of people" in notice.body
    assert "That was too much." in notice.body
    assert "appeal" in notice.body
    assert notice.path == "/appeal"
    mail = await db.read(lambda tx: tx.execute(select(job.c.payload, job.c.kind)).all())
    assert any("alice@example.org" in row.payload for row in mail if row.kind == "mail")


async def test_a_stream_key_of_somebody_banned_is_refused(
    db: Database,
    clock: FakeClock,
    events: Events,
    throttles: Throttles,
    channel: Channel,
    alice: User,
    actor: Actor,
    sanctions: Sanctions,
) -> None:
    _, key = await StreamKeys(db, clock).create(alice, "alice-tv", "OBS")
    gate = StreamKeyGate(db, throttles, events, clock)
    request = PublishRequest("live", key, "1.1.1.1", "OBS")
    await gate.authorise(request)
    ban = await sanctions.ban(actor, "alice", "hate", "", None)
    with pytest.raises(PublishRefused, match="banned"):
        await gate.authorise(request)
    await sanctions.lift(actor, ban.id)
    await gate.authorise(request)


async def test_an_encoder_that_slipped_in_is_caught(
    events: Events, channel: Channel, actor: Actor, sanctions: Sanctions, live: FakeLive
) -> None:
    """The gate looked before the ban, and the broadcast began after it."""
    await sanctions.ban(actor, "alice", "hate", "", 1)
    live.stopped.clear()
    events.publish(BroadcastStarted("brc_1", channel.id, "alice-tv", "key_1", 1))
    async with asyncio.timeout(20):
        while not live.stopped:
            await asyncio.sleep(0)
    assert live.stopped == [("alice-tv", BANNED)]


async def test_a_ban_ends_with_its_time(
    db: Database,
    clock: FakeClock,
    users: Users,
    channels: Channels,
    channel: Channel,
    alice: User,
    actor: Actor,
    sanctions: Sanctions,
    jobs: Worker,
) -> None:
    ban = await sanctions.ban(actor, "alice", "spam", "", 1)
    clock.advance(DAY_MS - 1)
    await sanctions.lift_due({"ban_id": ban.id})
    assert await is_banned(users, alice)
    clock.advance(1)
    await sanctions.lift_due({"ban_id": ban.id})
    await sanctions.lift_due({"ban_id": ban.id})  # jobs may run twice
    assert not await is_banned(users, alice)
    assert not (await channels.get("alice-tv")).is_hidden
    titles = [notice.title for notice in await Notices(db, clock).page(alice)]
    assert titles == ["Your account works again", titles[-1]]
    assert (await actions(db)).count("user.unban") == 1


async def test_a_ban_that_was_made_longer_or_shorter(
    clock: FakeClock, users: Users, alice: User, actor: Actor, sanctions: Sanctions
) -> None:
    ban = await sanctions.ban(actor, "alice", "spam", "", 1)
    await sanctions.change_end(actor, ban.id, 3)
    clock.advance(DAY_MS)
    await sanctions.lift_due({"ban_id": ban.id})  # the job of the first length
    assert await is_banned(users, alice)
    shorter = await sanctions.change_end(actor, ban.id, 1)
    assert shorter.until_ms == clock.wall_ms() + DAY_MS
    clock.advance(DAY_MS)
    await sanctions.lift_due({"ban_id": ban.id})
    assert not await is_banned(users, alice)
    with pytest.raises(Conflict):
        await sanctions.change_end(actor, ban.id, 3)


async def test_each_length_has_its_job(
    db: Database, clock: FakeClock, actor: Actor, alice: User, sanctions: Sanctions
) -> None:
    ban = await sanctions.ban(actor, "alice", "spam", "", 1)
    await sanctions.change_end(actor, ban.id, None)
    await sanctions.change_end(actor, ban.id, 2)
    rows = await db.read(
        lambda tx: (
            tx.execute(select(job.c.run_at_ms).where(job.c.kind == "lift-ban")).scalars().all()
        )
    )
    assert sorted(rows) == [clock.wall_ms() + DAY_MS, clock.wall_ms() + 2 * DAY_MS]


async def test_a_ban_without_an_end(
    db: Database, clock: FakeClock, users: Users, alice: User, actor: Actor, sanctions: Sanctions
) -> None:
    ban = await sanctions.ban(actor, "alice", "minors", "", None)
    clock.advance(100 * 365 * DAY_MS)
    await sanctions.lift_due({"ban_id": ban.id})
    assert await is_banned(users, alice)
    stored = select(user_account.c.banned_until_ms)
    assert limits.BAN_FOREVER_MS in await db.read(lambda tx: tx.execute(stored).scalars().all())
    lifted = await sanctions.lift(actor, ban.id)
    assert not lifted.stands
    assert not await is_banned(users, alice)
    with pytest.raises(Conflict):
        await sanctions.lift(actor, ban.id)


async def test_who_can_not_be_banned(
    users: Users, alice: User, admin: User, actor: Actor, sanctions: Sanctions
) -> None:
    await users.create("boss", "boss@example.org", "entirely secret", is_admin=True)
    for name, code in (("root", "yourself"), ("boss", "is_admin")):
        with pytest.raises(Forbidden) as caught:
            await sanctions.ban(actor, name, "spam", "", 1)
        assert caught.value.code == code
        with pytest.raises(Forbidden):
            await sanctions.warn(actor, name, "spam", "")
    with pytest.raises(NotFound):
        await sanctions.ban(actor, "nobody", "spam", "", 1)
    with pytest.raises(NotFound):
        await sanctions.ban(actor, "\0", "spam", "", 1)
    with pytest.raises(NotFound):
        await sanctions.lift(actor, "ban_\0")


async def test_nobody_is_banned_twice(alice: User, actor: Actor, sanctions: Sanctions) -> None:
    results = await asyncio.gather(
        *(sanctions.ban(actor, "alice", "spam", "", days) for days in (1, 2, 3)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Conflict) for one in results) == 2
    standing = await sanctions.standing("alice")
    assert len(standing.bans) == 1
    assert standing.ban == standing.bans[0]


@pytest.mark.parametrize(
    ("reason", "text", "days", "field"),
    [
        ("because", "", 1, "reason"),
        ("", "", 1, "reason"),
        ("spam", "x" * 1_001, 1, "text"),
        ("spam", "a\0b", 1, "text"),
        ("spam", "", 0, "days"),
        ("spam", "", limits.BAN_DAYS_MAX + 1, "days"),
        ("spam", "", -1, "days"),
    ],
)
async def test_wrong_values(
    alice: User,
    actor: Actor,
    sanctions: Sanctions,
    reason: str,
    text: str,
    days: int,
    field: str,
) -> None:
    with pytest.raises(Invalid) as caught:
        await sanctions.ban(actor, "alice", reason, text, days)
    assert caught.value.field == field


async def test_what_turns_text_round_is_left_out(
    alice: User, actor: Actor, sanctions: Sanctions
) -> None:
    ban = await sanctions.ban(actor, "alice", "spam", " a\u202eb\r\nc ", 1)
    assert ban.text == "ab\nc"


async def test_too_many_warnings_are_a_ban(
    db: Database, clock: FakeClock, users: Users, alice: User, actor: Actor, sanctions: Sanctions
) -> None:
    first = await sanctions.warn(actor, "alice", "spam", "Please stop.")
    assert first.ban is None
    clock.advance(DAY_MS)
    assert (await sanctions.warn(actor, "alice", "spam", "")).ban is None
    assert (await sanctions.standing("alice")).strikes == 2
    third = await sanctions.warn(actor, "alice", "spam", "")
    assert third.ban is not None
    assert third.ban.until_ms == clock.wall_ms() + 7 * DAY_MS
    assert third.ban.given_by is None, "the site itself did"
    assert await is_banned(users, alice)
    assert (await actions(db))[:2] == ["user.ban", "user.warn"]
    fourth = await sanctions.warn(actor, "alice", "spam", "")
    assert fourth.ban is None, "banned already"
    clock.advance(7 * DAY_MS)
    await sanctions.lift_due({"ban_id": third.ban.id})
    assert (await sanctions.warn(actor, "alice", "spam", "")).ban is None, "counted anew"


async def test_old_warnings_do_not_count(
    clock: FakeClock, alice: User, actor: Actor, sanctions: Sanctions
) -> None:
    await sanctions.warn(actor, "alice", "spam", "")
    await sanctions.warn(actor, "alice", "spam", "")
    clock.advance(90 * DAY_MS)
    assert (await sanctions.warn(actor, "alice", "spam", "")).ban is None
    standing = await sanctions.standing("alice")
    assert (standing.strikes, len(standing.warnings)) == (1, 3)


async def test_without_the_rule_nothing_adds_up(
    alice: User, actor: Actor, sanctions: Sanctions, moderation: ModerationConfig
) -> None:
    moderation.strikes_max = 0  # as an admin changes it while the site runs
    for _ in range(5):
        assert (await sanctions.warn(actor, "alice", "spam", "")).ban is None

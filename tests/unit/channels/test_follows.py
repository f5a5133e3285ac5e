"""Follows: once each, told once, counted, bounded."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User
from mediaserver.channels import follows as follows_module
from mediaserver.channels.channels import Channel, Channels
from mediaserver.channels.follows import Followed, Follows, Unfollowed
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound, RateLimited
from mediaserver.kernel.events import Events


@pytest.fixture
def follows(db: Database, clock: FakeClock, throttles: Throttles) -> Follows:
    return Follows(db, clock, throttles)


@pytest.fixture
def told(events: Events) -> list[Any]:
    heard: list[Any] = []
    events.subscribe(Followed, heard.append)
    events.subscribe(Unfollowed, heard.append)
    return heard


async def test_follow_and_unfollow(
    follows: Follows, db: Database, channel: Channel, bob: User, clock: FakeClock, told: list[Any]
) -> None:
    assert await follows.follow(bob, "alice-tv") is True
    since_ms = clock.wall_ms()
    clock.advance(1000)
    assert await follows.follow(bob, "alice-tv") is False, "again"
    assert await db.read(follows_module.followed_since_ms, bob.id, channel.id) == since_ms
    assert await follows.is_following(bob, channel.id)
    assert await follows.count(channel.id) == 1
    assert await db.read(follows_module.followers_of, channel.id) == [bob.id]
    assert await db.read(follows_module.followed_by, bob.id) == [channel.id]

    assert await follows.unfollow(bob, "alice-tv") is True
    assert await follows.unfollow(bob, "alice-tv") is False
    assert await db.read(follows_module.followed_since_ms, bob.id, channel.id) is None
    assert await follows.count(channel.id) == 0
    one = (channel.id, "alice-tv", bob.id)
    assert told == [Followed(*one), Unfollowed(*one)]


async def test_what_cannot_be_followed(
    follows: Follows, channel: Channel, alice: User, bob: User, told: list[Any]
) -> None:
    with pytest.raises(Conflict) as caught:
        await follows.follow(alice, "alice-tv")
    assert caught.value.code == "own_channel"
    for slug in ("nothing", "", "a\0b", "../etc"):
        with pytest.raises(NotFound):
            await follows.follow(bob, slug)
        with pytest.raises(NotFound):
            await follows.unfollow(bob, slug)
    assert told == []


async def test_ten_tabs_at_once_follow_once(
    follows: Follows, channel: Channel, bob: User, told: list[Any]
) -> None:
    results = await asyncio.gather(*(follows.follow(bob, "alice-tv") for _ in range(10)))
    assert sorted(results) == [False] * 9 + [True]
    assert len(told) == 1
    assert await follows.count(channel.id) == 1


async def test_limits(
    follows: Follows,
    channels: Channels,
    channel: Channel,
    alice: User,
    bob: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await channels.create(alice, "second", "Second")
    monkeypatch.setattr(limits, "FOLLOWS_PER_USER_MAX", 1)
    await follows.follow(bob, "alice-tv")
    with pytest.raises(Conflict) as caught:
        await follows.follow(bob, "second")
    assert caught.value.code == "too_many_follows"
    for _ in range(limits.FOLLOWS_BURST - 2):
        await follows.unfollow(bob, "alice-tv")
    with pytest.raises(RateLimited):
        await follows.unfollow(bob, "alice-tv")


async def test_followers_come_in_pages(
    follows: Follows, db: Database, channel: Channel, bob: User, admin: User
) -> None:
    await follows.follow(bob, "alice-tv")
    await follows.follow(admin, "alice-tv")
    everybody = sorted([bob.id, admin.id])

    def page(after: str) -> Any:
        return db.read(follows_module.followers_of, channel.id, after=after, limit=1)

    assert await page("") == everybody[:1]
    assert await page(everybody[0]) == everybody[1:]
    assert await page(everybody[1]) == []


async def test_somebody_who_is_banned_follows_nobody(
    follows: Follows, channel: Channel, bob: User
) -> None:
    with pytest.raises(Forbidden):
        await follows.follow(replace(bob, is_banned=True), channel.slug)

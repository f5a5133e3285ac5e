"""Stream keys: shown once, stored as digests, revocable."""

from __future__ import annotations

import asyncio
import re

import pytest
from sqlalchemy import text

from mediaserver.accounts.users import User
from mediaserver.channels import stream_keys as keys
from mediaserver.channels.channels import Channel, Channels
from mediaserver.channels.stream_keys import StreamKeyRevoked, StreamKeys
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.kernel.events import Events


async def test_create_list_find(
    stream_keys: StreamKeys, channel: Channel, alice: User, db: Database, clock: FakeClock
) -> None:
    made, secret = await stream_keys.create(alice, "alice-tv", " Laptop ")
    assert re.fullmatch(r"live_[A-Za-z0-9_-]{27}", secret)
    assert (made.name, made.hint, made.last_used_at_ms) == ("Laptop", secret[-4:], None)
    clock.advance(1)
    second, _ = await stream_keys.create(alice, "alice-tv", "")
    assert second.name == "Stream key"
    assert await stream_keys.list_active(alice, "alice-tv") == [made, second]
    found = await db.read(keys.find, secret)
    assert found is not None
    assert (found.id, found.channel_id, found.slug, found.is_revoked) == (
        made.id,
        channel.id,
        "alice-tv",
        False,
    )
    assert await db.read(keys.find, secret[:-1] + ("x" if secret[-1] != "x" else "y")) is None


async def test_the_secret_is_not_stored(
    stream_keys: StreamKeys, channel: Channel, alice: User, db: Database
) -> None:
    _, secret = await stream_keys.create(alice, "alice-tv", "Laptop")
    rows = await db.read(lambda tx: str(tx.execute(text("SELECT * FROM stream_key")).all()))
    assert secret not in rows
    assert secret[5:-4] not in rows


async def test_revoke(
    stream_keys: StreamKeys, channel: Channel, alice: User, db: Database, events: Events
) -> None:
    seen: list[StreamKeyRevoked] = []
    events.subscribe(StreamKeyRevoked, seen.append)
    made, secret = await stream_keys.create(alice, "alice-tv", "Laptop")
    await stream_keys.revoke(alice, "alice-tv", made.id)
    found = await db.read(keys.find, secret)
    assert found is not None
    assert found.is_revoked
    assert await stream_keys.list_active(alice, "alice-tv") == []
    assert not await db.write(keys.touch, made.id, 1)
    with pytest.raises(NotFound):
        await stream_keys.revoke(alice, "alice-tv", made.id)
    assert seen == [StreamKeyRevoked(made.id, "alice-tv")]


async def test_only_owner_and_admin(
    stream_keys: StreamKeys, channel: Channel, alice: User, bob: User, admin: User
) -> None:
    made, _ = await stream_keys.create(alice, "alice-tv", "Laptop")
    for attempt in (
        stream_keys.create(bob, "alice-tv", "x"),
        stream_keys.list_active(bob, "alice-tv"),
        stream_keys.revoke(bob, "alice-tv", made.id),
    ):
        with pytest.raises(Forbidden):
            await attempt
    assert await stream_keys.list_active(admin, "alice-tv") == [made]


async def test_a_key_of_another_channel_is_not_found(
    stream_keys: StreamKeys, channels: Channels, channel: Channel, alice: User, bob: User
) -> None:
    """Owning one channel gives no power over the keys of another."""
    await channels.create(bob, "bob-tv", "Bob")
    made, _ = await stream_keys.create(alice, "alice-tv", "Laptop")
    with pytest.raises(NotFound):
        await stream_keys.revoke(bob, "bob-tv", made.id)
    assert await stream_keys.list_active(alice, "alice-tv") == [made]


async def test_limit_holds_at_once(
    stream_keys: StreamKeys, channel: Channel, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STREAM_KEYS_PER_CHANNEL_MAX", 3)
    results = await asyncio.gather(
        *(stream_keys.create(alice, "alice-tv", "x") for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(result, Conflict) for result in results) == 2
    active = await stream_keys.list_active(alice, "alice-tv")
    await stream_keys.revoke(alice, "alice-tv", active[0].id)
    await stream_keys.create(alice, "alice-tv", "x")


async def test_a_name_is_one_short_line(
    stream_keys: StreamKeys, channel: Channel, alice: User
) -> None:
    for name in ("x" * 41, "a\nb"):
        with pytest.raises(Invalid):
            await stream_keys.create(alice, "alice-tv", name)


@pytest.mark.parametrize(
    "key", ["", "live_", "live_short", "LIVE_" + "x" * 27, "live_" + "x" * 28, "live_" + "ü" * 27]
)
def test_shapes_that_are_no_key(key: str) -> None:
    assert not keys.has_shape(key)

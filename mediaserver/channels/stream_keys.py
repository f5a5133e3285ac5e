"""Stream keys: what an encoder shows to publish. A channel has several, each with a name.

A key is `live_` and 160 random bits, shown once; only its SHA-256 and its last four characters are
kept. Owns the table `stream_key`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Row,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)

from mediaserver.accounts.users import User, user_account
from mediaserver.channels import channels, oversight
from mediaserver.channels.channels import Channel, channel
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, NotFound
from mediaserver.kernel.ids import digest, new_id, new_secret
from mediaserver.kernel.texts import checked_line

stream_key = table(
    "stream_key",
    identifier(),
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), index=True),
    text("name"),
    text("key_digest"),
    text("hint"),
    int64("created_at_ms"),
    int64("last_used_at_ms", nullable=True),
    int64("revoked_at_ms", nullable=True),
    UniqueConstraint("key_digest"),
    CheckConstraint("length(key_digest) = 64", name="key_digest"),
    CheckConstraint("length(hint) = 4", name="hint"),
)

_SHAPE = re.compile(r"live_[A-Za-z0-9_-]{27}")


@dataclass(frozen=True, slots=True)
class StreamKey:
    """A key that works, without its secret. `hint` is its last four characters."""

    id: str
    name: str
    hint: str
    created_at_ms: int
    last_used_at_ms: int | None


@dataclass(frozen=True, slots=True)
class FoundKey:
    """What a key opens."""

    id: str
    channel_id: str
    slug: str
    is_revoked: bool
    is_owner_banned: bool


@dataclass(frozen=True, slots=True)
class StreamKeyRevoked:
    """A key was revoked; a broadcast that it opened must end."""

    stream_key_id: str
    channel: str


class StreamKeys:
    """Makes, lists and revokes keys for those who manage the channel."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def create(self, actor: User, slug: str, name: str) -> tuple[StreamKey, str]:
        """The new key and its secret, which can't be had again.

        Raises `NotFound`, `Forbidden`, `Invalid` or `Conflict` (too many of them).
        """
        return await self._db.write(_create, actor, slug, name, self._clock.wall_ms())

    def create_in(self, tx: Transaction, to: Channel, name: str) -> tuple[StreamKey, str]:
        """`create` as a part of a larger transaction that has checked who asks."""
        return insert_key(tx, to.id, name, self._clock.wall_ms())

    async def list_active(self, actor: User, slug: str) -> list[StreamKey]:
        """The keys that work, oldest first. Raises `NotFound` or `Forbidden`."""
        return await self._db.read(_list_active, actor, slug)

    async def revoke(self, actor: User, slug: str, key_id: str) -> None:
        """The key opens nothing from now on, and what it has opened ends.

        Raises `NotFound` or `Forbidden`.
        """
        await self._db.write(_revoke, actor, slug, key_id, self._clock.wall_ms())


def has_shape(key: str) -> bool:
    """Whether it looks like a key of ours at all; anything else needs no look at the database."""
    return _SHAPE.fullmatch(key) is not None


def find(tx: Transaction, key: str) -> FoundKey | None:
    """The channel that `key` opens, also when it is revoked. Compared by digest only."""
    row = tx.execute(
        select(
            stream_key.c.id,
            stream_key.c.revoked_at_ms,
            stream_key.c.channel_id,
            channel.c.slug,
            user_account.c.banned_until_ms,
        )
        .join(channel, channel.c.id == stream_key.c.channel_id)
        .join(user_account, user_account.c.id == channel.c.owner_id)
        .where(stream_key.c.key_digest == digest(key))
    ).first()
    if row is None:
        return None
    return FoundKey(
        row.id,
        row.channel_id,
        row.slug,
        row.revoked_at_ms is not None,
        row.banned_until_ms is not None,
    )


def touch(tx: Transaction, key_id: str, now_ms: int) -> bool:
    """Write down a use. False when the key has been revoked in the meantime."""
    touched = tx.execute(
        update(stream_key)
        .where(stream_key.c.id == key_id, stream_key.c.revoked_at_ms.is_(None))
        .values(last_used_at_ms=now_ms)
    )
    return touched.rowcount == 1


def insert_key(tx: Transaction, channel_id: str, name: str, now_ms: int) -> tuple[StreamKey, str]:
    name = checked_line(name, "name", limits.STREAM_KEY_NAME_CHARS_MAX) or "Stream key"
    tx.execute(select(channel.c.id).where(channel.c.id == channel_id).with_for_update())
    active = tx.execute(
        select(func.count())
        .select_from(stream_key)
        .where(stream_key.c.channel_id == channel_id, stream_key.c.revoked_at_ms.is_(None))
    ).scalar_one()
    if active >= limits.STREAM_KEYS_PER_CHANNEL_MAX:
        raise Conflict(
            f"This channel has {active} keys. Revoke one first.", code="too_many_stream_keys"
        )
    secret = "live_" + new_secret(160)
    assert has_shape(secret)
    made = StreamKey(new_id("key"), name, secret[-4:], now_ms, None)
    tx.execute(
        insert(stream_key).values(
            id=made.id,
            channel_id=channel_id,
            name=name,
            key_digest=digest(secret),
            hint=made.hint,
            created_at_ms=now_ms,
        )
    )
    return made, secret


def _create(
    tx: Transaction, actor: User, slug: str, name: str, now_ms: int
) -> tuple[StreamKey, str]:
    found = channels.get_managed(tx, actor, slug)
    made, secret = insert_key(tx, found.id, name, now_ms)
    oversight.record(tx, actor, found, "stream-key.create", now_ms, {"key": made.id})
    return made, secret


def _list_active(tx: Transaction, actor: User, slug: str) -> list[StreamKey]:
    found = channels.get_managed(tx, actor, slug)
    rows = tx.execute(
        select(stream_key)
        .where(stream_key.c.channel_id == found.id, stream_key.c.revoked_at_ms.is_(None))
        .order_by(stream_key.c.created_at_ms, stream_key.c.id)
    )
    return [_to_key(row) for row in rows]


def _revoke(tx: Transaction, actor: User, slug: str, key_id: str, now_ms: int) -> None:
    found = channels.get_managed(tx, actor, slug)
    revoked = tx.execute(
        update(stream_key)
        .where(
            stream_key.c.id == key_id,
            stream_key.c.channel_id == found.id,
            stream_key.c.revoked_at_ms.is_(None),
        )
        .values(revoked_at_ms=now_ms)
    )
    if revoked.rowcount == 0:
        raise NotFound("There is no such stream key.", code="stream_key_not_found")
    oversight.record(tx, actor, found, "stream-key.revoke", now_ms, {"key": key_id})
    tx.emit(StreamKeyRevoked(key_id, found.slug))


def _to_key(row: Row[Any]) -> StreamKey:
    return StreamKey(row.id, row.name, row.hint, row.created_at_ms, row.last_used_at_ms)

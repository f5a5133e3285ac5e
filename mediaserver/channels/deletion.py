"""The end of a channel, and what channels know about a person.

Called by the studio, the API and accounts/personal_data.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import delete, select

from mediaserver.accounts.retired_names import Kind, retire
from mediaserver.accounts.users import User
from mediaserver.channels import channels, oversight
from mediaserver.channels.channels import Channel, channel
from mediaserver.channels.follows import follow
from mediaserver.channels.streams import stream
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ChannelDeleted:
    """A channel is gone, with its keys, chat, schedule and followers. `was`: as it was last."""

    id: str
    slug: str
    was: Channel


class Deletion:
    """Deletes channels."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def delete(self, actor: User, slug: str) -> None:
        """The caller has confirmed who asks. Raises `NotFound` or `Forbidden`."""
        await self._db.write(self._delete, actor, slug)

    def _delete(self, tx: Transaction, actor: User, slug: str) -> None:
        found, now_ms = channels.get_managed(tx, actor, slug), self._clock.wall_ms()
        oversight.record(tx, actor, found, "channel.delete", now_ms)
        remove(tx, found, now_ms)


def remove(tx: Transaction, found: Channel, now_ms: int) -> None:
    """Delete a channel and all that is its own; its address rests for a while."""
    channels.lock(tx, found.id)
    tx.execute(delete(channel).where(channel.c.id == found.id))
    retire(tx, Kind.CHANNEL, found.slug, now_ms)
    tx.emit(ChannelDeleted(found.id, found.slug, found))
    _log.info("channel deleted", channel=found.slug)


def export(tx: Transaction, user_id: str) -> dict[str, Any]:
    """The channels and follows of a user, for their copy of their data."""
    owned = tx.execute(select(channel).where(channel.c.owner_id == user_id)).all()
    followed = tx.execute(
        select(channel.c.slug, follow.c.followed_at_ms)
        .join(follow, follow.c.channel_id == channel.c.id)
        .where(follow.c.user_id == user_id)
        .order_by(follow.c.followed_at_ms)
    )
    return {
        "owned": [dict(row._mapping) | {"streams": _streams(tx, row.id)} for row in owned],
        "followed": [
            {"channel": row.slug, "followed_at_ms": row.followed_at_ms} for row in followed
        ],
    }


def erase(tx: Transaction, user_id: str, now_ms: int) -> None:
    """Delete the channels of a user; their follows go with the account."""
    for found in channels.owned_by(tx, user_id):
        remove(tx, found, now_ms)


def _streams(tx: Transaction, channel_id: str) -> list[dict[str, Any]]:
    rows = tx.execute(
        select(stream.c.title, stream.c.created_at_ms, stream.c.live_at_ms, stream.c.ended_at_ms)
        .where(stream.c.channel_id == channel_id)
        .order_by(stream.c.created_at_ms)
    )
    return [dict(row._mapping) for row in rows]

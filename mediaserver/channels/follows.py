"""Follows: who wants to hear of which channel. Owns the table `follow`.

Called by the routes; chat asks here since when somebody follows, and `realtime` whom to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ForeignKey, delete, func, insert, select

from mediaserver.accounts import users
from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.accounts.users import User
from mediaserver.channels import channels
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import Conflict

follow = table(
    "follow",
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    text(
        "channel_id",
        ForeignKey("channel.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    int64("followed_at_ms"),
)

_RULE = Rule("follow-user", limits.FOLLOWS_BURST, limits.FOLLOWS_INTERVAL_MS)


@dataclass(frozen=True, slots=True)
class Followed:
    """Somebody follows a channel from now on."""

    channel_id: str
    channel_slug: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Unfollowed:
    """Somebody follows a channel no longer."""

    channel_id: str
    channel_slug: str
    user_id: str


class Follows:
    """Follows and unfollows for a user."""

    def __init__(self, db: Database, clock: Clock, throttles: Throttles) -> None:
        self._db = db
        self._clock = clock
        self._throttles = throttles

    async def follow(self, user: User, slug: str) -> bool:
        """False when it was so already.

        Raises `NotFound`, `Forbidden` (banned), `Conflict` (an own channel, too many) or
        `RateLimited`.
        """
        await self._throttles.charge((_RULE, _RULE.key(user.id)))
        return await self._db.write(_follow, user, slug, self._clock.wall_ms())

    async def unfollow(self, user: User, slug: str) -> bool:
        """False when it was so already. Raises `NotFound` or `RateLimited`."""
        await self._throttles.charge((_RULE, _RULE.key(user.id)))
        return await self._db.write(_unfollow, user, slug)

    async def count(self, channel_id: str) -> int:
        """How many follow the channel."""
        return await self._db.read(count, channel_id)

    async def among(self, channel_id: str, user_ids: Sequence[str]) -> set[str]:
        """Those of `user_ids` who follow the channel."""
        found: set[str] = set()
        for start in range(0, len(user_ids), limits.FOLLOWERS_PAGE):
            page = user_ids[start : start + limits.FOLLOWERS_PAGE]
            found |= await self._db.read(_among, channel_id, page)
        return found

    async def counts(self, channel_ids: Sequence[str]) -> dict[str, int]:
        """Channel id → how many follow it; without channels that nobody does."""
        return await self._db.read(_counts, channel_ids) if channel_ids else {}

    async def is_following(self, user: User, channel_id: str) -> bool:
        return await self._db.read(followed_since_ms, user.id, channel_id) is not None


def followed_since_ms(tx: Transaction, user_id: str, channel_id: str) -> int | None:
    """When the user began to follow the channel; None if they don't."""
    since_ms = tx.execute(
        select(follow.c.followed_at_ms).where(
            follow.c.user_id == user_id, follow.c.channel_id == channel_id
        )
    ).scalar()
    return None if since_ms is None else int(since_ms)


def count(tx: Transaction, channel_id: str) -> int:
    """How many follow the channel."""
    return int(
        tx.execute(
            select(func.count()).select_from(follow).where(follow.c.channel_id == channel_id)
        ).scalar_one()
    )


def _counts(tx: Transaction, channel_ids: Sequence[str]) -> dict[str, int]:
    rows = tx.execute(
        select(follow.c.channel_id, func.count().label("followers"))
        .where(follow.c.channel_id.in_(channel_ids))
        .group_by(follow.c.channel_id)
    )
    return {row.channel_id: row.followers for row in rows}


def followers_of(
    tx: Transaction, channel_id: str, *, after: str = "", limit: int = limits.FOLLOWERS_PAGE
) -> list[str]:
    """User ids in order, those after `after`: a page of `limit`."""
    rows = tx.execute(
        select(follow.c.user_id)
        .where(follow.c.channel_id == channel_id, follow.c.user_id > after)
        .order_by(follow.c.user_id)
        .limit(limit)
    )
    return [row.user_id for row in rows]


def followed_by(tx: Transaction, user_id: str) -> list[str]:
    """Ids of the channels that the user follows, at most `FOLLOWS_PER_USER_MAX`."""
    rows = tx.execute(
        select(follow.c.channel_id)
        .where(follow.c.user_id == user_id)
        .order_by(follow.c.followed_at_ms, follow.c.channel_id)
        .limit(limits.FOLLOWS_PER_USER_MAX)
    )
    return [row.channel_id for row in rows]


def _among(tx: Transaction, channel_id: str, user_ids: Sequence[str]) -> set[str]:
    rows = tx.execute(
        select(follow.c.user_id).where(
            follow.c.channel_id == channel_id, follow.c.user_id.in_(user_ids)
        )
    )
    return {row.user_id for row in rows}


def _follow(tx: Transaction, user: User, slug: str, now_ms: int) -> bool:
    check(user, Action.FOLLOW)
    found = channels.get_visible(tx, slug)
    if found.owner_id == user.id:
        raise Conflict("This is your own channel.", code="own_channel")
    users.lock(tx, user.id)  # two tabs at once count one after the other
    if followed_since_ms(tx, user.id, found.id) is not None:
        return False
    followed = tx.execute(
        select(func.count()).select_from(follow).where(follow.c.user_id == user.id)
    ).scalar_one()
    if followed >= limits.FOLLOWS_PER_USER_MAX:
        raise Conflict(
            f"You follow {followed} channels. Unfollow one first.", code="too_many_follows"
        )
    tx.execute(insert(follow).values(user_id=user.id, channel_id=found.id, followed_at_ms=now_ms))
    tx.emit(Followed(found.id, found.slug, user.id))
    return True


def _unfollow(tx: Transaction, user: User, slug: str) -> bool:
    found = channels.get(tx, slug)
    removed = tx.execute(
        delete(follow).where(follow.c.user_id == user.id, follow.c.channel_id == found.id)
    )
    if removed.rowcount == 0:
        return False
    tx.emit(Unfollowed(found.id, found.slug, user.id))
    return True

"""Ranks: what somebody is in one channel, and whom they may act on.

Owns the table `channel_moderator`. Called by chat; a site admin is an admin in every channel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ForeignKey, delete, func, insert, select

from mediaserver.accounts import permissions
from mediaserver.accounts.permissions import Rank, Thing
from mediaserver.accounts.users import User, user_account
from mediaserver.channels.channels import Channel
from mediaserver.channels.channels import channel as channel_table
from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import Conflict, Forbidden

channel_moderator = table(
    "channel_moderator",
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), primary_key=True),
    text(
        "user_id",
        ForeignKey("user_account.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    text("added_by_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    int64("added_at_ms"),
)


@dataclass(frozen=True, slots=True)
class Moderator:
    """Somebody whom the owner trusts with the chat."""

    user_id: str
    username: str
    added_at_ms: int


def rank_of(tx: Transaction, user: User | None, channel: Channel) -> Rank:
    """The rank of `user`, or of a visitor who isn't logged in, in `channel`."""
    return rank_among(user, channel, moderator_ids(tx, [channel.id], [user.id] if user else []))


def rank_among(user: User | None, channel: Channel, moderators: Iterable[tuple[str, str]]) -> Rank:
    """`rank_of`, with what `moderator_ids` has found."""
    is_moderator = user is not None and (channel.id, user.id) in moderators
    moderator_ids_here = [user.id] if user is not None and is_moderator else []
    return permissions.rank_of(user, Thing(channel.owner_id, moderator_ids_here))


def role_of(rank: Rank, user_id: str, channel: Channel) -> str:
    """What the chat shows: an admin in their own channel is its owner to everybody."""
    return Rank.OWNER.role if user_id == channel.owner_id else rank.role


def check_outranks(actor: Rank, target: Rank) -> None:
    """Raises `Forbidden` unless `actor` is a moderator at least and stands above `target`."""
    if actor < Rank.MODERATOR:
        raise Forbidden("Only moderators of this channel may do that.")
    if target >= actor:
        names = {
            Rank.MODERATOR: "another moderator",
            Rank.OWNER: "the channel's owner",
            Rank.ADMIN: "an admin of this site",
        }
        raise Forbidden(f"You can't do that to {names[target]}.", code="outranked")


def moderator_ids(
    tx: Transaction, channel_ids: Iterable[str], user_ids: Iterable[str]
) -> set[tuple[str, str]]:
    """Those pairs of channel and user that are a moderator's."""
    channels, users = list(channel_ids), list(user_ids)
    if not channels or not users:
        return set()
    rows = tx.execute(
        select(channel_moderator.c.channel_id, channel_moderator.c.user_id).where(
            channel_moderator.c.channel_id.in_(channels), channel_moderator.c.user_id.in_(users)
        )
    )
    return {(row.channel_id, row.user_id) for row in rows}


def list_moderators(tx: Transaction, channel_id: str) -> list[Moderator]:
    """By name."""
    rows = tx.execute(
        select(
            channel_moderator.c.user_id, user_account.c.username, channel_moderator.c.added_at_ms
        )
        .join(user_account, user_account.c.id == channel_moderator.c.user_id)
        .where(channel_moderator.c.channel_id == channel_id)
        .order_by(user_account.c.username)
    )
    return [Moderator(row.user_id, row.username, row.added_at_ms) for row in rows]


def moderated_by(tx: Transaction, user_id: str) -> list[str]:
    """The slugs of the channels where `user_id` is a moderator, by the channel's name."""
    rows = tx.execute(
        select(channel_table.c.slug)
        .join(channel_moderator, channel_moderator.c.channel_id == channel_table.c.id)
        .where(channel_moderator.c.user_id == user_id)
        .order_by(channel_table.c.name, channel_table.c.slug)
        .limit(limits.CHANNELS_LISTED_MAX)
    )
    return [str(row.slug) for row in rows]


def add_moderator(
    tx: Transaction, channel_id: str, user_id: str, added_by_id: str, now_ms: int
) -> bool:
    """False when they are one already. Raises `Conflict` when there are too many.

    The caller has locked the channel's room.
    """
    if moderator_ids(tx, [channel_id], [user_id]):
        return False
    count = tx.execute(
        select(func.count())
        .select_from(channel_moderator)
        .where(channel_moderator.c.channel_id == channel_id)
    ).scalar_one()
    if count >= limits.MODERATORS_PER_CHANNEL_MAX:
        raise Conflict(f"This channel has {count} moderators.", code="too_many_moderators")
    tx.execute(
        insert(channel_moderator).values(
            channel_id=channel_id, user_id=user_id, added_by_id=added_by_id, added_at_ms=now_ms
        )
    )
    return True


def remove_moderator(tx: Transaction, channel_id: str, user_id: str) -> bool:
    """Whether they were one."""
    gone = tx.execute(
        delete(channel_moderator).where(
            channel_moderator.c.channel_id == channel_id, channel_moderator.c.user_id == user_id
        )
    )
    return gone.rowcount == 1

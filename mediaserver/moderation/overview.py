"""What a moderator sees of a channel at one glance: rules, words, people, and what was done."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel, channel
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.moderation import actions_log, ranks, restrictions, rules, words
from mediaserver.moderation.actions_log import LoggedAction
from mediaserver.moderation.ranks import Moderator, Rank
from mediaserver.moderation.restrictions import Restriction
from mediaserver.moderation.rules import Rules
from mediaserver.moderation.words import BlockedWord


@dataclass(frozen=True, slots=True)
class Overview:
    """All of one channel. `log` is newest first; `older_ms` asks for what came before it."""

    rules: Rules
    words: tuple[BlockedWord, ...]
    moderators: tuple[Moderator, ...]
    restrictions: tuple[Restriction, ...]
    log: tuple[LoggedAction, ...]
    older_ms: int | None


class Moderation:
    """Reads it. Changes go through `chat.chat.Chat.act`."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def rank(self, user: User | None, where: Channel) -> Rank:
        """What `user` is in the channel."""
        return await self._db.read(ranks.rank_of, user, where)

    async def moderated_by(self, user: User) -> list[str]:
        """The slugs of the channels that trust `user` with their chat, by name."""
        return await self._db.read(_moderated_by, user.id)

    async def overview(self, where: Channel, *, before_ms: int | None = None) -> Overview:
        """For moderators of the channel: the caller has checked the rank."""
        return await self._db.read(_overview, where.id, before_ms, self._clock.wall_ms())


def _moderated_by(tx: Transaction, user_id: str) -> list[str]:
    return list(
        tx.execute(
            select(channel.c.slug)
            .join(ranks.channel_moderator, ranks.channel_moderator.c.channel_id == channel.c.id)
            .where(ranks.channel_moderator.c.user_id == user_id)
            .order_by(channel.c.name, channel.c.slug)
            .limit(limits.CHANNELS_LISTED_MAX)
        ).scalars()
    )


def _overview(tx: Transaction, channel_id: str, before_ms: int | None, now_ms: int) -> Overview:
    size = limits.MODERATION_LOG_SHOWN
    log = actions_log.list_actions(tx, channel_id, before_ms=before_ms, limit=size)
    return Overview(
        rules=rules.get(tx, channel_id),
        words=tuple(words.list_words(tx, channel_id)),
        moderators=tuple(ranks.list_moderators(tx, channel_id)),
        restrictions=tuple(restrictions.list_active(tx, channel_id, now_ms)),
        log=tuple(log),
        older_ms=log[-1].at_ms if len(log) == size else None,
    )

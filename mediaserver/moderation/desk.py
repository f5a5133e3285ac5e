"""The desk: what moderators look at. What they do goes through chat/chat.py."""

from __future__ import annotations

from mediaserver.accounts.permissions import Action, Rank, check_rank
from mediaserver.accounts.users import User, reload
from mediaserver.channels.channels import Channel
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.moderation import actions_log, ranks, restrictions, rules, words
from mediaserver.moderation.actions_log import LoggedAction
from mediaserver.moderation.ranks import Moderator
from mediaserver.moderation.restrictions import Restriction
from mediaserver.moderation.rules import Rules
from mediaserver.moderation.words import BlockedWord


class Desk:
    """Reads only. Moderators and rules are public; all else raises `Forbidden` below moderators."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def rank(self, user: User | None, channel: Channel) -> Rank:
        return await self._db.read(_rank, user, channel)

    async def moderated_by(self, user: User) -> list[str]:
        """The slugs of the channels that trust `user` with their chat, by the channel's name."""
        return await self._db.read(ranks.moderated_by, user.id)

    async def moderators(self, channel: Channel) -> list[Moderator]:
        """By name."""
        return await self._db.read(ranks.list_moderators, channel.id)

    async def rules(self, channel: Channel) -> Rules:
        return await self._db.read(rules.get, channel.id)

    async def restrictions(self, actor: User, channel: Channel) -> list[Restriction]:
        """What holds now, newest first."""
        return await self._db.read(_restrictions, actor, channel, self._clock.wall_ms())

    async def words(self, actor: User, channel: Channel) -> list[BlockedWord]:
        return await self._db.read(_words, actor, channel)

    async def log(
        self, actor: User, channel: Channel, *, before: str | None, limit: int
    ) -> list[LoggedAction]:
        """What was done, newest first; `before` is the id of the last entry that is known."""
        return await self._db.read(_log, actor, channel, before, limit)


def _rank(tx: Transaction, user: User | None, channel: Channel) -> Rank:
    return ranks.rank_of(tx, reload(tx, user) if user else None, channel)


def _check(tx: Transaction, actor: User, channel: Channel) -> None:
    check_rank(_rank(tx, actor, channel), Action.READ_MODERATION_LOG)


def _restrictions(tx: Transaction, actor: User, channel: Channel, now_ms: int) -> list[Restriction]:
    _check(tx, actor, channel)
    return restrictions.list_active(tx, channel.id, now_ms)


def _words(tx: Transaction, actor: User, channel: Channel) -> list[BlockedWord]:
    _check(tx, actor, channel)
    return words.list_words(tx, channel.id)


def _log(
    tx: Transaction, actor: User, channel: Channel, before: str | None, limit: int
) -> list[LoggedAction]:
    _check(tx, actor, channel)
    return actions_log.list_actions(tx, channel.id, before=before, limit=limit)

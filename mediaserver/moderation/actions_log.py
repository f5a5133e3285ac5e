"""The log of what moderators did: written with each action, in its transaction, and never changed,
but for the words of somebody whose account goes; deleted once it is old.

Owns the table `moderation_action`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    UniqueConstraint,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from mediaserver.accounts.users import user_account
from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.ids import is_id, new_id

moderation_action = table(
    "moderation_action",
    identifier(),
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE")),
    int64("sequence"),
    text("actor_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    text("action"),
    text("target_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    text("detail"),
    int64("at_ms", index=True),
    UniqueConstraint("channel_id", "sequence"),
    CheckConstraint("sequence >= 1", name="sequence"),
    CheckConstraint("length(detail) <= 600", name="detail"),
)

_DETAIL_CHARS_MAX = 600

_DEEDS: Mapping[str, str] = {
    "remove": "removed a message of",
    "timeout": "timed out",
    "untimeout": "lifted the time-out of",
    "ban": "banned",
    "unban": "lifted the ban of",
    "clear": "cleared the chat",
    "pin": "pinned a message of",
    "unpin": "unpinned the message",
    "announce": "announced",
    "rules": "changed the rules",
    "mod": "made a moderator of",
    "unmod": "took the moderator's rights from",
    "block-word": "blocked a word",
    "unblock-word": "allowed a word again",
    "emote-add": "added an emote",
    "emote-remove": "deleted an emote",
}
"""Actions as they stand between who acted and whom it concerned."""


@dataclass(frozen=True, slots=True)
class LoggedAction:
    """`actor` and `target` are user names; None when nobody, or when the account is gone."""

    id: str
    at_ms: int
    actor: str | None
    action: str
    target: str | None
    detail: str

    @property
    def deed(self) -> str:
        """The action in words: "timed out"."""
        return _DEEDS.get(self.action, self.action)

    @property
    def sentence(self) -> str:
        """All of it: "alice timed out bob: 10 min"."""
        words = (self.actor or "A deleted account", self.deed, self.target)
        said = " ".join(word for word in words if word)
        return f"{said}: {self.detail}" if self.detail else said


@dataclass(frozen=True, slots=True)
class Moderated:
    """A moderator did something; published after the commit, for activity feeds."""

    channel_id: str
    channel_slug: str
    entry: LoggedAction


def write(
    tx: Transaction,
    channel_id: str,
    channel_slug: str,
    *,
    actor: tuple[str, str],
    action: str,
    target: tuple[str, str] | None = None,
    detail: str = "",
    now_ms: int,
) -> None:
    """Log it and publish `Moderated`. `actor` and `target` are id and name.

    Numbered, as clocks may be set back; the caller has locked the channel's room.
    """
    entry = LoggedAction(
        id=new_id("act"),
        at_ms=now_ms,
        actor=actor[1],
        action=action,
        target=target[1] if target else None,
        detail=detail[:_DETAIL_CHARS_MAX],
    )
    last = tx.execute(
        select(func.coalesce(func.max(moderation_action.c.sequence), 0)).where(
            moderation_action.c.channel_id == channel_id
        )
    ).scalar_one()
    tx.execute(
        insert(moderation_action).values(
            id=entry.id,
            channel_id=channel_id,
            sequence=last + 1,
            actor_id=actor[0],
            action=action,
            target_id=target[0] if target else None,
            detail=entry.detail,
            at_ms=now_ms,
        )
    )
    tx.emit(Moderated(channel_id, channel_slug, entry))


def list_actions(
    tx: Transaction, channel_id: str, *, before: str | None, limit: int
) -> list[LoggedAction]:
    """Newest first, at most `MODERATION_LISTED_MAX`; those older than the entry `before`."""
    actor, target = user_account.alias("actor"), user_account.alias("target")
    query = (
        select(
            moderation_action,
            actor.c.username.label("actor"),
            target.c.username.label("target"),
        )
        .outerjoin(actor, actor.c.id == moderation_action.c.actor_id)
        .outerjoin(target, target.c.id == moderation_action.c.target_id)
        .where(moderation_action.c.channel_id == channel_id)
        .order_by(moderation_action.c.sequence.desc())
        .limit(max(1, min(limit, limits.MODERATION_LISTED_MAX)))
    )
    if before is not None:
        if not is_id(before, "act"):
            return []
        sequence = (
            select(moderation_action.c.sequence)
            .where(moderation_action.c.id == before, moderation_action.c.channel_id == channel_id)
            .scalar_subquery()
        )
        query = query.where(moderation_action.c.sequence < sequence)
    return [
        LoggedAction(row.id, row.at_ms, row.actor, row.action, row.target, row.detail)
        for row in tx.execute(query)
    ]


def forget(tx: Transaction, user_id: str) -> None:
    """Somebody's account goes: what they said, and what was said of them, with it."""
    announced = and_(
        moderation_action.c.actor_id == user_id, moderation_action.c.action == "announce"
    )
    tx.execute(
        update(moderation_action)
        .where(or_(moderation_action.c.target_id == user_id, announced))
        .values(detail="")
    )


def delete_before(tx: Transaction, before_ms: int, most: int) -> int:
    """Forget the oldest entries from before then, at most so many; how many there were.

    The newest one of each channel stays: the next is numbered after it.
    """
    newest = (
        select(func.max(moderation_action.c.sequence))
        .where(moderation_action.c.channel_id == _older.c.channel_id)
        .scalar_subquery()
    )
    old = (
        select(_older.c.id)
        .where(_older.c.at_ms < before_ms, _older.c.sequence < newest)
        .order_by(_older.c.at_ms)
        .limit(most)
    )
    return tx.execute(delete(moderation_action).where(moderation_action.c.id.in_(old))).rowcount


_older = moderation_action.alias("older")

"""Restrictions: who may not write in a channel, for a while (time-out) or until forgiven (ban).

One row for each user and channel, so it holds for all their devices. Owns the table `restriction`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Row, delete, insert, or_, select

from mediaserver.accounts.users import user_account
from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import int64, table, text

restriction = table(
    "restriction",
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), primary_key=True),
    text(
        "user_id",
        ForeignKey("user_account.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    text("kind"),
    text("reason"),
    text("made_by_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    int64("made_at_ms"),
    int64("until_ms", nullable=True),
    CheckConstraint("kind IN ('ban', 'timeout')", name="kind"),
    CheckConstraint("(kind = 'ban') = (until_ms IS NULL)", name="until"),
    CheckConstraint("length(reason) <= 200", name="reason"),
)


@dataclass(frozen=True, slots=True)
class Restriction:
    """A ban, or a time-out that ends at `until_ms`. `made_by` is None when that account is gone."""

    user_id: str
    username: str
    kind: str
    reason: str
    made_by: str | None
    made_at_ms: int
    until_ms: int | None

    @property
    def is_ban(self) -> bool:
        return self.kind == "ban"


def find(tx: Transaction, channel_id: str, user_id: str, now_ms: int) -> Restriction | None:
    """What holds for the user now; a time-out that is over is none."""
    return find_all(tx, [channel_id], [user_id], now_ms).get((channel_id, user_id))


def find_all(
    tx: Transaction, channel_ids: Iterable[str], user_ids: Iterable[str], now_ms: int
) -> dict[tuple[str, str], Restriction]:
    """What holds now, by channel and user."""
    rows = tx.execute(
        _select(now_ms).where(
            restriction.c.channel_id.in_(list(channel_ids)),
            restriction.c.user_id.in_(list(user_ids)),
        )
    )
    return {(row.channel_id, row.user_id): _to_restriction(row) for row in rows}


def list_active(tx: Transaction, channel_id: str, now_ms: int) -> list[Restriction]:
    """Newest first, at most `MODERATION_LISTED_MAX`."""
    rows = tx.execute(
        _select(now_ms)
        .where(restriction.c.channel_id == channel_id)
        .order_by(restriction.c.made_at_ms.desc(), user_account.c.username)
        .limit(limits.MODERATION_LISTED_MAX)
    )
    return [_to_restriction(row) for row in rows]


def impose(
    tx: Transaction,
    channel_id: str,
    user_id: str,
    *,
    reason: str,
    made_by_id: str,
    now_ms: int,
    until_ms: int | None,
) -> None:
    """Put it in the place of what was there. `until_ms` None: a ban."""
    lift(tx, channel_id, user_id)
    tx.execute(
        insert(restriction).values(
            channel_id=channel_id,
            user_id=user_id,
            kind="ban" if until_ms is None else "timeout",
            reason=reason,
            made_by_id=made_by_id,
            made_at_ms=now_ms,
            until_ms=until_ms,
        )
    )


def lift(tx: Transaction, channel_id: str, user_id: str) -> None:
    tx.execute(
        delete(restriction).where(
            restriction.c.channel_id == channel_id, restriction.c.user_id == user_id
        )
    )


def delete_expired(tx: Transaction, now_ms: int) -> None:
    """Remove time-outs that are over."""
    tx.execute(delete(restriction).where(restriction.c.until_ms <= now_ms))


def _select(now_ms: int) -> Any:
    maker = user_account.alias("maker")
    return (
        select(restriction, user_account.c.username, maker.c.username.label("made_by"))
        .join(user_account, user_account.c.id == restriction.c.user_id)
        .outerjoin(maker, maker.c.id == restriction.c.made_by_id)
        .where(or_(restriction.c.until_ms.is_(None), restriction.c.until_ms > now_ms))
    )


def _to_restriction(row: Row[Any]) -> Restriction:
    return Restriction(
        row.user_id,
        row.username,
        row.kind,
        row.reason,
        row.made_by,
        row.made_at_ms,
        row.until_ms,
    )

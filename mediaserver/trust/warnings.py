"""Warnings, and the rule that enough of them become a ban.

Owns the table `warning`. Called by trust/sanctions.py and cases.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ForeignKey, Index, Row, func, insert, select

from mediaserver.accounts.users import user_account
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.config import ModerationConfig
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.mail import Letterhead
from mediaserver.trust import bans, letters
from mediaserver.trust.bans import Ban
from mediaserver.trust.reasons import Grounds, Reason

warning = table(
    "warning",
    identifier(),
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE")),
    text("reason"),
    text("text"),
    text("report_id", ForeignKey("report.id", ondelete="SET NULL"), nullable=True),
    text("given_by_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    int64("given_at_ms"),
)
Index(None, warning.c.user_id, warning.c.given_at_ms, warning.c.id)


@dataclass(frozen=True, slots=True)
class GivenWarning:
    """One warning. `given_by` is a user name; None when that account is gone."""

    id: str
    reason: Reason
    text: str
    report_id: str | None
    given_by: str | None
    given_at_ms: int


@dataclass(frozen=True, slots=True)
class Warned:
    """What a warning came to: `ban` when it was one too many."""

    warning: GivenWarning
    ban: Ban | None


def give(
    tx: Transaction,
    letterhead: Letterhead,
    config: ModerationConfig,
    actor: Actor,
    user_id: str,
    grounds: Grounds,
    now_ms: int,
) -> Warned:
    """Warn somebody; the last of too many bans them. Raises `NotFound` or `Forbidden`."""
    user = bans.lock_subject(tx, actor, user_id)
    given = GivenWarning(
        new_id("wrn"), grounds.reason, grounds.text, grounds.report_id, actor.name, now_ms
    )
    tx.execute(
        insert(warning).values(
            id=given.id,
            user_id=user_id,
            reason=given.reason,
            text=given.text,
            report_id=given.report_id,
            given_by_id=actor.id,
            given_at_ms=now_ms,
        )
    )
    letters.warned(tx, letterhead, user_id, grounds, now_ms)
    details = {"warning": given.id, "reason": given.reason, "text": given.text}
    audit.append(tx, actor, "user.warn", bans.target_of(user), now_ms, details)
    if user.is_banned or not 0 < config.strikes_max <= strikes(tx, config, user_id, now_ms):
        return Warned(given, None)
    until_ms = bans.until_ms_of(config.strike_ban_days, now_ms)
    because = f"This was warning number {config.strikes_max} in {config.strike_days} days."
    grounds = replace(grounds, text=because)
    placed = bans.place(tx, letterhead, audit.SITE, user_id, grounds, until_ms, now_ms)
    return Warned(given, placed)


def strikes(tx: Transaction, config: ModerationConfig, user_id: str, now_ms: int) -> int:
    """Warnings that count now: those of the last days, and none from before the last ban."""
    earlier = bans.bans_of(tx, user_id)
    since_ms = now_ms - config.strike_days * limits.DAY_MS
    if earlier:
        since_ms = max(since_ms, earlier[0].from_ms)
    count = (
        select(func.count())
        .select_from(warning)
        .where(warning.c.user_id == user_id, warning.c.given_at_ms > since_ms)
    )
    return int(tx.execute(count).scalar_one())


def warnings_of(tx: Transaction, user_id: str) -> list[GivenWarning]:
    """Newest first, at most `SANCTIONS_LISTED_MAX`."""
    rows = tx.execute(
        select(warning, user_account.c.username.label("given_by"))
        .outerjoin(user_account, user_account.c.id == warning.c.given_by_id)
        .where(warning.c.user_id == user_id)
        .order_by(warning.c.given_at_ms.desc(), warning.c.id.desc())
        .limit(limits.SANCTIONS_LISTED_MAX)
    )
    return [_to_warning(row) for row in rows]


def _to_warning(row: Row[Any]) -> GivenWarning:
    return GivenWarning(
        row.id, Reason(row.reason), row.text, row.report_id, row.given_by, row.given_at_ms
    )

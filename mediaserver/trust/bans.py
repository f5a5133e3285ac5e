"""Bans from the whole site: given, changed, lifted by an admin or by time.

A ban that stands is a row without `lifted_at_ms`, one per person; the account's own row says so
too, for every part of the site that only has to know whether. Owns the table `ban`. Called by
trust/sanctions.py, cases.py and appeals.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Row, insert, select, update
from sqlalchemy import text as sql

from mediaserver.accounts import credentials
from mediaserver.accounts.users import User, find_by_id, set_banned_until, user_account
from mediaserver.channels import channels
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.kernel.ids import is_id, new_id
from mediaserver.kernel.jobs import enqueue
from mediaserver.kernel.mail import Letterhead
from mediaserver.trust import letters
from mediaserver.trust.reasons import Grounds, Reason

LIFT = "lift-ban"
"""The job that ends a ban."""

_STANDING = "lifted_at_ms IS NULL"

ban = table(
    "ban",
    identifier(),
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE")),
    text("reason"),
    text("text"),
    int64("from_ms"),
    int64("until_ms", nullable=True),
    text("report_id", ForeignKey("report.id", ondelete="SET NULL"), nullable=True),
    text("given_by_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    int64("lifted_at_ms", nullable=True),
    text("lifted_by_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    Index(
        "uq_ban_standing",
        "user_id",
        unique=True,
        sqlite_where=sql(_STANDING),
        postgresql_where=sql(_STANDING),
    ),
    CheckConstraint("until_ms > from_ms", name="until"),
    CheckConstraint("lifted_by_id IS NULL OR lifted_at_ms IS NOT NULL", name="lifted_by"),
)
Index(None, ban.c.user_id, ban.c.from_ms, ban.c.id)


@dataclass(frozen=True, slots=True)
class Ban:
    """One ban. Without `until_ms` it has no end; it stands while `lifted_at_ms` is None.

    `given_by` is a user name; None when the site itself banned, or when that account is gone.
    """

    id: str
    user_id: str
    reason: Reason
    text: str
    from_ms: int
    until_ms: int | None
    report_id: str | None
    given_by: str | None
    lifted_at_ms: int | None

    @property
    def stands(self) -> bool:
        return self.lifted_at_ms is None


@dataclass(frozen=True, slots=True)
class Banned:
    """Somebody may do nothing any more: what they stream ends, their connections close.

    `channels`: id → slug of what is theirs.
    """

    user_id: str
    channels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Unbanned:
    """Somebody may do everything again."""

    user_id: str
    channels: dict[str, str]


def until_ms_of(days: int | None, now_ms: int) -> int | None:
    """The end of a ban of so many days; None for one without an end. Raises `Invalid`."""
    if days is None:
        return None
    if not 1 <= days <= limits.BAN_DAYS_MAX:
        raise Invalid(f"Use 1 to {limits.BAN_DAYS_MAX} days.", field="days")
    return now_ms + days * limits.DAY_MS


def place(
    tx: Transaction,
    letterhead: Letterhead,
    actor: Actor,
    user_id: str,
    grounds: Grounds,
    until_ms: int | None,
    now_ms: int,
) -> Ban:
    """Ban somebody, end all that they have open and tell them.

    Raises `NotFound`, `Forbidden` (yourself, an admin) or `Conflict` (banned already).
    """
    user = lock_subject(tx, actor, user_id)
    if standing(tx, user_id) is not None:
        raise Conflict(
            f"{user.username} is banned already. Change the length of that ban.",
            code="already_banned",
        )
    ban_id = new_id("ban")
    tx.execute(
        insert(ban).values(
            id=ban_id,
            user_id=user_id,
            reason=grounds.reason,
            text=grounds.text,
            from_ms=now_ms,
            until_ms=until_ms,
            report_id=grounds.report_id,
            given_by_id=actor.id,
        )
    )
    set_banned_until(tx, user_id, until_ms or limits.BAN_FOREVER_MS)
    credentials.end_all(tx, user_id, now_ms)
    _lift_later(tx, ban_id, until_ms, now_ms)
    letters.banned(tx, letterhead, user_id, grounds, until_ms, now_ms)
    details = {
        "ban": ban_id,
        "reason": grounds.reason,
        "text": grounds.text,
        "until_ms": until_ms,
    }
    audit.append(tx, actor, "user.ban", target_of(user), now_ms, details)
    tx.emit(Banned(user_id, channels.slugs_of(tx, user_id)))
    return get(tx, ban_id)


def change_end(
    tx: Transaction,
    letterhead: Letterhead,
    actor: Actor,
    ban_id: str,
    until_ms: int | None,
    now_ms: int,
) -> Ban:
    """Have a ban last longer or shorter. Raises `NotFound` or `Conflict` (it is over)."""
    before, user = _locked(tx, ban_id)
    tx.execute(update(ban).where(ban.c.id == ban_id).values(until_ms=until_ms))
    set_banned_until(tx, before.user_id, until_ms or limits.BAN_FOREVER_MS)
    _lift_later(tx, ban_id, until_ms, now_ms)
    letters.ban_changed(tx, letterhead, before.user_id, until_ms, now_ms)
    details = {"ban": ban_id, "before": before.until_ms, "after": until_ms}
    audit.append(tx, actor, "user.ban-change", target_of(user), now_ms, details)
    return get(tx, ban_id)


def lift(tx: Transaction, letterhead: Letterhead, actor: Actor, ban_id: str, now_ms: int) -> Ban:
    """End a ban before its time and say so. Raises `NotFound` or `Conflict` (it is over)."""
    lifted = lift_silently(tx, actor, ban_id, now_ms)
    letters.unbanned(tx, letterhead, lifted.user_id, now_ms, is_over=False)
    return lifted


def lift_silently(tx: Transaction, actor: Actor, ban_id: str, now_ms: int) -> Ban:
    """`lift` for a caller that says so in its own words."""
    found, user = _locked(tx, ban_id)
    _end(tx, found, now_ms, by_id=actor.id)
    audit.append(tx, actor, "user.unban", target_of(user), now_ms, {"ban": ban_id})
    return get(tx, ban_id)


def lift_due(tx: Transaction, letterhead: Letterhead, ban_id: str, now_ms: int) -> None:
    """Its time has come, unless somebody has changed or lifted it since. Run twice, it lifts
    once.
    """
    try:
        found, user = _locked(tx, ban_id)
    except (NotFound, Conflict):
        return
    if found.until_ms is None or found.until_ms > now_ms:
        return
    _end(tx, found, now_ms, by_id=None)
    letters.unbanned(tx, letterhead, found.user_id, now_ms, is_over=True)
    audit.append(tx, audit.SITE, "user.unban", target_of(user), now_ms, {"ban": ban_id})


def standing(tx: Transaction, user_id: str) -> Ban | None:
    """The ban that holds now."""
    row = tx.execute(_select().where(ban.c.user_id == user_id, ban.c.lifted_at_ms.is_(None)))
    found = row.first()
    return None if found is None else _to_ban(found)


def bans_of(tx: Transaction, user_id: str) -> list[Ban]:
    """Newest first, at most `SANCTIONS_LISTED_MAX`."""
    rows = tx.execute(
        _select()
        .where(ban.c.user_id == user_id)
        .order_by(ban.c.from_ms.desc(), ban.c.id.desc())
        .limit(limits.SANCTIONS_LISTED_MAX)
    )
    return [_to_ban(row) for row in rows]


def get(tx: Transaction, ban_id: str) -> Ban:
    """Raises `NotFound`."""
    row = tx.execute(_select().where(ban.c.id == ban_id)).first() if is_id(ban_id, "ban") else None
    if row is None:
        raise NotFound("There is no such ban.", code="ban_not_found")
    return _to_ban(row)


def lock_subject(tx: Transaction, actor: Actor, user_id: str) -> User:
    """Whom `actor` is about to warn or ban; two who do it at once take turns.

    Raises `NotFound`, or `Forbidden` for oneself and for admins.
    """
    tx.execute(select(user_account.c.id).where(user_account.c.id == user_id).with_for_update())
    user = find_by_id(tx, user_id)
    if user is None:
        raise NotFound("There is no such account.", code="user_not_found")
    if user.id == actor.id:
        raise Forbidden("You can't do that to yourself.", code="yourself")
    if user.is_admin:
        raise Forbidden(f"{user.username} is an admin. Take that role away first.", code="is_admin")
    return user


def target_of(user: User) -> Target:
    return Target("user", user.id, user.username)


def _locked(tx: Transaction, ban_id: str) -> tuple[Ban, User]:
    """A ban that stands, held until the transaction ends. Raises `NotFound` or `Conflict`."""
    if is_id(ban_id, "ban"):
        tx.execute(select(ban.c.id).where(ban.c.id == ban_id).with_for_update())
    found = get(tx, ban_id)
    if not found.stands:
        raise Conflict("This ban is over already.", code="ban_over")
    user = find_by_id(tx, found.user_id)
    assert user is not None  # a ban goes with its account
    return found, user


def _end(tx: Transaction, found: Ban, now_ms: int, *, by_id: str | None) -> None:
    tx.execute(
        update(ban).where(ban.c.id == found.id).values(lifted_at_ms=now_ms, lifted_by_id=by_id)
    )
    set_banned_until(tx, found.user_id, None)
    tx.emit(Unbanned(found.user_id, channels.slugs_of(tx, found.user_id)))


def _lift_later(tx: Transaction, ban_id: str, until_ms: int | None, now_ms: int) -> None:
    if until_ms is not None:
        key = f"{LIFT}/{ban_id}/{until_ms}"
        enqueue(tx, LIFT, {"ban_id": ban_id}, now_ms, key=key, delay_ms=until_ms - now_ms)


_giver = user_account.alias("giver")


def _select() -> Any:
    return select(ban, _giver.c.username.label("given_by")).outerjoin(
        _giver, _giver.c.id == ban.c.given_by_id
    )


def _to_ban(row: Row[Any]) -> Ban:
    return Ban(
        row.id,
        row.user_id,
        Reason(row.reason),
        row.text,
        row.from_ms,
        row.until_ms,
        row.report_id,
        row.given_by,
        row.lifted_at_ms,
    )

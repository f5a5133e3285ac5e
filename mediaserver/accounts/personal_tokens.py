"""Personal tokens: what people give to their own scripts, each with a few scopes.

A token is shown once, begins with `msp_` so that scanners recognise a leaked one, and works until
it expires or is revoked. Owns the table `personal_token`.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Row,
    UniqueConstraint,
    func,
    insert,
    or_,
    select,
    update,
)

from mediaserver.accounts.sessions import SessionEnded
from mediaserver.accounts.users import User, lock, to_user, user_account
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid, NotFound, Unauthorized
from mediaserver.kernel.ids import digest, is_id, new_id, new_secret
from mediaserver.kernel.texts import checked_line

personal_token = table(
    "personal_token",
    identifier(),
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE"), index=True),
    text("name"),
    text("scopes"),
    text("token_digest"),
    text("hint"),
    int64("created_at_ms"),
    int64("last_used_at_ms", nullable=True),
    int64("expires_at_ms", nullable=True),
    int64("revoked_at_ms", nullable=True),
    UniqueConstraint("token_digest"),
    CheckConstraint("length(token_digest) = 64", name="token_digest"),
)

PREFIX = "msp_"
_ID = "ptk"


class Scope(StrEnum):
    """What a token may be used for. A person who is logged in has all of them."""

    READ = "read"
    CHAT = "chat"
    CHANNELS = "channels"
    ACCOUNT = "account"
    ADMIN = "admin"


SCOPES: dict[Scope, str] = {
    Scope.READ: "Read what you can read, your profile and follows included",
    Scope.CHAT: "Write, and moderate where you are a moderator",
    Scope.CHANNELS: "Change your channels, keys, schedules and streams",
    Scope.ACCOUNT: "Change your profile, follows and settings; never password or address",
    Scope.ADMIN: "Act as an admin of the site, if you are one",
}
"""Each scope in one line for people."""


@dataclass(frozen=True, slots=True)
class PersonalToken:
    """A token without its secret. `hint`: its last four characters."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    hint: str
    created_at_ms: int
    last_used_at_ms: int | None
    expires_at_ms: int | None


@dataclass(frozen=True, slots=True)
class NewPersonalToken:
    """`secret` is the only copy."""

    token: PersonalToken
    secret: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Somebody who showed a personal token."""

    user: User
    token_id: str
    scopes: frozenset[Scope]


class PersonalTokens:
    """Makes, checks and revokes them."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def create(
        self, user: User, name: str, scopes: Collection[Scope], *, days: int | None
    ) -> NewPersonalToken:
        """`days` None: it works until it is revoked. Raises `Invalid` or `Conflict` (too many)."""
        name = checked_line(name, "name", limits.PERSONAL_TOKEN_NAME_CHARS_MAX, is_required=True)
        if not scopes:
            raise Invalid("Choose what it is for.", field="scopes")
        if days is not None and not 1 <= days <= limits.PERSONAL_TOKEN_DAYS_MAX:
            raise Invalid(
                f"Choose 1 to {limits.PERSONAL_TOKEN_DAYS_MAX} days.", field="expires_in_days"
            )
        ordered = [scope for scope in Scope if scope in scopes]
        return await self._db.write(_create, user.id, name, ordered, days, self._clock.wall_ms())

    async def list(self, user: User) -> list[PersonalToken]:
        """Those that work, newest first."""
        return await self._db.read(_list, user.id, self._clock.wall_ms())

    async def revoke(self, user: User, token_id: str) -> None:
        """Raises `NotFound`."""
        await self._db.write(_revoke, user.id, token_id, self._clock.wall_ms())

    async def find(self, secret: str) -> Shown:
        """Whose token this is and what for. Raises `Unauthorized`."""
        now_ms = self._clock.wall_ms()
        found = None
        if len(secret) <= limits.TOKEN_CHARS_MAX:
            found = await self._db.read(_find, secret, now_ms)
        if found is None:
            raise Unauthorized("The token is not valid.", code="invalid_token")
        shown, used_at_ms = found
        if used_at_ms is None or now_ms - used_at_ms >= limits.SESSION_TOUCH_MS:
            await self._db.write(_touch, shown.token_id, now_ms)
        return shown


def is_open(tx: Transaction, token_id: str, now_ms: int) -> bool:
    """Whether there is a token with this id that works."""
    found = select(personal_token.c.id).where(personal_token.c.id == token_id, _works(now_ms))
    return tx.execute(found).first() is not None


def revoke_all(tx: Transaction, user_id: str, now_ms: int) -> None:
    """Have no token of a user work any more."""
    tx.execute(
        update(personal_token)
        .where(personal_token.c.user_id == user_id, personal_token.c.revoked_at_ms.is_(None))
        .values(revoked_at_ms=now_ms)
    )


def export(tx: Transaction, user_id: str) -> list[dict[str, Any]]:
    """The tokens of a user, without what opens anything."""
    rows = tx.execute(select(personal_token).where(personal_token.c.user_id == user_id))
    return [
        {
            "name": row.name,
            "scopes": list(_scopes(row.scopes)),
            "created_at_ms": row.created_at_ms,
            "last_used_at_ms": row.last_used_at_ms,
            "revoked_at_ms": row.revoked_at_ms,
        }
        for row in rows
    ]


def _works(now_ms: int) -> ColumnElement[bool]:
    return personal_token.c.revoked_at_ms.is_(None) & or_(
        personal_token.c.expires_at_ms.is_(None), personal_token.c.expires_at_ms > now_ms
    )


def _create(
    tx: Transaction, user_id: str, name: str, scopes: list[Scope], days: int | None, now_ms: int
) -> NewPersonalToken:
    lock(tx, user_id)  # two requests at once count one after the other
    count = tx.execute(
        select(func.count())
        .select_from(personal_token)
        .where(personal_token.c.user_id == user_id, _works(now_ms))
    ).scalar_one()
    if count >= limits.PERSONAL_TOKENS_MAX:
        raise Conflict("Revoke a token first: you have as many as there can be.", code="too_many")
    secret = PREFIX + new_secret()
    row = tx.execute(
        insert(personal_token)
        .values(
            id=new_id(_ID),
            user_id=user_id,
            name=name,
            scopes=json.dumps([str(scope) for scope in scopes]),
            token_digest=digest(secret),
            hint=secret[-4:],
            created_at_ms=now_ms,
            expires_at_ms=None if days is None else now_ms + days * 86_400_000,
        )
        .returning(*personal_token.c)
    ).one()
    return NewPersonalToken(_to_token(row), secret)


def _list(tx: Transaction, user_id: str, now_ms: int) -> list[PersonalToken]:
    rows = tx.execute(
        select(personal_token)
        .where(personal_token.c.user_id == user_id, _works(now_ms))
        .order_by(personal_token.c.created_at_ms.desc(), personal_token.c.id)
    )
    return [_to_token(row) for row in rows]


def _revoke(tx: Transaction, user_id: str, token_id: str, now_ms: int) -> None:
    if not is_id(token_id, _ID):
        raise NotFound("You have no such token.")
    revoked = tx.execute(
        update(personal_token)
        .where(
            personal_token.c.id == token_id,
            personal_token.c.user_id == user_id,
            personal_token.c.revoked_at_ms.is_(None),
        )
        .values(revoked_at_ms=now_ms)
    )
    if revoked.rowcount != 1:
        raise NotFound("You have no such token.")
    tx.emit(SessionEnded(user_id))


def _find(tx: Transaction, secret: str, now_ms: int) -> tuple[Shown, int | None] | None:
    """The token, and when it was last used."""
    row = tx.execute(
        select(
            user_account,
            personal_token.c.id.label("token_id"),
            personal_token.c.scopes,
            personal_token.c.last_used_at_ms,
        )
        .join(personal_token, personal_token.c.user_id == user_account.c.id)
        .where(personal_token.c.token_digest == digest(secret), _works(now_ms))
    ).first()
    if row is None:
        return None
    shown = Shown(to_user(row), row.token_id, frozenset(_scopes(row.scopes)))
    return shown, row.last_used_at_ms


def _touch(tx: Transaction, token_id: str, now_ms: int) -> None:
    tx.execute(
        update(personal_token).where(personal_token.c.id == token_id).values(last_used_at_ms=now_ms)
    )


def _to_token(row: Row[Any]) -> PersonalToken:
    return PersonalToken(
        row.id,
        row.name,
        _scopes(row.scopes),
        row.hint,
        row.created_at_ms,
        row.last_used_at_ms,
        row.expires_at_ms,
    )


def _scopes(stored: str) -> tuple[Scope, ...]:
    return tuple(Scope(name) for name in json.loads(stored))

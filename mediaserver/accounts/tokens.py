"""Tokens for API clients: a short-lived JWT and a refresh token that works once.

A log-in opens a family of refresh tokens. Each use of one gives the next; using one twice means
that somebody has a copy, so the whole family ends, and with it the access tokens made from it.
Owns the tables `token_family` and `refresh_token`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jwt
import structlog
from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    Text,
    UniqueConstraint,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy import text as sql

from mediaserver.accounts.sessions import (
    Device,
    LoggedIn,
    SessionEnded,
    is_desk_left,
    kept_agent,
    to_device,
)
from mediaserver.accounts.users import (
    User,
    check_password_stands,
    find_by_id,
    to_user,
    user_account,
)
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction, values
from mediaserver.kernel.db.schema import Int64, identifier, int64, table, text
from mediaserver.kernel.errors import Unauthorized, Unavailable
from mediaserver.kernel.ids import digest, new_id, new_secret, same
from mediaserver.kernel.vault import Vault

_log = structlog.get_logger(__name__)

token_family = table(
    "token_family",
    identifier(),
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE"), index=True),
    int64("created_at_ms"),
    int64("expires_at_ms"),
    int64("revoked_at_ms", nullable=True),
    Column("confirmed_at_ms", Int64, nullable=False, server_default=sql("0")),
    Column("seen_at_ms", Int64, nullable=False, server_default=sql("0")),
    Column("address", Text, nullable=False, server_default=sql("''")),
    Column("user_agent", Text, nullable=False, server_default=sql("''")),
)

refresh_token = table(
    "refresh_token",
    identifier(),
    text("family_id", ForeignKey("token_family.id", ondelete="CASCADE"), index=True),
    text("token_digest"),
    int64("created_at_ms"),
    int64("used_at_ms", nullable=True),
    UniqueConstraint("token_digest"),
    CheckConstraint("length(token_digest) = 64", name="token_digest"),
)

ID = "fam"
_ISSUER = "mediaserver"
_ALGORITHM = "HS256"
_SECRET_KEY = "token_signing_secret"  # noqa: S105  # the name under which it is kept


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a client gets. `expires_in_s` is for the access token."""

    access_token: str
    refresh_token: str
    expires_in_s: int


@dataclass(frozen=True, slots=True)
class LogIn:
    """A client that is logged in. `confirmed_at_ms`: when it last gave the password, or a code; 0
    for an admin's that has been away since, as in `Session`.
    """

    family_id: str
    user: User
    confirmed_at_ms: int


class Tokens:
    """Issues and checks tokens. Make it with `Tokens.open`, which finds the signing secret."""

    def __init__(self, db: Database, clock: Clock, secret: str) -> None:
        self._db = db
        self._clock = clock
        self._secret = secret

    @classmethod
    async def open(cls, db: Database, clock: Clock, vault: Vault) -> Tokens:
        """The signing secret is made at the first start and kept in the database, sealed."""
        return cls(db, clock, await db.write(_signing_secret, vault, clock.wall_ms()))

    async def issue(self, user: User, *, address: str, user_agent: str) -> TokenPair:
        """Open a family for a client that has just logged in.

        Raises `Unauthorized` when the password has been changed since `user` was read.
        """
        refresh, agent = new_secret(), kept_agent(user_agent)
        family_id = await self._db.write(
            _open_family, user, refresh, address, agent, self._clock.wall_ms()
        )
        return self._pair(user.id, family_id, refresh)

    async def refresh(self, token: str) -> TokenPair:
        """Exchange a refresh token. Raises `Unauthorized`, and ends the family of a used one."""
        following = new_secret()
        found = await self._db.write(_rotate, token, following, self._clock.wall_ms())
        if found is None:
            raise Unauthorized("Log in again.", code="invalid_token")
        user_id, family_id = found
        return self._pair(user_id, family_id, following)

    async def revoke(self, token: str) -> None:
        """End the family of a refresh token; an unknown one is no error."""
        await self._db.write(_revoke, token, self._clock.wall_ms())

    async def revoke_access(self, access_token: str) -> None:
        """End the family that an access token was made from. Raises `Unauthorized`."""
        await self._db.write(_end_family, self._claims(access_token)["fam"], self._clock.wall_ms())

    async def find(self, access_token: str) -> LogIn:
        """The log-in that an access token belongs to. Raises `Unauthorized`."""
        claims = self._claims(access_token)
        found = await self._db.read(_find, claims["fam"], claims["sub"])
        if found is None:
            raise Unauthorized("Log in again.", code="invalid_token")
        log_in, seen_at_ms = found
        now_ms = self._clock.wall_ms()
        is_stale = is_desk_left(log_in.user, seen_at_ms, now_ms)
        if is_stale:
            log_in = replace(log_in, confirmed_at_ms=0)
        if now_ms - seen_at_ms >= limits.SESSION_TOUCH_MS:
            await self._db.write(_touch, log_in.family_id, now_ms, is_stale=is_stale)
        return log_in

    async def confirm(self, log_in: LogIn) -> None:
        """Note that the user has just given the password, or a code, once more."""
        await self._db.write(_confirm, log_in.family_id, self._clock.wall_ms())

    def issue_first_step(self, user: User) -> str:
        """For the browser of somebody whose password was right and who owes a code."""
        return self._encode(user.id, "first-step", limits.FIRST_STEP_S, pwd=user.password_mark)

    async def user_of_first_step(self, token: str) -> User | None:
        """Whose password was right; None when that is too long ago, or it is another one now."""
        try:
            claims = self._claims(token, "first-step")
        except Unauthorized:
            return None
        user = await self._db.read(find_by_id, claims["sub"])
        return user if user and same(user.password_mark, claims["pwd"]) else None

    async def delete_expired(self) -> None:
        await self._db.write(_delete_expired, self._clock.wall_ms())

    def _claims(self, token: str, kind: str = "access") -> dict[str, str]:
        """Subject, family and password of a token that we signed and that hasn't expired."""
        try:
            if len(token) > limits.TOKEN_CHARS_MAX or not token.isascii():
                raise jwt.InvalidTokenError
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                audience=_ISSUER,
                # Times are checked below against the clock that we were given.
                options={
                    "require": ["sub", "exp", "iat", "jti", "typ"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidTokenError as error:
            raise Unauthorized(f"The {kind} token is not valid.", code="invalid_token") from error
        if claims["typ"] != kind or not isinstance(claims["exp"], int):
            raise Unauthorized(f"The {kind} token is not valid.", code="invalid_token")
        if claims["exp"] * 1000 <= self._clock.wall_ms():
            raise Unauthorized(f"The {kind} token has expired.", code="token_expired")
        return {
            "sub": str(claims["sub"]),
            "fam": str(claims.get("fam", "")),
            "pwd": str(claims.get("pwd", "")),
        }

    def _pair(self, user_id: str, family_id: str, refresh: str) -> TokenPair:
        access = self._encode(user_id, "access", limits.ACCESS_TOKEN_S, fam=family_id)
        return TokenPair(access, refresh, limits.ACCESS_TOKEN_S)

    def _encode(self, user_id: str, kind: str, lives_s: int, **more: str) -> str:
        now_s = self._clock.wall_ms() // 1000
        claims = {
            "iss": _ISSUER,
            "aud": _ISSUER,
            "sub": user_id,
            "iat": now_s,
            "exp": now_s + lives_s,
            "jti": new_id("jti"),
            "typ": kind,
            **more,
        }
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)


def _signing_secret(tx: Transaction, vault: Vault, now_ms: int) -> str:
    """A new one in the place of one that can't be opened: programs refresh their tokens then."""
    sealed = values.get(tx, _SECRET_KEY)
    if sealed is not None:
        try:
            return vault.unseal(sealed, _SECRET_KEY)
        except Unavailable:
            _log.warning("a new secret signs access tokens: the master key is another")
    secret = new_secret(512)
    values.put(tx, _SECRET_KEY, vault.seal(secret, _SECRET_KEY), now_ms)
    return secret


def _open_family(
    tx: Transaction, user: User, token: str, address: str, user_agent: str, now_ms: int
) -> str:
    check_password_stands(tx, user)
    family_id = new_id(ID)
    _make_room(tx, user.id, now_ms)
    tx.execute(
        insert(token_family).values(
            id=family_id,
            user_id=user.id,
            created_at_ms=now_ms,
            expires_at_ms=now_ms + limits.REFRESH_TOKEN_MS,
            confirmed_at_ms=now_ms,
            seen_at_ms=now_ms,
            address=address,
            user_agent=user_agent,
        )
    )
    _add(tx, family_id, token, now_ms)
    tx.emit(LoggedIn(user.id, family_id, address, user_agent, now_ms))
    return family_id


def _make_room(tx: Transaction, user_id: str, now_ms: int) -> None:
    """The longest unused families end for a new one."""
    unused = tx.execute(
        select(token_family.c.id)
        .where(token_family.c.user_id == user_id, _works(now_ms))
        .order_by(token_family.c.seen_at_ms.desc(), token_family.c.created_at_ms.desc())
        .offset(limits.SESSIONS_PER_USER_MAX - 1)
    )
    for family_id in unused.scalars().all():
        _end_family(tx, family_id, now_ms)


def _add(tx: Transaction, family_id: str, token: str, now_ms: int) -> None:
    tx.execute(
        insert(refresh_token).values(
            id=new_id("rft"),
            family_id=family_id,
            token_digest=digest(token),
            created_at_ms=now_ms,
        )
    )


def _rotate(tx: Transaction, token: str, following: str, now_ms: int) -> tuple[str, str] | None:
    """User and family, with `following` stored; None when `token` opens nothing."""
    row = tx.execute(
        select(
            refresh_token.c.id,
            refresh_token.c.used_at_ms,
            token_family.c.id.label("family_id"),
            token_family.c.user_id,
            token_family.c.created_at_ms,
            token_family.c.expires_at_ms,
            token_family.c.revoked_at_ms,
        )
        .join(token_family, token_family.c.id == refresh_token.c.family_id)
        .where(refresh_token.c.token_digest == digest(token))
        .with_for_update()
    ).first()
    if row is None or row.revoked_at_ms is not None or row.expires_at_ms <= now_ms:
        return None
    if row.used_at_ms is not None:
        _log.warning("refresh token used twice, family ended", user=row.user_id)
        _end_family(tx, row.family_id, now_ms)
        return None
    if find_by_id(tx, row.user_id) is None:
        return None
    tx.execute(update(refresh_token).where(refresh_token.c.id == row.id).values(used_at_ms=now_ms))
    last_ms = row.created_at_ms + limits.REFRESH_ABSOLUTE_MS
    tx.execute(
        update(token_family)
        .where(token_family.c.id == row.family_id)
        .values(expires_at_ms=min(now_ms + limits.REFRESH_TOKEN_MS, last_ms))
    )
    _add(tx, row.family_id, following, now_ms)
    return row.user_id, row.family_id


def _revoke(tx: Transaction, token: str, now_ms: int) -> None:
    family_id = tx.execute(
        select(refresh_token.c.family_id).where(refresh_token.c.token_digest == digest(token))
    ).scalar()
    if family_id is not None:
        _end_family(tx, family_id, now_ms)


def _end_family(tx: Transaction, family_id: str, now_ms: int) -> None:
    user_id = tx.execute(
        update(token_family)
        .where(token_family.c.id == family_id, token_family.c.revoked_at_ms.is_(None))
        .values(revoked_at_ms=now_ms)
        .returning(token_family.c.user_id)
    ).scalar()
    if user_id is not None:
        tx.emit(SessionEnded(user_id))


def _works(now_ms: int) -> ColumnElement[bool]:
    return token_family.c.revoked_at_ms.is_(None) & (token_family.c.expires_at_ms > now_ms)


def is_open(tx: Transaction, family_id: str, now_ms: int) -> bool:
    """Whether there is a family with this id whose tokens work."""
    found = select(token_family.c.id).where(token_family.c.id == family_id, _works(now_ms))
    return tx.execute(found).first() is not None


def list_of(tx: Transaction, user_id: str, now_ms: int) -> list[Device]:
    """The programs that are logged in as somebody, last seen first."""
    rows = tx.execute(
        select(token_family)
        .where(token_family.c.user_id == user_id, _works(now_ms))
        .order_by(token_family.c.seen_at_ms.desc(), token_family.c.id)
    )
    return [to_device(row, "program") for row in rows]


def revoke(tx: Transaction, user_id: str, family_id: str, now_ms: int) -> bool:
    """End one family of a user; whether there was one."""
    found = select(token_family.c.id).where(
        token_family.c.id == family_id, token_family.c.user_id == user_id, _works(now_ms)
    )
    if tx.execute(found).first() is None:
        return False
    _end_family(tx, family_id, now_ms)
    return True


def revoke_all(tx: Transaction, user_id: str, now_ms: int) -> None:
    """End every family of a user. The caller ends their sessions too, which tells of it."""
    tx.execute(
        update(token_family)
        .where(token_family.c.user_id == user_id, token_family.c.revoked_at_ms.is_(None))
        .values(revoked_at_ms=now_ms)
    )


def export(tx: Transaction, user_id: str) -> list[dict[str, Any]]:
    """What is kept about the programs of a user, without what opens anything."""
    rows = tx.execute(select(token_family).where(token_family.c.user_id == user_id))
    return [
        {
            "address": row.address,
            "user_agent": row.user_agent,
            "created_at_ms": row.created_at_ms,
            "seen_at_ms": row.seen_at_ms,
            "revoked_at_ms": row.revoked_at_ms,
        }
        for row in rows
    ]


def _find(tx: Transaction, family_id: str, user_id: str) -> tuple[LogIn, int] | None:
    """The log-in, and when it was last seen."""
    row = tx.execute(
        select(user_account, token_family.c.confirmed_at_ms, token_family.c.seen_at_ms)
        .join(token_family, token_family.c.user_id == user_account.c.id)
        .where(
            token_family.c.id == family_id,
            user_account.c.id == user_id,
            token_family.c.revoked_at_ms.is_(None),
        )
    ).first()
    return (LogIn(family_id, to_user(row), row.confirmed_at_ms), row.seen_at_ms) if row else None


def _touch(tx: Transaction, family_id: str, now_ms: int, *, is_stale: bool) -> None:
    changes = {"seen_at_ms": now_ms} | ({"confirmed_at_ms": 0} if is_stale else {})
    tx.execute(update(token_family).where(token_family.c.id == family_id).values(changes))


def _confirm(tx: Transaction, family_id: str, now_ms: int) -> None:
    tx.execute(
        update(token_family)
        .where(token_family.c.id == family_id)
        .values(confirmed_at_ms=now_ms, seen_at_ms=now_ms)
    )


def _delete_expired(tx: Transaction, now_ms: int) -> None:
    # Kept until they expire, revoked or not: a copy that turns up later must still be recognised.
    tx.execute(delete(token_family).where(token_family.c.expires_at_ms <= now_ms))

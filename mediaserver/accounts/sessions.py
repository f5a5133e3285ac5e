"""Browser sessions: an opaque token in a cookie, its digest in the database.

Owns the table `session`. The cookie itself is made by routes/cookies.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    Row,
    UniqueConstraint,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy import text as sql

from mediaserver.accounts.users import User, check_password_stands, to_user, user_account
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import Int64, identifier, int64, table, text
from mediaserver.kernel.errors import Unauthorized
from mediaserver.kernel.ids import digest, new_id, new_secret

session = table(
    "session",
    identifier(),
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE"), index=True),
    text("token_digest"),
    text("address"),
    text("user_agent"),
    int64("created_at_ms"),
    int64("seen_at_ms", index=True),
    int64("expires_at_ms"),
    Column("confirmed_at_ms", Int64, nullable=False, server_default=sql("0")),
    UniqueConstraint("token_digest"),
    CheckConstraint("length(token_digest) = 64", name="token_digest"),
    CheckConstraint("expires_at_ms > created_at_ms", name="expires_at"),
)

ID = "ses"


@dataclass(frozen=True, slots=True)
class NewSession:
    """`token` is the only copy of the secret; `max_age_s` is for the cookie."""

    token: str
    max_age_s: int


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is logged in. `confirmed_at_ms`: when it last gave the password, or a code; 0
    for an admin who has been away since, for so long that their desk must not open by itself.
    """

    id: str
    user: User
    confirmed_at_ms: int


DeviceKind = Literal["browser", "program"]


@dataclass(frozen=True, slots=True)
class Device:
    """A browser's session, or a program's family of tokens, as its owner sees it in a list."""

    id: str
    kind: DeviceKind
    address: str
    user_agent: str
    created_at_ms: int
    seen_at_ms: int


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session of this user opens nothing any more: whoever holds connections looks again."""

    user_id: str


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Somebody has logged in, in a browser or by a program; `log_in_id` names the row."""

    user_id: str
    log_in_id: str
    address: str
    user_agent: str
    at_ms: int


class Sessions:
    """Starts, finds and ends sessions."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def start(
        self, user: User, *, address: str, user_agent: str, replaces: str | None
    ) -> NewSession:
        """A new session for `user`. `replaces` is the token the browser came with: it ends here, so
        that a token planted before the log-in opens nothing after it.

        Raises `Unauthorized` when the password has been changed since `user` was read.
        """
        token = new_secret()
        agent = kept_agent(user_agent)
        await self._db.write(_start, user, token, address, agent, replaces, self._clock.wall_ms())
        return NewSession(token, limits.SESSION_ABSOLUTE_MS // 1000)

    async def find(self, token: str) -> Session | None:
        """The session of this token; None when there is none or it has expired."""
        if not 20 <= len(token) <= limits.TOKEN_CHARS_MAX:
            return None
        now_ms = self._clock.wall_ms()
        found = await self._db.read(_find, token, now_ms)
        if found is None:
            return None
        opened, seen_at_ms = found
        is_stale = is_desk_left(opened.user, seen_at_ms, now_ms)
        if is_stale:
            opened = replace(opened, confirmed_at_ms=0)
        if now_ms - seen_at_ms >= limits.SESSION_TOUCH_MS:
            await self._db.write(_touch, opened.id, now_ms, is_stale=is_stale)
        return opened

    async def confirm(self, opened: Session) -> NewSession:
        """The user has just given the password, or a code, once more: the same session goes on
        under a new token, and the one before opens nothing more.
        """
        token = new_secret()
        now_ms = self._clock.wall_ms()
        expires_at_ms = await self._db.write(_confirm, opened.id, token, now_ms)
        return NewSession(token, max(1, (expires_at_ms - now_ms) // 1000))

    async def end(self, token: str) -> None:
        await self._db.write(_end, token)

    async def delete_expired(self) -> None:
        await self._db.write(_delete_expired, self._clock.wall_ms())


def kept_agent(user_agent: str) -> str:
    """What is kept of the User-Agent header; its bytes may be any."""
    return user_agent.encode(errors="replace").decode()[: limits.USER_AGENT_CHARS_MAX]


def is_desk_left(user: User, seen_at_ms: int, now_ms: int) -> bool:
    """Whether an admin was away for so long that their desk must not open by itself."""
    return user.is_admin and now_ms - seen_at_ms >= limits.DESK_IDLE_MS


def _start(
    tx: Transaction,
    user: User,
    token: str,
    address: str,
    user_agent: str,
    replaces: str | None,
    now_ms: int,
) -> None:
    check_password_stands(tx, user)
    if replaces is not None:
        _end(tx, replaces)
    oldest = (
        tx.execute(
            select(session.c.id)
            .where(session.c.user_id == user.id)
            .order_by(session.c.seen_at_ms.desc())
            .offset(limits.SESSIONS_PER_USER_MAX - 1)
        )
        .scalars()
        .all()
    )
    if oldest:
        tx.execute(delete(session).where(session.c.id.in_(oldest)))
        tx.emit(SessionEnded(user.id))
    session_id = new_id(ID)
    tx.execute(
        insert(session).values(
            id=session_id,
            user_id=user.id,
            token_digest=digest(token),
            address=address,
            user_agent=user_agent,
            created_at_ms=now_ms,
            seen_at_ms=now_ms,
            expires_at_ms=now_ms + limits.SESSION_ABSOLUTE_MS,
            confirmed_at_ms=now_ms,
        )
    )
    tx.emit(LoggedIn(user.id, session_id, address, user_agent, now_ms))


def _works(now_ms: int) -> ColumnElement[bool]:
    return (session.c.expires_at_ms > now_ms) & (
        session.c.seen_at_ms > now_ms - limits.SESSION_IDLE_MS
    )


def _find(tx: Transaction, token: str, now_ms: int) -> tuple[Session, int] | None:
    row = tx.execute(
        select(
            user_account,
            session.c.id.label("session_id"),
            session.c.seen_at_ms,
            session.c.confirmed_at_ms,
        )
        .join(session, session.c.user_id == user_account.c.id)
        .where(session.c.token_digest == digest(token), _works(now_ms))
    ).first()
    if row is None:
        return None
    return Session(row.session_id, to_user(row), row.confirmed_at_ms), row.seen_at_ms


def is_open(tx: Transaction, session_id: str, now_ms: int) -> bool:
    """Whether there is a session with this id that hasn't ended."""
    found = select(session.c.id).where(session.c.id == session_id, _works(now_ms))
    return tx.execute(found).first() is not None


def _confirm(tx: Transaction, session_id: str, token: str, now_ms: int) -> int:
    """When the session ends in any case. Raises `Unauthorized` if it has ended already."""
    expires_at_ms = tx.execute(
        update(session)
        .where(session.c.id == session_id)
        .values(token_digest=digest(token), confirmed_at_ms=now_ms, seen_at_ms=now_ms)
        .returning(session.c.expires_at_ms)
    ).scalar_one_or_none()
    if expires_at_ms is None:
        raise Unauthorized("Log in first.")
    return int(expires_at_ms)


def list_of(tx: Transaction, user_id: str, now_ms: int) -> list[Device]:
    """Where somebody is logged in, last seen first."""
    rows = tx.execute(
        select(session)
        .where(session.c.user_id == user_id, _works(now_ms))
        .order_by(session.c.seen_at_ms.desc(), session.c.id)
    )
    return [to_device(row, "browser") for row in rows]


def to_device(row: Row[Any], kind: DeviceKind) -> Device:
    """Of a row of `session`, or of accounts/tokens.py."""
    return Device(row.id, kind, row.address, row.user_agent, row.created_at_ms, row.seen_at_ms)


def revoke(tx: Transaction, user_id: str, session_id: str) -> bool:
    """End one session; whether there was one."""
    ended = tx.execute(
        delete(session).where(session.c.id == session_id, session.c.user_id == user_id)
    )
    if ended.rowcount == 1:
        tx.emit(SessionEnded(user_id))
    return ended.rowcount == 1


def _touch(tx: Transaction, session_id: str, now_ms: int, *, is_stale: bool) -> None:
    changes = {"seen_at_ms": now_ms} | ({"confirmed_at_ms": 0} if is_stale else {})
    tx.execute(update(session).where(session.c.id == session_id).values(changes))


def _end(tx: Transaction, token: str) -> None:
    user_id = tx.execute(
        delete(session).where(session.c.token_digest == digest(token)).returning(session.c.user_id)
    ).scalar_one_or_none()
    if user_id is not None:
        tx.emit(SessionEnded(user_id))


def end_all(tx: Transaction, user_id: str, *, keep: str | None = None) -> None:
    """End every session of a user but the one with the token `keep`."""
    ended = delete(session).where(session.c.user_id == user_id)
    if keep is not None:
        ended = ended.where(session.c.token_digest != digest(keep))
    tx.execute(ended)
    tx.emit(SessionEnded(user_id))


def export(tx: Transaction, user_id: str) -> list[dict[str, Any]]:
    """What is kept about the devices of a user, without what opens anything."""
    rows = tx.execute(select(session).where(session.c.user_id == user_id))
    return [
        {
            "address": row.address,
            "user_agent": row.user_agent,
            "created_at_ms": row.created_at_ms,
            "seen_at_ms": row.seen_at_ms,
        }
        for row in rows
    ]


def _delete_expired(tx: Transaction, now_ms: int) -> None:
    tx.execute(
        delete(session).where(
            (session.c.expires_at_ms <= now_ms)
            | (session.c.seen_at_ms <= now_ms - limits.SESSION_IDLE_MS)
        )
    )

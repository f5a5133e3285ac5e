"""Tokens in the addresses of pages that stand in streaming software: overlays and docks.

An overlay's token opens only what everybody may read, so it stays readable and there is one for
each channel. A dock acts as whoever made it: its token is shown once, kept as a digest, revocable.
Owns the table `realtime_token`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)
from sqlalchemy import text as sql

from mediaserver.accounts.users import User, find_by_id, user_account
from mediaserver.channels import channels, oversight
from mediaserver.channels.channels import Channel, channel
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, NotFound, Unauthorized
from mediaserver.kernel.ids import digest, is_id, new_id, new_secret
from mediaserver.kernel.jobs import Payload
from mediaserver.kernel.texts import checked_line

_IS_OVERLAY = sql("kind = 'overlay' AND revoked_at_ms IS NULL")

realtime_token = table(
    "realtime_token",
    identifier(),
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), index=True),
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE"), index=True),
    text("kind"),
    text("name"),
    text("token_digest"),
    text("secret", nullable=True),
    int64("created_at_ms"),
    int64("last_used_at_ms", nullable=True),
    int64("revoked_at_ms", nullable=True),
    UniqueConstraint("token_digest"),
    Index(
        "uq_realtime_token_overlay",
        "channel_id",
        unique=True,
        sqlite_where=_IS_OVERLAY,
        postgresql_where=_IS_OVERLAY,
    ),
    CheckConstraint("kind IN ('overlay', 'dock')", name="kind"),
    CheckConstraint("length(token_digest) = 64", name="token_digest"),
    CheckConstraint("(kind = 'overlay') = (secret IS NOT NULL)", name="secret"),
)

Kind = Literal["overlay", "dock"]

_ID = "tok"
_PREFIXES: dict[Kind, str] = {"overlay": "ovl", "dock": "dock"}
_SHAPE = re.compile(r"(ovl|dock)_[A-Za-z0-9_-]{27}")


@dataclass(frozen=True, slots=True)
class DockToken:
    """A dock's token that works, without its secret."""

    id: str
    name: str
    made_by: str
    created_at_ms: int
    last_used_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Opened:
    """What a token opens: a channel, as `user` in the case of a dock."""

    token_id: str
    channel: Channel
    user: User | None


@dataclass(frozen=True, slots=True)
class DisplayTokenRevoked:
    """A token opens nothing any more; what it has opened must end."""

    token_id: str


class DisplayTokens:
    """Makes, opens and revokes them, for those who manage the channel."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def overlay(self, actor: User, slug: str) -> str:
        """The secret of the channel's overlay, made at the first call.

        Raises `NotFound` or `Forbidden`.
        """
        return await self._db.write(_overlay, actor, slug, self._clock.wall_ms())

    async def regenerate_overlay(self, actor: User, slug: str) -> str:
        """Another secret; the one before opens nothing. Raises `NotFound` or `Forbidden`."""
        return await self._db.write(_regenerate_overlay, actor, slug, self._clock.wall_ms())

    async def revoke_overlay(self, actor: User, slug: str) -> None:
        """No overlay until one is asked for again. Raises `NotFound` or `Forbidden`."""
        await self._db.write(_revoke_overlay, actor, slug, self._clock.wall_ms())

    async def create_dock(self, actor: User, slug: str, name: str) -> tuple[DockToken, str]:
        """A token and its secret, which can't be had again.

        Raises `NotFound`, `Forbidden`, `Invalid` or `Conflict` (too many of them).
        """
        return await self._db.write(_create_dock, actor, slug, name, self._clock.wall_ms())

    async def list_docks(self, actor: User, slug: str) -> list[DockToken]:
        """Those that work, oldest first. Raises `NotFound` or `Forbidden`."""
        return await self._db.read(_list_docks, actor, slug)

    async def revoke_dock(self, actor: User, slug: str, token_id: str) -> None:
        """Raises `NotFound` or `Forbidden`."""
        await self._db.write(_revoke_dock, actor, slug, token_id, self._clock.wall_ms())

    async def revoke_made(self, payload: Payload) -> None:
        """The jobs `LOGGED_OUT`: what acts as somebody ends with their log-ins."""
        await self._db.write(
            _revoke_made, payload["user_id"], payload["until_ms"], self._clock.wall_ms()
        )

    async def open(self, kind: Kind, token: str) -> Opened:
        """What a token opens. Raises `Unauthorized`."""
        opened = None
        if _SHAPE.fullmatch(token):
            opened = await self._db.read(_find, kind, token)
        if opened is None:
            raise Unauthorized("This link doesn't work any more.", code="invalid_token")
        found, used_at_ms = opened
        now_ms = self._clock.wall_ms()
        if now_ms - (used_at_ms or 0) >= limits.SESSION_TOUCH_MS:
            await self._db.write(_touch, found.token_id, now_ms)
        return found


def _overlay(tx: Transaction, actor: User, slug: str, now_ms: int) -> str:
    found = channels.get_managed(tx, actor, slug)
    channels.lock(tx, found.id)
    secret = tx.execute(
        select(realtime_token.c.secret).where(_works(found, "overlay"))
    ).scalar_one_or_none()
    return _insert(tx, found, actor, "overlay", "", now_ms)[1] if secret is None else str(secret)


def _regenerate_overlay(tx: Transaction, actor: User, slug: str, now_ms: int) -> str:
    found = channels.get_managed(tx, actor, slug)
    channels.lock(tx, found.id)
    _revoke(tx, _works(found, "overlay"), now_ms)
    return _insert(tx, found, actor, "overlay", "", now_ms)[1]


def _revoke_overlay(tx: Transaction, actor: User, slug: str, now_ms: int) -> None:
    found = channels.get_managed(tx, actor, slug)
    if _revoke(tx, _works(found, "overlay"), now_ms):
        oversight.record(tx, actor, found, "overlay.revoke", now_ms)


def _create_dock(
    tx: Transaction, actor: User, slug: str, name: str, now_ms: int
) -> tuple[DockToken, str]:
    found = channels.get_managed(tx, actor, slug)
    name = checked_line(name, "name", limits.STREAM_KEY_NAME_CHARS_MAX) or "Dock"
    channels.lock(tx, found.id)
    count = tx.execute(
        select(func.count()).select_from(realtime_token).where(_works(found, "dock"))
    ).scalar_one()
    if count >= limits.DOCK_TOKENS_PER_CHANNEL_MAX:
        raise Conflict(
            f"This channel has {count} docks. Remove one first.", code="too_many_dock_tokens"
        )
    token_id, secret = _insert(tx, found, actor, "dock", name, now_ms)
    return DockToken(token_id, name, actor.username, now_ms, None), secret


def _list_docks(tx: Transaction, actor: User, slug: str) -> list[DockToken]:
    found = channels.get_managed(tx, actor, slug)
    rows = tx.execute(
        select(realtime_token, user_account.c.username)
        .join(user_account, user_account.c.id == realtime_token.c.user_id)
        .where(_works(found, "dock"))
        .order_by(realtime_token.c.created_at_ms, realtime_token.c.id)
    )
    return [
        DockToken(row.id, row.name, row.username, row.created_at_ms, row.last_used_at_ms)
        for row in rows
    ]


def _revoke_dock(tx: Transaction, actor: User, slug: str, token_id: str, now_ms: int) -> None:
    found = channels.get_managed(tx, actor, slug)
    is_gone = not is_id(token_id, _ID) or not _revoke(
        tx, _works(found, "dock") & (realtime_token.c.id == token_id), now_ms
    )
    if is_gone:
        raise NotFound("There is no such dock.", code="dock_token_not_found")
    oversight.record(tx, actor, found, "dock.revoke", now_ms, {"token": token_id})


def _revoke_made(tx: Transaction, user_id: str, until_ms: int, now_ms: int) -> None:
    made = (
        (realtime_token.c.user_id == user_id)
        & (realtime_token.c.kind == "dock")
        & (realtime_token.c.created_at_ms <= until_ms)
        & realtime_token.c.revoked_at_ms.is_(None)
    )
    _revoke(tx, made, now_ms)


def _find(tx: Transaction, kind: Kind, token: str) -> tuple[Opened, int | None] | None:
    row = tx.execute(
        select(realtime_token, channel.c.slug)
        .join(channel, channel.c.id == realtime_token.c.channel_id)
        .where(
            realtime_token.c.token_digest == digest(token),
            realtime_token.c.kind == kind,
            realtime_token.c.revoked_at_ms.is_(None),
        )
    ).first()
    if row is None:
        return None
    user = _maker(tx, row.user_id) if kind == "dock" else None
    found = channels.get(tx, row.slug)
    if found.is_hidden or (user is not None and user.is_banned):
        return None
    return Opened(row.id, found, user), row.last_used_at_ms


def _maker(tx: Transaction, user_id: str) -> User | None:
    """A dock is an address that lies about in streaming software: it is nobody's admin."""
    maker = find_by_id(tx, user_id)
    return None if maker is None else replace(maker, is_off_duty=maker.is_admin)


def _works(found: Channel, kind: Kind) -> ColumnElement[bool]:
    return (
        (realtime_token.c.channel_id == found.id)
        & (realtime_token.c.kind == kind)
        & realtime_token.c.revoked_at_ms.is_(None)
    )


def _insert(
    tx: Transaction, found: Channel, actor: User, kind: Kind, name: str, now_ms: int
) -> tuple[str, str]:
    token_id, secret = new_id(_ID), f"{_PREFIXES[kind]}_{new_secret(160)}"
    assert _SHAPE.fullmatch(secret)
    tx.execute(
        insert(realtime_token).values(
            id=token_id,
            channel_id=found.id,
            user_id=actor.id,
            kind=kind,
            name=name,
            token_digest=digest(secret),
            secret=secret if kind == "overlay" else None,
            created_at_ms=now_ms,
        )
    )
    oversight.record(tx, actor, found, f"{kind}.create", now_ms, {"token": token_id})
    return token_id, secret


def _revoke(tx: Transaction, which: ColumnElement[bool], now_ms: int) -> bool:
    ids = tx.execute(select(realtime_token.c.id).where(which)).scalars().all()
    if ids:
        tx.execute(
            update(realtime_token).where(realtime_token.c.id.in_(ids)).values(revoked_at_ms=now_ms)
        )
    for token_id in ids:
        tx.emit(DisplayTokenRevoked(token_id))
    return bool(ids)


def _touch(tx: Transaction, token_id: str, now_ms: int) -> None:
    tx.execute(
        update(realtime_token).where(realtime_token.c.id == token_id).values(last_used_at_ms=now_ms)
    )

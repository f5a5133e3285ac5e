"""Personal data: everything the site knows about somebody, to take along or to have deleted.

Each feature says what it knows (`Source`); server/features.py hands the sources in, those first
that must go first. What the law or others' money needs stays without a name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import delete

from mediaserver.accounts import (
    barred_emails,
    letters,
    personal_tokens,
    profiles,
    second_factor,
    sessions,
    tokens,
)
from mediaserver.accounts.retired_names import Kind, retire
from mediaserver.accounts.sessions import SessionEnded
from mediaserver.accounts.users import (
    User,
    banned_until_ms_of,
    find_by_id,
    lock,
    lock_admins,
    user_account,
)
from mediaserver.kernel import audit
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict, NotFound
from mediaserver.kernel.mail import Letterhead, send
from mediaserver.kernel.vault import Vault

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """What one feature knows about people.

    `export` gives it as JSON; `erase` removes it, or the name in it, before the account itself goes
    (None: the database does it by itself). `refuse` raises `Conflict` when the account must stay
    for now, saying what to do first.
    """

    name: str
    export: Callable[[Transaction, str], Any]
    erase: Callable[[Transaction, str, int], None] | None = None
    refuse: Callable[[Transaction, str], None] | None = None


@dataclass(frozen=True, slots=True)
class AccountDeleted:
    """Somebody and all that was theirs is gone."""

    user_id: str
    username: str


class PersonalData:
    """Gathers and deletes it."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        letterhead: Letterhead,
        sources: Sequence[Source],
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._letterhead = letterhead
        self._sources = sources

    async def export(self, user: User) -> dict[str, Any]:
        """All of it as one JSON object; secrets and their hashes are not part of it."""
        return await self._db.read(self._export, user.id, self._clock.wall_ms())

    async def delete(self, user: User, *, by: Actor | None = None) -> None:
        """Delete the account and all that is its own. The caller has confirmed who asks: the user,
        or the admin `by`, which is written down.

        Raises `Conflict` for the last admin, and when there is still money to be paid to them.
        """
        await self._db.write(self._delete, user.id, by, self._clock.wall_ms())

    def _export(self, tx: Transaction, user_id: str, now_ms: int) -> dict[str, Any]:
        user = find_by_id(tx, user_id)
        if user is None:
            raise NotFound("There is no such account.")
        profile = profiles.find(tx, user_id)
        return {
            "exported_at_ms": now_ms,
            "account": {
                "id": user.id,
                "username": user.username,
                "email": user.email,
                "is_admin": user.is_admin,
                "is_premium": user.is_premium,
                "created_at_ms": user.created_at_ms,
                "two_step_log_in": second_factor.standing(tx, user_id).is_on,
            },
            "profile": {
                "about": profile.about,
                "links": [{"name": link.name, "url": link.url} for link in profile.links],
                "avatar": profile.avatar,
            },
            "sessions": sessions.export(tx, user_id),
            "programs": tokens.export(tx, user_id),
            "personal_tokens": personal_tokens.export(tx, user_id),
            **{source.name: source.export(tx, user_id) for source in self._sources},
        }

    def _delete(self, tx: Transaction, user_id: str, by: Actor | None, now_ms: int) -> None:
        admins = lock_admins(tx)
        lock(tx, user_id)  # a payout that is just asked for is waited for, and then seen
        user = find_by_id(tx, user_id)
        if user is None:
            return
        if admins == {user_id}:
            raise Conflict("That is the last admin: make somebody else one first.", code="last")
        for source in self._sources:
            if source.refuse is not None:
                source.refuse(tx, user_id)
        banned_until_ms = banned_until_ms_of(tx, user_id)
        if banned_until_ms is not None and banned_until_ms > now_ms:
            barred_emails.bar(tx, self._vault, user.email, banned_until_ms)
        for source in self._sources:
            if source.erase is not None:
                source.erase(tx, user_id, now_ms)
        tx.execute(delete(user_account).where(user_account.c.id == user_id))
        retire(tx, Kind.USER, user.username, now_ms)
        if by is not None:
            target = Target("user", user.id, user.username)
            audit.append(tx, by, "user.delete", target, now_ms)
        send(tx, letters.account_deleted(self._letterhead, user.email, user.username), now_ms)
        tx.emit(SessionEnded(user_id))
        tx.emit(AccountDeleted(user_id, user.username))
        _log.info("account deleted", user=user_id)

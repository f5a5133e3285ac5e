"""Accounts as admins see to them: finding somebody, changing their role, logging them out, helping
them back in.

Each change is one transaction with its entry in the audit log, and is told to the person by mail.
The caller has checked that an admin asks, and that it is really them. Called by the admin desk.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import func, select, update

from mediaserver.accounts import (
    codes,
    credentials,
    devices,
    letters,
    second_factor,
    user_list,
)
from mediaserver.accounts.codes import Purpose
from mediaserver.accounts.permissions import Role, role_of
from mediaserver.accounts.sessions import Device
from mediaserver.accounts.user_list import Show
from mediaserver.accounts.users import (
    User,
    find_by_typed_name,
    is_premium_by_hand,
    lock_admins,
    user_account,
)
from mediaserver.kernel import audit
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.mail import Letterhead, send
from mediaserver.kernel.vault import Vault

_log = structlog.get_logger(__name__)

ROLES = {role.label: role for role in (Role.NORMAL, Role.PREMIUM, Role.ADMIN)}
"""Those that an admin may give, by their public names."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """One account as an admin sees it. `has_app`: whether logging in asks for a second factor."""

    user: User
    has_app: bool
    devices: list[Device]


class Administration:
    """Finds accounts, and changes those of others."""

    def __init__(self, db: Database, clock: Clock, vault: Vault, letterhead: Letterhead) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._letterhead = letterhead

    async def page(
        self, *, search: str = "", show: Show = Show.ALL, after: str | None = None
    ) -> list[User]:
        """Accounts as in user_list.py, behind the one with the id `after`."""
        return await self._db.read(user_list.page, search, show, after)

    async def dossier(self, username: str) -> Dossier:
        """Raises `NotFound`."""
        return await self._db.read(_dossier, username, self._clock.wall_ms())

    async def set_role(self, actor: Actor, username: str, role: str) -> User:
        """Make somebody normal, premium or an admin; they have to log in again.

        Raises `NotFound`, `Invalid` (no such role) or `Conflict` (the last admin; a banned one who
        would become one; or one who is premium by a membership alone, who would become normal).
        """
        if role not in ROLES:
            raise Invalid("Choose one of the list.", field="role")
        return await self._db.write(self._set_role, actor, username, ROLES[role], self._now_ms())

    async def end_sessions(self, actor: Actor, username: str) -> None:
        """Log somebody out everywhere and revoke their tokens. Raises `NotFound`."""
        await self._db.write(self._end_sessions, actor, username, self._now_ms())

    async def reset_second_factor(self, actor: Actor, username: str) -> None:
        """For somebody who has lost their phone and their paper: the password alone logs in again.

        Raises `NotFound`, or `Conflict` when it is off.
        """
        await self._db.write(self._reset_second_factor, actor, username, self._now_ms())

    async def send_password_code(self, actor: Actor, username: str) -> None:
        """Mail somebody a code with which they choose a new password. Raises `NotFound`."""
        await self._db.write(self._send_password_code, actor, username, self._now_ms())

    def _now_ms(self) -> int:
        return self._clock.wall_ms()

    def _set_role(
        self, tx: Transaction, actor: Actor, username: str, role: Role, now_ms: int
    ) -> User:
        admins = lock_admins(tx)  # of two who demote each other at once, one is refused
        user = _get(tx, username)
        before, is_by_hand = role_of(user), is_premium_by_hand(tx, user.id)
        if role == before and (role != Role.PREMIUM or is_by_hand):
            return user
        if role == Role.NORMAL and before == Role.PREMIUM and not is_by_hand:
            raise Conflict(
                "They are premium by a membership, until it ends.", field="role", code="member"
            )
        if before == Role.ADMIN and len(admins) == 1:
            raise Conflict("That is the last admin: make somebody else one first.", code="last")
        if role == Role.ADMIN and user.is_banned:
            raise Conflict("Lift the ban first.", code="banned")
        tx.execute(
            update(user_account)
            .where(user_account.c.id == user.id)
            .values(is_admin=int(role == Role.ADMIN), is_premium=int(role == Role.PREMIUM))
        )
        credentials.end_all(tx, user.id, now_ms)
        changed = _get(tx, username)
        after = role_of(changed)  # members stay premium
        details = {"before": before.label, "after": role.label}
        audit.append(tx, actor, "user.role", target_of(user), now_ms, details)
        mail = letters.role_changed(self._letterhead, user.email, user.username, after.label)
        send(tx, mail, now_ms)
        _log.info("role changed", user=user.id, role=after.label)
        return changed

    def _end_sessions(self, tx: Transaction, actor: Actor, username: str, now_ms: int) -> None:
        user = _get(tx, username)
        credentials.end_all(tx, user.id, now_ms)
        audit.append(tx, actor, "user.log_out", target_of(user), now_ms)
        send(tx, letters.logged_out(self._letterhead, user.email, user.username), now_ms)

    def _reset_second_factor(
        self, tx: Transaction, actor: Actor, username: str, now_ms: int
    ) -> None:
        user = _get(tx, username)
        if not second_factor.standing(tx, user.id).is_on:
            raise Conflict("Two-step log-in is off already.", code="second_factor_off")
        second_factor.remove(tx, user.id)
        credentials.end_all(tx, user.id, now_ms)
        audit.append(tx, actor, "user.second_factor_reset", target_of(user), now_ms)
        mail = letters.second_factor_changed(self._letterhead, user.email, user.username, False)
        send(tx, mail, now_ms)

    def _send_password_code(
        self, tx: Transaction, actor: Actor, username: str, now_ms: int
    ) -> None:
        user = _get(tx, username)
        code = codes.issue(tx, self._vault, Purpose.RESET_PASSWORD, user.id, user.email, now_ms)
        audit.append(tx, actor, "user.password_code", target_of(user), now_ms)
        mail = letters.password_code(
            self._letterhead, user.email, user.username, code.handle, code.code
        )
        send(tx, mail, now_ms)


def target_of(user: User) -> Target:
    """An account as the audit log names it."""
    return Target("user", user.id, user.username)


def count(tx: Transaction) -> int:
    """How many accounts there are."""
    return int(tx.execute(select(func.count()).select_from(user_account)).scalar_one())


def _dossier(tx: Transaction, username: str, now_ms: int) -> Dossier:
    user = _get(tx, username)
    has_app = second_factor.standing(tx, user.id).is_on
    return Dossier(user, has_app, devices.list_of(tx, user.id, now_ms))


def _get(tx: Transaction, username: str) -> User:
    found = find_by_typed_name(tx, username)
    if found is None:
        raise NotFound("There is nobody with that name.", code="user_not_found")
    return found

"""Registration: somebody who wants an account, until the code mailed to them has come back.

Nothing tells whether an address has an account already, or is barred: the answer, the work and the
name that is taken for an hour are the same; only the mail differs. Owns the table `registration`.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import CheckConstraint, UniqueConstraint, delete, insert, select
from sqlalchemy.exc import IntegrityError

from mediaserver.accounts import barred_emails, codes, letters
from mediaserver.accounts.codes import Purpose
from mediaserver.accounts.passwords import Passwords
from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.accounts.users import (
    RESERVED_SKELETONS,
    User,
    check_account,
    email_exists,
    has_look_alike,
    insert_user,
    username_exists,
)
from mediaserver.kernel import limits
from mediaserver.kernel.addresses import network_of
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.mail import Letterhead, send
from mediaserver.kernel.texts import skeleton
from mediaserver.kernel.vault import Vault

_log = structlog.get_logger(__name__)

registration = table(
    "registration",
    identifier(),
    text("username"),
    text("email"),
    text("password_hash"),
    int64("created_at_ms"),
    int64("expires_at_ms", index=True),
    UniqueConstraint("username"),
    CheckConstraint("username = lower(username)", name="username_lower"),
    CheckConstraint("email = lower(email)", name="email_lower"),
)

_REGISTER = Rule(
    "register-address", limits.REGISTER_PER_ADDRESS_BURST, limits.REGISTER_PER_ADDRESS_INTERVAL_MS
)


@dataclass(frozen=True, slots=True)
class Registration:
    """What the visitor keeps: with `handle` and the mailed code the account comes into being."""

    handle: str
    username: str
    email: str
    expires_in_s: int


class Registrations:
    """Takes registrations and turns them into accounts."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        passwords: Passwords,
        throttles: Throttles,
        letterhead: Letterhead,
        config: AccountsConfig,
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._passwords = passwords
        self._throttles = throttles
        self._letterhead = letterhead
        self._config = config

    async def begin(
        self, username: str, email: str, password: str, *, address: str, replaces: str = ""
    ) -> Registration:
        """Take a registration from a visitor at `address` and mail a code. `replaces`: the handle
        of an earlier one of theirs, which is forgotten.

        Raises `Forbidden` when registration is closed, `Invalid`, `Conflict` (the name is taken) or
        `RateLimited`.
        """
        if self._config.registration != "open":
            raise Forbidden("This site doesn't take new accounts.", code="registration_closed")
        site_name = self._letterhead.site_name
        username, email = check_account(username, email, password, site_name=site_name)
        if skeleton(username) in RESERVED_SKELETONS:
            raise _like_another()
        network = network_of(address)
        await self._throttles.charge((_REGISTER, _REGISTER.key(network)))
        await self._db.read(_check_free, username, self._clock.wall_ms())
        await self._throttles.charge(*codes.sending(email, network))
        hashed = await self._passwords.hash(password, network=network)
        return await self._db.write(
            self._begin, username, email, hashed, replaces, self._clock.wall_ms()
        )

    async def resend(self, handle: str, *, address: str) -> Registration:
        """Mail another code; the one before opens nothing more. The handle is new.

        Raises `Invalid` when the registration is over, or `RateLimited`.
        """
        found = await self._db.read(codes.subject_of, Purpose.REGISTER, handle)
        if found is None:
            raise _over()
        network = network_of(address)
        await self._throttles.charge(*codes.sending(found.email, network), codes.trying(network))
        return await self._db.write(self._resend, handle, self._clock.wall_ms())

    async def confirm(self, handle: str, code: str, *, address: str) -> User:
        """The new account. Raises `Invalid` for a wrong or old code, or `RateLimited`."""
        bucket = codes.trying(network_of(address))
        await self._throttles.charge(bucket)
        user = await self._db.write(self._confirm, handle, code, self._clock.wall_ms())
        if user is None:
            raise Invalid("That code is wrong or too old.", field="code", code="wrong_code")
        await self._throttles.refund(bucket)
        _log.info("registered", user=user.id)
        return user

    async def email_of(self, handle: str) -> str | None:
        """Where the code of a registration went; None when there is no such registration."""
        found = await self._db.read(codes.subject_of, Purpose.REGISTER, handle)
        return None if found is None else found.email

    async def delete_expired(self) -> None:
        """Free the names of those who never sent their code back."""
        await self._db.write(_delete_expired, self._clock.wall_ms())

    def _begin(
        self,
        tx: Transaction,
        username: str,
        email: str,
        password_hash: str,
        replaces: str,
        now_ms: int,
    ) -> Registration:
        _delete_expired(tx, now_ms)
        earlier = codes.subject_of(tx, Purpose.REGISTER, replaces) if replaces else None
        if earlier is not None:
            tx.execute(delete(registration).where(registration.c.id == earlier.subject_id))
        _check_free(tx, username, now_ms)
        registration_id = new_id("reg")
        try:
            tx.execute(
                insert(registration).values(
                    id=registration_id,
                    username=username,
                    email=email,
                    password_hash=password_hash,
                    created_at_ms=now_ms,
                    expires_at_ms=now_ms + limits.REGISTRATION_MS,
                )
            )
        except IntegrityError as error:  # somebody else's registration
            raise Conflict("That name is taken.", field="username") from error
        return self._send(tx, registration_id, username, email, now_ms)

    def _resend(self, tx: Transaction, handle: str, now_ms: int) -> Registration:
        found = codes.subject_of(tx, Purpose.REGISTER, handle)
        row = (
            found
            and tx.execute(
                select(registration).where(
                    registration.c.id == found.subject_id, registration.c.expires_at_ms > now_ms
                )
            ).first()
        )
        if not row:
            raise _over()
        return self._send(tx, row.id, row.username, row.email, now_ms)

    def _send(
        self, tx: Transaction, registration_id: str, username: str, email: str, now_ms: int
    ) -> Registration:
        code = codes.issue(tx, self._vault, Purpose.REGISTER, registration_id, email, now_ms)
        if email_exists(tx, email):
            mail = letters.already_registered(self._letterhead, email)
        elif barred_emails.is_barred(tx, self._vault, email, now_ms):
            mail = letters.barred(self._letterhead, email)
        else:
            mail = letters.register(self._letterhead, email, username, code.code)
        send(tx, mail, now_ms)
        return Registration(code.handle, username, email, limits.CODE_MS // 1000)

    def _confirm(self, tx: Transaction, handle: str, code: str, now_ms: int) -> User | None:
        opened = codes.open_with(tx, self._vault, Purpose.REGISTER, handle, code, now_ms)
        if opened is None:
            return None
        row = tx.execute(
            delete(registration)
            .where(registration.c.id == opened.subject_id)
            .returning(*registration.c)
        ).first()
        if row is None or row.expires_at_ms <= now_ms or email_exists(tx, row.email):
            return None
        if barred_emails.is_barred(tx, self._vault, row.email, now_ms):
            return None
        if has_look_alike(tx, row.username):  # it was registered at the same time
            raise _like_another()
        return insert_user(tx, row.username, row.email, row.password_hash, False, now_ms)


def _check_free(tx: Transaction, username: str, now_ms: int) -> None:
    """Raises `Conflict` for a name that somebody has, or one that looks like it."""
    if username_exists(tx, username, now_ms):
        raise Conflict("That name is taken.", field="username")
    if has_look_alike(tx, username):
        raise _like_another()


def _delete_expired(tx: Transaction, now_ms: int) -> None:
    tx.execute(delete(registration).where(registration.c.expires_at_ms <= now_ms))
    codes.delete_old(tx, now_ms)
    barred_emails.delete_old(tx, now_ms)


def _like_another() -> Conflict:
    return Conflict("That name is too much like one that is taken.", field="username")


def _over() -> Invalid:
    return Invalid("That registration is over. Register again.", code="registration_over")

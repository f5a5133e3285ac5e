"""Users: who may exist, under which name, and whether a password is theirs.

Owns the table `user_account`. Called by the routes, the command line and set-up; knows nothing of
sessions, channels or HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Row,
    Text,
    UniqueConstraint,
    insert,
    select,
    update,
)
from sqlalchemy import text as sql
from sqlalchemy.exc import IntegrityError

from mediaserver.accounts import retired_names
from mediaserver.accounts.passwords import Passwords, check_rules
from mediaserver.accounts.retired_names import Kind, is_retired
from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.kernel import audit, limits
from mediaserver.kernel.addresses import network_of
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import flag, identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid, RateLimited, Unauthorized
from mediaserver.kernel.ids import digest, new_id, same
from mediaserver.kernel.texts import skeleton

_log = structlog.get_logger(__name__)

user_account = table(
    "user_account",
    identifier(),
    text("username"),
    text("email"),
    text("password_hash"),
    int64("is_admin"),
    int64("created_at_ms"),
    flag("is_premium"),
    int64("banned_until_ms", nullable=True),
    flag("is_verified"),
    flag("is_member"),
    Column("name_skeleton", Text, nullable=False, server_default=sql("''"), index=True),
    UniqueConstraint("username"),
    UniqueConstraint("email"),
    CheckConstraint("username = lower(username)", name="username_lower"),
    CheckConstraint("length(username) BETWEEN 3 AND 24", name="username_length"),
    CheckConstraint("email = lower(email)", name="email_lower"),
    CheckConstraint("is_admin IN (0, 1)", name="is_admin"),
    CheckConstraint("is_premium IN (0, 1)", name="is_premium"),
    CheckConstraint("is_verified IN (0, 1)", name="is_verified"),
    CheckConstraint("is_member IN (0, 1)", name="is_member"),
)
Index(None, user_account.c.created_at_ms, user_account.c.id)
IS_ADMIN = sql("is_admin = 1")
"""Written out, not bound: only then SQLite sees that the index of admins alone fits."""

for _name, _condition in (
    ("admins", "is_admin = 1"),
    ("premium", "(is_premium = 1 OR is_member = 1)"),
    ("banned", "banned_until_ms IS NOT NULL"),
):
    Index(
        f"ix_user_account_{_name}",
        user_account.c.created_at_ms,
        user_account.c.id,
        sqlite_where=sql(_condition),
        postgresql_where=sql(_condition),
    )

_RESERVED = """
about abuse account accounts admin administrator anonymous api app auth billing bot channel channels
chat contact everyone guest help here hls home hostmaster info legal live login logout mail me media
mediaserver mod moderator moderators news nobody null official oauth overlay owner postmaster
privacy register root rtmp search security settings setup signup site staff static status stream
studio support system team terms undefined user username users wallet webmaster you
"""
RESERVED_SKELETONS = frozenset(map(skeleton, _RESERVED.split()))
"""What nobody but the operator may be called, nor anything that people take for it."""

_USERNAME = re.compile(r"[a-z0-9_]{3,24}")
_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@"
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)

_PER_ACCOUNT = Rule(
    "login-account", limits.LOGIN_PER_ACCOUNT_BURST, limits.LOGIN_PER_ACCOUNT_INTERVAL_MS
)
_PER_ADDRESS = Rule(
    "login-address", limits.LOGIN_PER_ADDRESS_BURST, limits.LOGIN_PER_ADDRESS_INTERVAL_MS
)
_ANYWHERE = Rule("login-anywhere", limits.LOGIN_ANYWHERE_BURST, limits.LOGIN_ANYWHERE_INTERVAL_MS)
_KNOWN = Rule("login-known", 1, limits.LOGIN_KNOWN_MS)
"""Full while the owner of an account has logged in from an address not too long ago."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with an account. The password hash never leaves this module.

    `is_premium`: by an admin's hand or by a membership; `is_member`: by a membership.
    `is_off_duty`: they came by a log-in that doesn't act as an admin, or not now; then they are
    what they would be without that role. `password_mark`: which password they had, so that a log-in
    under way ends with it.
    """

    id: str
    username: str
    email: str
    is_admin: bool
    created_at_ms: int
    is_premium: bool = False
    is_banned: bool = False
    is_verified: bool = False
    is_off_duty: bool = False
    is_member: bool = False
    password_mark: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class AccountMade:
    """Somebody has an account from now on."""

    user_id: str
    username: str


class Users:
    """Everything that is done with accounts."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        passwords: Passwords,
        throttles: Throttles,
    ) -> None:
        self._db = db
        self._clock = clock
        self._passwords = passwords
        self._throttles = throttles

    async def create(
        self,
        username: str,
        email: str,
        password: str,
        *,
        is_admin: bool,
        actor: Actor | None = None,
    ) -> User:
        """Make an account for the operator: no throttle and no reserved names. With an `actor` it
        stands in the audit log.
        """
        username, email = check_account(username, email, password)
        hashed = await self._passwords.hash(password)
        return await self._db.write(
            _insert_for, actor, username, email, hashed, is_admin, self._clock.wall_ms()
        )

    async def log_in(self, username: str, password: str, *, address: str) -> User:
        """The user with this name (or e-mail address) and password.

        Raises `Unauthorized`, with the same words and after the same work whether or not the user
        exists, and `RateLimited` after too many wrong passwords: from this address, or for this
        name from anywhere, which holds up strange addresses only.
        """
        name = username.strip().lower()
        row = await self._db.read(_credentials, name)
        # By what was typed, not by whose it is: else two names of one account would show it.
        network = network_of(address)
        known = (_KNOWN, _KNOWN.key(name, network))
        here = (_PER_ACCOUNT, _PER_ACCOUNT.key(name, network))
        others = [(_PER_ADDRESS, _PER_ADDRESS.key(network))]
        if not await self._throttles.is_full(known):
            others.append((_ANYWHERE, _ANYWHERE.key(name)))
        await self._throttles.charge(here, *others)
        password_ok = await self._passwords.verify(
            row.password_hash if row else None, password, network=network
        )
        if row is None or not password_ok:
            _log.info("log-in refused", address=address, user=row.id if row else None)
            raise Unauthorized("The name or the password is wrong.", code="wrong_credentials")
        await self._throttles.forget(here, known)
        await self._throttles.refund(*others)
        with suppress(RateLimited):  # another log-in at the same moment was faster
            await self._throttles.charge(known)
        if self._passwords.is_outdated(row.password_hash):
            hashed = await self._passwords.hash(password, network=network)
            user = await self._db.write(_renew_hash, to_user(row), hashed)
        else:
            user = to_user(row)
        _log.info("password was right", address=address, user=row.id)
        return user

    async def by_username(self, username: str) -> User | None:
        name = username.strip().lower()
        return await self._db.read(find_by_username, name) if is_username(name) else None

    async def by_id(self, user_id: str) -> User | None:
        return await self._db.read(find_by_id, user_id)

    async def delete_retired_names(self) -> None:
        """Free the names of accounts and channels that were deleted long ago."""
        await self._db.write(retired_names.delete_old, self._clock.wall_ms())


def check_account(
    username: str, email: str, password: str, *, site_name: str = ""
) -> tuple[str, str]:
    """The name and address as they are stored. Raises `Invalid` for the first wrong field."""
    username = username.strip().lower()
    if not limits.USERNAME_CHARS_MIN <= len(username) <= limits.USERNAME_CHARS_MAX:
        raise Invalid(
            f"Use {limits.USERNAME_CHARS_MIN} to {limits.USERNAME_CHARS_MAX} characters.",
            field="username",
        )
    if not _USERNAME.fullmatch(username):
        raise Invalid("Use only letters a to z, digits and _.", field="username")
    email = checked_email(email)
    local = email.partition("@")[0]
    check_rules(password, personal=(username, email, local, site_name))
    return username, email


def checked_email(email: str) -> str:
    """The address as it is stored. Raises `Invalid`."""
    email = email.strip().lower()
    local, _, _ = email.partition("@")
    if (
        len(email) > limits.EMAIL_CHARS_MAX
        or not _EMAIL.fullmatch(email)
        or "=?" in local  # mail programs decode it (RFC 2047): many spellings, one mailbox
        or ".." in local
        or local.startswith(".")
        or local.endswith(".")
    ):
        raise Invalid("That doesn't look like an e-mail address.", field="email")
    return email


def insert_user(
    tx: Transaction, username: str, email: str, password_hash: str, is_admin: bool, now_ms: int
) -> User:
    """Store a checked account. Raises `Conflict` when the name or the address is taken."""
    if username_exists(tx, username, now_ms):
        raise Conflict("That name is taken.", field="username")
    if email_exists(tx, email):
        raise Conflict("That address already has an account.", field="email")
    user = User(
        new_id("usr"), username, email, is_admin, now_ms, password_mark=digest(password_hash)
    )
    try:
        tx.execute(
            insert(user_account).values(
                id=user.id,
                username=username,
                email=email,
                password_hash=password_hash,
                is_admin=int(is_admin),
                created_at_ms=now_ms,
                name_skeleton=skeleton(username),
            )
        )
    except IntegrityError as error:  # the other one was a moment faster
        raise Conflict("That name or address is taken.", field="username") from error
    tx.emit(AccountMade(user.id, username))
    return user


def _insert_for(
    tx: Transaction,
    actor: Actor | None,
    username: str,
    email: str,
    password_hash: str,
    is_admin: bool,
    now_ms: int,
) -> User:
    user = insert_user(tx, username, email, password_hash, is_admin, now_ms)
    if actor is not None:
        target = Target("user", user.id, user.username)
        audit.append(tx, actor, "user.create", target, now_ms, {"is_admin": is_admin})
    return user


def find_by_username(tx: Transaction, username: str) -> User | None:
    row = tx.execute(select(user_account).where(user_account.c.username == username)).first()
    return to_user(row) if row else None


def find_by_email(tx: Transaction, email: str) -> User | None:
    row = tx.execute(select(user_account).where(user_account.c.email == email)).first()
    return to_user(row) if row else None


def username_exists(tx: Transaction, username: str, now_ms: int) -> bool:
    """Also when somebody was called so until lately."""
    found = select(user_account.c.id).where(user_account.c.username == username)
    return tx.execute(found).first() is not None or is_retired(tx, Kind.USER, username, now_ms)


def has_look_alike(tx: Transaction, username: str) -> bool:
    """Whether somebody has a name that people would take for this one, or this very one."""
    found = select(user_account.c.id).where(user_account.c.name_skeleton == skeleton(username))
    return tx.execute(found.limit(1)).first() is not None


def email_exists(tx: Transaction, email: str) -> bool:
    found = select(user_account.c.id).where(user_account.c.email == email)
    return tx.execute(found).first() is not None


def find_by_id(tx: Transaction, user_id: str) -> User | None:
    row = tx.execute(select(user_account).where(user_account.c.id == user_id)).first()
    return to_user(row) if row else None


def reload(tx: Transaction, user: User) -> User | None:
    """As the account is now; how they came stays."""
    found = find_by_id(tx, user.id)
    return None if found is None else replace(found, is_off_duty=user.is_off_duty)


def users_by_id(tx: Transaction, user_ids: Iterable[str]) -> dict[str, User]:
    """Those of `user_ids` that exist."""
    rows = tx.execute(select(user_account).where(user_account.c.id.in_(set(user_ids))))
    return {row.id: to_user(row) for row in rows}


def find_by_typed_name(tx: Transaction, typed: str) -> User | None:
    """As people write a name: also in capitals, or with an @ before it."""
    name = typed.strip().removeprefix("@").lower()
    return find_by_username(tx, name) if is_username(name) else None


def is_username(name: str) -> bool:
    """Whether somebody could be called that; PostgreSQL takes no NUL, for one."""
    return _USERNAME.fullmatch(name) is not None


def admin_exists(tx: Transaction) -> bool:
    return bool(tx.execute(select(user_account.c.id).where(IS_ADMIN).limit(1)).first())


def lock_admins(tx: Transaction) -> set[str]:
    """The ids of all admins; who would end one of them waits until the transaction ends."""
    admins = select(user_account.c.id).where(IS_ADMIN)
    return set(tx.execute(admins.order_by(user_account.c.id).with_for_update()).scalars())


def to_user(row: Row[Any]) -> User:
    return User(
        row.id,
        row.username,
        row.email,
        bool(row.is_admin),
        row.created_at_ms,
        bool(row.is_premium or row.is_member),
        row.banned_until_ms is not None,
        bool(row.is_verified),
        is_member=bool(row.is_member),
        password_mark=digest(row.password_hash),
    )


def set_verified(tx: Transaction, user_id: str, *, is_verified: bool) -> None:
    """For channels/verifications.py, whose admins have seen who they are."""
    values = {"is_verified": int(is_verified)}
    tx.execute(update(user_account).where(user_account.c.id == user_id).values(values))


def set_member(tx: Transaction, user_id: str, *, is_member: bool) -> None:
    """For memberships/ alone: premium by a membership, beside what an admin may have given."""
    values = {"is_member": int(is_member)}
    tx.execute(update(user_account).where(user_account.c.id == user_id).values(values))


def is_premium_by_hand(tx: Transaction, user_id: str) -> bool:
    """Whether an admin made them premium."""
    given = select(user_account.c.is_premium).where(user_account.c.id == user_id)
    return bool(tx.execute(given).scalar())


def lock(tx: Transaction, user_id: str) -> None:
    """Until the transaction ends, others that lock the account wait."""
    tx.execute(select(user_account.c.id).where(user_account.c.id == user_id).with_for_update())


def password_hash_of(tx: Transaction, user_id: str) -> str | None:
    """For this module and accounts/credentials.py."""
    stored = select(user_account.c.password_hash).where(user_account.c.id == user_id)
    return tx.execute(stored).scalar()


def banned_until_ms_of(tx: Transaction, user_id: str) -> int | None:
    """None: not banned."""
    until = select(user_account.c.banned_until_ms).where(user_account.c.id == user_id)
    return tx.execute(until).scalar()


def set_banned_until(tx: Transaction, user_id: str, until_ms: int | None) -> None:
    """For trust/bans.py alone, which says why; None lifts the ban."""
    tx.execute(
        update(user_account).where(user_account.c.id == user_id).values(banned_until_ms=until_ms)
    )


def set_email(tx: Transaction, user_id: str, email: str) -> None:
    """The caller has checked that it is theirs. Raises `Conflict` when it is taken meanwhile."""
    try:
        tx.execute(update(user_account).where(user_account.c.id == user_id).values(email=email))
    except IntegrityError as error:
        raise Conflict("That address already has an account.", field="email") from error


def _credentials(tx: Transaction, name: str) -> Row[Any] | None:
    if not (_USERNAME.fullmatch(name) or _EMAIL.fullmatch(name)):
        return None  # nobody is called that, and PostgreSQL takes no NUL
    column = user_account.c.email if "@" in name else user_account.c.username
    return tx.execute(select(user_account).where(column == name)).first()


def check_password_stands(tx: Transaction, user: User) -> None:
    """Within the transaction that logs `user` in. Raises `Unauthorized` when the password isn't the
    one any more that they gave: whoever changed it has ended all log-ins, those under way too.
    """
    lock(tx, user.id)  # a change that has begun is waited for
    stored = password_hash_of(tx, user.id)
    if stored is None or not same(digest(stored), user.password_mark):
        raise Unauthorized("The password was changed. Log in again.", code="wrong_credentials")


def _renew_hash(tx: Transaction, user: User, password_hash: str) -> User:
    """The same password, hashed as it is done today."""
    check_password_stands(tx, user)
    set_password_hash(tx, user.id, password_hash)
    return replace(user, password_mark=digest(password_hash))


def set_password_hash(tx: Transaction, user_id: str, password_hash: str) -> None:
    tx.execute(
        update(user_account).where(user_account.c.id == user_id).values(password_hash=password_hash)
    )

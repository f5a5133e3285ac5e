"""Credentials: changing what opens an account — the password, known or forgotten, and the address.

A forgotten password is answered the same, and as fast, whether or not the address has an account:
the mail is a job. Its code belongs to the browser that asked for it, opens no session and passes no
second factor. A new password ends all other sessions and tokens; every change is told by mail.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from mediaserver.accounts import (
    barred_emails,
    codes,
    devices,
    letters,
    personal_tokens,
)
from mediaserver.accounts.codes import Purpose
from mediaserver.accounts.passwords import Passwords, check_rules
from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.accounts.users import (
    User,
    checked_email,
    email_exists,
    find_by_email,
    find_by_id,
    password_hash_of,
    set_email,
    set_password_hash,
)
from mediaserver.kernel import limits
from mediaserver.kernel.addresses import network_of
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Invalid, Unauthorized
from mediaserver.kernel.jobs import enqueue
from mediaserver.kernel.mail import Letterhead, send
from mediaserver.kernel.vault import Vault

_log = structlog.get_logger(__name__)

LOGGED_OUT = "logged-out"
"""The job for what else acts as somebody who was logged out everywhere: what `user_id` made up to
`until_ms`. It is done in channels/display_tokens.py, which accounts don't know.
"""

_ASK = Rule("reset-address", limits.RESET_PER_ADDRESS_BURST, limits.RESET_PER_ADDRESS_INTERVAL_MS)
_CONFIRM = Rule("password-log-in", limits.CONFIRM_BURST, limits.CONFIRM_INTERVAL_MS)
_CONFIRM_ANYWHERE = Rule(
    "password-account", limits.CONFIRM_ANYWHERE_BURST, limits.CONFIRM_ANYWHERE_INTERVAL_MS
)


@dataclass(frozen=True, slots=True)
class CodeSent:
    """A code is on its way to `email`, if it is anybody's; it opens what `handle` stands for."""

    handle: str
    email: str
    expires_in_s: int


class Credentials:
    """Changes passwords and addresses."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        passwords: Passwords,
        throttles: Throttles,
        letterhead: Letterhead,
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._passwords = passwords
        self._throttles = throttles
        self._letterhead = letterhead

    async def confirm_password(
        self, user: User, password: str, *, log_in: str, address: str
    ) -> None:
        """Raises `Unauthorized` unless it is the user's password, `RateLimited` after many.

        `log_in`: the id of the session, or of the program's log-in, that asks. Whoever stole one
        uses up its own tries, not those of the owner.
        """
        buckets = (
            (_CONFIRM, _CONFIRM.key(log_in)),
            (_CONFIRM_ANYWHERE, _CONFIRM_ANYWHERE.key(user.id)),
        )
        await self._throttles.charge(*buckets)
        stored = await self._db.read(password_hash_of, user.id)
        network = network_of(address)
        if not await self._passwords.verify(stored, password, network=network):
            _log.info("password refused", user=user.id)
            raise Unauthorized("That isn't your password.", code="wrong_password")
        await self._throttles.refund(*buckets)

    async def change_password(
        self,
        user: User,
        current: str,
        new: str,
        *,
        log_in: str,
        address: str,
        keep_session: str | None,
    ) -> None:
        """Every session but the one with the token `keep_session` ends, and every API token.
        `log_in` as in `confirm_password`.

        Raises `Unauthorized` (the current password is wrong), `Invalid` or `RateLimited`.
        """
        self._check_new(new, user)
        await self.confirm_password(user, current, log_in=log_in, address=address)
        hashed = await self._passwords.hash(new, network=network_of(address))
        await self._db.write(
            self._set_password, user, hashed, self._clock.wall_ms(), keep_session=keep_session
        )

    async def forget_password(self, email: str, *, address: str) -> CodeSent:
        """Somebody at `address` forgot their password. Raises `Invalid` or `RateLimited`."""
        email = checked_email(email)
        network = network_of(address)
        await self._throttles.charge((_ASK, _ASK.key(network)), *codes.sending(email, network))
        handle = await self._db.write(self._forget_password, email, self._clock.wall_ms())
        return CodeSent(handle, email, limits.CODE_MS // 1000)

    async def reset_password(self, handle: str, code: str, new: str, *, address: str) -> User:
        """Set a new password with a mailed code; nobody is logged in by it.

        Raises `Invalid` for a wrong or old code, or a password that is too easy, or `RateLimited`.
        A password that is refused uses up neither code nor try.
        """
        check_rules(new)
        network = network_of(address)
        bucket = codes.trying(network)
        await self._throttles.charge(bucket)
        hashed = await self._passwords.hash(new, network=network)
        user = await self._db.write(
            self._reset_password, handle, code, new, hashed, self._clock.wall_ms()
        )
        if user is None:
            raise Invalid("That code is wrong or too old.", field="code", code="wrong_code")
        await self._throttles.refund(bucket)
        return user

    async def begin_email_change(self, user: User, new: str) -> CodeSent:
        """Mail a code to the new address. The caller has confirmed that it is the user who asks.

        An address that is somebody else's is answered alike, and is told so by mail.
        Raises `Invalid` or `RateLimited`.
        """
        new = checked_email(new)
        if new == user.email:
            raise Invalid("That is your address already.", field="email")
        await self._throttles.charge((_ASK, _ASK.key(user.id)), *codes.sending(new, user.id))
        handle = await self._db.write(self._begin_email_change, user, new, self._clock.wall_ms())
        return CodeSent(handle, new, limits.CODE_MS // 1000)

    async def confirm_email_change(self, user: User, handle: str, code: str) -> User:
        """The user with their new address; the old one is told. Raises `Invalid`, `RateLimited`."""
        bucket = codes.trying(user.id)
        await self._throttles.charge(bucket)
        changed = await self._db.write(
            self._confirm_email_change, user, handle, code, self._clock.wall_ms()
        )
        if changed is None:
            raise Invalid("That code is wrong or too old.", field="code", code="wrong_code")
        await self._throttles.refund(bucket)
        return changed

    def _check_new(self, password: str, user: User) -> None:
        local = user.email.partition("@")[0]
        site_name = self._letterhead.site_name
        check_rules(password, personal=(user.username, user.email, local, site_name))

    def _set_password(
        self, tx: Transaction, user: User, hashed: str, now_ms: int, *, keep_session: str | None
    ) -> None:
        set_password_hash(tx, user.id, hashed)
        end_all(tx, user.id, now_ms, keep_session=keep_session)
        send(tx, letters.password_changed(self._letterhead, user.email, user.username), now_ms)
        _log.info("password changed", user=user.id)

    def _forget_password(self, tx: Transaction, email: str, now_ms: int) -> str:
        user = find_by_email(tx, email)
        subject_id = user.id if user else None
        code = codes.issue(tx, self._vault, Purpose.RESET_PASSWORD, subject_id, email, now_ms)
        if user is not None:
            mail = letters.reset_password(self._letterhead, email, user.username, code.code)
            send(tx, mail, now_ms)
        return code.handle

    def _reset_password(
        self, tx: Transaction, handle: str, code: str, new: str, hashed: str, now_ms: int
    ) -> User | None:
        opened = codes.open_with(tx, self._vault, Purpose.RESET_PASSWORD, handle, code, now_ms)
        user = find_by_id(tx, opened.subject_id) if opened and opened.subject_id else None
        if opened is None or user is None or user.email != opened.email:
            return None
        self._check_new(new, user)  # when it is refused, the code isn't used up
        self._set_password(tx, user, hashed, now_ms, keep_session=None)
        return user

    def _begin_email_change(self, tx: Transaction, user: User, new: str, now_ms: int) -> str:
        code = codes.issue(tx, self._vault, Purpose.CHANGE_EMAIL, user.id, new, now_ms)
        if email_exists(tx, new):
            mail = letters.address_taken(self._letterhead, new)
        elif barred_emails.is_barred(tx, self._vault, new, now_ms):
            mail = letters.barred(self._letterhead, new)
        else:
            mail = letters.change_email(self._letterhead, new, user.username, code.code)
        send(tx, mail, now_ms)
        return code.handle

    def _confirm_email_change(
        self, tx: Transaction, user: User, handle: str, code: str, now_ms: int
    ) -> User | None:
        opened = codes.open_with(tx, self._vault, Purpose.CHANGE_EMAIL, handle, code, now_ms)
        if opened is None or opened.subject_id != user.id or email_exists(tx, opened.email):
            return None
        set_email(tx, user.id, opened.email)
        mail = letters.email_changed(self._letterhead, user.email, user.username, opened.email)
        send(tx, mail, now_ms)
        _log.info("e-mail address changed", user=user.id)
        return find_by_id(tx, user.id)


def end_all(tx: Transaction, user_id: str, now_ms: int, *, keep_session: str | None = None) -> None:
    """Log a user out everywhere, but for the session with the token `keep_session`."""
    devices.end_all(tx, user_id, now_ms, keep_session=keep_session)
    enqueue(tx, LOGGED_OUT, {"user_id": user_id, "until_ms": now_ms}, now_ms)
    personal_tokens.revoke_all(tx, user_id, now_ms)

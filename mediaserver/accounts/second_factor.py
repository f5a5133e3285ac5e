"""The second factor: codes of an authenticator app (TOTP, RFC 6238) and recovery codes on paper.

A code works once: its time step is remembered, and an earlier one is refused. Secrets are sealed;
recovery codes are kept as keyed hashes. Owns the tables `totp` and `recovery_code`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyotp
import structlog
from sqlalchemy import ForeignKey, delete, func, insert, select, update

from mediaserver.accounts import letters
from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid, Unauthorized
from mediaserver.kernel.ids import new_id, new_word, same
from mediaserver.kernel.mail import Letterhead, send
from mediaserver.kernel.vault import Vault

_log = structlog.get_logger(__name__)

totp = table(
    "totp",
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    text("secret"),
    int64("created_at_ms"),
    int64("confirmed_at_ms", nullable=True),
    int64("last_step"),
)

recovery_code = table(
    "recovery_code",
    identifier(),
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE"), index=True),
    text("code_mac"),
    int64("used_at_ms", nullable=True),
)

_STEP_MS = 30_000
_DIGITS = 6
_DRIFT_STEPS = 1  # RFC 6238 §5.2: one step before and after, for clocks and slow typists

_TRY = Rule("second-factor", limits.SECOND_FACTOR_BURST, limits.SECOND_FACTOR_INTERVAL_MS)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the app needs: the secret in Base32, and the same as an otpauth:// address."""

    secret: str
    uri: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether an account asks for codes, and how many recovery codes are left."""

    is_on: bool
    recovery_codes_left: int


class SecondFactor:
    """Turns the second factor on and off, and checks codes."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        throttles: Throttles,
        letterhead: Letterhead,
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._throttles = throttles
        self._letterhead = letterhead

    async def standing(self, user: User) -> Standing:
        return await self._db.read(standing, user.id)

    async def enrol(self, user: User) -> Enrolment:
        """A fresh secret, which counts once `confirm` has seen a code of it. Raises `Conflict` when
        the second factor is on.
        """
        secret = await self._db.write(self._enrol, user.id, self._clock.wall_ms())
        return self._enrolment(user, secret)

    async def waiting(self, user: User) -> Enrolment | None:
        """The secret that waits for its first code, to show it once more; None without one."""
        sealed = await self._db.read(_waiting_secret, user.id)
        if sealed is None:
            return None
        return self._enrolment(user, self._vault.unseal(sealed, f"totp/{user.id}"))

    async def confirm(self, user: User, code: str) -> list[str]:
        """Turn it on with a first code; the recovery codes, which are shown this once.

        Raises `Invalid` for a wrong code, `Conflict` without `enrol`, or `RateLimited`.
        """
        bucket = (_TRY, _TRY.key(user.id))
        await self._throttles.charge(bucket)
        made = await self._db.write(self._confirm, user, code, self._clock.wall_ms())
        if made is None:
            raise Invalid("That code is wrong. Take the newest one.", field="code")
        await self._throttles.refund(bucket)
        return made

    async def check(self, user: User, code: str) -> None:
        """Use up a code of the app or a recovery code. Raises `Unauthorized` or `RateLimited`.

        Whoever gets here knows the password or has a session that is open: nobody else's wrong
        codes slow the owner down.
        """
        bucket = (_TRY, _TRY.key(user.id))
        await self._throttles.charge(bucket)
        if not await self._db.write(self._check, user, code, self._clock.wall_ms()):
            _log.info("second factor refused", user=user.id)
            raise Unauthorized("That code is wrong or was used before.", code="wrong_code")
        await self._throttles.refund(bucket)
        _log.info("second factor was right", user=user.id)

    async def new_recovery_codes(self, user: User) -> list[str]:
        """Ten new ones in the place of those before. Raises `Conflict` when it is off."""
        return await self._db.write(self._renew, user.id)

    async def turn_off(self, user: User) -> None:
        """The caller has confirmed that it is the user who asks."""
        await self._db.write(self._turn_off, user, self._clock.wall_ms())

    def _enrolment(self, user: User, secret: str) -> Enrolment:
        uri = pyotp.TOTP(secret).provisioning_uri(
            name=user.username, issuer_name=self._letterhead.site_name
        )
        return Enrolment(secret, uri)

    def _enrol(self, tx: Transaction, user_id: str, now_ms: int) -> str:
        if standing(tx, user_id).is_on:
            raise Conflict("Two-step log-in is on already.", code="second_factor_on")
        tx.execute(delete(totp).where(totp.c.user_id == user_id))
        secret = pyotp.random_base32()
        tx.execute(
            insert(totp).values(
                user_id=user_id,
                secret=self._vault.seal(secret, f"totp/{user_id}"),
                created_at_ms=now_ms,
                last_step=0,
            )
        )
        return secret

    def _confirm(self, tx: Transaction, user: User, code: str, now_ms: int) -> list[str] | None:
        if standing(tx, user.id).is_on:
            raise Conflict("Two-step log-in is on already.", code="second_factor_on")
        if not self._use_app_code(tx, user.id, code, now_ms):
            return None
        tx.execute(update(totp).where(totp.c.user_id == user.id).values(confirmed_at_ms=now_ms))
        mail = letters.second_factor_changed(self._letterhead, user.email, user.username, True)
        send(tx, mail, now_ms)
        return self._renew(tx, user.id)

    def _check(self, tx: Transaction, user: User, code: str, now_ms: int) -> bool:
        if not standing(tx, user.id).is_on:
            return False
        typed = "".join(char for char in code.lower() if char.isalnum())
        if typed.isdigit() and len(typed) == _DIGITS:
            return self._use_app_code(tx, user.id, typed, now_ms)
        return self._use_recovery_code(tx, user, typed, now_ms)

    def _use_app_code(self, tx: Transaction, user_id: str, code: str, now_ms: int) -> bool:
        row = tx.execute(select(totp).where(totp.c.user_id == user_id).with_for_update()).first()
        if row is None:
            return False
        app = pyotp.TOTP(self._vault.unseal(row.secret, f"totp/{user_id}"))
        typed = "".join(char for char in code if not char.isspace())
        now_step = now_ms // _STEP_MS
        for step in range(now_step - _DRIFT_STEPS, now_step + _DRIFT_STEPS + 1):
            if step > row.last_step and same(app.generate_otp(step), typed):
                tx.execute(update(totp).where(totp.c.user_id == user_id).values(last_step=step))
                return True
        return False

    def _use_recovery_code(self, tx: Transaction, user: User, code: str, now_ms: int) -> bool:
        used = tx.execute(
            update(recovery_code)
            .where(
                recovery_code.c.user_id == user.id,
                recovery_code.c.code_mac == self._vault.mac(code, f"recovery/{user.id}"),
                recovery_code.c.used_at_ms.is_(None),
            )
            .values(used_at_ms=now_ms)
        )
        if used.rowcount != 1:
            return False
        left = standing(tx, user.id).recovery_codes_left
        mail = letters.recovery_code_used(self._letterhead, user.email, user.username, left)
        send(tx, mail, now_ms)
        _log.warning("recovery code used", user=user.id, left=left)
        return True

    def _renew(self, tx: Transaction, user_id: str) -> list[str]:
        if not standing(tx, user_id).is_on:
            raise Conflict("Two-step log-in is off.", code="second_factor_off")
        tx.execute(delete(recovery_code).where(recovery_code.c.user_id == user_id))
        made = [new_word(limits.RECOVERY_CODE_CHARS) for _ in range(limits.RECOVERY_CODES)]
        tx.execute(
            insert(recovery_code),
            [
                {
                    "id": new_id("rcv"),
                    "user_id": user_id,
                    "code_mac": self._vault.mac(code, f"recovery/{user_id}"),
                }
                for code in made
            ],
        )
        middle = limits.RECOVERY_CODE_CHARS // 2
        return [f"{code[:middle]}-{code[middle:]}" for code in made]

    def _turn_off(self, tx: Transaction, user: User, now_ms: int) -> None:
        remove(tx, user.id)
        mail = letters.second_factor_changed(self._letterhead, user.email, user.username, False)
        send(tx, mail, now_ms)


def standing(tx: Transaction, user_id: str) -> Standing:
    is_on = tx.execute(
        select(totp.c.user_id).where(totp.c.user_id == user_id, totp.c.confirmed_at_ms.is_not(None))
    ).first()
    left = tx.execute(
        select(func.count())
        .select_from(recovery_code)
        .where(recovery_code.c.user_id == user_id, recovery_code.c.used_at_ms.is_(None))
    ).scalar_one()
    return Standing(is_on is not None, left)


def _waiting_secret(tx: Transaction, user_id: str) -> str | None:
    return tx.execute(
        select(totp.c.secret).where(totp.c.user_id == user_id, totp.c.confirmed_at_ms.is_(None))
    ).scalar()


def remove(tx: Transaction, user_id: str) -> None:
    """Also for the admin, when somebody has lost their phone and their paper."""
    tx.execute(delete(totp).where(totp.c.user_id == user_id))
    tx.execute(delete(recovery_code).where(recovery_code.c.user_id == user_id))

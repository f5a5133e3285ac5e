"""One-time codes: eight digits, mailed, that open one thing once.

A code belongs to a handle, which only the browser or client that asked for it holds: knowing an
address is not enough to try codes for it. It lives ten minutes, bears five tries and works once.
Kept as a keyed hash, since 10^8 values are soon tried. Says what sending and trying codes are
charged to. Owns the table `one_time_code`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import CheckConstraint, delete, insert, select, update

from mediaserver.accounts.throttles import Rule
from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.ids import is_id, new_digits, new_id, same
from mediaserver.kernel.vault import Vault

one_time_code = table(
    "one_time_code",
    identifier(),
    text("purpose"),
    text("subject_id", nullable=True, index=True),
    text("email"),
    text("code_mac"),
    int64("tries"),
    int64("created_at_ms"),
    int64("expires_at_ms", index=True),
    int64("used_at_ms", nullable=True),
    CheckConstraint("tries >= 0", name="tries"),
    CheckConstraint("purpose IN ('register', 'reset_password', 'change_email')", name="purpose"),
)

_TRY = Rule("code-address", limits.CODE_TRIES_BURST, limits.CODE_TRIES_INTERVAL_MS)
_BY_ASKER = Rule("code-asker", limits.CODES_PER_ASKER_BURST, limits.CODES_PER_ASKER_INTERVAL_MS)
_BY_ANYBODY = Rule("code-email", limits.CODES_PER_EMAIL_BURST, limits.CODES_PER_EMAIL_INTERVAL_MS)


def sending(email: str, asker: str) -> tuple[tuple[Rule, str], tuple[Rule, str]]:
    """What a mail to `email` is charged to. `asker`: the network or the account that causes it."""
    return (
        (_BY_ASKER, _BY_ASKER.key(email, asker)),
        (_BY_ANYBODY, _BY_ANYBODY.key(email)),
    )


def trying(asker: str) -> tuple[Rule, str]:
    """What a try of a code is charged to."""
    return (_TRY, _TRY.key(asker))


class Purpose(StrEnum):
    REGISTER = "register"
    RESET_PASSWORD = "reset_password"  # noqa: S105  # no password, a purpose
    CHANGE_EMAIL = "change_email"


@dataclass(frozen=True, slots=True)
class NewCode:
    """`code` is the only copy; `handle` goes to who asked for it, `code` to the mailbox."""

    handle: str
    code: str


@dataclass(frozen=True, slots=True)
class Opened:
    """What a right code opens. `subject_id`: the account or registration, None for a decoy."""

    handle: str
    subject_id: str | None
    email: str


def issue(
    tx: Transaction, vault: Vault, purpose: Purpose, subject_id: str | None, email: str, now_ms: int
) -> NewCode:
    """A new code for `email`; earlier ones for the same subject and purpose open nothing more.

    Those for a password go on beside each other: anybody may ask for one, and would else end the
    one that its owner is about to type. `sending` bounds how many there are.
    Without a subject it is a decoy, which no code opens: whoever asked learns nothing from it.
    """
    if subject_id is not None and purpose is not Purpose.RESET_PASSWORD:
        _use_up(tx, purpose, subject_id, now_ms)
    made = NewCode(new_id("otc"), new_digits(limits.CODE_DIGITS))
    tx.execute(
        insert(one_time_code).values(
            id=made.handle,
            purpose=purpose,
            subject_id=subject_id,
            email=email,
            code_mac=vault.mac(made.code, f"code/{made.handle}"),
            tries=0,
            created_at_ms=now_ms,
            expires_at_ms=now_ms + limits.CODE_MS,
        )
    )
    return made


def open_with(
    tx: Transaction, vault: Vault, purpose: Purpose, handle: str, code: str, now_ms: int
) -> Opened | None:
    """What the code opens, used up with this, as are others for the same subject and purpose. None
    for a wrong, old or used one: that try counts, so the caller must let the transaction commit.
    """
    if not is_id(handle, "otc"):
        return None
    row = tx.execute(
        select(one_time_code)
        .where(one_time_code.c.id == handle, one_time_code.c.purpose == purpose)
        .with_for_update()
    ).first()
    if (
        row is None
        or row.used_at_ms is not None
        or row.expires_at_ms <= now_ms
        or row.tries >= limits.CODE_TRIES_MAX
    ):
        return None
    typed = "".join(char for char in code if not char.isspace() and char != "-")
    is_right = same(row.code_mac, vault.mac(typed, f"code/{handle}")) and row.subject_id is not None
    if is_right:
        _use_up(tx, purpose, row.subject_id, now_ms)
        return Opened(handle, row.subject_id, row.email)
    tx.execute(
        update(one_time_code).where(one_time_code.c.id == handle).values(tries=row.tries + 1)
    )
    return None


def _use_up(tx: Transaction, purpose: Purpose, subject_id: str, now_ms: int) -> None:
    tx.execute(
        update(one_time_code)
        .where(
            one_time_code.c.subject_id == subject_id,
            one_time_code.c.purpose == purpose,
            one_time_code.c.used_at_ms.is_(None),
        )
        .values(used_at_ms=now_ms)
    )


def subject_of(tx: Transaction, purpose: Purpose, handle: str) -> Opened | None:
    """What a handle was made for, without opening anything: to send another code."""
    if not is_id(handle, "otc"):
        return None
    row = tx.execute(
        select(one_time_code).where(
            one_time_code.c.id == handle, one_time_code.c.purpose == purpose
        )
    ).first()
    return None if row is None else Opened(row.id, row.subject_id, row.email)


def delete_old(tx: Transaction, now_ms: int) -> None:
    """Forget codes a day after they ended; until then a handle can ask for another code."""
    tx.execute(
        delete(one_time_code).where(one_time_code.c.expires_at_ms < now_ms - limits.CODE_KEEP_MS)
    )

"""Payout accounts: where a streamer's money is sent. Sealed at rest, shown as the last digits.

Owns the table `payout_account`. Called by payouts.py, the studio and the API.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import ForeignKey, delete, insert, select

from mediaserver.accounts import users
from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import Invalid
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.texts import checked_line
from mediaserver.kernel.vault import Vault
from mediaserver.notifications.notices import Topic, tell

payout_account = table(
    "payout_account",
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    text("details"),
    text("hint"),
    text("country"),
    int64("changed_at_ms"),
)

_ACCOUNT = re.compile(r"[A-Z0-9]+", re.ASCII)
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}", re.ASCII)
_ROUTING = re.compile(r"[A-Z0-9-]*", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class BankDetails:
    """Where money is sent: whose account, which one (IBAN, or a number), at which bank, its BIC or
    routing number, and the bank's country (two letters).
    """

    holder: str = field(repr=False)
    account: str = field(repr=False)
    bank: str
    routing: str
    country: str

    @classmethod
    def checked(
        cls, holder: str, account: str, bank: str, routing: str, country: str
    ) -> BankDetails:
        """Raises `Invalid` for the first wrong field."""
        checked_holder = checked_line(
            holder, "holder", limits.BANK_HOLDER_CHARS_MAX, is_required=True
        )
        checked_bank = checked_line(bank, "bank", limits.BANK_NAME_CHARS_MAX, is_required=True)
        code = country.strip().upper()
        if not _COUNTRY.fullmatch(code):
            raise Invalid("Use the two letters of the country, such as DE.", field="country")
        number = "".join(routing.split()).upper()
        if len(number) > limits.BANK_ROUTING_CHARS_MAX or not _ROUTING.fullmatch(number):
            raise Invalid("Use letters and digits only.", field="routing")
        return cls(checked_holder, _checked_account(account, code), checked_bank, number, code)

    @property
    def hint(self) -> str:
        """The last four of the account: enough to know it again."""
        return self.account[-4:]


@dataclass(frozen=True, slots=True)
class PayoutAccount:
    """What is shown of somebody's details."""

    hint: str
    country: str
    changed_at_ms: int


class PayoutAccounts:
    """One's own bank details."""

    def __init__(self, db: Database, clock: Clock, vault: Vault, letterhead: Letterhead) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._letterhead = letterhead

    async def find(self, user: User) -> PayoutAccount | None:
        return await self._db.read(find, user.id)

    async def change(self, user: User, details: BankDetails) -> PayoutAccount:
        """The caller has confirmed who asks; whoever owns the account is warned by mail. Payouts
        that are asked for already go where they were asked to. Raises `Forbidden`.
        """
        check(user, Action.WITHDRAW)
        sealed = seal(self._vault, details, _context(user.id))
        now_ms = self._clock.wall_ms()
        return await self._db.write(self._change, user.id, sealed, details, now_ms)

    async def remove(self, user: User) -> None:
        """The caller has confirmed who asks."""
        await self._db.write(_remove, user.id)

    def details_of(self, tx: Transaction, user_id: str) -> BankDetails | None:
        """All of it, for a payout and for their own copy of their data."""
        row = _row(tx, user_id)
        return None if row is None else unseal(self._vault, row.details, _context(user_id))

    def _change(
        self, tx: Transaction, user_id: str, sealed: str, details: BankDetails, now_ms: int
    ) -> PayoutAccount:
        users.lock(tx, user_id)
        _remove(tx, user_id)
        tx.execute(
            insert(payout_account).values(
                user_id=user_id,
                details=sealed,
                hint=details.hint,
                country=details.country,
                changed_at_ms=now_ms,
            )
        )
        tell(
            tx,
            self._letterhead,
            user_id,
            Topic.MONEY,
            "Your bank details were changed",
            f"Your payouts go to the account that ends in {details.hint} from now on. If it wasn't "
            "you, change your password and write to the site's admins at once.",
            "/studio",
            now_ms,
        )
        return PayoutAccount(details.hint, details.country, now_ms)


def find(tx: Transaction, user_id: str) -> PayoutAccount | None:
    row = _row(tx, user_id)
    return None if row is None else PayoutAccount(row.hint, row.country, row.changed_at_ms)


def seal(vault: Vault, details: BankDetails, context: str) -> str:
    """`context`: the row that it is kept in, so that nobody moves it to another one."""
    return vault.seal(json.dumps(asdict(details)), context)


def unseal(vault: Vault, sealed: str, context: str) -> BankDetails:
    """Raises `Unavailable` when it was sealed with another key, or elsewhere."""
    return BankDetails(**json.loads(vault.unseal(sealed, context)))


def _context(user_id: str) -> str:
    return f"payout-account/{user_id}"


def _row(tx: Transaction, user_id: str) -> Any:
    return tx.execute(select(payout_account).where(payout_account.c.user_id == user_id)).first()


def _remove(tx: Transaction, user_id: str) -> None:
    tx.execute(delete(payout_account).where(payout_account.c.user_id == user_id))


def _checked_account(typed: str, country: str) -> str:
    """An IBAN whose digits fit together (ISO 7064), or the number of an account as it is written
    where there are no IBANs.
    """
    account = "".join(typed.split()).replace("-", "").upper()
    is_fit = limits.BANK_ACCOUNT_CHARS_MIN <= len(account) <= limits.BANK_ACCOUNT_CHARS_MAX
    if not is_fit or not _ACCOUNT.fullmatch(account):
        raise Invalid("Use letters and digits, as your bank writes it.", field="account")
    if _IBAN.fullmatch(account):
        turned = account[4:] + account[:4]
        if int("".join(str(int(char, 36)) for char in turned)) % 97 != 1:
            raise Invalid("This IBAN has a typing error.", field="account")
        if account[:2] != country:
            raise Invalid("This IBAN belongs to another country.", field="country")
    return account

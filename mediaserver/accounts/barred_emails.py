"""Addresses of people who were banned when they deleted their account: until the ban would have
ended, nobody registers with them again.

Only a keyed hash is kept, as the person has had their data deleted. Called by personal_data.py,
registrations.py and credentials.py. Owns the table `barred_email`.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, delete, insert, select

from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.vault import Vault

barred_email = table(
    "barred_email",
    text("email_mac", primary_key=True),
    int64("until_ms", index=True),
    CheckConstraint("length(email_mac) = 64", name="email_mac"),
)


def bar(tx: Transaction, vault: Vault, email: str, until_ms: int) -> None:
    mac = _mac(vault, email)
    tx.execute(delete(barred_email).where(barred_email.c.email_mac == mac))
    tx.execute(insert(barred_email).values(email_mac=mac, until_ms=until_ms))


def is_barred(tx: Transaction, vault: Vault, email: str, now_ms: int) -> bool:
    found = select(barred_email.c.until_ms).where(
        barred_email.c.email_mac == _mac(vault, email), barred_email.c.until_ms > now_ms
    )
    return tx.execute(found).first() is not None


def delete_old(tx: Transaction, now_ms: int) -> None:
    """Those whose time is over."""
    tx.execute(delete(barred_email).where(barred_email.c.until_ms <= now_ms))


def _mac(vault: Vault, email: str) -> str:
    return vault.mac(email, "barred e-mail address")

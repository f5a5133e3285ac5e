"""Names that were given up: nobody else is called so for a while, so nobody is taken for another.

Used for user names here and for the addresses of channels. Owns the table `retired_name`.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, delete, insert, select

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import int64, table, text

retired_name = table(
    "retired_name",
    text("kind", primary_key=True),
    text("name", primary_key=True),
    int64("retired_at_ms", index=True),
    CheckConstraint("kind IN ('user', 'channel')", name="kind"),
)


class Kind(StrEnum):
    USER = "user"
    CHANNEL = "channel"


def retire(tx: Transaction, kind: Kind, name: str, now_ms: int) -> None:
    """Keep `name` from everybody for `limits.RETIRED_NAME_KEEP_MS`."""
    tx.execute(delete(retired_name).where(retired_name.c.kind == kind, retired_name.c.name == name))
    tx.execute(insert(retired_name).values(kind=kind, name=name, retired_at_ms=now_ms))


def is_retired(tx: Transaction, kind: Kind, name: str, now_ms: int) -> bool:
    found = select(retired_name.c.name).where(
        retired_name.c.kind == kind,
        retired_name.c.name == name,
        retired_name.c.retired_at_ms > now_ms - limits.RETIRED_NAME_KEEP_MS,
    )
    return tx.execute(found).first() is not None


def delete_old(tx: Transaction, now_ms: int) -> None:
    """Free the names that have rested long enough."""
    tx.execute(
        delete(retired_name).where(
            retired_name.c.retired_at_ms <= now_ms - limits.RETIRED_NAME_KEEP_MS
        )
    )

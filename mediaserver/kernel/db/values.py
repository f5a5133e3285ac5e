"""A few values that the site makes for itself once and keeps: signing secret, set-up digest."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update

from mediaserver.kernel.db.database import Transaction
from mediaserver.kernel.db.schema import int64, table, text

site_value = table(
    "site_value",
    text("key", primary_key=True),
    text("value"),
    int64("updated_at_ms"),
)


def get(tx: Transaction, key: str) -> str | None:
    value = tx.execute(select(site_value.c.value).where(site_value.c.key == key)).scalar()
    return None if value is None else str(value)


def updated_at_ms(tx: Transaction, key: str) -> int | None:
    """When it was put, in ms since 1970."""
    at_ms = tx.execute(select(site_value.c.updated_at_ms).where(site_value.c.key == key)).scalar()
    return None if at_ms is None else int(at_ms)


def put(tx: Transaction, key: str, value: str, now_ms: int) -> None:
    changed = tx.execute(
        update(site_value).where(site_value.c.key == key).values(value=value, updated_at_ms=now_ms)
    )
    if changed.rowcount == 0:
        tx.execute(insert(site_value).values(key=key, value=value, updated_at_ms=now_ms))


def remove(tx: Transaction, key: str) -> bool:
    """Whether there was one: of two transactions at once, one removes it."""
    return tx.execute(delete(site_value).where(site_value.c.key == key)).rowcount == 1


def lock(tx: Transaction, key: str) -> None:
    """Make other transactions that lock the same value wait; the value must be there."""
    tx.execute(select(site_value.c.key).where(site_value.c.key == key).with_for_update())

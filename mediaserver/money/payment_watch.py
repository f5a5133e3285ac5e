"""Payments that are looked at again, and when: until they end, and for months after they were paid.

A dispute or a refund may be told by a notification that gets lost, so who has paid is asked about
again after pauses that grow. Owns the table `payment_check`: one row for each payment that is
still looked at. Called by who begins payments, by settlement.py and by the poller, which asks.
"""

from __future__ import annotations

from itertools import accumulate

from sqlalchemy import ForeignKey, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.money.gateways.manual import NAME as MANUAL
from mediaserver.money.payments import UNPAID, WAITING, Payment

payment_check = table(
    "payment_check",
    text("payment_id", ForeignKey("payment.id", ondelete="CASCADE"), primary_key=True),
    int64("checks"),
    int64("due_at_ms", index=True),
)

_LOOKS_MS = tuple(accumulate(limits.PAID_PAYMENT_PAUSES_MS))
"""When a paid payment is looked at, counted from when it was paid."""


def watch(tx: Transaction, payment_id: str, now_ms: int) -> None:
    """Have a new payment looked at until it ends."""
    due_at_ms = now_ms + limits.PAYMENT_POLL_MS_MIN
    tx.execute(insert(payment_check).values(payment_id=payment_id, checks=0, due_at_ms=due_at_ms))


def watch_on(tx: Transaction, found: Payment, now_ms: int) -> None:
    """When a payment is looked at next, as it stands now; no more if nothing can come of it. The
    caller has locked it.
    """
    if found.state == "paid":
        _watch_paid(tx, found, now_ms)
    elif not _may_be_paid(found, now_ms):
        tx.execute(delete(payment_check).where(payment_check.c.payment_id == found.id))


def take_due(tx: Transaction, now_ms: int) -> list[str]:
    """What is due, and when it is due again: also when we don't live to see the answer."""
    rows = tx.execute(
        select(payment_check)
        .where(payment_check.c.due_at_ms <= now_ms)
        .order_by(payment_check.c.due_at_ms)
        .limit(limits.PAYMENTS_POLLED_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        tx.execute(
            update(payment_check)
            .where(payment_check.c.payment_id == row.payment_id)
            .values(checks=row.checks + 1, due_at_ms=now_ms + pause_ms(row.checks + 1))
        )
    return [row.payment_id for row in rows]


def pause_ms(checks: int) -> int:
    """How long until the next look at a payment that waits, after so many."""
    return min(limits.PAYMENT_POLL_MS_MIN << min(checks, 20), limits.PAYMENT_POLL_MS_MAX)


def _watch_paid(tx: Transaction, paid: Payment, now_ms: int) -> None:
    due_at_ms = next((at_ms for at_ms in _looks_at(paid) if at_ms > now_ms), None)
    if due_at_ms is None:
        tx.execute(delete(payment_check).where(payment_check.c.payment_id == paid.id))
        return
    insert_or_change = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    tx.execute(
        insert_or_change(payment_check)
        .values(payment_id=paid.id, checks=0, due_at_ms=due_at_ms)
        .on_conflict_do_update(
            index_elements=[payment_check.c.payment_id], set_={"due_at_ms": due_at_ms}
        )
    )


def is_over(paid: Payment, now_ms: int) -> bool:
    """Whether a paid payment isn't looked at any more."""
    return all(at_ms <= now_ms for at_ms in _looks_at(paid))


def _looks_at(paid: Payment) -> list[int]:
    """When it is looked at; never if an admin booked it: nobody else knows of a bank transfer."""
    assert paid.paid_at_ms is not None, paid.id
    return [] if paid.gateway == MANUAL else [paid.paid_at_ms + one for one in _LOOKS_MS]


def _may_be_paid(found: Payment, now_ms: int) -> bool:
    if found.state in UNPAID:
        return now_ms < found.expires_at_ms + limits.PAYMENT_LATE_MS
    return found.state in WAITING

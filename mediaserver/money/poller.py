"""The poller: looks again at payments that nobody has told us the end of.

So a notification that got lost, or a process that died between a provider's answer and our commit,
only costs time. Owns the table `payment_check`: one row for each payment that is still looked at,
until it is paid or was over for three days.
"""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy import ForeignKey, delete, insert, select, update

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import MediaserverError
from mediaserver.kernel.mail import Letterhead
from mediaserver.money import payments, settlement
from mediaserver.money.checks import Checks
from mediaserver.money.payments import UNPAID, WAITING, Payment

_log = structlog.get_logger(__name__)

payment_check = table(
    "payment_check",
    text("payment_id", ForeignKey("payment.id", ondelete="CASCADE"), primary_key=True),
    int64("checks"),
    int64("due_at_ms", index=True),
)


def watch(tx: Transaction, payment_id: str, now_ms: int) -> None:
    """Have a new payment looked at until it ends."""
    due_at_ms = now_ms + limits.PAYMENT_POLL_MS_MIN
    tx.execute(insert(payment_check).values(payment_id=payment_id, checks=0, due_at_ms=due_at_ms))


class Poller:
    """Run again and again by the worker."""

    def __init__(self, db: Database, clock: Clock, checks: Checks) -> None:
        self._db = db
        self._clock = clock
        self._checks = checks

        self._places = asyncio.Semaphore(limits.PAYMENTS_ASKED_AT_ONCE)

    async def poll(self) -> None:
        """Look at what is due."""
        due = await self._db.write(_take, self._clock.wall_ms())
        await asyncio.gather(*(self._look(payment_id) for payment_id in due))

    async def _look(self, payment_id: str) -> None:
        async with self._places:
            try:
                await self._checks.run(payment_id)
            except MediaserverError as error:
                _log.warning("payment not polled", payment=payment_id, reason=error.message)
            await self._db.write(
                _close, payment_id, self._checks.rules.letterhead, self._clock.wall_ms()
            )


def pause_ms(checks: int) -> int:
    """How long until the next look, after so many."""
    return min(limits.PAYMENT_POLL_MS_MIN << min(checks, 20), limits.PAYMENT_POLL_MS_MAX)


def _take(tx: Transaction, now_ms: int) -> list[str]:
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


def _close(tx: Transaction, payment_id: str, letterhead: Letterhead, now_ms: int) -> None:
    """Let a payment expire here whose gateway doesn't say so, and forget one that has ended."""
    found = payments.get(tx, payment_id, locks=True)
    if found.state in ("created", "open") and now_ms >= found.expires_at_ms:
        found = settlement.end(tx, found, "expired", "", letterhead, now_ms)
    if not _is_watched(found, now_ms):
        tx.execute(delete(payment_check).where(payment_check.c.payment_id == payment_id))


def _is_watched(found: Payment, now_ms: int) -> bool:
    if found.state in UNPAID:
        return now_ms < found.expires_at_ms + limits.PAYMENT_LATE_MS
    return found.state in WAITING

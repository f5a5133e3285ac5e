"""The poller: looks again at payments that nobody has told us the end of, or what came after it.

So a notification that got lost, or a process that died between a provider's answer and our commit,
only costs time. payment_watch.py says which payments are due.
"""

from __future__ import annotations

import asyncio

import structlog

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import MediaserverError
from mediaserver.kernel.mail import Letterhead
from mediaserver.money import payment_watch, payments, settlement
from mediaserver.money.checks import Checks
from mediaserver.money.gateways.gateway import GatewayDown

_log = structlog.get_logger(__name__)


class Poller:
    """Its methods are run again and again by the worker."""

    def __init__(self, db: Database, clock: Clock, checks: Checks) -> None:
        self._db = db
        self._clock = clock
        self._checks = checks

        self._places = asyncio.Semaphore(limits.PAYMENTS_ASKED_AT_ONCE)

    async def poll(self) -> None:
        """Look at what is due."""
        due = await self._db.write(payment_watch.take_due, self._clock.wall_ms())
        await asyncio.gather(*(self._look(payment_id) for payment_id in due))

    async def erase_old_emails(self) -> None:
        """Forget guests' addresses that no refund needs any more."""
        before_ms = self._clock.wall_ms() - limits.GUEST_EMAIL_KEEP_MS
        await self._db.write(payments.erase_old_emails, before_ms)

    async def _look(self, payment_id: str) -> None:
        async with self._places:
            is_down = False
            try:
                await self._checks.run(payment_id)
            except MediaserverError as error:
                is_down = isinstance(error, GatewayDown)
                _log.warning("payment not polled", payment=payment_id, reason=error.message)
            letterhead, now_ms = self._checks.rules.letterhead, self._clock.wall_ms()
            await self._db.write(_close, payment_id, letterhead, now_ms, is_down=is_down)


def _close(
    tx: Transaction, payment_id: str, letterhead: Letterhead, now_ms: int, *, is_down: bool
) -> None:
    """Let a payment expire here whose gateway doesn't say so, and see when it is looked at next."""
    found = payments.get(tx, payment_id, locks=True)
    if found.state in ("created", "open") and now_ms >= found.expires_at_ms:
        found = settlement.end(tx, found, "expired", "", letterhead, now_ms)
    if found.state == "paid" and is_down and not payment_watch.is_over(found, now_ms):
        return  # the pause after a look would be long: it comes again soon instead
    payment_watch.watch_on(tx, found, now_ms)

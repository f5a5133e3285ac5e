"""Checks: ask a payment's gateway how it stands, and settle by the answer.

The one way in which a gateway's word moves money here, whoever gave the hint: a notification, the
page that the payer comes back to, the poller, an admin.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import MediaserverError
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.tasks import Tasks
from mediaserver.money import payments, settlement
from mediaserver.money.gateways.gateway import GatewayDown, Status
from mediaserver.money.gateways.gateways import Gateways
from mediaserver.money.payments import WAITING, Payment
from mediaserver.money.settlement import Rules

_log = structlog.get_logger(__name__)


class Checks:
    """Asks and settles. Answers about one payment are settled in the order in which they were
    asked for, since a "failed" of before may come behind a "paid"; what another process settles
    meanwhile `settlement.answer` sees.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        gateways: Gateways,
        letterhead: Letterhead,
        config: MoneyConfig,
    ) -> None:
        self._db = db
        self._clock = clock
        self._gateways = gateways
        self._letterhead = letterhead
        self._config = config

        self._tasks = Tasks("payment check")
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}
        self._asked_ms: dict[str, int] = {}

    @property
    def rules(self) -> Rules:
        return Rules(self._letterhead, self._config.maturity_days)

    async def aclose(self) -> None:
        """End what is under way; the poller takes it up after the next start."""
        await self._tasks.aclose()

    async def get(self, payment_id: str) -> Payment:
        """As it stands here. Raises `NotFound`."""
        return await self._db.read(payments.get, payment_id)

    async def ask(self, found: Payment) -> Status | None:
        """How a payment stands at its gateway; None if that never heard of it. Raises `NotFound`
        (the gateway is gone), `GatewayDown` or `GatewayRefused`.
        """
        gateway = self._gateways.get(found.gateway)
        try:
            async with asyncio.timeout(limits.GATEWAY_CALL_TIMEOUT_S):
                return await gateway.fetch(found.reference)
        except TimeoutError as error:
            raise GatewayDown(f"{gateway.label} doesn't answer.") from error

    async def run(self, payment_id: str) -> Payment:
        """Ask and settle. Raises `NotFound` for no such payment, and what `ask` does."""
        async with self._turn(payment_id):
            for _ in range(limits.PAYMENT_ASKED_MAX):
                found = await self.get(payment_id)
                status = await self.ask(found)
                if status is None:
                    return found
                now_ms = self._clock.wall_ms()
                settled = await self._db.write(settlement.answer, found, status, self.rules, now_ms)
                if settled is not None:
                    return settled
            return await self.get(payment_id)

    async def look(self, payment_id: str) -> Payment:
        """The payment as well as it can be known within `PAYMENT_CHECK_TIMEOUT_S`, for somebody who
        waits for it. Raises `NotFound`.
        """
        found = await self.get(payment_id)
        now_ms = self._clock.monotonic_ms()
        asked_ms = self._asked_ms.get(payment_id)
        is_fresh = asked_ms is not None and now_ms - asked_ms < limits.PAYMENT_CHECK_PAUSE_MS
        if is_fresh or found.state not in (*WAITING, *payments.UNPAID):
            return found
        self._note_asked(payment_id, now_ms)
        await self.hurry(payment_id)
        return await self.get(payment_id)

    async def hurry(self, payment_id: str) -> bool:
        """`run`, waiting no longer than `PAYMENT_CHECK_TIMEOUT_S`; whether it is done by then. What
        goes wrong is logged: the poller comes again.
        """
        task = self._tasks.start(self._try(payment_id), payment_id)
        done, _ = await asyncio.wait({task}, timeout=limits.PAYMENT_CHECK_TIMEOUT_S)
        return bool(done) and not task.cancelled() and bool(task.result())

    async def _try(self, payment_id: str) -> bool:
        try:
            await self.run(payment_id)
        except MediaserverError as error:
            _log.warning("payment not checked", payment=payment_id, reason=error.message)
            return False
        return True

    def _note_asked(self, payment_id: str, now_ms: int) -> None:
        before_ms = now_ms - limits.PAYMENT_CHECK_PAUSE_MS
        self._asked_ms = {key: at for key, at in self._asked_ms.items() if at > before_ms}
        self._asked_ms[payment_id] = now_ms

    @asynccontextmanager
    async def _turn(self, payment_id: str) -> AsyncIterator[None]:
        lock, waiting = self._turns.get(payment_id, (asyncio.Lock(), 0))
        self._turns[payment_id] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._turns[payment_id]
            if waiting == 1:
                del self._turns[payment_id]
            else:
                self._turns[payment_id] = (lock, waiting - 1)

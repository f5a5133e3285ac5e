"""Refunds: giving back what was paid through a gateway."""

from __future__ import annotations

from mediaserver.kernel.db import Transaction
from mediaserver.money.payments import Payment


def book_outside(tx: Transaction, paid: Payment, refunded_minor: int, now_ms: int) -> None:
    """Its gateway says that so much was refunded in all, more than we asked for: somebody did it
    there. `paid` is locked.
    """
    raise NotImplementedError

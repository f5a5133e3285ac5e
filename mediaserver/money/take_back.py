"""Taking back: whose money it is when a payment is refunded, disputed or reversed."""

from __future__ import annotations

from mediaserver.kernel.db import Transaction
from mediaserver.money.payments import Payment


def reverse_payment(tx: Transaction, paid: Payment, why: str, now_ms: int) -> None:
    """Its gateway took back the whole payment. `paid` is locked."""
    raise NotImplementedError

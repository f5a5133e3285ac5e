"""Disputes: chargebacks, won and lost."""

from __future__ import annotations

from mediaserver.kernel.db import Transaction
from mediaserver.money.gateways.gateway import DisputeStatus
from mediaserver.money.payments import Payment


def book(tx: Transaction, paid: Payment, status: DisputeStatus, now_ms: int) -> None:
    """How a dispute stands; nothing happens when that is known. `paid` is locked."""
    raise NotImplementedError

"""Refunds as they are written down. Owns the table `refund`; refunds.py books them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Row,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)

from mediaserver.kernel import limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.ids import is_id
from mediaserver.money.idempotency import Request
from mediaserver.money.payments import Payment

PREFIX = "rfd"

refund = table(
    "refund",
    identifier(),
    text("payment_id", ForeignKey("payment.id", ondelete="RESTRICT"), index=True),
    int64("amount_minor"),
    text("currency"),
    text("state"),
    text("way"),
    text("reason"),
    text("detail"),
    text("provider_ref"),
    text("entry_id", ForeignKey("ledger_entry.id", ondelete="RESTRICT")),
    text("done_entry_id", ForeignKey("ledger_entry.id", ondelete="RESTRICT"), nullable=True),
    text("asked_by", nullable=True),
    text("asked_by_name"),
    text("idempotency_key", nullable=True),
    text("request_hash", nullable=True),
    int64("created_at_ms"),
    int64("ended_at_ms", nullable=True),
    UniqueConstraint("asked_by", "idempotency_key"),
    CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000", name="amount_minor"),
    CheckConstraint("state IN ('requested', 'pending', 'succeeded', 'failed')", name="state"),
    CheckConstraint("way IN ('gateway', 'by_hand', 'outside')", name="way"),
    CheckConstraint("(state IN ('succeeded', 'failed')) = (ended_at_ms IS NOT NULL)", name="ended"),
)
Index(None, refund.c.state, refund.c.created_at_ms, refund.c.id)
Index(None, refund.c.created_at_ms, refund.c.id)

State = Literal["requested", "pending", "succeeded", "failed"]
Way = Literal["gateway", "by_hand", "outside"]
OPEN: tuple[State, ...] = ("requested", "pending")
STATES: tuple[State, ...] = (*OPEN, "succeeded", "failed")


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund. `way`: asked of the gateway, sent by hand, or `outside`: somebody did it at the
    gateway itself. `detail`: what the gateway said; `provider_ref`: its name for it, or the bank's.
    """

    id: str
    payment_id: str
    amount_minor: int
    currency: str
    state: State
    way: Way
    reason: str
    detail: str
    provider_ref: str
    entry_id: str
    done_entry_id: str | None
    asked_by_name: str
    created_at_ms: int
    ended_at_ms: int | None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


def add(tx: Transaction, paid: Payment, now_ms: int, **values: Any) -> Refund:
    """Write down a new one."""
    row = tx.execute(
        insert(refund)
        .values(
            payment_id=paid.id,
            currency=paid.currency,
            detail="",
            provider_ref="",
            created_at_ms=now_ms,
            **values,
        )
        .returning(*refund.c)
    ).one()
    return _to_refund(row)


def change(tx: Transaction, found: Refund, **values: Any) -> Refund:
    tx.execute(update(refund).where(refund.c.id == found.id).values(**values))
    return get(tx, found.id)


def first_of(tx: Transaction, actor: Actor, asked: Request) -> Refund | None:
    """What the same request made before. Raises `Conflict` when it was another request."""
    if asked.key is None:
        return None
    row = tx.execute(
        select(refund).where(refund.c.asked_by == actor.id, refund.c.idempotency_key == asked.key)
    ).first()
    if row is None:
        return None
    asked.check_same(row.request_hash)
    return _to_refund(row)


def open_minor(tx: Transaction, payment_id: str) -> int:
    """What is on hold for refunds of a payment."""
    amount = select(func.coalesce(func.sum(refund.c.amount_minor), 0)).where(
        refund.c.payment_id == payment_id, refund.c.state.in_(OPEN)
    )
    return int(tx.execute(amount).scalar_one())


def get(tx: Transaction, refund_id: str) -> Refund:
    """Raises `NotFound`."""
    if is_id(refund_id, PREFIX):
        row = tx.execute(select(refund).where(refund.c.id == refund_id)).first()
        if row is not None:
            return _to_refund(row)
    raise NotFound("There is no such refund.", code="refund_not_found")


def page(tx: Transaction, states: Sequence[State], after: str | None) -> list[Refund]:
    """Newest first, behind the one with the id `after`."""
    query = select(refund).where(refund.c.state.in_(states))
    rows = rows_behind(tx, query, refund.c.created_at_ms, after, limits.REFUNDS_LISTED_MAX)
    return [_to_refund(row) for row in rows]


def of_payment(tx: Transaction, payment_id: str) -> list[Refund]:
    """Newest first."""
    query = select(refund).where(refund.c.payment_id == payment_id)
    rows = tx.execute(query.order_by(refund.c.created_at_ms.desc(), refund.c.id.desc()))
    return [_to_refund(row) for row in rows]


def _to_refund(row: Row[Any]) -> Refund:
    return Refund(
        id=row.id,
        payment_id=row.payment_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        state=row.state,
        way=row.way,
        reason=row.reason,
        detail=row.detail,
        provider_ref=row.provider_ref,
        entry_id=row.entry_id,
        done_entry_id=row.done_entry_id,
        asked_by_name=row.asked_by_name,
        created_at_ms=row.created_at_ms,
        ended_at_ms=row.ended_at_ms,
    )

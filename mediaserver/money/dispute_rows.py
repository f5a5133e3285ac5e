"""Disputes as they are written down. Owns the table `dispute`; disputes.py books them."""

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
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.ids import is_id, new_id
from mediaserver.money.gateways.gateway import DisputeStatus
from mediaserver.money.payments import Payment, payment

PREFIX = "dsp"

dispute = table(
    "dispute",
    identifier(),
    text("payment_id", ForeignKey("payment.id", ondelete="RESTRICT"), index=True),
    text("gateway"),
    text("provider_ref"),
    int64("amount_minor"),
    int64("booked_minor"),
    int64("fee_minor"),
    text("currency"),
    text("state"),
    text("reason"),
    text("entry_id", ForeignKey("ledger_entry.id", ondelete="RESTRICT"), nullable=True),
    int64("created_at_ms"),
    int64("ended_at_ms", nullable=True),
    UniqueConstraint("gateway", "provider_ref"),
    CheckConstraint("state IN ('open', 'won', 'lost')", name="state"),
    CheckConstraint("amount_minor BETWEEN 0 AND 1000000000000", name="amount_minor"),
    CheckConstraint("booked_minor BETWEEN 0 AND amount_minor", name="booked_minor"),
    CheckConstraint("fee_minor >= 0", name="fee_minor"),
    CheckConstraint("(state = 'open') = (ended_at_ms IS NULL)", name="ended"),
)
Index(None, dispute.c.state, dispute.c.created_at_ms, dispute.c.id)
Index(None, dispute.c.created_at_ms, dispute.c.id)

State = Literal["open", "won", "lost"]


@dataclass(frozen=True, slots=True)
class Dispute:
    """One dispute. `booked_minor`: what of it counts against the payment; what a bank takes beyond
    that, because it was refunded already, is the site's loss.
    """

    id: str
    payment_id: str
    gateway: str
    provider_ref: str
    amount_minor: int
    booked_minor: int
    fee_minor: int
    currency: str
    state: State
    reason: str
    entry_id: str | None
    created_at_ms: int
    ended_at_ms: int | None


def add(
    tx: Transaction, paid: Payment, status: DisputeStatus, booked_minor: int, now_ms: int
) -> Dispute:
    """Write down the first that we hear of one."""
    row = tx.execute(
        insert(dispute)
        .values(
            id=new_id(PREFIX),
            payment_id=paid.id,
            gateway=paid.gateway,
            provider_ref=status.provider_ref,
            amount_minor=status.amount_minor,
            booked_minor=booked_minor,
            fee_minor=status.fee_minor,
            currency=paid.currency,
            state=status.state,
            reason=status.reason[: limits.MONEY_REASON_CHARS_MAX],
            created_at_ms=now_ms,
            ended_at_ms=None if status.state == "open" else now_ms,
        )
        .returning(*dispute.c)
    ).one()
    return _to_dispute(row)


def set_entry(tx: Transaction, found: Dispute, entry_id: str) -> None:
    tx.execute(update(dispute).where(dispute.c.id == found.id).values(entry_id=entry_id))


def set_fee(tx: Transaction, found: Dispute, fee_minor: int) -> Dispute:
    """Providers take it some time after they tell of a dispute."""
    tx.execute(update(dispute).where(dispute.c.id == found.id).values(fee_minor=fee_minor))
    return get(tx, found.id)


def end(tx: Transaction, found: Dispute, state: State, now_ms: int) -> None:
    tx.execute(
        update(dispute).where(dispute.c.id == found.id).values(state=state, ended_at_ms=now_ms)
    )


def lose_again(tx: Transaction, found: Dispute, booked_minor: int, now_ms: int) -> Dispute:
    """It was won, and its bank decided otherwise after all."""
    tx.execute(
        update(dispute)
        .where(dispute.c.id == found.id)
        .values(state="lost", booked_minor=booked_minor, ended_at_ms=now_ms)
    )
    return get(tx, found.id)


def find(tx: Transaction, gateway: str, provider_ref: str) -> Dispute | None:
    row = tx.execute(
        select(dispute).where(dispute.c.gateway == gateway, dispute.c.provider_ref == provider_ref)
    ).first()
    return None if row is None else _to_dispute(row)


def is_open(tx: Transaction, payment_id: str) -> bool:
    """Whether a payment is disputed right now."""
    found = select(dispute.c.id).where(
        dispute.c.payment_id == payment_id, dispute.c.state == "open"
    )
    return tx.execute(found.limit(1)).first() is not None


def has_open(tx: Transaction, user_id: str) -> bool:
    """Whether a payment of somebody is disputed right now."""
    theirs = (
        select(dispute.c.id)
        .join(payment, payment.c.id == dispute.c.payment_id)
        .where(payment.c.user_id == user_id, dispute.c.state == "open")
    )
    return tx.execute(theirs.limit(1)).first() is not None


def count_open(tx: Transaction) -> int:
    """How many wait for an answer."""
    waiting = select(func.count()).where(dispute.c.state == "open")
    return int(tx.execute(waiting).scalar_one())


def get(tx: Transaction, dispute_id: str) -> Dispute:
    """Raises `NotFound`."""
    if is_id(dispute_id, PREFIX):
        row = tx.execute(select(dispute).where(dispute.c.id == dispute_id)).first()
        if row is not None:
            return _to_dispute(row)
    raise NotFound("There is no such dispute.", code="dispute_not_found")


def page(tx: Transaction, states: Sequence[State], after: str | None) -> list[Dispute]:
    """Newest first, behind the one with the id `after`."""
    query = select(dispute).where(dispute.c.state.in_(states))
    rows = rows_behind(tx, query, dispute.c.created_at_ms, after, limits.DISPUTES_LISTED_MAX)
    return [_to_dispute(row) for row in rows]


def _to_dispute(row: Row[Any]) -> Dispute:
    return Dispute(
        id=row.id,
        payment_id=row.payment_id,
        gateway=row.gateway,
        provider_ref=row.provider_ref,
        amount_minor=row.amount_minor,
        booked_minor=row.booked_minor,
        fee_minor=row.fee_minor,
        currency=row.currency,
        state=row.state,
        reason=row.reason,
        entry_id=row.entry_id,
        created_at_ms=row.created_at_ms,
        ended_at_ms=row.ended_at_ms,
    )

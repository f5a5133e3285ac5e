"""Payouts as they are written down. Owns the table `payout`; payouts.py and payout_desk.py act."""

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
    select,
    update,
)
from sqlalchemy import text as sql

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.ids import is_id
from mediaserver.money.idempotency import Request

PREFIX = "pyo"

payout = table(
    "payout",
    identifier(),
    text("user_id"),
    text("username"),
    int64("amount_minor"),
    text("currency"),
    text("state"),
    text("details"),
    text("hint"),
    text("entry_id", ForeignKey("ledger_entry.id", ondelete="RESTRICT")),
    text("paid_entry_id", ForeignKey("ledger_entry.id", ondelete="RESTRICT"), nullable=True),
    text("approved_by", nullable=True),
    text("approved_by_name"),
    text("decided_by", nullable=True),
    text("decided_by_name"),
    text("bank_reference"),
    text("reason"),
    text("idempotency_key", nullable=True),
    text("request_hash", nullable=True),
    int64("created_at_ms"),
    int64("approved_at_ms", nullable=True),
    int64("decided_at_ms", nullable=True),
    UniqueConstraint("user_id", "idempotency_key"),
    CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000", name="amount_minor"),
    CheckConstraint(
        "state IN ('requested', 'approved', 'paid', 'rejected', 'cancelled', 'failed')",
        name="state",
    ),
    CheckConstraint(
        "(state IN ('requested', 'approved')) = (decided_at_ms IS NULL)", name="decided"
    ),
    CheckConstraint("(state IN ('paid', 'failed')) = (paid_entry_id IS NOT NULL)", name="paid"),
    CheckConstraint("paid_entry_id IS NULL OR bank_reference <> ''", name="bank_reference"),
)
Index(None, payout.c.user_id, payout.c.created_at_ms, payout.c.id)
Index(None, payout.c.state, payout.c.created_at_ms, payout.c.id)
Index(None, payout.c.created_at_ms, payout.c.id)
_IS_OPEN = sql("state IN ('requested', 'approved')")
Index(
    "ix_payout_open",
    payout.c.user_id,
    unique=True,
    sqlite_where=_IS_OPEN,
    postgresql_where=_IS_OPEN,
)

State = Literal["requested", "approved", "paid", "rejected", "cancelled", "failed"]
OPEN: tuple[State, ...] = ("requested", "approved")
STATES: tuple[State, ...] = (*OPEN, "paid", "rejected", "cancelled", "failed")


@dataclass(frozen=True, slots=True)
class Payout:
    """One payout. `hint`: the last digits of the account; `approved_by`: the first of two admins;
    `decided_by_name`: who paid, rejected or failed it. The details are opened for admins only.
    """

    id: str
    user_id: str
    username: str
    amount_minor: int
    currency: str
    state: State
    hint: str
    entry_id: str
    paid_entry_id: str | None
    approved_by: str | None
    approved_by_name: str
    decided_by_name: str
    bank_reference: str
    reason: str
    created_at_ms: int
    approved_at_ms: int | None
    decided_at_ms: int | None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


def get(tx: Transaction, payout_id: str, *, locks: bool = False) -> Payout:
    """Raises `NotFound`. With `locks` nobody else changes it before the transaction ends."""
    if is_id(payout_id, PREFIX):
        query = select(payout).where(payout.c.id == payout_id)
        row = tx.execute(query.with_for_update() if locks else query).first()
        if row is not None:
            return to_payout(row)
    raise NotFound("There is no such payout.", code="payout_not_found")


def open_of(tx: Transaction, user_id: str) -> Payout | None:
    """The one that somebody waits for."""
    row = tx.execute(
        select(payout).where(payout.c.user_id == user_id, payout.c.state.in_(OPEN))
    ).first()
    return None if row is None else to_payout(row)


def page_of(tx: Transaction, user_id: str, after: str | None) -> list[Payout]:
    """Of one streamer, newest first, behind the one with the id `after`."""
    query = select(payout).where(payout.c.user_id == user_id)
    rows = rows_behind(tx, query, payout.c.created_at_ms, after, limits.PAYOUTS_LISTED_MAX)
    return [to_payout(row) for row in rows]


def all_of(tx: Transaction, user_id: str) -> list[Payout]:
    """Every one of a streamer, oldest first, for their copy of their data."""
    rows = tx.execute(
        select(payout).where(payout.c.user_id == user_id).order_by(payout.c.created_at_ms)
    )
    return [to_payout(row) for row in rows]


def page(tx: Transaction, states: Sequence[State], after: str | None) -> list[Payout]:
    """Of everybody: open ones oldest first, others newest first, behind the one with `after`."""
    query = select(payout).where(payout.c.state.in_(states))
    rows = rows_behind(
        tx,
        query,
        payout.c.created_at_ms,
        after,
        limits.PAYOUTS_LISTED_MAX,
        is_oldest_first=set(states) <= set(OPEN),
    )
    return [to_payout(row) for row in rows]


def count_open(tx: Transaction) -> int:
    """How many wait for an admin."""
    waiting = select(func.count()).where(payout.c.state.in_(OPEN))
    return int(tx.execute(waiting).scalar_one())


def change(tx: Transaction, found: Payout, **values: Any) -> Payout:
    """Write what is new of a payout that the caller has locked."""
    row = tx.execute(
        update(payout).where(payout.c.id == found.id).values(**values).returning(*payout.c)
    ).one()
    return to_payout(row)


def sealed_details(tx: Transaction, payout_id: str) -> str:
    """For payout_desk.py, which opens them for admins; empty once they were deleted."""
    kept = select(payout.c.details).where(payout.c.id == payout_id)
    return str(tx.execute(kept).scalar_one())


def forget(tx: Transaction, user_id: str) -> None:
    """Delete the details of somebody's payouts, and the name: the amounts stay in the books."""
    gone = update(payout).where(payout.c.user_id == user_id)
    tx.execute(gone.values(details="", hint="", username=""))


def to_payout(row: Row[Any]) -> Payout:
    return Payout(
        id=row.id,
        user_id=row.user_id,
        username=row.username,
        amount_minor=row.amount_minor,
        currency=row.currency,
        state=row.state,
        hint=row.hint,
        entry_id=row.entry_id,
        paid_entry_id=row.paid_entry_id,
        approved_by=row.approved_by,
        approved_by_name=row.approved_by_name,
        decided_by_name=row.decided_by_name,
        bank_reference=row.bank_reference,
        reason=row.reason,
        created_at_ms=row.created_at_ms,
        approved_at_ms=row.approved_at_ms,
        decided_at_ms=row.decided_at_ms,
    )


def first_of(tx: Transaction, user_id: str, asked: Request) -> Payout | None:
    """What the same request made before. Raises `Conflict` when it was another request."""
    if asked.key is None:
        return None
    row = tx.execute(
        select(payout).where(payout.c.user_id == user_id, payout.c.idempotency_key == asked.key)
    ).first()
    if row is None:
        return None
    asked.check_same(row.request_hash)
    return to_payout(row)

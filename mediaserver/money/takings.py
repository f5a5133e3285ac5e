"""Takings: what an entry took back of which contribution, so that exactly that can be given back.

Written by take_back.py; earnings.py asks what is left to mature. Owns the table `taking`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, func, insert, select, update

from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import flag, int64, table, text
from mediaserver.money.contributions import contribution
from mediaserver.money.ledger import Entry
from mediaserver.money.payments import Payment

taking = table(
    "taking",
    text("entry_id", ForeignKey("ledger_entry.id", ondelete="RESTRICT"), primary_key=True),
    text(
        "contribution_id",
        ForeignKey("contribution.id", ondelete="RESTRICT"),
        primary_key=True,
        index=True,
    ),
    text("payment_id", ForeignKey("payment.id", ondelete="RESTRICT"), index=True),
    int64("amount_minor"),
    int64("net_minor"),
    flag("is_open"),
    flag("is_undone"),
    CheckConstraint("amount_minor >= 1", name="amount_minor"),
    CheckConstraint("net_minor BETWEEN 0 AND amount_minor", name="net_minor"),
    CheckConstraint("is_open IN (0, 1)", name="is_open"),
    CheckConstraint("is_undone IN (0, 1)", name="is_undone"),
)


@dataclass(frozen=True, slots=True)
class Taking:
    """A part of a contribution, and how much of that came out of the streamer's earnings."""

    contribution_id: str
    amount_minor: int
    net_minor: int


def write_down(tx: Transaction, entry: Entry, paid: Payment, one: Taking, *, is_open: bool) -> None:
    """`is_open`: it isn't decided yet whether it stays taken, so the rest of the contribution
    doesn't mature meanwhile.
    """
    tx.execute(
        insert(taking).values(
            entry_id=entry.id,
            contribution_id=one.contribution_id,
            payment_id=paid.id,
            amount_minor=one.amount_minor,
            net_minor=one.net_minor,
            is_open=int(is_open),
            is_undone=0,
        )
    )


def of_entry(tx: Transaction, entry_id: str) -> list[Taking]:
    rows = tx.execute(select(taking).where(taking.c.entry_id == entry_id))
    return [Taking(row.contribution_id, row.amount_minor, row.net_minor) for row in rows]


def decide(tx: Transaction, entry_id: str) -> None:
    """What an entry took stays taken; the rest of those contributions may mature."""
    tx.execute(update(taking).where(taking.c.entry_id == entry_id).values(is_open=0))


def undo(tx: Transaction, entry_id: str) -> None:
    """What an entry took was given back."""
    given_back = update(taking).where(taking.c.entry_id == entry_id)
    tx.execute(given_back.values(is_open=0, is_undone=1))


def is_undecided() -> Any:
    """A condition on `contribution`: something of it is taken, and nobody knows for how long."""
    return (
        select(taking.c.entry_id)
        .where(taking.c.contribution_id == contribution.c.id, taking.c.is_open == 1)
        .correlate(contribution)
        .exists()
    )


def net_taken() -> Any:
    """For each row of `contribution`: what was taken of it out of the streamer's earnings."""
    return (
        select(func.coalesce(func.sum(taking.c.net_minor), 0))
        .where(taking.c.contribution_id == contribution.c.id, taking.c.is_undone == 0)
        .correlate(contribution)
        .scalar_subquery()
    )


def sums(tx: Transaction, contribution_id: str) -> tuple[int, int]:
    """How much of a contribution is taken, and how much of that was the streamer's."""
    row = tx.execute(
        select(
            func.coalesce(func.sum(taking.c.amount_minor), 0).label("amount"),
            func.coalesce(func.sum(taking.c.net_minor), 0).label("net"),
        ).where(taking.c.contribution_id == contribution_id, taking.c.is_undone == 0)
    ).one()
    return int(row.amount), int(row.net)


def sum_by_payment(tx: Transaction, contribution_id: str, payment_id: str) -> int:
    """How much of a contribution was taken because of one payment."""
    amount = select(func.coalesce(func.sum(taking.c.amount_minor), 0)).where(
        taking.c.contribution_id == contribution_id,
        taking.c.payment_id == payment_id,
        taking.c.is_undone == 0,
    )
    return int(tx.execute(amount).scalar_one())

"""Wallets: what viewers keep here to give from. Their money can't be withdrawn, only given.

A wallet is an account of the ledger; this module reads it, and makes a month's statement of it. Who
puts money in: topups.py; who takes some out: tips.py and memberships.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, case, func, or_, select

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import NotFound
from mediaserver.money import ledger
from mediaserver.money.contributions import contribution
from mediaserver.money.ledger import Account, ledger_entry, ledger_transfer
from mediaserver.money.payments import payment

_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is in a wallet, in minor units, and why nothing may be taken from it, if so."""

    balance_minor: int
    currency: str
    frozen_for: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as it changed a wallet. `about` is a channel's name, or how the money came;
    `balance_minor` is what was there afterwards.
    """

    entry_id: str
    kind: str
    about: str
    at_ms: int
    amount_minor: int
    balance_minor: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A month of a wallet, in UTC: `opening_minor`, `lines`, `others_minor` of entries that found
    no room, and `closing_minor` add up.
    """

    month: str
    currency: str
    starts_at_ms: int
    ends_at_ms: int
    opening_minor: int
    lines: tuple[Line, ...]
    others: int
    others_minor: int
    closing_minor: int


class Wallets:
    """One's own wallet."""

    def __init__(self, db: Database, config: MoneyConfig) -> None:
        self._db = db
        self._config = config

    async def standing(self, user: User) -> Standing:
        """What is in it."""
        return await self._db.read(standing, user.id, self._config.currency)

    async def statement(self, user: User, month: str) -> Statement:
        """`month`: such as "2026-11". Raises `NotFound` for anything else."""
        check(user, Action.READ_OWN_MONEY)
        return await self._db.read(statement, user.id, self._config.currency, month)


def standing(tx: Transaction, user_id: str, currency: str) -> Standing:
    held = ledger.balance(tx, ledger.wallet_of(user_id, currency))
    return Standing(held.amount_minor, currency, held.frozen_for)


def statement(tx: Transaction, user_id: str, currency: str, month: str) -> Statement:
    """Raises `NotFound` for a month that is none."""
    starts_at_ms, ends_at_ms = span_of(month)
    wallet = ledger.wallet_of(user_id, currency)
    opening = _balance_at(tx, wallet, starts_at_ms)
    closing = _balance_at(tx, wallet, ends_at_ms)
    rows = _entries(tx, wallet, starts_at_ms, ends_at_ms)
    lines, others = _lines(tx, rows, opening), _count(tx, wallet, starts_at_ms, ends_at_ms)
    reached = lines[-1].balance_minor if lines else opening
    return Statement(
        month,
        currency,
        starts_at_ms,
        ends_at_ms,
        opening,
        lines,
        others - len(lines),
        closing - reached,
        closing,
    )


def span_of(month: str) -> tuple[int, int]:
    """When a month such as "2026-11" begins and ends, in UTC. Raises `NotFound`."""
    match = _MONTH.fullmatch(month)
    if match is None:
        raise NotFound("There is no such month.")
    year, number = int(match[1]), int(match[2])
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return _begin_ms(year, number), _begin_ms(*following)


def month_of(at_ms: int) -> str:
    """The month of a moment, such as "2026-11"."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m}"


def _begin_ms(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000


def change_of(wallet: Account) -> Any:
    """The expression for what a transfer does to a wallet."""
    amount = ledger_transfer.c.amount_minor
    return func.sum(case((ledger_transfer.c.credit_id == wallet.id, amount), else_=-amount))


def touches(wallet: Account) -> Any:
    return or_(ledger_transfer.c.debit_id == wallet.id, ledger_transfer.c.credit_id == wallet.id)


def _balance_at(tx: Transaction, wallet: Account, at_ms: int) -> int:
    query = select(change_of(wallet)).where(
        touches(wallet), ledger_transfer.c.created_at_ms < at_ms
    )
    return int(tx.execute(query).scalar() or 0)


def _entries(
    tx: Transaction, wallet: Account, starts_at_ms: int, ends_at_ms: int
) -> Sequence[Row[Any]]:
    return tx.execute(
        select(
            ledger_entry.c.id,
            ledger_entry.c.kind,
            ledger_entry.c.subject,
            ledger_entry.c.created_at_ms,
            change_of(wallet).label("amount_minor"),
        )
        .join(ledger_transfer, ledger_transfer.c.entry_id == ledger_entry.c.id)
        .where(touches(wallet), *_within(starts_at_ms, ends_at_ms))
        .group_by(
            ledger_entry.c.id,
            ledger_entry.c.kind,
            ledger_entry.c.subject,
            ledger_entry.c.created_at_ms,
        )
        # of two in one millisecond what came in first, so that no balance looks overdrawn
        .order_by(ledger_entry.c.created_at_ms, change_of(wallet).desc(), ledger_entry.c.id)
        .limit(limits.STATEMENT_LINES_MAX)
    ).all()


def _count(tx: Transaction, wallet: Account, starts_at_ms: int, ends_at_ms: int) -> int:
    query = select(func.count(ledger_transfer.c.entry_id.distinct())).where(
        touches(wallet), *_within(starts_at_ms, ends_at_ms)
    )
    return int(tx.execute(query).scalar_one())


def _within(starts_at_ms: int, ends_at_ms: int) -> tuple[Any, Any]:
    at = ledger_transfer.c.created_at_ms
    return at >= starts_at_ms, at < ends_at_ms


def _lines(tx: Transaction, rows: Sequence[Row[Any]], opening_minor: int) -> tuple[Line, ...]:
    about = abouts(tx, [row.subject for row in rows])
    lines, balance_minor = [], opening_minor
    for row in rows:
        balance_minor += int(row.amount_minor)
        lines.append(
            Line(
                row.id,
                row.kind,
                about.get(row.subject, ""),
                row.created_at_ms,
                int(row.amount_minor),
                balance_minor,
            )
        )
    return tuple(lines)


def abouts(tx: Transaction, subjects: Sequence[str]) -> dict[str, str]:
    """What the documents of entries were about: id → a channel's name, or a gateway's."""
    given = select(contribution.c.id, contribution.c.channel_name.label("about"))
    paid = select(payment.c.id, payment.c.gateway.label("about"))
    found: dict[str, str] = {}
    for query, column in ((given, contribution.c.id), (paid, payment.c.id)):
        for begin in range(0, len(subjects), limits.STATEMENT_SUBJECTS_AT_ONCE):
            part = subjects[begin : begin + limits.STATEMENT_SUBJECTS_AT_ONCE]
            found |= {row.id: row.about for row in tx.execute(query.where(column.in_(part)))}
    return found

"""Rules that the ledger itself must always obey, and in which words a rule says what is wrong.

Each looks at some rows at once. Put together by ledger_check.py; those about payments,
contributions and payouts stand in document_rules.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.money.currencies import money
from mediaserver.money.ledger import (
    KINDS,
    LIABILITIES,
    Kind,
    Posting,
    Transfer,
    ledger_account,
    ledger_entry,
    ledger_transfer,
    transfers_of,
)

SOLVENCY = "solvency"
"""The rule that a site can break without a fault in its books: by losing money."""

_ASSETS = (Kind.CLEARING, Kind.BANK)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong: which `rule` is broken, by which account, entry or document, and how."""

    rule: str
    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """What a rule says of some rows: `last` is the id that the next ones follow; None: no more."""

    findings: Sequence[Finding]
    rows: int
    last: str | None


Rule = Callable[[Transaction, str], Piece]
"""Looks at the rows behind an id, in the order of their ids; the first ones are behind ""."""


def sums(tx: Transaction, after: str) -> Piece:
    """In each currency as much is debited as is credited."""
    rows = tx.execute(
        select(
            ledger_account.c.currency,
            func.sum(ledger_account.c.debits).label("debits"),
            func.sum(ledger_account.c.credits).label("credits"),
        ).group_by(ledger_account.c.currency)
    ).all()
    findings = [
        Finding(
            "sums",
            row.currency,
            f"In all, {money(int(row.debits), row.currency)} are debited and "
            f"{money(int(row.credits), row.currency)} credited.",
        )
        for row in rows
        if row.debits != row.credits
    ]
    return Piece(findings, len(rows), None)


def accounts(tx: Transaction, after: str) -> Piece:
    """Each account is what its kind says, and holds what its transfers make."""
    account = ledger_account.c
    rows = tx.execute(
        select(
            *(account.id, account.kind, account.side, account.may_go_negative),
            *(account.debits, account.credits, account.currency),
            sum_moved(ledger_transfer.c.debit_id == account.id).label("debited"),
            sum_moved(ledger_transfer.c.credit_id == account.id).label("credited"),
        )
        .where(account.id > after)
        .order_by(account.id)
        .limit(limits.LEDGER_CHECK_ROWS)
    ).all()
    findings = []
    for row in rows:
        if (row.debits, row.credits) != (row.debited, row.credited):
            counts = (row.debits, row.credits, row.debited, row.credited)
            says, said, makes, made = (money(int(count), row.currency) for count in counts)
            text = (
                f"{row.id} says {says} debited and {said} credited; its transfers make {makes} "
                f"and {made}."
            )
            findings.append(Finding("balance", row.id, text))
        kind = KINDS.get(row.kind)
        if kind is None or (row.side, bool(row.may_go_negative)) != (
            kind.side,
            kind.may_go_negative,
        ):
            findings.append(Finding("account", row.id, f"{row.id} isn't what its kind says."))
    return piece_of(findings, [row.id for row in rows])


def entries(tx: Transaction, after: str) -> Piece:
    """Each entry moves something, is what was posted, and undoes exactly what it reverses."""
    rows = tx.execute(
        select(ledger_entry)
        .where(ledger_entry.c.id > after)
        .order_by(ledger_entry.c.id)
        .limit(limits.LEDGER_CHECK_ROWS)
    ).all()
    reversed_ids = [row.reverses_id for row in rows if row.reverses_id is not None]
    moved = transfers_of(tx, [*(row.id for row in rows), *reversed_ids])
    findings = []
    for row in rows:
        transfers = moved[row.id]
        posted = Posting(
            row.kind, row.key, transfers, subject=row.subject, reverses_id=row.reverses_id
        )
        if not transfers:
            findings.append(Finding("empty", row.id, f"Entry {row.id} moves nothing."))
        elif posted.content_hash != row.content_hash:
            findings.append(Finding("changed", row.id, f"Entry {row.id} isn't what was posted."))
        elif row.reverses_id is not None and not _undoes(transfers, moved[row.reverses_id]):
            text = f"Entry {row.id} isn't the opposite of {row.reverses_id}, which it reverses."
            findings.append(Finding("reversal", row.id, text))
    return piece_of(findings, [row.id for row in rows])


def solvency(tx: Transaction, after: str) -> Piece:
    """The site has what it owes to others: at gateways and in its bank account."""
    rows = tx.execute(
        select(
            ledger_account.c.currency,
            _total(*LIABILITIES).label("owed"),
            _total(*_ASSETS).label("there"),
        ).group_by(ledger_account.c.currency)
    ).all()
    findings = [
        Finding(
            SOLVENCY,
            row.currency,
            f"The site owes {money(int(row.owed), row.currency)} to others and has "
            f"{money(int(row.there), row.currency)}.",
        )
        for row in rows
        if row.owed > row.there
    ]
    return Piece(findings, len(rows), None)


def sum_moved(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    """What the transfers of a row outside amount to."""
    amounts = func.coalesce(func.sum(ledger_transfer.c.amount_minor), 0)
    return select(amounts).where(*conditions).scalar_subquery()


def _total(*kinds: Kind) -> ColumnElement[int]:
    """What accounts of these kinds hold together, as they count."""
    account = ledger_account.c
    held = account.side * (account.credits - account.debits)
    wanted = account.kind.in_([kind.label for kind in kinds])
    return func.coalesce(func.sum(held).filter(wanted), 0)


def piece_of(findings: list[Finding], ids: Sequence[str]) -> Piece:
    is_full = len(ids) == limits.LEDGER_CHECK_ROWS
    return Piece(findings, len(ids), ids[-1] if is_full else None)


def _undoes(transfers: Sequence[Transfer], before: Sequence[Transfer]) -> bool:
    back = [Transfer(one.credit, one.debit, one.amount_minor) for one in reversed(before)]
    return list(transfers) == back

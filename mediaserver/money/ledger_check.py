"""Whether the books are right: every rule that must always hold, computed anew from what is booked.

The rules stand below, each a function that looks at some rows and says what is wrong with them.
`check` looks at everything in one transaction: tests, backups and `mediaserver doctor` call it.
The running site (nightly_check.py) takes a `Check` one step at a time, so that a long ledger holds
nothing up. Nothing is ever mended here: what is wrong has to be seen by somebody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.money.contributions import contribution
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
    site_account,
    transfers_of,
)
from mediaserver.money.payments import payment

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


class Check:
    """Looks at everything, one piece after the other. `findings` isn't longer than what somebody
    reads.
    """

    def __init__(self, more: Sequence[Rule] = ()) -> None:
        """`more`: rules of features that stand above money."""
        self.findings: list[Finding] = []
        self.accounts = 0
        self.entries = 0
        self._todo: list[Rule] = [*RULES, *more]
        self._after = ""

    def step(self, tx: Transaction) -> bool:
        """Look at the next piece; whether that was the last one."""
        if not self._todo:
            return True
        rule = self._todo[0]
        piece = rule(tx, self._after)
        room = limits.LEDGER_FINDINGS_MAX - len(self.findings)
        self.findings += piece.findings[:room]
        if rule is _accounts:
            self.accounts += piece.rows
        if rule is _entries:
            self.entries += piece.rows
        if piece.last is None:
            self._todo.pop(0)
        self._after = piece.last or ""
        return not self._todo


def check(tx: Transaction, more: Sequence[Rule] = ()) -> list[Finding]:
    """Everything that is wrong, in one go; nothing for a ledger that is right."""
    whole = Check(more)
    while not whole.step(tx):
        pass
    return whole.findings


def _sums(tx: Transaction, after: str) -> Piece:
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


def _accounts(tx: Transaction, after: str) -> Piece:
    """Each account is what its kind says, and holds what its transfers make."""
    account = ledger_account.c
    rows = tx.execute(
        select(
            *(account.id, account.kind, account.side, account.may_go_negative),
            *(account.debits, account.credits, account.currency),
            _moved(ledger_transfer.c.debit_id == account.id).label("debited"),
            _moved(ledger_transfer.c.credit_id == account.id).label("credited"),
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
    return _piece(findings, [row.id for row in rows])


def _entries(tx: Transaction, after: str) -> Piece:
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
    findings += _without_document(tx, {row.key: row.id for row in rows})
    return _piece(findings, [row.id for row in rows])


def _without_document(tx: Transaction, entries: dict[str, str]) -> list[Finding]:
    """Of entries by their keys those that should belong to a payment or contribution, and that it
    doesn't know.
    """
    findings = []
    for documents, prefix in ((payment, "payment:"), (contribution, "contribution:")):
        wanted = {
            key.removeprefix(prefix): entry_id
            for key, entry_id in entries.items()
            if key.startswith(prefix)
        }
        known = tx.execute(
            select(documents.c.id, documents.c.entry_id).where(documents.c.id.in_(list(wanted)))
        )
        entry_of = {row.id: row.entry_id for row in known}
        findings += [
            Finding("document", entry_id, f"Entry {entry_id} isn't the one of {document_id}.")
            for document_id, entry_id in wanted.items()
            if entry_of.get(document_id) != entry_id
        ]
    return findings


def _payments(tx: Transaction, after: str) -> Piece:
    """Each paid payment has one entry, by which its gateway owes us exactly what was paid."""
    one = payment.c
    clearing = f"{Kind.CLEARING.label}:" + one.gateway + ":" + one.currency
    rows = tx.execute(
        select(
            *(one.id, one.purpose, one.amount_minor, one.currency, ledger_entry.c.key),
            _moved(
                ledger_transfer.c.entry_id == one.entry_id,
                ledger_transfer.c.debit_id == clearing,
            ).label("booked"),
        )
        .outerjoin(ledger_entry, ledger_entry.c.id == one.entry_id)
        .where(one.id > after, one.state.in_(("paid", "reversed")))
        .order_by(one.id)
        .limit(limits.LEDGER_CHECK_ROWS)
    ).all()
    findings = []
    for row in rows:
        if row.booked != row.amount_minor:
            paid, booked = (
                money(int(count), row.currency) for count in (row.amount_minor, row.booked)
            )
            text = f"Payment {row.id} is of {paid}, and its entry of {booked}."
            findings.append(Finding("payment", row.id, text))
        elif row.purpose == "topup" and row.key != f"payment:{row.id}":
            text = f"Payment {row.id} names the entry of something else."
            findings.append(Finding("payment", row.id, text))
    return _piece(findings, [row.id for row in rows])


def _contributions(tx: Transaction, after: str) -> Piece:
    """Each paid contribution has one entry: the commission for the site, the rest for the
    streamer.
    """
    one, moved = contribution.c, ledger_transfer.c
    in_entry = moved.entry_id == one.entry_id
    commission = site_account(Kind.COMMISSION, "").id + one.currency
    rows = tx.execute(
        select(
            *(one.id, one.kind, one.amount_minor, one.fee_minor, one.currency),
            ledger_entry.c.key,
            _moved(in_entry).label("booked"),
            _moved(in_entry, moved.credit_id == commission).label("fee"),
        )
        .outerjoin(ledger_entry, ledger_entry.c.id == one.entry_id)
        .where(one.id > after, one.state == "paid")
        .order_by(one.id)
        .limit(limits.LEDGER_CHECK_ROWS)
    ).all()
    findings = []
    for row in rows:
        fee = 0 if row.kind == "transfer" else row.fee_minor
        wanted = (f"contribution:{row.id}", row.amount_minor, fee)
        if (row.key, row.booked, row.fee) != wanted:
            counts = (row.amount_minor, fee, row.booked, row.fee)
            whole, part, booked, taken = (money(int(count), row.currency) for count in counts)
            text = (
                f"Contribution {row.id} is of {whole} with {part} for the site, and its entry of "
                f"{booked} with {taken}."
            )
            findings.append(Finding("contribution", row.id, text))
    return _piece(findings, [row.id for row in rows])


def _solvency(tx: Transaction, after: str) -> Piece:
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


RULES: tuple[Rule, ...] = (_sums, _accounts, _entries, _payments, _contributions, _solvency)


def _moved(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    """What the transfers of a row outside amount to."""
    amounts = func.coalesce(func.sum(ledger_transfer.c.amount_minor), 0)
    return select(amounts).where(*conditions).scalar_subquery()


def _total(*kinds: Kind) -> ColumnElement[int]:
    """What accounts of these kinds hold together, as they count."""
    account = ledger_account.c
    held = account.side * (account.credits - account.debits)
    wanted = account.kind.in_([kind.label for kind in kinds])
    return func.coalesce(func.sum(held).filter(wanted), 0)


def _undoes(transfers: Sequence[Transfer], before: Sequence[Transfer]) -> bool:
    back = [Transfer(one.credit, one.debit, one.amount_minor) for one in reversed(before)]
    return list(transfers) == back


def _piece(findings: list[Finding], ids: Sequence[str]) -> Piece:
    is_full = len(ids) == limits.LEDGER_CHECK_ROWS
    return Piece(findings, len(ids), ids[-1] if is_full else None)

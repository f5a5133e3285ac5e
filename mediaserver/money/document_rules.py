"""Rules about what payments, contributions, refunds, disputes and payouts say, and what is booked
for them: both must agree. Put together by ledger_check.py.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.money import payout_rows, refund_rows
from mediaserver.money.contributions import contribution
from mediaserver.money.currencies import money
from mediaserver.money.dispute_rows import dispute
from mediaserver.money.ledger import (
    Kind,
    ledger_account,
    ledger_entry,
    ledger_transfer,
    site_account,
)
from mediaserver.money.ledger_rules import Finding, Piece, piece_of, sum_moved
from mediaserver.money.payments import payment
from mediaserver.money.payout_rows import payout
from mediaserver.money.refund_rows import refund
from mediaserver.money.takings import taking


def paid_payments(tx: Transaction, after: str) -> Piece:
    """Each paid payment has one entry, by which its gateway owes us exactly what was paid."""
    one = payment.c
    refunds = _sum(
        refund.c.amount_minor, refund.c.payment_id == one.id, refund.c.state == "succeeded"
    )
    disputes = _sum(
        dispute.c.booked_minor, dispute.c.payment_id == one.id, dispute.c.state != "won"
    )
    clearing = f"{Kind.CLEARING.label}:" + one.gateway + ":" + one.currency
    rows = tx.execute(
        select(
            *(one.id, one.purpose, one.amount_minor, one.currency, ledger_entry.c.key),
            *(one.refunded_minor, one.disputed_minor),
            *(refunds.label("refunds"), disputes.label("disputes")),
            sum_moved(
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
        elif (row.refunded_minor, row.disputed_minor) != (row.refunds, row.disputes):
            text = f"What payment {row.id} says of refunds and disputes isn't what these say."
            findings.append(Finding("taken_back", row.id, text))
    return piece_of(findings, [row.id for row in rows])


def paid_contributions(tx: Transaction, after: str) -> Piece:
    """Each paid contribution has one entry: the commission for the site, the rest for the
    streamer.
    """
    one, transfer = contribution.c, ledger_transfer.c
    taken = _sum(taking.c.amount_minor, taking.c.contribution_id == one.id, taking.c.is_undone == 0)
    in_entry = transfer.entry_id == one.entry_id
    commission = site_account(Kind.COMMISSION, "").id + one.currency
    rows = tx.execute(
        select(
            *(one.id, one.kind, one.amount_minor, one.fee_minor, one.currency),
            *(ledger_entry.c.key, one.taken_back_minor),
            taken.label("taken"),
            sum_moved(in_entry).label("booked"),
            sum_moved(in_entry, transfer.credit_id == commission).label("fee"),
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
            whole, part, booked, kept = (money(int(count), row.currency) for count in counts)
            text = (
                f"Contribution {row.id} is of {whole} with {part} for the site, and its entry of "
                f"{booked} with {kept}."
            )
            findings.append(Finding("contribution", row.id, text))
        elif row.taken_back_minor != row.taken:
            says, was = (
                money(int(count), row.currency) for count in (row.taken_back_minor, row.taken)
            )
            text = f"Of contribution {row.id} {says} should be taken back, and {was} were."
            findings.append(Finding("taken_back", row.id, text))
    return piece_of(findings, [row.id for row in rows])


def holds(tx: Transaction, after: str) -> Piece:
    """What is on hold for a streamer is what their open payouts ask for."""
    account = ledger_account.c
    asked = select(func.coalesce(func.sum(payout.c.amount_minor), 0)).where(
        payout.c.user_id == account.owner,
        payout.c.currency == account.currency,
        payout.c.state.in_(payout_rows.OPEN),
    )
    return _compared(tx, after, Kind.PAYOUT_HOLD, asked.scalar_subquery(), "payouts under way")


def refund_holds(tx: Transaction, after: str) -> Piece:
    """What is on hold for payers is what open refunds are of."""
    asked = select(func.coalesce(func.sum(refund.c.amount_minor), 0)).where(
        refund.c.currency == ledger_account.c.currency, refund.c.state.in_(refund_rows.OPEN)
    )
    return _compared(tx, after, Kind.REFUND_HOLD, asked.scalar_subquery(), "refunds under way")


def pending_earnings(tx: Transaction, after: str) -> Piece:
    """What waits to mature is what a streamer was given and wasn't taken back."""
    account = ledger_account.c
    waits = contribution.c.matured_at_ms.is_(None)
    earned = (
        select(func.coalesce(func.sum(ledger_transfer.c.amount_minor), 0))
        .join(ledger_entry, ledger_entry.c.id == ledger_transfer.c.entry_id)
        .join(contribution, contribution.c.id == ledger_entry.c.subject)
        .where(
            ledger_transfer.c.credit_id == account.id,
            ledger_entry.c.id == contribution.c.entry_id,
            waits,
        )
    )
    taken = (
        select(func.coalesce(func.sum(taking.c.net_minor), 0))
        .join(contribution, contribution.c.id == taking.c.contribution_id)
        .where(
            contribution.c.recipient_id == account.owner,
            contribution.c.currency == account.currency,
            taking.c.is_undone == 0,
            waits,
        )
    )
    left = earned.scalar_subquery() - taken.scalar_subquery()
    return _compared(tx, after, Kind.EARNINGS_PENDING, left, "contributions that wait")


def _compared(
    tx: Transaction, after: str, kind: Kind, documents: ColumnElement[int], what: str
) -> Piece:
    """Compare what accounts of a kind hold with what documents say."""
    account = ledger_account.c
    rows = tx.execute(
        select(
            *(account.id, account.currency),
            (account.side * (account.credits - account.debits)).label("held"),
            documents.label("said"),
        )
        .where(account.id > after, account.kind == kind.label)
        .order_by(account.id)
        .limit(limits.LEDGER_CHECK_ROWS)
    ).all()
    findings = []
    for row in rows:
        if row.held != row.said:
            held, said = (money(int(count), row.currency) for count in (row.held, row.said))
            text = f"{row.id} holds {held}; its {what} come to {said}."
            findings.append(Finding("documents", row.id, text))
    return piece_of(findings, [row.id for row in rows])


def entries(tx: Transaction, after: str) -> Piece:
    """Entries of payments and contributions are those that these know."""
    rows = tx.execute(
        select(ledger_entry.c.id, ledger_entry.c.key)
        .where(ledger_entry.c.id > after)
        .order_by(ledger_entry.c.id)
        .limit(limits.LEDGER_CHECK_ROWS)
    ).all()
    findings = []
    for documents, prefix in ((payment, "payment:"), (contribution, "contribution:")):
        wanted = {
            row.key.removeprefix(prefix): row.id for row in rows if row.key.startswith(prefix)
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
    return piece_of(findings, [row.id for row in rows])


def _sum(amount: ColumnElement[int], *conditions: ColumnElement[bool]) -> ColumnElement[int]:
    """Of the documents of a row outside."""
    return select(func.coalesce(func.sum(amount), 0)).where(*conditions).scalar_subquery()

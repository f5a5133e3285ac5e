"""What wallets and gifts tell about a person: to take along, or to have the names in it go.

Handed to accounts/personal_data.py by server/features.py; payments.py tells of payments. Amounts
stay: the books must add up.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from mediaserver.chat import log
from mediaserver.kernel.db import Transaction
from mediaserver.money import thanks
from mediaserver.money.alerts import alert
from mediaserver.money.contributions import NOBODY, contribution
from mediaserver.money.ledger import Kind, ledger_account


def export(tx: Transaction, user_id: str) -> dict[str, Any]:
    """What is in the wallet, what they gave, and thanks."""
    wallets = tx.execute(
        select(ledger_account).where(
            ledger_account.c.owner == user_id, ledger_account.c.kind == Kind.WALLET.label
        )
    )
    given = tx.execute(
        select(contribution)
        .where(contribution.c.sender_id == user_id)
        .order_by(contribution.c.created_at_ms, contribution.c.id)
    )
    return {
        "wallets": [
            {"currency": row.currency, "balance_minor": row.credits - row.debits} for row in wallets
        ],
        "given": [
            {
                "id": row.id,
                "kind": row.kind,
                "channel": row.channel_name,
                "amount_minor": row.amount_minor,
                "currency": row.currency,
                "message": row.message,
                "is_anonymous": bool(row.is_anonymous),
                "state": row.state,
                "created_at_ms": row.created_at_ms,
            }
            for row in given
        ],
        "thanks": thanks.export(tx, user_id),
    }


def erase(tx: Transaction, user_id: str, now_ms: int) -> None:
    """What somebody gave stays, without name and words, in the chat too."""
    lines = tx.execute(
        select(alert.c.line_id)
        .join(contribution, contribution.c.id == alert.c.contribution_id)
        .where(contribution.c.sender_id == user_id, alert.c.line_id.is_not(None))
    )
    for line_id in lines.scalars().all():
        log.forget(tx, line_id, _without_name, now_ms)
    tx.execute(
        update(contribution)
        .where(contribution.c.sender_id == user_id)
        .values(sender_id=None, sender_name="", message="", idempotency_key=None, is_anonymous=1)
    )


def _without_name(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "tip": {**data["tip"], "name": NOBODY}}

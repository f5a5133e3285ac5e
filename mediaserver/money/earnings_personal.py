"""What earnings and payouts know about a person, and what becomes of money when an account goes.

Nobody loses earnings by a click: an account with some that could be paid out isn't deleted. What is
in a wallet, and earnings too small for a payout, then wait as unclaimed money.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import select

from mediaserver.channels.channels import channel
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.errors import Conflict
from mediaserver.money import ledger, left_behind, payout_rows
from mediaserver.money.currencies import CURRENCIES, money, parsed_amount
from mediaserver.money.ledger import Kind
from mediaserver.money.payout_accounts import PayoutAccounts


class EarningsOfPerson:
    """Their copy, and what is checked before and done when they go."""

    def __init__(self, accounts: PayoutAccounts, config: MoneyConfig) -> None:
        self._accounts = accounts
        self._config = config

    def export(self, tx: Transaction, user_id: str) -> dict[str, Any]:
        """Bank details, payouts, and what each of their accounts in the ledger holds."""
        details = self._accounts.details_of(tx, user_id)
        return {
            "bank_details": None if details is None else asdict(details),
            "payouts": [
                {
                    "amount_minor": one.amount_minor,
                    "currency": one.currency,
                    "state": one.state,
                    "account_ends_in": one.hint,
                    "bank_reference": one.bank_reference,
                    "reason": one.reason,
                    "created_at_ms": one.created_at_ms,
                    "decided_at_ms": one.decided_at_ms,
                }
                for one in payout_rows.all_of(tx, user_id)
            ],
            "balances": {
                currency: {
                    kind.label: one.amount_minor
                    for kind, one in ledger.balances_of(tx, user_id, currency).items()
                }
                for currency in sorted(ledger.currencies_used(tx))
            },
        }

    def refuse(self, tx: Transaction, user_id: str) -> None:
        """Raises `Conflict` while there is money to be paid to them.

        Who gives to one of their channels at this moment is waited for, and then seen.
        """
        theirs = select(channel.c.id).where(channel.c.owner_id == user_id)
        tx.execute(theirs.order_by(channel.c.id).with_for_update())
        if payout_rows.open_of(tx, user_id) is not None:
            raise Conflict(
                "A payout is on its way. Delete the account once it is there.", code="payout_open"
            )
        for currency in ledger.currencies_used(tx):
            held = ledger.balances_of(tx, user_id, currency)
            pending, available = (
                held[kind].amount_minor if kind in held else 0
                for kind in (Kind.EARNINGS_PENDING, Kind.EARNINGS_AVAILABLE)
            )
            if pending:
                raise Conflict(
                    f"{money(pending, currency)} of earnings are still pending. Wait until they "
                    "are available, and withdraw them first.",
                    code="has_earnings",
                )
            if available >= self._payout_min(currency):
                raise Conflict(
                    f"There are earnings of {money(available, currency)} here. Withdraw them "
                    "first, on the page Earnings of the studio.",
                    code="has_earnings",
                )

    def erase(self, tx: Transaction, user_id: str, now_ms: int) -> None:
        """The name goes from the books, and what is left waits as unclaimed."""
        payout_rows.forget(tx, user_id)
        for currency in sorted(ledger.currencies_used(tx)):
            left_behind.move(tx, user_id, currency, now_ms)

    def _payout_min(self, currency: str) -> int:
        """In a currency that the site had before, the smallest amount there is."""
        if currency != self._config.currency:
            return 1
        return parsed_amount(self._config.payout_min, CURRENCIES[currency], "payout_min")

"""What is left behind by who is gone: money in their wallet, and earnings, wait as unclaimed.

Called when an account is deleted, and by a job, as some comes later: a dispute that is won, a
payout that its bank sends back, earnings that mature, a payment settled at that very moment.
"""

from __future__ import annotations

import structlog
from sqlalchemy import select

from mediaserver.accounts.users import user_account
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.money import ledger
from mediaserver.money.ledger import Account, Kind, Posting, Transfer, ledger_account

_KINDS = (Kind.WALLET, Kind.EARNINGS_AVAILABLE)

_log = structlog.get_logger(__name__)


class LeftBehind:
    """The job."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def sweep(self) -> None:
        """Move what came after its owner had gone."""
        for owner, currency in await self._db.read(_owners_gone):
            moved = await self._db.write(move, owner, currency, self._clock.wall_ms())
            _log.info("left behind", user=owner, amount_minor=moved, currency=currency)


def move(tx: Transaction, user_id: str, currency: str, now_ms: int) -> int:
    """All that somebody has in a currency, but what is pending or in a payout; how much that was.

    The caller has seen that they are gone, or makes them so.
    """
    accounts = [Account(kind, user_id, currency) for kind in _KINDS]
    held = ledger.locked_balances(tx, accounts)
    unclaimed = ledger.site_account(Kind.UNCLAIMED, currency)
    left = tuple(Transfer(one, unclaimed, held[one].amount_minor) for one in accounts)
    amount = sum(one.amount_minor for one in left)
    if amount:
        ever = sum(one.credits for one in held.values())  # more each time that something came
        posting = Posting(
            "account.gone",
            f"account-gone:{user_id}:{currency}:{ever}",
            left,
            subject=user_id,
            touches_frozen=True,
        )
        ledger.post(tx, posting, now_ms)
    return amount


def _owners_gone(tx: Transaction) -> list[tuple[str, str]]:
    """Owners without an account who hold something, and its currency."""
    rows = tx.execute(
        select(ledger_account.c.owner, ledger_account.c.currency)
        .distinct()
        .outerjoin(user_account, user_account.c.id == ledger_account.c.owner)
        .where(
            ledger_account.c.kind.in_([kind.label for kind in _KINDS]),
            ledger_account.c.credits > ledger_account.c.debits,
            user_account.c.id.is_(None),
        )
        .limit(limits.LEDGER_CHECK_ROWS)
    )
    return [(row.owner, row.currency) for row in rows]

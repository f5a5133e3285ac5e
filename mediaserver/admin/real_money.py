"""Test money or real money: which of them the books hold, and how the one gives way to the other.

The two never meet in one ledger. A site that was tried out with the sandbox has to forget that
first (`mediaserver money forget-test`), and one that has booked real money never goes back. Called
at start and by the command line; nothing else ever removes an entry.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, select, text, update

from mediaserver.accounts.users import user_account
from mediaserver.kernel import audit
from mediaserver.kernel.audit import Target
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Transaction, values
from mediaserver.kernel.db.schema import metadata
from mediaserver.kernel.errors import Conflict
from mediaserver.kernel.jobs import job
from mediaserver.memberships.memberships import RENEW
from mediaserver.memberships.plans import TELL
from mediaserver.money import contributions, hook_inbox, refunds
from mediaserver.money.ledger import ledger_entry

_KEY = "money_is"

FORGOTTEN = (
    *("taking", "refund", "dispute", "payout", "payment_check", "payment_approval"),
    *("gateway_notification", "sandbox_refund", "sandbox_payment", "alert", "gift_told"),
    *("contribution", "payment", "thanks", "settlement", "gateway_balance", "correction"),
    *("ledger_check", "membership_charge", "membership"),
    *("ledger_transfer", "ledger_entry", "ledger_account"),
)
"""The tables that tell of money, in the order in which their rows may go."""

KEPT = (
    *("giving", "payout_account", "tip_scale", "goal", "tip_board", "alert_rules", "alert_look"),
    "plan",
)
"""What people have set up, which counts for real money too."""

_JOBS = (contributions.JOB, hook_inbox.JOB, refunds.JOB, RENEW, TELL)
"""Work on what is forgotten."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was forgotten."""

    entries: int
    payments: int
    contributions: int


def settle(tx: Transaction, config: MoneyConfig, now_ms: int) -> None:
    """Note which money the site takes. Raises `Conflict` when its books hold the other one."""
    wanted = "real" if config.production else "test"
    before = values.get(tx, _KEY)
    if before == wanted:
        return
    if before is not None and tx.execute(select(ledger_entry.c.id).limit(1)).first() is not None:
        if wanted == "real":
            raise Conflict(
                "money.production is on, but the books hold test money, which would turn into real "
                "money. Stop the site and run: mediaserver money forget-test",
                code="test_money",
            )
        raise Conflict(
            "money.production is off, but the books hold real money. Turn it on again.",
            code="real_money",
        )
    values.put(tx, _KEY, wanted, now_ms)


def forget_test_money(tx: Transaction, now_ms: int) -> Forgotten:
    """Empty the books of a site that was only tried out, and all that tells of its money.

    Raises `Conflict` where the money is real.
    """
    if values.get(tx, _KEY) != "test":
        raise Conflict("There is no test money here.", code="real_money")
    counts = Forgotten(*(_count(tx, name) for name in ("ledger_entry", "payment", "contribution")))
    for name in FORGOTTEN:
        _empty(tx, name)
    tx.execute(update(user_account).where(user_account.c.is_member == 1).values(is_member=0))
    tx.execute(delete(job).where(job.c.kind.in_(_JOBS)))
    values.remove(tx, _KEY)
    audit.append(
        tx,
        audit.COMMAND_LINE,
        "money.forget_test",
        Target("site", "money", "test money"),
        now_ms,
        {"entries": counts.entries, "payments": counts.payments},
    )
    return counts


def _count(tx: Transaction, name: str) -> int:
    return int(tx.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one())


def _empty(tx: Transaction, name: str) -> None:
    """Also one that refuses to lose rows; it refuses again afterwards."""
    triggers = []
    if tx.dialect == "postgresql":
        tx.execute(text(f"ALTER TABLE {name} DISABLE TRIGGER USER"))
    else:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :name"
        triggers = list(tx.execute(text(query), {"name": name}))
        for trigger in triggers:
            tx.execute(text(f"DROP TRIGGER {trigger.name}"))
    if name == "ledger_entry":
        _empty_entries(tx)
    else:
        tx.execute(delete(metadata.tables[name]))
    if tx.dialect == "postgresql":
        tx.execute(text(f"ALTER TABLE {name} ENABLE TRIGGER USER"))
    for trigger in triggers:
        tx.execute(text(trigger.sql.replace(":", "\\:")))


def _empty_entries(tx: Transaction) -> None:
    """An entry goes before the one that it reverses."""
    reversing = select(ledger_entry.c.reverses_id).where(ledger_entry.c.reverses_id.is_not(None))
    while tx.execute(delete(ledger_entry).where(ledger_entry.c.id.not_in(reversing))).rowcount:
        pass

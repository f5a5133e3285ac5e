"""Refunds, disputes, what they took back of contributions, and payouts of earnings."""

import sqlalchemy as sa
from alembic import op

from mediaserver.kernel.db.migrations.tables import (
    INT64,
    check,
    create_index,
    create_table,
    foreign,
    id_column,
    int64,
    text,
    unique,
)

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    _create_takings()
    _create_refunds()
    _create_disputes()
    _create_payouts()


def _flag(name: str) -> sa.Column[int]:
    return sa.Column(name, INT64, nullable=False, server_default=sa.text("0"))


def _create_takings() -> None:
    create_table(
        "taking",
        text("entry_id"),
        text("contribution_id"),
        text("payment_id"),
        int64("amount_minor"),
        int64("net_minor"),
        _flag("is_open"),
        _flag("is_undone"),
        foreign("taking", "entry_id", "ledger_entry", "RESTRICT"),
        foreign("taking", "contribution_id", "contribution", "RESTRICT"),
        foreign("taking", "payment_id", "payment", "RESTRICT"),
        check("taking_amount_minor", "amount_minor >= 1"),
        check("taking_net_minor", "net_minor BETWEEN 0 AND amount_minor"),
        check("taking_is_open", "is_open IN (0, 1)"),
        check("taking_is_undone", "is_undone IN (0, 1)"),
        key=("entry_id", "contribution_id"),
    )
    create_index("taking", "contribution_id")
    create_index("taking", "payment_id")


def _create_refunds() -> None:
    create_table(
        "refund",
        id_column(),
        text("payment_id"),
        int64("amount_minor"),
        text("currency"),
        text("state"),
        text("way"),
        text("reason"),
        text("detail"),
        text("provider_ref"),
        text("entry_id"),
        text("done_entry_id", nullable=True),
        text("asked_by", nullable=True),
        text("asked_by_name"),
        text("idempotency_key", nullable=True),
        text("request_hash", nullable=True),
        int64("created_at_ms"),
        int64("ended_at_ms", nullable=True),
        foreign("refund", "payment_id", "payment", "RESTRICT"),
        foreign("refund", "entry_id", "ledger_entry", "RESTRICT"),
        foreign("refund", "done_entry_id", "ledger_entry", "RESTRICT"),
        unique("refund", "asked_by", "idempotency_key"),
        check("refund_amount_minor", "amount_minor BETWEEN 1 AND 1000000000000"),
        check("refund_state", "state IN ('requested', 'pending', 'succeeded', 'failed')"),
        check("refund_way", "way IN ('gateway', 'by_hand', 'outside')"),
        check("refund_ended", "(state IN ('succeeded', 'failed')) = (ended_at_ms IS NOT NULL)"),
    )
    create_index("refund", "payment_id")
    create_index("refund", "state", "created_at_ms", "id")
    create_index("refund", "created_at_ms", "id")


def _create_disputes() -> None:
    create_table(
        "dispute",
        id_column(),
        text("payment_id"),
        text("gateway"),
        text("provider_ref"),
        int64("amount_minor"),
        int64("booked_minor"),
        int64("fee_minor"),
        text("currency"),
        text("state"),
        text("reason"),
        text("entry_id", nullable=True),
        int64("created_at_ms"),
        int64("ended_at_ms", nullable=True),
        foreign("dispute", "payment_id", "payment", "RESTRICT"),
        foreign("dispute", "entry_id", "ledger_entry", "RESTRICT"),
        unique("dispute", "gateway", "provider_ref"),
        check("dispute_state", "state IN ('open', 'won', 'lost')"),
        check("dispute_amount_minor", "amount_minor BETWEEN 0 AND 1000000000000"),
        check("dispute_booked_minor", "booked_minor BETWEEN 0 AND amount_minor"),
        check("dispute_fee_minor", "fee_minor >= 0"),
        check("dispute_ended", "(state = 'open') = (ended_at_ms IS NULL)"),
    )
    create_index("dispute", "payment_id")
    create_index("dispute", "state", "created_at_ms", "id")
    create_index("dispute", "created_at_ms", "id")


def _create_payouts() -> None:
    create_table(
        "payout_account",
        text("user_id"),
        text("details"),
        text("hint"),
        text("country"),
        int64("changed_at_ms"),
        foreign("payout_account", "user_id", "user_account", "CASCADE"),
        key="user_id",
    )
    create_table(
        "payout",
        id_column(),
        text("user_id"),
        text("username"),
        int64("amount_minor"),
        text("currency"),
        text("state"),
        text("details"),
        text("hint"),
        text("entry_id"),
        text("paid_entry_id", nullable=True),
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
        foreign("payout", "entry_id", "ledger_entry", "RESTRICT"),
        foreign("payout", "paid_entry_id", "ledger_entry", "RESTRICT"),
        unique("payout", "user_id", "idempotency_key"),
        check("payout_amount_minor", "amount_minor BETWEEN 1 AND 1000000000000"),
        check(
            "payout_state",
            "state IN ('requested', 'approved', 'paid', 'rejected', 'cancelled', 'failed')",
        ),
        check("payout_decided", "(state IN ('requested', 'approved')) = (decided_at_ms IS NULL)"),
        check("payout_paid", "(state IN ('paid', 'failed')) = (paid_entry_id IS NOT NULL)"),
        check("payout_bank_reference", "paid_entry_id IS NULL OR bank_reference <> ''"),
    )
    create_index("payout", "user_id", "created_at_ms", "id")
    create_index("payout", "state", "created_at_ms", "id")
    create_index("payout", "created_at_ms", "id")
    one_open = sa.text("state IN ('requested', 'approved')")
    op.create_index(
        "ix_payout_open",
        "payout",
        ["user_id"],
        unique=True,
        sqlite_where=one_open,
        postgresql_where=one_open,
    )

"""What admins enter into the books."""

import sqlalchemy as sa
from alembic import op

from mediaserver.kernel.db.migrations.tables import (
    check,
    create_index,
    create_table,
    id_column,
    int64,
    text,
    unique,
)

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    create_table(
        "ledger_check",
        id_column(),
        int64("began_at_ms"),
        int64("ended_at_ms"),
        int64("accounts"),
        int64("entries"),
        text("findings"),
        check("ledger_check_counts", "accounts >= 0 AND entries >= 0"),
    )
    create_index("ledger_check", "ended_at_ms", "id")
    create_table(
        "settlement",
        id_column(),
        text("gateway"),
        text("currency"),
        text("arrived_on"),
        int64("amount_minor"),
        int64("fee_minor"),
        text("reference"),
        text("entry_id"),
        text("entered_by_id", nullable=True),
        text("entered_by"),
        int64("created_at_ms"),
        int64("reversed_at_ms", nullable=True),
        check("settlement_amounts", "amount_minor >= 0 AND fee_minor >= 0"),
        check("settlement_moves", "amount_minor + fee_minor > 0"),
        check("settlement_arrived_on", "length(arrived_on) = 10"),
        unique("settlement", "entry_id"),
    )
    op.create_index(
        "ix_settlement_reference",
        "settlement",
        ["gateway", "reference"],
        unique=True,
        sqlite_where=sa.text("reversed_at_ms IS NULL"),
        postgresql_where=sa.text("reversed_at_ms IS NULL"),
    )
    create_index("settlement", "created_at_ms", "id")
    create_table(
        "gateway_balance",
        id_column(),
        text("gateway"),
        text("currency"),
        int64("reported_minor"),
        int64("booked_minor"),
        text("entered_by_id", nullable=True),
        text("entered_by"),
        int64("created_at_ms"),
    )
    create_index("gateway_balance", "created_at_ms", "id")
    create_table(
        "correction",
        id_column(),
        text("debit_id"),
        text("credit_id"),
        text("currency"),
        int64("amount_minor"),
        text("reverses_id", nullable=True),
        text("reason"),
        text("state"),
        text("asked_by_id"),
        text("asked_by"),
        text("decided_by_id", nullable=True),
        text("decided_by"),
        text("entry_id", nullable=True),
        text("idempotency_key", nullable=True),
        text("request_hash", nullable=True),
        int64("created_at_ms"),
        int64("decided_at_ms", nullable=True),
        unique("correction", "asked_by_id", "idempotency_key"),
        check("correction_state", "state IN ('waiting', 'booked', 'rejected')"),
        check("correction_entry", "(state = 'booked') = (entry_id IS NOT NULL)"),
        check("correction_decided", "(state = 'waiting') = (decided_at_ms IS NULL)"),
        check("correction_amount_minor", "amount_minor BETWEEN 1 AND 1000000000000"),
    )
    create_index("correction", "created_at_ms", "id")
    create_index("correction", "state", "created_at_ms", "id")

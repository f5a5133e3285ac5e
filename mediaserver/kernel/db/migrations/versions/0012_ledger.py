"""The ledger: accounts, entries and transfers; the latter two can't be changed."""

import sqlalchemy as sa

from mediaserver.kernel.db.migrations.tables import (
    INT64,
    append_only,
    check,
    create_index,
    create_table,
    foreign,
    id_column,
    int64,
    text,
    unique,
)

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    create_table(
        "ledger_account",
        id_column(),
        text("owner"),
        text("kind"),
        text("currency"),
        int64("side"),
        sa.Column("may_go_negative", INT64, nullable=False, server_default=sa.text("0")),
        int64("debits"),
        int64("credits"),
        int64("frozen_at_ms", nullable=True),
        text("frozen_for", nullable=True),
        unique("ledger_account", "owner", "kind", "currency"),
        check("ledger_account_id", "id = kind || ':' || owner || ':' || currency"),
        check("ledger_account_side", "side IN (-1, 1)"),
        check("ledger_account_may_go_negative", "may_go_negative IN (0, 1)"),
        check("ledger_account_totals", "debits >= 0 AND credits >= 0"),
        check("ledger_account_overdraft", "may_go_negative = 1 OR side * (credits - debits) >= 0"),
        check("ledger_account_frozen", "(frozen_at_ms IS NULL) = (frozen_for IS NULL)"),
    )
    create_index("ledger_account", "kind", "currency")
    create_table(
        "ledger_entry",
        id_column(),
        text("kind"),
        text("key"),
        text("content_hash"),
        text("subject"),
        text("reverses_id", nullable=True),
        text("actor_id", nullable=True),
        text("reason"),
        text("external_ref"),
        int64("created_at_ms"),
        unique("ledger_entry", "key"),
        unique("ledger_entry", "reverses_id"),
        foreign("ledger_entry", "reverses_id", "ledger_entry", "RESTRICT"),
        check("ledger_entry_content_hash", "length(content_hash) = 64"),
    )
    create_index("ledger_entry", "created_at_ms", "id")
    create_index("ledger_entry", "kind", "created_at_ms", "id")
    create_index("ledger_entry", "subject", "created_at_ms", "id")
    create_table(
        "ledger_transfer",
        text("entry_id"),
        int64("place"),
        text("debit_id"),
        text("credit_id"),
        text("currency"),
        int64("amount_minor"),
        int64("created_at_ms"),
        foreign("ledger_transfer", "entry_id", "ledger_entry", "RESTRICT"),
        foreign("ledger_transfer", "debit_id", "ledger_account", "RESTRICT"),
        foreign("ledger_transfer", "credit_id", "ledger_account", "RESTRICT"),
        check("ledger_transfer_place", "place >= 1"),
        check("ledger_transfer_accounts", "debit_id <> credit_id"),
        check(
            "ledger_transfer_currency",
            "debit_id LIKE '%:' || currency AND credit_id LIKE '%:' || currency",
        ),
        check("ledger_transfer_amount_minor", "amount_minor BETWEEN 1 AND 1000000000000"),
        key=("entry_id", "place"),
    )
    create_index("ledger_transfer", "debit_id", "created_at_ms")
    create_index("ledger_transfer", "credit_id", "created_at_ms")
    append_only("ledger_entry")
    append_only("ledger_transfer")

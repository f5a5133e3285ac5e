"""Payments through gateways, contributions to channels, and the terms of giving."""

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

revision = "0013"
down_revision = "0012"


def flag(name: str, default: int = 0) -> sa.Column[int]:
    return sa.Column(name, INT64, nullable=False, server_default=sa.text(str(default)))


def _unique_where(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(
        name,
        table,
        columns,
        unique=True,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )


def upgrade() -> None:
    create_table(
        "payment",
        id_column(),
        text("purpose"),
        text("gateway"),
        text("user_id", nullable=True),
        text("email"),
        int64("amount_minor"),
        text("currency"),
        text("state"),
        text("problem"),
        text("provider_ref"),
        text("charge_ref"),
        text("checkout_url"),
        int64("refunded_minor"),
        int64("disputed_minor"),
        text("entry_id", nullable=True),
        text("idempotency_key", nullable=True),
        text("request_hash", nullable=True),
        int64("created_at_ms"),
        int64("expires_at_ms"),
        int64("paid_at_ms", nullable=True),
        int64("ended_at_ms", nullable=True),
        foreign("payment", "user_id", "user_account", "SET NULL"),
        unique("payment", "user_id", "idempotency_key"),
        check("payment_purpose", "purpose IN ('topup', 'donation')"),
        check("payment_amount_minor", "amount_minor BETWEEN 1 AND 1000000000000"),
        check(
            "payment_state",
            "state IN ('created', 'open', 'review', 'paid', 'failed', 'cancelled', 'expired', "
            "'reversed')",
        ),
        check(
            "payment_taken_back",
            "refunded_minor >= 0 AND disputed_minor >= 0 "
            "AND refunded_minor + disputed_minor <= amount_minor",
        ),
        check("payment_entry", "(state IN ('paid', 'reversed')) = (entry_id IS NOT NULL)"),
    )
    create_index("payment", "user_id", "created_at_ms", "id")
    create_index("payment", "state", "created_at_ms", "id")
    create_index("payment", "created_at_ms", "id")
    op.create_index("ix_payment_provider_ref", "payment", ["gateway", "provider_ref"])
    op.create_index("ix_payment_charge_ref", "payment", ["gateway", "charge_ref"])
    _unique_where(
        "ix_payment_guest_key",
        "payment",
        ["email", "idempotency_key"],
        "user_id IS NULL AND email <> ''",
    )
    _unique_where(
        "ix_payment_bank_ref", "payment", ["charge_ref"], "gateway = 'manual' AND charge_ref <> ''"
    )
    create_table(
        "contribution",
        id_column(),
        text("kind"),
        text("channel_id", nullable=True),
        text("channel_name"),
        text("recipient_id"),
        text("sender_id", nullable=True),
        text("sender_name"),
        flag("is_anonymous"),
        text("message"),
        int64("amount_minor"),
        text("currency"),
        int64("commission_bps"),
        int64("fee_minor"),
        int64("net_minor"),
        int64("taken_back_minor"),
        text("state"),
        text("alert"),
        text("payment_id", nullable=True),
        text("entry_id", nullable=True),
        text("stream_id", nullable=True),
        text("idempotency_key", nullable=True),
        text("request_hash", nullable=True),
        int64("created_at_ms"),
        int64("paid_at_ms", nullable=True),
        int64("matures_at_ms", nullable=True),
        int64("matured_at_ms", nullable=True),
        foreign("contribution", "channel_id", "channel", "SET NULL"),
        foreign("contribution", "stream_id", "stream", "SET NULL"),
        unique("contribution", "payment_id"),
        unique("contribution", "sender_id", "idempotency_key"),
        check("contribution_kind", "kind IN ('tip', 'donation', 'transfer')"),
        check("contribution_is_anonymous", "is_anonymous IN (0, 1)"),
        check("contribution_amount_minor", "amount_minor BETWEEN 1 AND 1000000000000"),
        check("contribution_commission_bps", "commission_bps BETWEEN 0 AND 10000"),
        check("contribution_split", "fee_minor >= 0 AND fee_minor + net_minor = amount_minor"),
        check("contribution_taken_back", "taken_back_minor BETWEEN 0 AND amount_minor"),
        check("contribution_state", "state IN ('open', 'declared', 'paid', 'rejected', 'failed')"),
        check(
            "contribution_alert",
            "alert IN ('none', 'held', 'waiting', 'shown', 'skipped', 'denied')",
        ),
        check(
            "contribution_paid",
            "(state = 'paid') = (paid_at_ms IS NOT NULL AND entry_id IS NOT NULL)",
        ),
        check("contribution_texts", "length(message) <= 250 AND length(sender_name) <= 40"),
    )
    create_index("contribution", "channel_id", "paid_at_ms", "id")
    create_index("contribution", "recipient_id", "created_at_ms", "id")
    create_index("contribution", "sender_id", "created_at_ms", "id")
    create_index("contribution", "stream_id")
    _unique_where(
        "ix_contribution_guest_key",
        "contribution",
        ["channel_id", "idempotency_key"],
        "sender_id IS NULL AND idempotency_key IS NOT NULL",
    )
    create_index("contribution", "state", "matured_at_ms", "matures_at_ms")
    create_table(
        "giving",
        text("channel_id"),
        flag("takes_tips", 1),
        flag("takes_donations", 1),
        flag("takes_transfers"),
        int64("tip_minor_min"),
        int64("donation_minor_min"),
        text("transfer_instructions"),
        foreign("giving", "channel_id", "channel", "CASCADE"),
        check("giving_takes_tips", "takes_tips IN (0, 1)"),
        check("giving_takes_donations", "takes_donations IN (0, 1)"),
        check("giving_takes_transfers", "takes_transfers IN (0, 1)"),
        check("giving_minimums", "tip_minor_min >= 0 AND donation_minor_min >= 0"),
        key="channel_id",
    )

"""Notifications of gateways, when payments are looked at, what admins confirm, and the sandbox."""

from alembic import op

from mediaserver.kernel.db.migrations.tables import (
    check,
    create_index,
    create_table,
    foreign,
    id_column,
    int64,
    text,
    unique,
)

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    create_table(
        "gateway_notification",
        id_column(),
        text("gateway"),
        text("event_ref"),
        text("kind"),
        text("payment_id", nullable=True),
        text("headers"),
        text("body"),
        int64("received_at_ms"),
        int64("processed_at_ms", nullable=True),
        text("error"),
        int64("attempts"),
        int64("repeats"),
        unique("gateway_notification", "gateway", "event_ref"),
        foreign("gateway_notification", "payment_id", "payment", "SET NULL"),
    )
    create_index("gateway_notification", "payment_id", "received_at_ms", "id")
    create_index("gateway_notification", "received_at_ms", "id")
    create_table(
        "payment_check",
        text("payment_id"),
        int64("checks"),
        int64("due_at_ms"),
        foreign("payment_check", "payment_id", "payment", "CASCADE"),
        key="payment_id",
    )
    create_index("payment_check", "due_at_ms")
    create_table(
        "payment_approval",
        text("payment_id"),
        text("admin_id"),
        text("admin_name"),
        text("bank_ref"),
        int64("amount_minor"),
        int64("created_at_ms"),
        foreign("payment_approval", "payment_id", "payment", "CASCADE"),
        key="payment_id",
    )
    create_table(
        "sandbox_payment",
        id_column(),
        text("payment_id"),
        int64("amount_minor"),
        text("currency"),
        text("description"),
        text("standing"),
        text("return_url"),
        text("cancel_url"),
        int64("refunded_minor"),
        text("dispute", nullable=True),
        int64("disputed_minor"),
        int64("events"),
        int64("created_at_ms"),
        int64("expires_at_ms"),
        unique("sandbox_payment", "payment_id"),
        check(
            "sandbox_payment_standing",
            "standing IN ('open', 'paid', 'review', 'failed', 'cancelled', 'expired', 'reversed')",
        ),
        check("sandbox_payment_dispute", "dispute IN ('open', 'won', 'lost')"),
        check(
            "sandbox_payment_taken_back",
            "refunded_minor >= 0 AND disputed_minor >= 0 "
            "AND refunded_minor + disputed_minor <= amount_minor",
        ),
    )
    create_table(
        "sandbox_refund",
        text("key"),
        text("sandbox_id"),
        int64("amount_minor"),
        foreign("sandbox_refund", "sandbox_id", "sandbox_payment", "CASCADE"),
        check("sandbox_refund_amount_minor", "amount_minor >= 1"),
        key="key",
    )
    op.create_index("ix_sandbox_refund_sandbox_id", "sandbox_refund", ["sandbox_id"])

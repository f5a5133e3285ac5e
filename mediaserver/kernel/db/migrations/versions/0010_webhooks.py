"""Outgoing webhooks and their delivery log."""

import sqlalchemy as sa

from mediaserver.kernel.db.migrations.tables import (
    INT64,
    check,
    create_index,
    create_table,
    foreign,
    id_column,
    int64,
    text,
)

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    create_table(
        "webhook",
        id_column(),
        text("channel_id", nullable=True),
        text("owner_id", nullable=True),
        text("url"),
        text("events"),
        text("secret"),
        text("old_secret", nullable=True),
        int64("old_secret_until_ms", nullable=True),
        sa.Column("is_on", INT64, nullable=False, server_default=sa.text("1")),
        text("off_reason", nullable=True),
        int64("created_at_ms"),
        int64("failing_since_ms", nullable=True),
        int64("rests_until_ms", nullable=True),
        foreign("webhook", "channel_id", "channel", "CASCADE"),
        foreign("webhook", "owner_id", "user_account", "SET NULL"),
        check("webhook_is_on", "is_on IN (0, 1)"),
        check("webhook_off_reason", "off_reason IN ('asked', 'gone', 'failing')"),
        check("webhook_off", "(is_on = 0) = (off_reason IS NOT NULL)"),
        check("webhook_old_secret", "(old_secret IS NULL) = (old_secret_until_ms IS NULL)"),
    )
    create_index("webhook", "channel_id", "created_at_ms")
    create_index("webhook", "owner_id")
    create_table(
        "webhook_delivery",
        id_column(),
        text("webhook_id"),
        text("event_id"),
        text("event"),
        text("body"),
        text("state"),
        int64("attempts"),
        int64("status", nullable=True),
        text("last_error", nullable=True),
        text("response_excerpt", nullable=True),
        int64("next_at_ms", nullable=True),
        int64("created_at_ms"),
        int64("ended_at_ms", nullable=True),
        foreign("webhook_delivery", "webhook_id", "webhook", "CASCADE"),
        check("webhook_delivery_state", "state IN ('waiting', 'taken', 'failed')"),
        check("webhook_delivery_ended", "(state = 'waiting') = (ended_at_ms IS NULL)"),
        check("webhook_delivery_next", "(state = 'waiting') = (next_at_ms IS NOT NULL)"),
    )
    create_index("webhook_delivery", "webhook_id", "created_at_ms", "id")
    create_index("webhook_delivery", "created_at_ms")
    create_index("webhook_delivery", "event_id")

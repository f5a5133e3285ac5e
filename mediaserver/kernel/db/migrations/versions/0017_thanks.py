"""Messages of thanks, and which contributions people were told about."""

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
    unique,
)

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    create_table(
        "thanks",
        id_column(),
        text("channel_id"),
        text("period"),
        text("period_key"),
        text("user_id"),
        sa.Column("is_anonymous", INT64, nullable=False, server_default=sa.text("0")),
        text("message"),
        int64("created_at_ms"),
        foreign("thanks", "channel_id", "channel", "CASCADE"),
        foreign("thanks", "user_id", "user_account", "CASCADE"),
        unique("thanks", "channel_id", "user_id", "is_anonymous", "period", "period_key"),
        check("thanks_is_anonymous", "is_anonymous IN (0, 1)"),
        check("thanks_period", "period IN ('stream', 'month', 'all')"),
        check("thanks_message", "length(message) BETWEEN 1 AND 1000"),
    )
    create_index("thanks", "user_id", "created_at_ms")
    create_table(
        "gift_told",
        text("contribution_id"),
        text("recipient_id"),
        int64("told_at_ms", nullable=True),
        foreign("gift_told", "contribution_id", "contribution", "CASCADE"),
        key="contribution_id",
    )
    create_index("gift_told", "recipient_id", "told_at_ms")

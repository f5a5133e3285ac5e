"""Tokens of overlays and docks."""

import sqlalchemy as sa
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

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    create_table(
        "realtime_token",
        id_column(),
        text("channel_id"),
        text("user_id"),
        text("kind"),
        text("name"),
        text("token_digest"),
        text("secret", nullable=True),
        int64("created_at_ms"),
        int64("last_used_at_ms", nullable=True),
        int64("revoked_at_ms", nullable=True),
        foreign("realtime_token", "channel_id", "channel", "CASCADE"),
        foreign("realtime_token", "user_id", "user_account", "CASCADE"),
        unique("realtime_token", "token_digest"),
        check("realtime_token_kind", "kind IN ('overlay', 'dock')"),
        check("realtime_token_token_digest", "length(token_digest) = 64"),
        check("realtime_token_secret", "(kind = 'overlay') = (secret IS NOT NULL)"),
    )
    create_index("realtime_token", "channel_id")
    create_index("realtime_token", "user_id")
    is_overlay = sa.text("kind = 'overlay' AND revoked_at_ms IS NULL")
    op.create_index(
        "uq_realtime_token_overlay",
        "realtime_token",
        ["channel_id"],
        unique=True,
        sqlite_where=is_overlay,
        postgresql_where=is_overlay,
    )

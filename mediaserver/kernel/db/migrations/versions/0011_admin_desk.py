"""What the admin desk looks for, hidden categories, and the figures of each day."""

import sqlalchemy as sa
from alembic import op

from mediaserver.kernel.db.migrations.tables import (
    INT64,
    create_index,
    create_table,
    int64,
    text,
)

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.drop_index("ix_user_account_is_admin", "user_account")
    for name, condition in (
        ("admins", "is_admin = 1"),
        ("premium", "is_premium = 1"),
        ("banned", "banned_until_ms IS NOT NULL"),
    ):
        op.create_index(
            f"ix_user_account_{name}",
            "user_account",
            ["created_at_ms", "id"],
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )
    create_index("audit_entry", "at_ms", "sequence")
    create_index("stream", "ended_at_ms")
    create_index("session", "seen_at_ms")
    create_index("schedule_entry", "category_id")
    kind = INT64.compile(dialect=op.get_bind().dialect)
    # By hand: SQLite takes constraints with a new column only in its line.
    op.execute(
        f"ALTER TABLE category ADD COLUMN is_hidden {kind} DEFAULT 0 NOT NULL "
        "CONSTRAINT ck_category_is_hidden CHECK (is_hidden IN (0, 1))"
    )
    create_table("daily_figure", int64("day"), text("name"), int64("value"), key=("day", "name"))

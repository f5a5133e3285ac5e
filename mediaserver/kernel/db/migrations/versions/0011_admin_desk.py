"""What the admin desk looks for among accounts."""

import sqlalchemy as sa
from alembic import op

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

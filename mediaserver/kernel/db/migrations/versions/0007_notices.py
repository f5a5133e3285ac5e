"""Notices in the site, and what somebody wants to be told how."""

from mediaserver.kernel.db.migrations.tables import (
    check,
    create_index,
    create_table,
    foreign,
    id_column,
    int64,
    text,
)

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    create_table(
        "notice",
        id_column(),
        text("user_id"),
        text("topic"),
        text("title"),
        text("body"),
        text("path"),
        int64("created_at_ms"),
        int64("read_at_ms", nullable=True),
        foreign("notice", "user_id", "user_account", "CASCADE"),
    )
    create_index("notice", "user_id", "created_at_ms", "id")
    create_index("notice", "created_at_ms")
    create_table(
        "notice_choice",
        text("user_id"),
        text("topic"),
        int64("by_mail"),
        foreign("notice_choice", "user_id", "user_account", "CASCADE"),
        check("notice_choice_by_mail", "by_mail IN (0, 1)"),
        key=("user_id", "topic"),
    )

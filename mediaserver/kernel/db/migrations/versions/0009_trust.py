"""Reports with evidence, warnings, bans, appeals."""

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

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    _reports()
    _sanctions()
    create_index("chat_event", "at_ms")
    create_index("moderation_action", "at_ms")


def _reports() -> None:
    create_table(
        "report",
        id_column(),
        text("reporter_id", nullable=True),
        text("kind"),
        text("target_id"),
        text("target"),
        text("channel_id", nullable=True),
        text("owner_id", nullable=True),
        text("reason"),
        text("text"),
        text("state"),
        text("assignee_id", nullable=True),
        text("outcome", nullable=True),
        text("outcome_text"),
        int64("created_at_ms"),
        int64("decided_at_ms", nullable=True),
        text("decided_by_id", nullable=True),
        foreign("report", "reporter_id", "user_account", "SET NULL"),
        foreign("report", "channel_id", "channel", "SET NULL"),
        foreign("report", "owner_id", "user_account", "SET NULL"),
        foreign("report", "assignee_id", "user_account", "SET NULL"),
        foreign("report", "decided_by_id", "user_account", "SET NULL"),
        check("report_state", "state IN ('new', 'assigned', 'decided')"),
        check("report_decided", "(state = 'decided') = (outcome IS NOT NULL)"),
        check("report_decided_at", "(state = 'decided') = (decided_at_ms IS NOT NULL)"),
    )
    create_index("report", "state", "created_at_ms", "id")
    create_index("report", "created_at_ms", "id")
    create_index("report", "reporter_id", "created_at_ms", "id")
    create_index("report", "owner_id", "created_at_ms", "id")
    create_table(
        "report_evidence",
        text("report_id"),
        text("facts"),
        text("chat"),
        sa.Column("has_picture", INT64, nullable=False, server_default=sa.text("0")),
        int64("delete_at_ms", nullable=True),
        check("report_evidence_has_picture", "has_picture IN (0, 1)"),
        foreign("report_evidence", "report_id", "report", "CASCADE"),
        key="report_id",
    )
    create_index("report_evidence", "delete_at_ms")


def _sanctions() -> None:
    create_table(
        "warning",
        id_column(),
        text("user_id"),
        text("reason"),
        text("text"),
        text("report_id", nullable=True),
        text("given_by_id", nullable=True),
        int64("given_at_ms"),
        foreign("warning", "user_id", "user_account", "CASCADE"),
        foreign("warning", "report_id", "report", "SET NULL"),
        foreign("warning", "given_by_id", "user_account", "SET NULL"),
    )
    create_index("warning", "user_id", "given_at_ms", "id")
    create_table(
        "ban",
        id_column(),
        text("user_id"),
        text("reason"),
        text("text"),
        int64("from_ms"),
        int64("until_ms", nullable=True),
        text("report_id", nullable=True),
        text("given_by_id", nullable=True),
        int64("lifted_at_ms", nullable=True),
        text("lifted_by_id", nullable=True),
        foreign("ban", "user_id", "user_account", "CASCADE"),
        foreign("ban", "report_id", "report", "SET NULL"),
        foreign("ban", "given_by_id", "user_account", "SET NULL"),
        foreign("ban", "lifted_by_id", "user_account", "SET NULL"),
        check("ban_until", "until_ms > from_ms"),
        check("ban_lifted_by", "lifted_by_id IS NULL OR lifted_at_ms IS NOT NULL"),
    )
    create_index("ban", "user_id", "from_ms", "id")
    op.create_index(
        "uq_ban_standing",
        "ban",
        ["user_id"],
        unique=True,
        sqlite_where=sa.text("lifted_at_ms IS NULL"),
        postgresql_where=sa.text("lifted_at_ms IS NULL"),
    )
    create_table(
        "appeal",
        id_column(),
        text("ban_id"),
        text("user_id"),
        text("text"),
        text("state"),
        text("answer"),
        int64("created_at_ms"),
        int64("decided_at_ms", nullable=True),
        text("decided_by_id", nullable=True),
        unique("appeal", "ban_id"),
        foreign("appeal", "ban_id", "ban", "CASCADE"),
        foreign("appeal", "user_id", "user_account", "CASCADE"),
        foreign("appeal", "decided_by_id", "user_account", "SET NULL"),
        check("appeal_state", "state IN ('open', 'accepted', 'refused')"),
        check("appeal_decided", "(state = 'open') = (decided_at_ms IS NULL)"),
    )
    create_index("appeal", "state", "created_at_ms", "id")

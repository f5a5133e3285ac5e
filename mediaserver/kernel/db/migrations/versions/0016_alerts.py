"""Alerts, goals and what is shown of contributions."""

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

revision = "0016"
down_revision = "0015"


def flag(name: str, default: int = 0) -> sa.Column[int]:
    return sa.Column(name, INT64, nullable=False, server_default=sa.text(str(default)))


def upgrade() -> None:
    _looks()
    create_table(
        "alert",
        text("contribution_id"),
        text("channel_id"),
        text("line_id", nullable=True),
        flag("hides_message"),
        int64("turn"),
        int64("queued_at_ms", nullable=True),
        int64("shown_at_ms", nullable=True),
        int64("kept_until_ms", nullable=True),
        text("decided_by_id", nullable=True),
        int64("decided_at_ms", nullable=True),
        foreign("alert", "contribution_id", "contribution", "CASCADE"),
        foreign("alert", "channel_id", "channel", "CASCADE"),
        foreign("alert", "decided_by_id", "user_account", "SET NULL"),
        check("alert_hides_message", "hides_message IN (0, 1)"),
        key="contribution_id",
    )
    create_index("alert", "channel_id", "queued_at_ms")
    op.create_index("ix_alert_kept", "alert", ["channel_id", "kept_until_ms"])
    create_table("tip_scale", text("currency"), int64("tip_minor_min"), key="currency")
    create_table(
        "goal",
        text("channel_id"),
        text("title"),
        int64("target_minor"),
        int64("start_minor"),
        text("currency"),
        int64("since_ms"),
        int64("ends_at_ms", nullable=True),
        foreign("goal", "channel_id", "channel", "CASCADE"),
        check("goal_target", "target_minor BETWEEN 1 AND 1000000000000"),
        check("goal_start", "start_minor BETWEEN 0 AND 1000000000000"),
        check("goal_title", "length(title) <= 80"),
        key="channel_id",
    )
    create_table(
        "tip_board",
        text("channel_id"),
        flag("is_public", 1),
        text("period"),
        int64("rows"),
        flag("shows_amounts", 1),
        foreign("tip_board", "channel_id", "channel", "CASCADE"),
        check("tip_board_is_public", "is_public IN (0, 1)"),
        check("tip_board_shows_amounts", "shows_amounts IN (0, 1)"),
        check("tip_board_period", "period IN ('stream', 'month', 'all')"),
        check("tip_board_rows", "rows BETWEEN 1 AND 30"),
        key="channel_id",
    )


def _looks() -> None:
    create_table(
        "alert_rules",
        text("channel_id"),
        flag("is_on", 1),
        flag("approves_first"),
        int64("amount_minor_min"),
        int64("gap_ms"),
        foreign("alert_rules", "channel_id", "channel", "CASCADE"),
        check("alert_rules_is_on", "is_on IN (0, 1)"),
        check("alert_rules_approves_first", "approves_first IN (0, 1)"),
        check("alert_rules_amount_minor_min", "amount_minor_min >= 0"),
        check("alert_rules_gap", "gap_ms BETWEEN 0 AND 60000"),
        key="channel_id",
    )
    create_table(
        "alert_look",
        id_column(),
        text("channel_id"),
        int64("amount_minor_min"),
        text("template"),
        text("picture"),
        text("picture_id", nullable=True),
        text("sound"),
        int64("volume"),
        int64("duration_ms"),
        text("animation"),
        text("layout"),
        int64("size_px"),
        text("colour"),
        text("name_colour"),
        foreign("alert_look", "channel_id", "channel", "CASCADE"),
        unique("alert_look", "channel_id", "amount_minor_min"),
        check("alert_look_amount_minor_min", "amount_minor_min >= 0"),
        check("alert_look_volume", "volume BETWEEN 0 AND 100"),
        check("alert_look_duration", "duration_ms BETWEEN 2000 AND 30000"),
        check("alert_look_picture", "(picture = 'own') = (picture_id IS NOT NULL)"),
    )

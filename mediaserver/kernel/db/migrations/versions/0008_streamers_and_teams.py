"""Policies and their acceptance, verification of streamers with documents, teams."""

from mediaserver.kernel.db.migrations.tables import (
    check,
    create_table,
    foreign,
    id_column,
    int64,
    text,
    unique,
)

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    _policies()


def _policies() -> None:
    create_table(
        "policy",
        id_column(),
        text("kind"),
        int64("version"),
        text("title"),
        text("body"),
        int64("published_at_ms"),
        text("author_id", nullable=True),
        foreign("policy", "author_id", "user_account", "SET NULL"),
        unique("policy", "kind", "version"),
        check("policy_kind", "kind IN ('streamers', 'content')"),
        check("policy_version", "version >= 1"),
    )
    create_table(
        "policy_acceptance",
        text("user_id"),
        text("policy_id"),
        int64("accepted_at_ms"),
        text("address"),
        foreign("policy_acceptance", "user_id", "user_account", "CASCADE"),
        foreign("policy_acceptance", "policy_id", "policy", "RESTRICT"),
        key=("user_id", "policy_id"),
    )

"""Policies and their acceptance, verification of streamers with documents, teams."""

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

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    _policies()
    _verification()
    _teams()


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


def _verification() -> None:
    int_type = "BIGINT" if op.get_bind().dialect.name == "postgresql" else "INTEGER"
    # By hand: SQLite takes constraints with a new column only in its line.
    op.execute(
        f"ALTER TABLE user_account ADD COLUMN is_verified {int_type} DEFAULT 0 NOT NULL "
        "CONSTRAINT ck_user_account_is_verified CHECK (is_verified IN (0, 1))"
    )
    create_table(
        "verification",
        id_column(),
        text("user_id"),
        text("legal_name"),
        text("note"),
        text("state"),
        int64("submitted_at_ms"),
        int64("decided_at_ms", nullable=True),
        text("decided_by", nullable=True),
        text("reason"),
        foreign("verification", "user_id", "user_account", "CASCADE"),
        foreign("verification", "decided_by", "user_account", "SET NULL"),
        check("verification_state", "state IN ('submitted', 'approved', 'rejected')"),
        check("verification_decided", "(state = 'submitted') = (decided_at_ms IS NULL)"),
    )
    create_index("verification", "user_id", "submitted_at_ms", "id")
    create_index("verification", "state", "submitted_at_ms", "id")
    create_index("verification", "decided_by")
    create_table(
        "document",
        id_column(),
        text("user_id"),
        text("verification_id", nullable=True),
        text("kind"),
        int64("bytes"),
        text("digest"),
        int64("created_at_ms"),
        int64("deleted_at_ms", nullable=True),
        foreign("document", "user_id", "user_account", "CASCADE"),
        foreign("document", "verification_id", "verification", "CASCADE"),
        check("document_kind", "kind IN ('pdf', 'picture')"),
        check("document_digest", "length(digest) = 64"),
    )
    create_index("document", "user_id")
    create_index("document", "verification_id")
    create_index("document", "deleted_at_ms", "created_at_ms")


def _teams() -> None:
    create_table(
        "team",
        id_column(),
        text("slug"),
        text("name"),
        text("about"),
        text("owner_id"),
        int64("created_at_ms"),
        foreign("team", "owner_id", "user_account", "CASCADE"),
        unique("team", "slug"),
        check("team_slug_lower", "slug = lower(slug)"),
        check("team_slug_length", "length(slug) BETWEEN 3 AND 30"),
        check("team_name_length", "length(name) BETWEEN 1 AND 60"),
    )
    create_index("team", "owner_id")
    create_table(
        "team_member",
        text("team_id"),
        text("channel_id"),
        text("role"),
        int64("joined_at_ms"),
        foreign("team_member", "team_id", "team", "CASCADE"),
        foreign("team_member", "channel_id", "channel", "CASCADE"),
        check("team_member_role", "role IN ('owner', 'member')"),
        key=("team_id", "channel_id"),
    )
    create_index("team_member", "channel_id")
    create_table(
        "team_invitation",
        text("team_id"),
        text("channel_id"),
        text("invited_by", nullable=True),
        int64("created_at_ms"),
        foreign("team_invitation", "team_id", "team", "CASCADE"),
        foreign("team_invitation", "channel_id", "channel", "CASCADE"),
        foreign("team_invitation", "invited_by", "user_account", "SET NULL"),
        key=("team_id", "channel_id"),
    )
    create_index("team_invitation", "channel_id")
    create_index("team_invitation", "invited_by")

"""Registrations and codes, bans and premium, second factors, personal tokens, profiles."""

import sqlalchemy as sa
from alembic import op

from mediaserver.kernel import texts
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

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    int_type = "BIGINT" if op.get_bind().dialect.name == "postgresql" else "INTEGER"
    # By hand: SQLite takes constraints with a new column only in its line.
    op.execute(
        f"ALTER TABLE user_account ADD COLUMN is_premium {int_type} DEFAULT 0 NOT NULL "
        "CONSTRAINT ck_user_account_is_premium CHECK (is_premium IN (0, 1))"
    )
    op.execute(f"ALTER TABLE user_account ADD COLUMN banned_until_ms {int_type}")
    op.execute(f"ALTER TABLE session ADD COLUMN confirmed_at_ms {int_type} DEFAULT 0 NOT NULL")
    op.execute("UPDATE session SET confirmed_at_ms = created_at_ms")
    op.execute(f"ALTER TABLE token_family ADD COLUMN confirmed_at_ms {int_type} DEFAULT 0 NOT NULL")
    op.execute(f"ALTER TABLE token_family ADD COLUMN seen_at_ms {int_type} DEFAULT 0 NOT NULL")
    op.execute("UPDATE token_family SET seen_at_ms = created_at_ms")
    for name in ("address", "user_agent"):
        op.execute(f"ALTER TABLE token_family ADD COLUMN {name} TEXT DEFAULT '' NOT NULL")
    op.execute("ALTER TABLE user_account ADD COLUMN name_skeleton TEXT DEFAULT '' NOT NULL")
    _fill_skeletons()
    create_index("user_account", "name_skeleton")
    create_index("user_account", "created_at_ms", "id")
    op.create_index(
        "ix_user_account_is_admin",
        "user_account",
        ["is_admin"],
        sqlite_where=sa.text("is_admin = 1"),
        postgresql_where=sa.text("is_admin = 1"),
    )
    create_table(
        "registration",
        id_column(),
        text("username"),
        text("email"),
        text("password_hash"),
        int64("created_at_ms"),
        int64("expires_at_ms"),
        unique("registration", "username"),
        check("registration_username_lower", "username = lower(username)"),
        check("registration_email_lower", "email = lower(email)"),
    )
    create_index("registration", "expires_at_ms")
    create_table(
        "one_time_code",
        id_column(),
        text("purpose"),
        text("subject_id", nullable=True),
        text("email"),
        text("code_mac"),
        int64("tries"),
        int64("created_at_ms"),
        int64("expires_at_ms"),
        int64("used_at_ms", nullable=True),
        check("one_time_code_tries", "tries >= 0"),
        check("one_time_code_purpose", "purpose IN ('register', 'reset_password', 'change_email')"),
    )
    create_index("one_time_code", "subject_id")
    create_index("one_time_code", "expires_at_ms")
    create_table(
        "totp",
        text("user_id"),
        text("secret"),
        int64("created_at_ms"),
        int64("confirmed_at_ms", nullable=True),
        int64("last_step"),
        foreign("totp", "user_id", "user_account", "CASCADE"),
        key="user_id",
    )
    create_table(
        "recovery_code",
        id_column(),
        text("user_id"),
        text("code_mac"),
        int64("used_at_ms", nullable=True),
        foreign("recovery_code", "user_id", "user_account", "CASCADE"),
    )
    create_index("recovery_code", "user_id")
    create_table(
        "personal_token",
        id_column(),
        text("user_id"),
        text("name"),
        text("scopes"),
        text("token_digest"),
        text("hint"),
        int64("created_at_ms"),
        int64("last_used_at_ms", nullable=True),
        int64("expires_at_ms", nullable=True),
        int64("revoked_at_ms", nullable=True),
        foreign("personal_token", "user_id", "user_account", "CASCADE"),
        unique("personal_token", "token_digest"),
        check("personal_token_token_digest", "length(token_digest) = 64"),
    )
    create_index("personal_token", "user_id")
    create_table(
        "retired_name",
        text("kind"),
        text("name"),
        int64("retired_at_ms"),
        check("retired_name_kind", "kind IN ('user', 'channel')"),
        key=("kind", "name"),
    )
    create_index("retired_name", "retired_at_ms")
    create_table(
        "barred_email",
        text("email_mac"),
        int64("until_ms"),
        check("barred_email_email_mac", "length(email_mac) = 64"),
        key="email_mac",
    )
    create_index("barred_email", "until_ms")
    create_table(
        "profile",
        text("user_id"),
        text("about"),
        text("links"),
        text("avatar", nullable=True),
        int64("updated_at_ms"),
        foreign("profile", "user_id", "user_account", "CASCADE"),
        check("profile_about", "length(about) <= 1000"),
        key="user_id",
    )


def _fill_skeletons() -> None:
    users = sa.table(
        "user_account", sa.column("id"), sa.column("username"), sa.column("name_skeleton")
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(users.c.id, users.c.username)).all():
        values = {"name_skeleton": texts.skeleton(row.username)}
        connection.execute(sa.update(users).where(users.c.id == row.id).values(values))

"""Accounts, sessions, tokens, throttles, channels, stream keys and streams."""

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

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_table("site_value", text("key"), text("value"), int64("updated_at_ms"), key="key")
    create_table(
        "throttle",
        text("key"),
        int64("empty_at_ms"),
        check("throttle_empty_at", "empty_at_ms >= 0"),
        key="key",
    )
    create_table(
        "user_account",
        id_column(),
        text("username"),
        text("email"),
        text("password_hash"),
        int64("is_admin"),
        int64("created_at_ms"),
        unique("user_account", "username"),
        unique("user_account", "email"),
        check("user_account_username_lower", "username = lower(username)"),
        check("user_account_username_length", "length(username) BETWEEN 3 AND 24"),
        check("user_account_email_lower", "email = lower(email)"),
        check("user_account_is_admin", "is_admin IN (0, 1)"),
    )
    create_table(
        "session",
        id_column(),
        text("user_id"),
        text("token_digest"),
        text("address"),
        text("user_agent"),
        int64("created_at_ms"),
        int64("seen_at_ms"),
        int64("expires_at_ms"),
        foreign("session", "user_id", "user_account", "CASCADE"),
        unique("session", "token_digest"),
        check("session_token_digest", "length(token_digest) = 64"),
        check("session_expires_at", "expires_at_ms > created_at_ms"),
    )
    create_index("session", "user_id")
    create_table(
        "token_family",
        id_column(),
        text("user_id"),
        int64("created_at_ms"),
        int64("expires_at_ms"),
        int64("revoked_at_ms", nullable=True),
        foreign("token_family", "user_id", "user_account", "CASCADE"),
    )
    create_index("token_family", "user_id")
    create_table(
        "refresh_token",
        id_column(),
        text("family_id"),
        text("token_digest"),
        int64("created_at_ms"),
        int64("used_at_ms", nullable=True),
        foreign("refresh_token", "family_id", "token_family", "CASCADE"),
        unique("refresh_token", "token_digest"),
        check("refresh_token_token_digest", "length(token_digest) = 64"),
    )
    create_index("refresh_token", "family_id")
    create_table(
        "channel",
        id_column(),
        text("slug"),
        text("name"),
        text("title"),
        text("description"),
        text("owner_id"),
        int64("created_at_ms"),
        int64("updated_at_ms"),
        foreign("channel", "owner_id", "user_account", "RESTRICT"),
        unique("channel", "slug"),
        check("channel_slug_lower", "slug = lower(slug)"),
        check("channel_slug_length", "length(slug) BETWEEN 3 AND 30"),
        check("channel_name_length", "length(name) BETWEEN 1 AND 60"),
    )
    create_index("channel", "owner_id")
    create_table(
        "stream_key",
        id_column(),
        text("channel_id"),
        text("name"),
        text("key_digest"),
        text("hint"),
        int64("created_at_ms"),
        int64("last_used_at_ms", nullable=True),
        int64("revoked_at_ms", nullable=True),
        foreign("stream_key", "channel_id", "channel", "CASCADE"),
        unique("stream_key", "key_digest"),
        check("stream_key_key_digest", "length(key_digest) = 64"),
        check("stream_key_hint", "length(hint) = 4"),
    )
    create_index("stream_key", "channel_id")
    create_table(
        "stream",
        id_column(),
        text("channel_id"),
        text("stream_key_id", nullable=True),
        text("title"),
        int64("started_at_ms"),
        int64("live_at_ms", nullable=True),
        int64("ended_at_ms", nullable=True),
        text("end_reason", nullable=True),
        foreign("stream", "channel_id", "channel", "CASCADE"),
        foreign("stream", "stream_key_id", "stream_key", "SET NULL"),
        check("stream_ended", "(ended_at_ms IS NULL) = (end_reason IS NULL)"),
    )
    create_index("stream", "channel_id")
    op.create_index(
        "uq_stream_open",
        "stream",
        ["channel_id"],
        unique=True,
        sqlite_where=sa.text("ended_at_ms IS NULL"),
        postgresql_where=sa.text("ended_at_ms IS NULL"),
    )

"""Accounts, sessions, tokens, throttles, channels, stream keys and streams."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.Text, nullable=False)


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _int(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, _INT64, nullable=nullable)


def _table(name: str, *items: Any, key: str = "id") -> None:
    op.create_table(
        name, *items, sa.PrimaryKeyConstraint(key, name=f"pk_{name}"), sqlite_strict=True
    )


def _unique(table: str, column: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(column, name=f"uq_{table}_{column}")


def _check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{name}"))


def _foreign(table: str, column: str, target: str, on_delete: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete=on_delete
    )


def _index(table: str, column: str) -> None:
    op.create_index(f"ix_{table}_{column}", table, [column])


def upgrade() -> None:
    _table("site_value", _text("key"), _text("value"), _int("updated_at_ms"), key="key")
    _table(
        "throttle",
        _text("key"),
        _int("empty_at_ms"),
        _check("throttle_empty_at", "empty_at_ms >= 0"),
        key="key",
    )
    _table(
        "user_account",
        _id(),
        _text("username"),
        _text("email"),
        _text("password_hash"),
        _int("is_admin"),
        _int("created_at_ms"),
        _unique("user_account", "username"),
        _unique("user_account", "email"),
        _check("user_account_username_lower", "username = lower(username)"),
        _check("user_account_username_length", "length(username) BETWEEN 3 AND 24"),
        _check("user_account_email_lower", "email = lower(email)"),
        _check("user_account_is_admin", "is_admin IN (0, 1)"),
    )
    _table(
        "session",
        _id(),
        _text("user_id"),
        _text("token_digest"),
        _text("address"),
        _text("user_agent"),
        _int("created_at_ms"),
        _int("seen_at_ms"),
        _int("expires_at_ms"),
        _foreign("session", "user_id", "user_account", "CASCADE"),
        _unique("session", "token_digest"),
        _check("session_token_digest", "length(token_digest) = 64"),
        _check("session_expires_at", "expires_at_ms > created_at_ms"),
    )
    _index("session", "user_id")
    _table(
        "token_family",
        _id(),
        _text("user_id"),
        _int("created_at_ms"),
        _int("expires_at_ms"),
        _int("revoked_at_ms", nullable=True),
        _foreign("token_family", "user_id", "user_account", "CASCADE"),
    )
    _index("token_family", "user_id")
    _table(
        "refresh_token",
        _id(),
        _text("family_id"),
        _text("token_digest"),
        _int("created_at_ms"),
        _int("used_at_ms", nullable=True),
        _foreign("refresh_token", "family_id", "token_family", "CASCADE"),
        _unique("refresh_token", "token_digest"),
        _check("refresh_token_token_digest", "length(token_digest) = 64"),
    )
    _index("refresh_token", "family_id")
    _table(
        "channel",
        _id(),
        _text("slug"),
        _text("name"),
        _text("title"),
        _text("description"),
        _text("owner_id"),
        _int("created_at_ms"),
        _int("updated_at_ms"),
        _foreign("channel", "owner_id", "user_account", "RESTRICT"),
        _unique("channel", "slug"),
        _check("channel_slug_lower", "slug = lower(slug)"),
        _check("channel_slug_length", "length(slug) BETWEEN 3 AND 30"),
        _check("channel_name_length", "length(name) BETWEEN 1 AND 60"),
    )
    _index("channel", "owner_id")
    _table(
        "stream_key",
        _id(),
        _text("channel_id"),
        _text("name"),
        _text("key_digest"),
        _text("hint"),
        _int("created_at_ms"),
        _int("last_used_at_ms", nullable=True),
        _int("revoked_at_ms", nullable=True),
        _foreign("stream_key", "channel_id", "channel", "CASCADE"),
        _unique("stream_key", "key_digest"),
        _check("stream_key_key_digest", "length(key_digest) = 64"),
        _check("stream_key_hint", "length(hint) = 4"),
    )
    _index("stream_key", "channel_id")
    _table(
        "stream",
        _id(),
        _text("channel_id"),
        _text("stream_key_id", nullable=True),
        _text("title"),
        _int("started_at_ms"),
        _int("live_at_ms", nullable=True),
        _int("ended_at_ms", nullable=True),
        _text("end_reason", nullable=True),
        _foreign("stream", "channel_id", "channel", "CASCADE"),
        _foreign("stream", "stream_key_id", "stream_key", "SET NULL"),
        _check("stream_ended", "(ended_at_ms IS NULL) = (end_reason IS NULL)"),
    )
    _index("stream", "channel_id")
    op.create_index(
        "uq_stream_open",
        "stream",
        ["channel_id"],
        unique=True,
        sqlite_where=sa.text("ended_at_ms IS NULL"),
        postgresql_where=sa.text("ended_at_ms IS NULL"),
    )

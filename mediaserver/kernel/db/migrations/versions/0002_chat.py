"""Chat, moderation and emotes."""

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

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    create_table(
        "channel_moderator",
        text("channel_id"),
        text("user_id"),
        text("added_by_id", nullable=True),
        int64("added_at_ms"),
        foreign("channel_moderator", "channel_id", "channel", "CASCADE"),
        foreign("channel_moderator", "user_id", "user_account", "CASCADE"),
        foreign("channel_moderator", "added_by_id", "user_account", "SET NULL"),
        key=("channel_id", "user_id"),
    )
    create_index("channel_moderator", "user_id")
    create_table(
        "restriction",
        text("channel_id"),
        text("user_id"),
        text("kind"),
        text("reason"),
        text("made_by_id", nullable=True),
        int64("made_at_ms"),
        int64("until_ms", nullable=True),
        foreign("restriction", "channel_id", "channel", "CASCADE"),
        foreign("restriction", "user_id", "user_account", "CASCADE"),
        foreign("restriction", "made_by_id", "user_account", "SET NULL"),
        check("restriction_kind", "kind IN ('ban', 'timeout')"),
        check("restriction_until", "(kind = 'ban') = (until_ms IS NULL)"),
        check("restriction_reason", "length(reason) <= 200"),
        key=("channel_id", "user_id"),
    )
    create_index("restriction", "user_id")
    create_table(
        "chat_rules",
        text("channel_id"),
        int64("slow_s"),
        int64("followers_min", nullable=True),
        int64("account_age_min"),
        int64("emote_only"),
        int64("unique_lines"),
        text("links"),
        int64("lockdown"),
        foreign("chat_rules", "channel_id", "channel", "CASCADE"),
        check("chat_rules_slow", "slow_s BETWEEN 0 AND 3600"),
        check("chat_rules_followers", "followers_min BETWEEN 0 AND 525600"),
        check("chat_rules_account_age", "account_age_min BETWEEN 0 AND 525600"),
        check("chat_rules_emote_only", "emote_only IN (0, 1)"),
        check("chat_rules_unique", "unique_lines IN (0, 1)"),
        check("chat_rules_links", "links IN ('all', 'moderators')"),
        check("chat_rules_lockdown", "lockdown IN (0, 1)"),
        key="channel_id",
    )
    create_table(
        "blocked_word",
        text("channel_id"),
        text("folded"),
        text("word"),
        text("added_by_id", nullable=True),
        int64("added_at_ms"),
        foreign("blocked_word", "channel_id", "channel", "CASCADE"),
        foreign("blocked_word", "added_by_id", "user_account", "SET NULL"),
        check("blocked_word_folded", "length(folded) BETWEEN 1 AND 100"),
        key=("channel_id", "folded"),
    )
    create_table(
        "moderation_action",
        id_column(),
        text("channel_id"),
        int64("sequence"),
        text("actor_id", nullable=True),
        text("action"),
        text("target_id", nullable=True),
        text("detail"),
        int64("at_ms"),
        foreign("moderation_action", "channel_id", "channel", "CASCADE"),
        foreign("moderation_action", "actor_id", "user_account", "SET NULL"),
        foreign("moderation_action", "target_id", "user_account", "SET NULL"),
        unique("moderation_action", "channel_id", "sequence"),
        check("moderation_action_sequence", "sequence >= 1"),
        check("moderation_action_detail", "length(detail) <= 600"),
    )
    create_table(
        "chat_event",
        text("channel_id"),
        int64("sequence"),
        text("id"),
        text("kind"),
        int64("at_ms"),
        text("user_id", nullable=True),
        text("role", nullable=True),
        text("stream_id", nullable=True),
        text("text"),
        text("reply_to_id", nullable=True),
        text("data"),
        text("nonce", nullable=True),
        int64("removed_at_ms", nullable=True),
        text("removed_by_id", nullable=True),
        unique("chat_event", "id"),
        sa.UniqueConstraint("channel_id", "user_id", "nonce", name="uq_chat_event_nonce"),
        foreign("chat_event", "channel_id", "channel", "CASCADE"),
        foreign("chat_event", "user_id", "user_account", "SET NULL"),
        foreign("chat_event", "stream_id", "stream", "SET NULL"),
        foreign("chat_event", "removed_by_id", "user_account", "SET NULL"),
        check("chat_event_sequence", "sequence >= 1"),
        check(
            "chat_event_kind",
            "kind IN ('message', 'announcement', 'notice', 'removed', 'pinned', 'unpinned', "
            "'rules', 'emotes', 'cleared')",
        ),
        check("chat_event_role", "role IN ('viewer', 'moderator', 'owner', 'admin')"),
        check("chat_event_text", "length(text) <= 500"),
        check("chat_event_nonce", "length(nonce) BETWEEN 1 AND 64"),
        key=("channel_id", "sequence"),
    )
    op.create_index(
        "ix_chat_event_author", "chat_event", ["user_id", "channel_id", "sequence"], unique=False
    )
    create_table(
        "chat_room",
        text("channel_id"),
        int64("sequence"),
        int64("cleared_sequence"),
        text("pinned_id", nullable=True),
        foreign("chat_room", "channel_id", "channel", "CASCADE"),
        sa.ForeignKeyConstraint(
            ["pinned_id"], ["chat_event.id"], name="fk_chat_room_pinned_id", ondelete="SET NULL"
        ),
        check("chat_room_sequence", "sequence >= 0"),
        check("chat_room_cleared", "cleared_sequence BETWEEN 0 AND sequence"),
        key="channel_id",
    )
    create_table(
        "emote",
        id_column(),
        text("channel_id", nullable=True),
        text("code"),
        int64("width"),
        int64("height"),
        int64("animated"),
        text("added_by_id", nullable=True),
        int64("added_at_ms"),
        unique("emote", "channel_id", "code"),
        foreign("emote", "channel_id", "channel", "CASCADE"),
        foreign("emote", "added_by_id", "user_account", "SET NULL"),
        check("emote_code_length", "length(code) BETWEEN 2 AND 24"),
        check("emote_code_lower", "code = lower(code)"),
        check("emote_width", "width BETWEEN 1 AND 112"),
        check("emote_height", "height BETWEEN 1 AND 112"),
        check("emote_animated", "animated IN (0, 1)"),
    )
    op.create_index(
        "uq_emote_site",
        "emote",
        ["code"],
        unique=True,
        sqlite_where=sa.text("channel_id IS NULL"),
        postgresql_where=sa.text("channel_id IS NULL"),
    )

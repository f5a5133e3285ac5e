"""What a stream is about, planned streams, schedules, categories and follows."""

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

revision = "0003"
down_revision = "0002"

_CATEGORIES = (
    ("just-chatting", "Just chatting", "messages-square"),
    ("games", "Games", "gamepad-2"),
    ("board-games", "Board games", "dices"),
    ("music", "Music", "music"),
    ("radio", "Radio", "radio"),
    ("art", "Art", "palette"),
    ("crafts", "Crafts", "hammer"),
    ("software", "Software", "code"),
    ("science", "Science", "flask-conical"),
    ("learning", "Learning", "graduation-cap"),
    ("talk", "Talk and podcasts", "mic"),
    ("news", "News", "newspaper"),
    ("sports", "Sports", "trophy"),
    ("fitness", "Fitness", "dumbbell"),
    ("cooking", "Cooking", "chef-hat"),
    ("outdoors", "Outdoors", "leaf"),
    ("travel", "Travel", "plane"),
    ("animals", "Animals", "paw-print"),
    ("film", "Film and series", "clapperboard"),
    ("events", "Events", "calendar"),
)


def upgrade() -> None:
    _categories()
    for table in ("channel", "stream"):
        _information(table)
    _flag("channel", "starts_automatically", default=1)
    op.execute("ALTER TABLE channel ADD COLUMN back_soon TEXT")
    _planned_streams()
    _follows()
    _schedules()


def _categories() -> None:
    create_table(
        "category",
        id_column(),
        text("slug"),
        text("name"),
        text("icon"),
        int64("position"),
        unique("category", "slug"),
    )
    op.bulk_insert(
        sa.table(
            "category",
            *(sa.column(name) for name in ("id", "slug", "name", "icon")),
            sa.column("position", INT64),
        ),
        [
            {"id": f"cat_{slug}", "slug": slug, "name": name, "icon": icon, "position": position}
            for position, (slug, name, icon) in enumerate(_CATEGORIES)
        ],
    )


def _information(table: str) -> None:
    """Columns are added by hand: SQLite takes constraints with a new column only in its line."""
    op.execute(
        f"ALTER TABLE {table} ADD COLUMN category_id TEXT CONSTRAINT fk_{table}_category_id "
        "REFERENCES category (id)"
    )
    create_index(table, "category_id")
    op.execute(f"ALTER TABLE {table} ADD COLUMN tags TEXT NOT NULL DEFAULT '[]'")
    for name in ("brand_promotion", "recorded_content", "age_restricted", "not_general"):
        _flag(table, name)
    op.execute(
        f"ALTER TABLE {table} ADD COLUMN not_general_reason TEXT NOT NULL DEFAULT '' "
        f"CONSTRAINT ck_{table}_not_general_reason "
        "CHECK ((not_general = 1) = (length(not_general_reason) > 0))"
    )


def _flag(table: str, name: str, *, default: int = 0) -> None:
    kind = INT64.compile(dialect=op.get_bind().dialect)
    op.execute(
        f"ALTER TABLE {table} ADD COLUMN {name} {kind} NOT NULL DEFAULT {default} "
        f"CONSTRAINT ck_{table}_{name} CHECK ({name} IN (0, 1))"
    )


def _planned_streams() -> None:
    """A stream may exist before its broadcast: what was the start becomes the time it was made."""
    kind = INT64.compile(dialect=op.get_bind().dialect)
    op.execute("ALTER TABLE stream RENAME COLUMN started_at_ms TO created_at_ms")
    op.execute(f"ALTER TABLE stream ADD COLUMN started_at_ms {kind}")
    op.execute(f"ALTER TABLE stream ADD COLUMN start_asked_at_ms {kind}")
    op.execute("ALTER TABLE stream ADD COLUMN broadcast_id TEXT")
    op.execute("ALTER TABLE stream ADD COLUMN description TEXT NOT NULL DEFAULT ''")
    op.execute("UPDATE stream SET started_at_ms = created_at_ms, broadcast_id = id")
    create_index("stream", "broadcast_id")
    op.drop_index("uq_stream_open", "stream")
    is_open = "ended_at_ms IS NULL AND started_at_ms IS NOT NULL"
    op.create_index(
        "uq_stream_open",
        "stream",
        ["channel_id"],
        unique=True,
        sqlite_where=sa.text(is_open),
        postgresql_where=sa.text(is_open),
    )


def _follows() -> None:
    create_table(
        "follow",
        text("user_id"),
        text("channel_id"),
        int64("followed_at_ms"),
        foreign("follow", "user_id", "user_account", "CASCADE"),
        foreign("follow", "channel_id", "channel", "CASCADE"),
        key=("user_id", "channel_id"),
    )
    create_index("follow", "channel_id")


def _schedules() -> None:
    create_table(
        "schedule_entry",
        id_column(),
        text("channel_id"),
        text("title"),
        text("category_id", nullable=True),
        int64("starts_at_ms"),
        int64("duration_min"),
        text("repeat"),
        text("time_zone"),
        int64("next_at_ms", nullable=True),
        int64("revision"),
        int64("created_at_ms"),
        int64("updated_at_ms"),
        foreign("schedule_entry", "channel_id", "channel", "CASCADE"),
        foreign("schedule_entry", "category_id", "category", "SET NULL"),
        check("schedule_entry_repeat", "repeat IN ('none', 'weekly')"),
        check("schedule_entry_duration_min", "duration_min BETWEEN 5 AND 1440"),
    )
    create_index("schedule_entry", "channel_id")
    create_index("schedule_entry", "next_at_ms")
    create_table(
        "schedule_cancellation",
        text("entry_id"),
        int64("starts_at_ms"),
        foreign("schedule_cancellation", "entry_id", "schedule_entry", "CASCADE"),
        key=("entry_id", "starts_at_ms"),
    )

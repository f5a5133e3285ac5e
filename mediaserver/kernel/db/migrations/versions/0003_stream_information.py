"""What a stream is about, planned streams, schedules, categories and follows."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

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


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _int(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, _INT64, nullable=nullable)


def _table(name: str, *items: Any, key: tuple[str, ...] = ("id",)) -> None:
    op.create_table(
        name, *items, sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"), sqlite_strict=True
    )


def _check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{name}"))


def _foreign(table: str, column: str, target: str, on_delete: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete=on_delete
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
    _table(
        "category",
        sa.Column("id", sa.Text, nullable=False),
        _text("slug"),
        _text("name"),
        _text("icon"),
        _int("position"),
        sa.UniqueConstraint("slug", name="uq_category_slug"),
    )
    op.bulk_insert(
        sa.table(
            "category",
            *(sa.column(name) for name in ("id", "slug", "name", "icon")),
            sa.column("position", _INT64),
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
    op.create_index(f"ix_{table}_category_id", table, ["category_id"])
    op.execute(f"ALTER TABLE {table} ADD COLUMN tags TEXT NOT NULL DEFAULT '[]'")
    for name in ("brand_promotion", "recorded_content", "age_restricted", "not_general"):
        _flag(table, name)
    op.execute(
        f"ALTER TABLE {table} ADD COLUMN not_general_reason TEXT NOT NULL DEFAULT '' "
        f"CONSTRAINT ck_{table}_not_general_reason "
        "CHECK ((not_general = 1) = (length(not_general_reason) > 0))"
    )


def _flag(table: str, name: str, *, default: int = 0) -> None:
    kind = _INT64.compile(dialect=op.get_bind().dialect)
    op.execute(
        f"ALTER TABLE {table} ADD COLUMN {name} {kind} NOT NULL DEFAULT {default} "
        f"CONSTRAINT ck_{table}_{name} CHECK ({name} IN (0, 1))"
    )


def _planned_streams() -> None:
    """A stream may exist before its broadcast: what was the start becomes the time it was made."""
    kind = _INT64.compile(dialect=op.get_bind().dialect)
    op.execute("ALTER TABLE stream RENAME COLUMN started_at_ms TO created_at_ms")
    op.execute(f"ALTER TABLE stream ADD COLUMN started_at_ms {kind}")
    op.execute(f"ALTER TABLE stream ADD COLUMN start_asked_at_ms {kind}")
    op.execute("ALTER TABLE stream ADD COLUMN broadcast_id TEXT")
    op.execute("ALTER TABLE stream ADD COLUMN description TEXT NOT NULL DEFAULT ''")
    op.execute("UPDATE stream SET started_at_ms = created_at_ms, broadcast_id = id")
    op.create_index("ix_stream_broadcast_id", "stream", ["broadcast_id"])
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
    _table(
        "follow",
        _text("user_id"),
        _text("channel_id"),
        _int("followed_at_ms"),
        _foreign("follow", "user_id", "user_account", "CASCADE"),
        _foreign("follow", "channel_id", "channel", "CASCADE"),
        key=("user_id", "channel_id"),
    )
    op.create_index("ix_follow_channel_id", "follow", ["channel_id"])


def _schedules() -> None:
    _table(
        "schedule_entry",
        sa.Column("id", sa.Text, nullable=False),
        _text("channel_id"),
        _text("title"),
        _text("category_id", nullable=True),
        _int("starts_at_ms"),
        _int("duration_min"),
        _text("repeat"),
        _text("time_zone"),
        _int("next_at_ms", nullable=True),
        _int("revision"),
        _int("created_at_ms"),
        _int("updated_at_ms"),
        _foreign("schedule_entry", "channel_id", "channel", "CASCADE"),
        _foreign("schedule_entry", "category_id", "category", "SET NULL"),
        _check("schedule_entry_repeat", "repeat IN ('none', 'weekly')"),
        _check("schedule_entry_duration_min", "duration_min BETWEEN 5 AND 1440"),
    )
    op.create_index("ix_schedule_entry_channel_id", "schedule_entry", ["channel_id"])
    op.create_index("ix_schedule_entry_next_at_ms", "schedule_entry", ["next_at_ms"])
    _table(
        "schedule_cancellation",
        _text("entry_id"),
        _int("starts_at_ms"),
        _foreign("schedule_cancellation", "entry_id", "schedule_entry", "CASCADE"),
        key=("entry_id", "starts_at_ms"),
    )

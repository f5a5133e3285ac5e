"""The schedule of a channel: streams that are announced, once or every week.

Owns the tables `schedule_entry` and `schedule_cancellation`.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey

from mediaserver.kernel.db.schema import Int64, identifier, int64, table, text

schedule_entry = table(
    "schedule_entry",
    identifier(),
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), index=True),
    text("title"),
    text("category_id", ForeignKey("category.id", ondelete="SET NULL"), nullable=True),
    int64("starts_at_ms"),  # the first time
    int64("duration_min"),
    text("repeat"),
    text("time_zone"),  # its clock decides when a weekly entry comes again
    Column("next_at_ms", Int64, nullable=True, index=True),  # not yet announced; null: over
    int64("revision"),
    int64("created_at_ms"),
    int64("updated_at_ms"),
    CheckConstraint("repeat IN ('none', 'weekly')", name="repeat"),
    CheckConstraint("duration_min BETWEEN 5 AND 1440", name="duration_min"),
)

schedule_cancellation = table(
    "schedule_cancellation",
    text("entry_id", ForeignKey("schedule_entry.id", ondelete="CASCADE"), primary_key=True),
    Column("starts_at_ms", Int64, primary_key=True, autoincrement=False),
)

"""Which emotes a channel has: its own and the site's. Owns the table `emote`.

The pictures themselves, and who may change them: chat/emotes.py.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Row, UniqueConstraint, or_, select
from sqlalchemy import text as sql

from mediaserver.chat.events import Emote
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import identifier, int64, table, text

emote = table(
    "emote",
    identifier(),
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), nullable=True),
    text("code"),
    int64("width"),
    int64("height"),
    int64("animated"),
    text("added_by_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    int64("added_at_ms"),
    UniqueConstraint("channel_id", "code"),
    Index(
        "uq_emote_site",
        "code",
        unique=True,
        sqlite_where=sql("channel_id IS NULL"),
        postgresql_where=sql("channel_id IS NULL"),
    ),
    CheckConstraint("length(code) BETWEEN 2 AND 24", name="code_length"),
    CheckConstraint("code = lower(code)", name="code_lower"),
    CheckConstraint("width BETWEEN 1 AND 112", name="width"),
    CheckConstraint("height BETWEEN 1 AND 112", name="height"),
    CheckConstraint("animated IN (0, 1)", name="animated"),
)


def list_emotes(tx: Transaction, channel_id: str | None) -> tuple[Emote, ...]:
    """What may be used in a channel, by code: its own hides the site's of the same code.

    None: the site's alone.
    """
    rows = tx.execute(
        select(emote).where(or_(emote.c.channel_id.is_(None), emote.c.channel_id == channel_id))
    )
    by_code: dict[str, Emote] = {}
    for row in sorted(rows, key=lambda row: row.channel_id is not None):
        by_code[row.code] = to_emote(row)
    return tuple(by_code[code] for code in sorted(by_code))


def to_emote(row: Row[Any]) -> Emote:
    return Emote(
        row.code,
        f"/emotes/{row.id}.webp",
        row.width,
        row.height,
        bool(row.animated),
        row.channel_id is not None,
    )

"""The channels of somebody, for their copy of their data and for the end of their account."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select

from mediaserver.channels.channels import ChannelDeleted, channel
from mediaserver.kernel.db import Transaction


def export(tx: Transaction, user_id: str) -> list[dict[str, Any]]:
    """What is kept of the channels that somebody owns."""
    rows = tx.execute(
        select(channel).where(channel.c.owner_id == user_id).order_by(channel.c.created_at_ms)
    )
    return [
        {
            "slug": row.slug,
            "name": row.name,
            "title": row.title,
            "description": row.description,
            "created_at_ms": row.created_at_ms,
        }
        for row in rows
    ]


def erase(tx: Transaction, user_id: str, now_ms: int) -> None:
    """Remove the channels and, with them, their keys, streams, chats and followers."""
    rows = tx.execute(select(channel.c.id, channel.c.slug).where(channel.c.owner_id == user_id))
    for row in rows.all():
        tx.execute(delete(channel).where(channel.c.id == row.id))
        tx.emit(ChannelDeleted(row.id, row.slug))

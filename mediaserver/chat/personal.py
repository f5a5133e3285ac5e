"""What chat and moderation know about a person: to take along, or to have it go.

Handed to accounts/personal_data.py by server/features.py.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from mediaserver.channels.channels import channel
from mediaserver.chat.events import LINES
from mediaserver.chat.log import chat_event
from mediaserver.kernel.db import Transaction
from mediaserver.moderation import actions_log
from mediaserver.moderation.ranks import channel_moderator
from mediaserver.moderation.restrictions import restriction


def export(tx: Transaction, user_id: str) -> dict[str, Any]:
    """Every line somebody wrote, where they moderate, and where they can't write."""
    lines = tx.execute(
        select(channel.c.slug, chat_event.c.at_ms, chat_event.c.text, chat_event.c.removed_at_ms)
        .join(channel, channel.c.id == chat_event.c.channel_id)
        .where(chat_event.c.user_id == user_id, chat_event.c.text != "")
        .order_by(chat_event.c.channel_id, chat_event.c.sequence)
    )
    moderated = tx.execute(
        select(channel.c.slug)
        .join(channel_moderator, channel_moderator.c.channel_id == channel.c.id)
        .where(channel_moderator.c.user_id == user_id)
        .order_by(channel.c.slug)
    )
    restricted = tx.execute(
        select(
            channel.c.slug,
            restriction.c.kind,
            restriction.c.reason,
            restriction.c.made_at_ms,
            restriction.c.until_ms,
        )
        .join(channel, channel.c.id == restriction.c.channel_id)
        .where(restriction.c.user_id == user_id)
        .order_by(channel.c.slug)
    )
    return {
        "lines": [
            {
                "channel": row.slug,
                "at_ms": row.at_ms,
                "text": row.text,
                "removed_at_ms": row.removed_at_ms,
            }
            for row in lines
        ],
        "moderator_of": [row.slug for row in moderated],
        "restrictions": [
            {
                "channel": row.slug,
                "kind": row.kind,
                "reason": row.reason,
                "made_at_ms": row.made_at_ms,
                "until_ms": row.until_ms,
            }
            for row in restricted
        ],
    }


def erase(tx: Transaction, user_id: str, now_ms: int) -> None:
    """Empty the lines somebody wrote: others' conversations keep their gaps, without the words. The
    log of moderators keeps what was done, without what was said.
    """
    tx.execute(
        update(chat_event)
        .where(chat_event.c.user_id == user_id, chat_event.c.kind.in_(LINES))
        .values(text="", removed_at_ms=now_ms)
    )
    actions_log.forget(tx, user_id)

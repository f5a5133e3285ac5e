"""How long the chat is kept: old events, and the moderators' log of that time, go bit by bit.

Numbers are never used again, so a page that was away that long starts anew. What is pinned stays.
Run by the jobs that server/features.py registers.
"""

from __future__ import annotations

from sqlalchemy import delete, select

from mediaserver.chat.log import chat_event, chat_room
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import ChatConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.moderation import actions_log


class Retention:
    """Deletes what is older than the setting says, which it reads each time."""

    def __init__(self, db: Database, clock: Clock, config: ChatConfig) -> None:
        self._db = db
        self._clock = clock
        self._config = config

    async def delete_old(self) -> None:
        """In small transactions, so that nobody waits to write; what is left waits for the next
        run.
        """
        if self._config.keep_days == 0:
            return
        before_ms = self._clock.wall_ms() - self._config.keep_days * limits.DAY_MS
        for delete_some in (_delete_events, actions_log.delete_before):
            for _ in range(limits.CHAT_DELETE_TURNS_MAX):
                deleted = await self._db.write(delete_some, before_ms, limits.CHAT_DELETED_AT_ONCE)
                if deleted < limits.CHAT_DELETED_AT_ONCE:
                    break


def _delete_events(tx: Transaction, before_ms: int, most: int) -> int:
    """How many there were."""
    pinned = select(chat_room.c.pinned_id).where(chat_room.c.pinned_id.is_not(None))
    old = (
        select(chat_event.c.id)
        .where(chat_event.c.at_ms < before_ms, chat_event.c.id.not_in(pinned))
        .order_by(chat_event.c.at_ms)
        .limit(most)
    )
    return tx.execute(delete(chat_event).where(chat_event.c.id.in_(old))).rowcount

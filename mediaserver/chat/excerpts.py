"""Excerpts of a channel's chat as it was, removed lines included: evidence for reports.

Reads the table that chat/log.py owns. Called by trust/evidence.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from mediaserver.accounts.users import user_account
from mediaserver.chat.events import LINES
from mediaserver.chat.log import LINE_PREFIX, chat_event
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.ids import is_id


@dataclass(frozen=True, slots=True)
class KeptLine:
    """A line with who wrote it; `username` is None when the site did, or that account is gone."""

    id: str
    channel_id: str
    sequence: int
    at_ms: int
    user_id: str | None
    username: str | None
    text: str
    is_removed: bool


def find(tx: Transaction, line_id: str) -> KeptLine | None:
    """One line, of whichever channel."""
    if not is_id(line_id, LINE_PREFIX):
        return None
    row = tx.execute(
        _select().where(chat_event.c.id == line_id, chat_event.c.kind.in_(LINES))
    ).first()
    return None if row is None else _to_line(row)


def lines_before(
    tx: Transaction,
    channel_id: str,
    *,
    since_ms: int,
    until_ms: int | None,
    upto: int | None,
    limit: int,
) -> list[KeptLine]:
    """The last `limit` lines from `since_ms` to `until_ms` with a sequence of at most `upto`,
    oldest first; None sets no end.
    """
    query = _select().where(
        chat_event.c.channel_id == channel_id,
        chat_event.c.kind.in_(LINES),
        chat_event.c.at_ms >= since_ms,
    )
    if until_ms is not None:
        query = query.where(chat_event.c.at_ms <= until_ms)
    if upto is not None:
        query = query.where(chat_event.c.sequence <= upto)
    rows = tx.execute(query.order_by(chat_event.c.sequence.desc()).limit(limit)).all()
    return [_to_line(row) for row in reversed(rows)]


def _select() -> Any:
    return select(chat_event, user_account.c.username).outerjoin(
        user_account, user_account.c.id == chat_event.c.user_id
    )


def _to_line(row: Row[Any]) -> KeptLine:
    return KeptLine(
        row.id,
        row.channel_id,
        row.sequence,
        row.at_ms,
        row.user_id,
        row.username,
        row.text,
        row.removed_at_ms is not None,
    )

"""Tippers: who has given most to a channel, and what its board of them shows. Owns `tip_board`.

What was taken back doesn't count. Whoever gave without a name stands there as "Somebody", by
themselves: never added to what they gave under their name. A guest is who they say they are, and
never the account of that name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import CheckConstraint, ForeignKey, case, func, insert, select, update

from mediaserver.accounts.users import user_account
from mediaserver.channels.streams import stream
from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import flag, int64, table, text
from mediaserver.kernel.errors import Invalid
from mediaserver.money.contributions import NOBODY, contribution

tip_board = table(
    "tip_board",
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), primary_key=True),
    flag("is_public", default=1),
    text("period"),
    int64("rows"),
    flag("shows_amounts", default=1),
    CheckConstraint("is_public IN (0, 1)", name="is_public"),
    CheckConstraint("shows_amounts IN (0, 1)", name="shows_amounts"),
    CheckConstraint("period IN ('stream', 'month', 'all')", name="period"),
    CheckConstraint("rows BETWEEN 1 AND 30", name="rows"),
)

Period = Literal["stream", "month", "all"]
PERIODS: tuple[Period, ...] = get_args(Period)


@dataclass(frozen=True, slots=True)
class Tipper:
    """Somebody and what they gave. `user_id` is for us alone; None for a guest."""

    name: str
    amount_minor: int
    user_id: str | None
    is_anonymous: bool


@dataclass(frozen=True, slots=True)
class Board:
    """What the overlay's board shows; `is_public`: whether the channel's page has one too."""

    is_public: bool = True
    period: Period = "month"
    rows: int = 5
    shows_amounts: bool = True


def top(tx: Transaction, channel_id: str, period: Period, most: int, now_ms: int) -> list[Tipper]:
    """At most `most` who gave most, by what is left of it; of two with the same, who was first.

    "stream" is the channel's stream that runs, or its last one; "month" is the calendar's, in UTC.
    """
    given = contribution
    person: Any = case(
        (given.c.sender_id.is_not(None), given.c.sender_id),
        (
            (given.c.is_anonymous == 0) & (given.c.sender_name != ""),
            "guest " + func.lower(given.c.sender_name),
        ),
        else_=given.c.id,
    )
    total: Any = func.sum(given.c.amount_minor - given.c.taken_back_minor)
    query = (
        select(
            func.max(func.coalesce(user_account.c.username, given.c.sender_name)).label("name"),
            func.max(given.c.sender_id).label("user_id"),
            given.c.is_anonymous,
            total.label("total"),
        )
        .outerjoin(user_account, user_account.c.id == given.c.sender_id)
        .where(given.c.channel_id == channel_id, given.c.paid_at_ms.is_not(None))
        .group_by(person, given.c.is_anonymous)
        .having(total > 0)
        .order_by(total.desc(), func.min(given.c.paid_at_ms), func.min(given.c.id))
        .limit(most)
    )
    if period == "stream":
        query = query.where(given.c.stream_id == _latest_stream(channel_id))
    elif period == "month":
        query = query.where(given.c.paid_at_ms >= month_of(now_ms))
    return [
        Tipper(
            NOBODY if row.is_anonymous or not row.name else row.name,
            int(row.total),
            row.user_id,
            bool(row.is_anonymous),
        )
        for row in tx.execute(query)
    ]


def month_of(now_ms: int) -> int:
    """When the calendar's month began, in UTC."""
    moment = datetime.fromtimestamp(now_ms / 1000, UTC)
    start = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return int(start.timestamp()) * 1000


def board_of(tx: Transaction, channel_id: str) -> Board:
    row = tx.execute(select(tip_board).where(tip_board.c.channel_id == channel_id)).first()
    if row is None:
        return Board()
    return Board(bool(row.is_public), row.period, row.rows, bool(row.shows_amounts))


def put_board(tx: Transaction, channel_id: str, board: Board) -> None:
    """The caller has locked the channel. Raises `Invalid`."""
    if board.period not in PERIODS:
        raise Invalid("Choose one of the list.", field="period")
    if not 1 <= board.rows <= limits.TIPPERS_MAX:
        raise Invalid(f"Use 1 to {limits.TIPPERS_MAX}.", field="rows")
    row = {
        "is_public": int(board.is_public),
        "period": board.period,
        "rows": board.rows,
        "shows_amounts": int(board.shows_amounts),
    }
    where = tip_board.c.channel_id == channel_id
    if tx.execute(update(tip_board).where(where).values(**row)).rowcount == 0:
        tx.execute(insert(tip_board).values(channel_id=channel_id, **row))


def _latest_stream(channel_id: str) -> Any:
    return (
        select(stream.c.id)
        .where(stream.c.channel_id == channel_id, stream.c.started_at_ms.is_not(None))
        .order_by(stream.c.started_at_ms.desc(), stream.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )

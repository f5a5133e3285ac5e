"""Goals: what a channel collects for, and how far it is. Owns the table `goal`, one row a channel.

It counts what was given since it began, whichever way, without what was taken back.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from sqlalchemy import CheckConstraint, ForeignKey, delete, func, insert, select, update

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import Invalid
from mediaserver.kernel.texts import checked_line
from mediaserver.money import contributions  # whose `pay` comes here: used in functions only
from mediaserver.money.currencies import checked_amount, money

goal = table(
    "goal",
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), primary_key=True),
    text("title"),
    int64("target_minor"),
    int64("start_minor"),
    text("currency"),
    int64("since_ms"),
    int64("ends_at_ms", nullable=True),
    CheckConstraint("target_minor BETWEEN 1 AND 1000000000000", name="target"),
    CheckConstraint("start_minor BETWEEN 0 AND 1000000000000", name="start"),
    CheckConstraint("length(title) <= 80", name="title"),
)


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal and how far it is. `start_minor` was there before it began."""

    title: str
    target_minor: int
    start_minor: int
    raised_minor: int
    currency: str
    since_ms: int
    ends_at_ms: int | None

    @property
    def is_reached(self) -> bool:
        return self.raised_minor >= self.target_minor

    @property
    def percent(self) -> int:
        """Whole percent, rounded down, so that 100 is only what is reached; bounded for a bar."""
        return min(999, self.raised_minor * 100 // self.target_minor)

    @property
    def sentence(self) -> str:
        """Such as "$620.00 of $1,000.00": what {goal} becomes."""
        raised, target = (
            money(amount, self.currency) for amount in (self.raised_minor, self.target_minor)
        )
        return f"{raised} of {target}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a streamer sets."""

    title: str
    target_minor: int
    start_minor: int = 0
    ends_at_ms: int | None = None


def find(tx: Transaction, channel_id: str) -> Goal | None:
    """The channel's goal as it stands; None if it has none."""
    row = tx.execute(select(goal).where(goal.c.channel_id == channel_id)).first()
    if row is None:
        return None
    contribution = contributions.contribution
    left = contribution.c.amount_minor - contribution.c.taken_back_minor
    given = select(func.coalesce(func.sum(left), 0)).where(
        contribution.c.channel_id == channel_id,
        contribution.c.paid_at_ms >= row.since_ms,
        contribution.c.currency == row.currency,
    )
    if row.ends_at_ms is not None:
        given = given.where(contribution.c.paid_at_ms < row.ends_at_ms)
    return Goal(
        row.title,
        row.target_minor,
        row.start_minor,
        row.start_minor + int(tx.execute(given).scalar_one()),
        row.currency,
        row.since_ms,
        row.ends_at_ms,
    )


def put(
    tx: Transaction, channel_id: str, plan: Plan, currency: str, now_ms: int, *, anew: bool
) -> None:
    """Set the goal; `anew` counts from now on, else from where the one before began. The caller has
    locked the channel. Raises `Invalid`.
    """
    title = checked_line(plan.title, "title", limits.GOAL_TITLE_CHARS_MAX, is_required=True)
    checked_amount(plan.target_minor, "target_minor")
    checked_amount(plan.start_minor, "start_minor", least=0)
    if plan.ends_at_ms is not None and plan.ends_at_ms <= now_ms:
        raise Invalid("Choose a day to come.", field="ends_at_ms")
    row = {**dataclasses.asdict(plan), "title": title, "currency": currency}
    since = {"since_ms": now_ms} if anew else {}
    where = goal.c.channel_id == channel_id
    if tx.execute(update(goal).where(where).values(**row, **since)).rowcount == 0:
        tx.execute(insert(goal).values(channel_id=channel_id, **row, since_ms=now_ms))


def remove(tx: Transaction, channel_id: str) -> None:
    """Nothing happens when there is none."""
    tx.execute(delete(goal).where(goal.c.channel_id == channel_id))

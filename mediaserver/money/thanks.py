"""Thanks: a streamer writes to who gave most, without ever seeing their address.

Once per giver and period (once more for what the same person gave without a name: to tell the two
apart would say who it was), in the site's name with a note from whom it is; the giver can turn such
mails off. Owns the table `thanks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from mediaserver.accounts.permissions import Action, Thing, check
from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.accounts.users import User
from mediaserver.channels import channels, oversight
from mediaserver.channels.channels import Channel
from mediaserver.channels.streams import stream
from mediaserver.chat.line_text import has_link
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import flag, identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.texts import checked_paragraphs
from mediaserver.money import tippers
from mediaserver.money.tippers import Period
from mediaserver.money.wallet import month_of
from mediaserver.notifications.notices import Topic, tell

PERIODS: dict[Period, str] = {
    "stream": "in your last stream",
    "month": "this month",
    "all": "of all time",
}
"""For the streamer, behind "the most"."""

_WHEN: dict[Period, str] = {
    "stream": "in their last stream",
    "month": "this month",
    "all": "until now",
}
"""For who is thanked."""

thanks = table(
    "thanks",
    identifier(),
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE")),
    text("period"),
    text("period_key"),
    text("user_id", ForeignKey("user_account.id", ondelete="CASCADE")),
    flag("is_anonymous"),
    text("message"),
    int64("created_at_ms"),
    UniqueConstraint("channel_id", "user_id", "is_anonymous", "period", "period_key"),
    CheckConstraint("is_anonymous IN (0, 1)", name="is_anonymous"),
    CheckConstraint("period IN ('stream', 'month', 'all')", name="period"),
    CheckConstraint("length(message) BETWEEN 1 AND 1000", name="message"),
)
Index(None, thanks.c.user_id, thanks.c.created_at_ms)

_OFTEN = Rule("thanks", limits.THANKS_BURST, limits.THANKS_INTERVAL_MS)


@dataclass(frozen=True, slots=True)
class Biggest:
    """Who gave most in a period: `name` as the streamer may see it, `amount_minor` without what was
    taken back. `thanked_at_ms`: they were thanked for this period already.
    """

    period: Period
    period_key: str
    user_id: str
    is_anonymous: bool
    name: str
    amount_minor: int
    thanked_at_ms: int | None


class Thanks:
    """Finds whom to thank, and thanks them."""

    def __init__(
        self, db: Database, clock: Clock, throttles: Throttles, letterhead: Letterhead
    ) -> None:
        self._db = db
        self._clock = clock
        self._throttles = throttles
        self._letterhead = letterhead

    async def biggest(self, actor: User, slug: str) -> list[Biggest]:
        """Who gave most: in the last stream, this month, ever; without periods in which nobody with
        an account gave anything. Raises `NotFound` or `Forbidden`.
        """
        return await self._db.read(_biggest, actor, slug, self._clock.wall_ms())

    async def send(self, actor: User, slug: str, period: Period, message: str) -> Biggest:
        """Thank who gave most in a period.

        Raises `NotFound` (nobody gave), `Forbidden`, `Invalid`, `Conflict` (thanked already) or
        `RateLimited`.
        """
        found = await self._db.read(_managed, actor, slug)
        message = checked_message(message)
        await self._throttles.charge((_OFTEN, found.id))
        return await self._db.write(
            _send, actor, slug, period, message, self._letterhead, self._clock.wall_ms()
        )


def checked_message(message: str) -> str:
    """The message as it is sent. Raises `Invalid`: also for links, which in a mail of the site's
    would look like its own.
    """
    message = checked_paragraphs(message, "message", limits.THANKS_CHARS_MAX)
    if not message:
        raise Invalid("Write a few words.", field="message")
    if has_link(message):
        raise Invalid("Links don't go into this mail.", field="message", code="links")
    return message


def _managed(tx: Transaction, actor: User, slug: str) -> Channel:
    found = channels.get(tx, slug)
    check(actor, Action.MANAGE_MONEY, Thing(found.owner_id))
    return found


def _biggest(tx: Transaction, actor: User, slug: str, now_ms: int) -> list[Biggest]:
    found = _managed(tx, actor, slug)
    of_periods = (_find(tx, found, period, now_ms) for period in PERIODS)
    return [one for one in of_periods if one is not None]


def _find(tx: Transaction, found: Channel, period: Period, now_ms: int) -> Biggest | None:
    """The first on the board who has an account: guests have left no address to thank them at."""
    period_key = _period_key(tx, found, period, now_ms)
    board = tippers.top(tx, found.id, period, limits.TIPPERS_MAX, now_ms)
    first = next((one for one in board if one.user_id is not None), None)
    if first is None or first.user_id is None:
        return None
    thanked = select(thanks.c.created_at_ms).where(
        thanks.c.channel_id == found.id,
        thanks.c.user_id == first.user_id,
        thanks.c.is_anonymous == int(first.is_anonymous),
        thanks.c.period == period,
        thanks.c.period_key == period_key,
    )
    return Biggest(
        period,
        period_key,
        first.user_id,
        first.is_anonymous,
        first.name,
        first.amount_minor,
        tx.execute(thanked).scalar(),
    )


def _period_key(tx: Transaction, found: Channel, period: Period, now_ms: int) -> str:
    """Which stream or month it is."""
    if period == "all":
        return "all"
    if period == "month":
        return month_of(now_ms)
    last = select(stream.c.id).where(
        stream.c.channel_id == found.id, stream.c.started_at_ms.is_not(None)
    )
    newest_first = last.order_by(stream.c.started_at_ms.desc(), stream.c.id.desc())
    return tx.execute(newest_first.limit(1)).scalar() or ""


def _send(
    tx: Transaction,
    actor: User,
    slug: str,
    period: Period,
    message: str,
    letterhead: Letterhead,
    now_ms: int,
) -> Biggest:
    found = _managed(tx, actor, slug)
    biggest = _find(tx, found, period, now_ms)
    if biggest is None:
        raise NotFound("Nobody with an account gave anything in that time.", code="nobody_gave")
    if biggest.thanked_at_ms is not None:
        raise Conflict("You have thanked them already.", code="thanked_already")
    try:
        tx.execute(
            insert(thanks).values(
                id=new_id("thk"),
                channel_id=found.id,
                period=period,
                period_key=biggest.period_key,
                user_id=biggest.user_id,
                is_anonymous=int(biggest.is_anonymous),
                message=message,
                created_at_ms=now_ms,
            )
        )
    except IntegrityError as error:  # the other tab was faster
        raise Conflict("You have thanked them already.", code="thanked_already") from error
    oversight.record(tx, actor, found, "channel.thank", now_ms, {"period": period})
    body = (
        f"You gave {found.name} more than anybody else {_WHEN[period]}. They write to you:\n\n"
        f"{message}\n\n"
        f"The words are {found.name}'s own; {letterhead.site_name} has only delivered them. They "
        "don't see your address."
    )
    title = f"{found.name} says thank you"
    path = f"/@{found.slug}"
    tell(tx, letterhead, biggest.user_id, Topic.THANKS, title, body, path, now_ms)
    return biggest


def export(tx: Transaction, user_id: str) -> list[dict[str, Any]]:
    """Which thanks somebody got, for their copy of their data."""
    rows = tx.execute(
        select(thanks, channels.channel.c.slug)
        .join(channels.channel, channels.channel.c.id == thanks.c.channel_id)
        .where(thanks.c.user_id == user_id)
        .order_by(thanks.c.created_at_ms)
    )
    return [
        {"channel": row.slug, "message": row.message, "created_at_ms": row.created_at_ms}
        for row in rows
    ]

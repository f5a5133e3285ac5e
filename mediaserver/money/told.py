"""Told: giver and streamer hear of what was paid, once, and a streamer of many gifts as of one.

The handler of the jobs that contributions.pay writes. Owns the table `gift_told`: a row for each
contribution whose job was done, with when its streamer was told of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import ForeignKey, Index, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mediaserver.accounts import users
from mediaserver.channels import channels
from mediaserver.kernel import jobs, limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.jobs import Payload
from mediaserver.kernel.mail import Letterhead
from mediaserver.money import contributions
from mediaserver.money.commission import percent
from mediaserver.money.contributions import Contribution, contribution, to_contribution
from mediaserver.money.currencies import money
from mediaserver.notifications.notices import Topic, tell

JOB_MANY = "gifts-told"
"""Comes some minutes after a gift, for those that followed it."""

gift_told = table(
    "gift_told",
    text("contribution_id", ForeignKey("contribution.id", ondelete="CASCADE"), primary_key=True),
    text("recipient_id"),
    int64("told_at_ms", nullable=True),
)
Index(None, gift_told.c.recipient_id, gift_told.c.told_at_ms)

Also = Callable[[Transaction, Contribution, int], None]
"""What else is written when a contribution was paid, such as webhooks, at which ms."""

_NOUNS = {"tip": "tip", "donation": "donation", "transfer": "bank transfer"}


class Told:
    """Does the jobs. `also` runs in the same transaction, once for each contribution."""

    def __init__(
        self, db: Database, clock: Clock, letterhead: Letterhead, also: Sequence[Also] = ()
    ) -> None:
        self._db = db
        self._clock = clock
        self._letterhead = letterhead
        self._also = tuple(also)

    async def paid(self, payload: Payload) -> None:
        """A job of the kind `contributions.JOB`."""
        await self._db.write(
            paid, payload["contribution"], self._letterhead, self._also, self._clock.wall_ms()
        )

    async def many(self, payload: Payload) -> None:
        """A job of the kind `JOB_MANY`."""
        await self._db.write(
            tell_streamer, payload["recipient"], self._letterhead, self._clock.wall_ms()
        )


def paid(
    tx: Transaction,
    contribution_id: str,
    letterhead: Letterhead,
    also: Sequence[Also],
    now_ms: int,
) -> None:
    """Tell giver, streamer and programs of a contribution; nothing happens the second time."""
    given = contributions.get(tx, contribution_id)
    insert_unless_known = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    made = tx.execute(
        insert_unless_known(gift_told)
        .values(contribution_id=given.id, recipient_id=given.recipient_id, told_at_ms=None)
        .on_conflict_do_nothing(index_elements=[gift_told.c.contribution_id])
    )
    if made.rowcount == 0:
        return
    _tell_giver(tx, given, letterhead, now_ms)
    tell_streamer(tx, given.recipient_id, letterhead, now_ms)
    for write in also:
        write(tx, given, now_ms)


def tell_streamer(tx: Transaction, recipient_id: str, letterhead: Letterhead, now_ms: int) -> None:
    """Tell of all gifts that they haven't heard of; later, when they have just heard of some."""
    users.lock(tx, recipient_id)  # two jobs at once tell each gift once
    last_ms = tx.execute(
        select(func.max(gift_told.c.told_at_ms)).where(gift_told.c.recipient_id == recipient_id)
    ).scalar()
    next_ms = 0 if last_ms is None else last_ms + limits.GIFTS_TOLD_EVERY_MS
    if now_ms < next_ms:
        key = f"gifts-told:{recipient_id}:{last_ms}"
        payload = {"recipient": recipient_id}
        jobs.enqueue(tx, JOB_MANY, payload, now_ms, key=key, delay_ms=next_ms - now_ms)
        return
    waiting = _untold(tx, recipient_id)
    if not waiting:
        return
    if len(waiting) == 1:
        _tell_of_one(tx, waiting[0], letterhead, now_ms)
    else:
        _tell_of_many(tx, waiting, letterhead, now_ms)
    tx.execute(
        update(gift_told)
        .where(gift_told.c.contribution_id.in_([one.id for one in waiting]))
        .values(told_at_ms=now_ms)
    )


def _untold(tx: Transaction, recipient_id: str) -> list[Contribution]:
    rows = tx.execute(
        select(contribution)
        .join(gift_told, gift_told.c.contribution_id == contribution.c.id)
        .where(gift_told.c.recipient_id == recipient_id, gift_told.c.told_at_ms.is_(None))
        .order_by(contribution.c.paid_at_ms, contribution.c.id)
        .limit(limits.GIFTS_TOLD_AT_ONCE_MAX)
    )
    return [to_contribution(row) for row in rows]


def _tell_giver(tx: Transaction, given: Contribution, letterhead: Letterhead, now_ms: int) -> None:
    if given.sender_id is None or given.kind == "donation":  # settlement.py mails those who paid
        return
    amount = money(given.amount_minor, given.currency)
    hidden = f" {given.channel_name} doesn't see your name." if given.is_anonymous else ""
    if given.kind == "transfer":
        body = f"{given.channel_name} confirms that your bank transfer of {amount} has come."
    else:
        body = (
            f"You gave {amount} to {given.channel_name}. {_split(given)} It was paid from your "
            f"wallet.{hidden}"
        )
    title = f"Your {_NOUNS[given.kind]} of {amount} to {given.channel_name}"
    tell(tx, letterhead, given.sender_id, Topic.MONEY, title, body, f"/receipts/{given.id}", now_ms)


def _split(given: Contribution) -> str:
    fee, net = money(given.fee_minor, given.currency), money(given.net_minor, given.currency)
    return (
        f"Of this, {net} go to the streamer and {fee} to the site "
        f"(commission {percent(given.commission_bps)})."
    )


def _tell_of_one(tx: Transaction, given: Contribution, letterhead: Letterhead, now_ms: int) -> None:
    amount = money(given.amount_minor, given.currency)
    says = f" They say: “{given.message}”" if given.message else ""
    kept = "It went straight to you." if given.kind == "transfer" else _kept(given)
    title = f"{given.public_name} gave you {amount}"
    body = f"A {_NOUNS[given.kind]} for {given.channel_name}.{says} {kept}"
    path = f"/receipts/{given.id}"
    tell(tx, letterhead, given.recipient_id, Topic.GIFTS, title, body, path, now_ms)


def _kept(given: Contribution) -> str:
    fee, net = money(given.fee_minor, given.currency), money(given.net_minor, given.currency)
    return f"You get {net}; the site keeps {fee} ({percent(given.commission_bps)})."


def _tell_of_many(
    tx: Transaction, gifts: Sequence[Contribution], letterhead: Letterhead, now_ms: int
) -> None:
    currency = gifts[0].currency
    assert all(one.currency == currency for one in gifts)
    gross = money(sum(one.amount_minor for one in gifts), currency)
    fee = money(sum(one.fee_minor for one in gifts), currency)
    net = money(sum(one.net_minor for one in gifts), currency)
    biggest = max(gifts, key=lambda one: one.amount_minor)
    title = f"{len(gifts)} gifts, {gross} together"
    body = (
        f"You get {net}; the site keeps {fee}. The biggest one: "
        f"{money(biggest.amount_minor, currency)} from {biggest.public_name}."
    )
    path = _supporters_path(tx, biggest)
    tell(tx, letterhead, biggest.recipient_id, Topic.GIFTS, title, body, path, now_ms)


def _supporters_path(tx: Transaction, given: Contribution) -> str:
    if given.channel_id is not None:
        try:
            return f"/studio/{channels.get_by_id(tx, given.channel_id).slug}/supporters"
        except NotFound:
            pass
    return "/studio"

"""Earnings: what a streamer's contributions are worth to them, and when it may be withdrawn.

What is given waits `money.maturity_days`, in which its payment may still be charged back; then a
job makes what is left of it available. Nothing matures while somebody decides on it: a dispute,
or a refund on its way. Transfers from bank to bank were never here, so they stand apart.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Select, func, select, tuple_

from mediaserver.accounts.users import User
from mediaserver.channels.channels import channel
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.errors import Conflict
from mediaserver.money import contributions, ledger, takings
from mediaserver.money.contributions import Contribution, ContributionKind, contribution
from mediaserver.money.ledger import Account, Kind, Posting, Transfer, ledger_transfer

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Due:
    """So much becomes available on a day (its first moment, UTC)."""

    day_ms: int
    net_minor: int
    contributions: int


@dataclass(frozen=True, slots=True)
class ChannelSum:
    """What one channel brought in since a moment, as the viewers paid it and as it was earned."""

    channel_name: str
    slug: str | None
    gross_minor: int
    net_minor: int


@dataclass(frozen=True, slots=True)
class Overview:
    """How a streamer's money stands, in minor units.

    `pending`: waits to mature; `on_hold`: in a payout that is asked for; `direct`: transfers from
    bank to bank that they confirmed, which never passed through here.
    """

    currency: str
    pending_minor: int
    available_minor: int
    on_hold_minor: int
    paid_out_minor: int
    direct_minor: int
    month_net_minor: int
    due: tuple[Due, ...]
    channels: tuple[ChannelSum, ...]


@dataclass(frozen=True, slots=True)
class Earned:
    """One contribution as its streamer sees it. `left_minor`: net of what was taken back."""

    contribution: Contribution
    left_minor: int

    @property
    def state(self) -> str:
        """For people: pending, available, taken back, or direct."""
        if self.contribution.kind == "transfer":
            return "direct"
        if not self.left_minor and self.contribution.taken_back_minor:
            return "taken back"
        return "pending" if self.contribution.matured_at_ms is None else "available"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to list: of one kind, paid from `from_ms` on and before `until_ms`."""

    kind: ContributionKind | None = None
    from_ms: int | None = None
    until_ms: int | None = None


class Earnings:
    """A streamer's earnings, and the job that makes them available."""

    def __init__(self, db: Database, clock: Clock, config: MoneyConfig) -> None:
        self._db = db
        self._clock = clock
        self._config = config

    async def overview(self, user: User) -> Overview:
        currency, now_ms = self._config.currency, self._clock.wall_ms()
        return await self._db.read(overview, user.id, currency, now_ms)

    async def page(self, user: User, wanted: Wanted, *, after: str | None = None) -> list[Earned]:
        """What was given to them, newest first, behind the contribution with the id `after`."""
        return await self._db.read(_page, user.id, wanted, after, limits.EARNINGS_LISTED_MAX)

    async def export(self, user: User, wanted: Wanted) -> AsyncIterator[list[Earned]]:
        """All of it in batches, newest first."""
        after = None
        while True:
            batch = await self._db.read(_page, user.id, wanted, after, limits.EARNINGS_EXPORT_BATCH)
            if batch:
                yield batch
            if len(batch) < limits.EARNINGS_EXPORT_BATCH:
                return
            after = batch[-1].contribution.id

    async def mature_due(self) -> None:
        """The job: make available what is due, one by one: who fails holds up nobody behind."""
        after: tuple[int, str] | None = None
        while due := await self._db.read(_due, after, self._clock.wall_ms()):
            for _, contribution_id in due:
                try:
                    await self._db.write(mature, contribution_id, self._clock.wall_ms())
                except Conflict as error:
                    _log.error("earnings don't mature", id=contribution_id, reason=error.message)
            after = due[-1]


def mature(tx: Transaction, contribution_id: str, now_ms: int) -> bool:
    """Make what is left of a contribution available, once; whether that was to do now."""
    given = contributions.get(tx, contribution_id, locks=True)
    if given.matured_at_ms is not None or given.matures_at_ms is None:
        return False
    if given.matures_at_ms > now_ms or _is_undecided(tx, given.id):
        return False
    left = _pending_minor(tx, given)
    if left:
        pending = Account(Kind.EARNINGS_PENDING, given.recipient_id, given.currency)
        available = Account(Kind.EARNINGS_AVAILABLE, given.recipient_id, given.currency)
        posting = Posting(
            "maturity",
            f"maturity:{given.id}",
            (Transfer(pending, available, left),),
            subject=given.id,
        )
        ledger.post(tx, posting, now_ms)
    contributions.set_matured(tx, given.id, now_ms)
    return True


def mature_new(tx: Transaction, paid: Contribution, now_ms: int) -> None:
    """On a site where nothing has to wait (`maturity_days = 0`), what was just given is there."""
    if paid.matures_at_ms is not None and paid.matures_at_ms <= now_ms:
        mature(tx, paid.id, now_ms)


def overview(tx: Transaction, user_id: str, currency: str, now_ms: int) -> Overview:
    """`Earnings.overview` inside a transaction."""
    held = ledger.balances_of(tx, user_id, currency)
    minor = {kind: one.amount_minor for kind, one in held.items()}
    since_ms = _month_began_ms(now_ms)
    channels = _by_channel(tx, user_id, currency, since_ms)
    hold = held.get(Kind.PAYOUT_HOLD)
    return Overview(
        currency=currency,
        pending_minor=minor.get(Kind.EARNINGS_PENDING, 0),
        available_minor=minor.get(Kind.EARNINGS_AVAILABLE, 0),
        on_hold_minor=minor.get(Kind.PAYOUT_HOLD, 0),
        paid_out_minor=0 if hold is None else _paid_out_minor(tx, hold.account),
        direct_minor=minor.get(Kind.DIRECT_RECEIVED, 0),
        month_net_minor=sum(one.net_minor for one in channels),
        due=_due_days(tx, user_id, currency),
        channels=channels,
    )


def _due(tx: Transaction, after: tuple[int, str] | None, now_ms: int) -> list[tuple[int, str]]:
    """When they were due, and ids: those that wait longest first, behind the last of a batch."""
    place = (contribution.c.matures_at_ms, contribution.c.id)
    query = (
        select(*place)
        .where(
            contribution.c.state == "paid",
            contribution.c.matured_at_ms.is_(None),
            contribution.c.matures_at_ms <= now_ms,
            ~takings.is_undecided(),
        )
        .order_by(*place)
        .limit(limits.EARNINGS_MATURED_AT_ONCE)
    )
    if after is not None:
        query = query.where(tuple_(*place) > after)
    return [(row.matures_at_ms, row.id) for row in tx.execute(query)]


def _is_undecided(tx: Transaction, contribution_id: str) -> bool:
    query = select(contribution.c.id).where(
        contribution.c.id == contribution_id, takings.is_undecided()
    )
    return tx.execute(query).first() is not None


def _pending_minor(tx: Transaction, given: Contribution) -> int:
    """The net part of a contribution, less what was taken of it."""
    return given.net_minor - takings.sums(tx, given.id)[1]


def _of_streamer(user_id: str) -> Select[Any]:
    """What was given to somebody, each with the net part that is left of it."""
    left = contribution.c.net_minor - takings.net_taken()
    return select(contribution, left.label("left_minor")).where(
        contribution.c.recipient_id == user_id, contribution.c.state == "paid"
    )


def _page(
    tx: Transaction, user_id: str, wanted: Wanted, after: str | None, most: int
) -> list[Earned]:
    query = _of_streamer(user_id)
    if wanted.kind is not None:
        query = query.where(contribution.c.kind == wanted.kind)
    if wanted.from_ms is not None:
        query = query.where(contribution.c.created_at_ms >= wanted.from_ms)
    if wanted.until_ms is not None:
        query = query.where(contribution.c.created_at_ms < wanted.until_ms)
    rows = rows_behind(tx, query, contribution.c.created_at_ms, after, most)
    return [Earned(contributions.to_contribution(row), row.left_minor) for row in rows]


def _due_days(tx: Transaction, user_id: str, currency: str) -> tuple[Due, ...]:
    each = (
        select(
            (contribution.c.matures_at_ms // limits.DAY_MS).label("day"),
            (contribution.c.net_minor - takings.net_taken()).label("net"),
        )
        .where(
            contribution.c.recipient_id == user_id,
            contribution.c.currency == currency,
            contribution.c.state == "paid",
            contribution.c.matured_at_ms.is_(None),
            contribution.c.matures_at_ms.is_not(None),
        )
        .subquery()
    )
    rows = tx.execute(
        select(each.c.day, func.sum(each.c.net).label("net"), func.count().label("given"))
        .where(each.c.net > 0)
        .group_by(each.c.day)
        .order_by(each.c.day)
    )
    return tuple(Due(int(row.day) * limits.DAY_MS, int(row.net), row.given) for row in rows)


def _by_channel(
    tx: Transaction, user_id: str, currency: str, since_ms: int
) -> tuple[ChannelSum, ...]:
    each = (
        _of_streamer(user_id)
        .where(
            contribution.c.currency == currency,
            contribution.c.kind != "transfer",
            contribution.c.created_at_ms >= since_ms,
        )
        .subquery()
    )
    net = func.sum(each.c.left_minor)
    rows = tx.execute(
        select(
            each.c.channel_name,
            channel.c.slug,
            func.sum(each.c.amount_minor - each.c.taken_back_minor).label("gross"),
            net.label("net"),
        )
        .outerjoin(channel, channel.c.id == each.c.channel_id)
        .group_by(each.c.channel_name, channel.c.slug)
        .order_by(net.desc(), each.c.channel_name)
        .limit(limits.EARNINGS_LISTED_MAX)
    )
    return tuple(
        ChannelSum(row.channel_name, row.slug, int(row.gross), int(row.net)) for row in rows
    )


def _paid_out_minor(tx: Transaction, hold: Account) -> int:
    """What left a streamer's hold for the bank, less what came back."""
    bank = ledger.site_account(Kind.BANK, hold.currency).id

    def moved(debit_id: str, credit_id: str) -> int:
        amount = select(func.coalesce(func.sum(ledger_transfer.c.amount_minor), 0)).where(
            ledger_transfer.c.debit_id == debit_id, ledger_transfer.c.credit_id == credit_id
        )
        return int(tx.execute(amount).scalar_one())

    return moved(hold.id, bank) - moved(bank, hold.id)


def _month_began_ms(now_ms: int) -> int:
    """The first moment of the month, UTC."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    began = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return int(began.timestamp() * 1000)

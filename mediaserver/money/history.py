"""History: what became of somebody's money, for viewers, and what a channel was given, for its
streamer.

Reads the tables of payments, contributions and the ledger; owns none. Lists are keyset pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Column, Row, Select, func, not_, select, tuple_

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.users import User
from mediaserver.channels.channels import channel
from mediaserver.kernel import limits
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.ids import is_id
from mediaserver.money import contributions, ledger, payments
from mediaserver.money.contributions import contribution
from mediaserver.money.ledger import ledger_entry, ledger_transfer
from mediaserver.money.payments import payment
from mediaserver.money.wallet import change_of, touches

Kind = Literal["topup", "tip", "donation", "transfer", "membership", "other"]
KINDS: dict[str, str] = {
    "topup": "Money added",
    "tip": "Tips",
    "donation": "Donations",
    "transfer": "Bank transfers",
    "membership": "Memberships",
    "other": "Refunds and corrections",
}
"""What a viewer's history is made of, for people."""

_GIVEN = ("tip", "donation", "transfer")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to list; None: all. `channel` is a slug, times are in ms, `until_ms` is the first moment
    that is too late.
    """

    kind: str | None = None
    channel: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """One row of a viewer's history. `id` is that of a payment, a contribution or an entry.

    `wallet_minor` is what it did to the wallet: nothing for a donation by card or a top-up that was
    never paid. `state` is the document's; "booked" for an entry without one.
    """

    id: str
    kind: Kind
    detail: str
    at_ms: int
    amount_minor: int
    wallet_minor: int
    currency: str
    state: str
    channel_name: str
    channel_slug: str | None
    message: str
    taken_back_minor: int


@dataclass(frozen=True, slots=True)
class GivenTo:
    """A channel that somebody gave to."""

    slug: str
    name: str


class History:
    """What somebody did with their money."""

    def __init__(self, db: Database, config: MoneyConfig) -> None:
        self._db = db
        self._config = config

    async def page(
        self,
        user: User,
        wanted: Wanted,
        *,
        after: str | None = None,
        most: int = limits.HISTORY_LISTED_MAX,
    ) -> list[Movement]:
        """Newest first, behind the one with the id `after`."""
        check(user, Action.READ_OWN_MONEY)
        return await self._db.read(page, user.id, self._config.currency, wanted, after, most)

    async def channels(self, user: User) -> list[GivenTo]:
        """The channels that somebody gave to, by name."""
        return await self._db.read(_channels, user.id)


def page(
    tx: Transaction, user_id: str, currency: str, wanted: Wanted, after: str | None, most: int
) -> list[Movement]:
    """Each sort is asked for on its own, by its own index, and the newest of all are kept."""
    place = None
    if after is not None:
        place = _place_of(tx, after)
        if place is None:
            return []
    found: list[Movement] = []
    if wanted.kind in (None, "topup") and wanted.channel is None:
        found += _topups(tx, user_id, wanted, place, most)
    if wanted.kind is None or wanted.kind in _GIVEN:
        found += _given(tx, user_id, wanted, place, most)
    if wanted.kind in (None, "membership", "other") and wanted.channel is None:
        found += _entries(tx, user_id, currency, wanted, place, most)
    found.sort(key=lambda one: (one.at_ms, one.id), reverse=True)
    return found[:most]


def _place_of(tx: Transaction, after: str) -> tuple[int, str] | None:
    for prefix, table in (
        (payments.PREFIX, payment),
        (contributions.PREFIX, contribution),
        ("ent", ledger_entry),
    ):
        if is_id(after, prefix):
            moment = tx.execute(select(table.c.created_at_ms).where(table.c.id == after)).scalar()
            return None if moment is None else (moment, after)
    return None


def _newest(
    tx: Transaction,
    query: Select[Any],
    moment: Column[Any],
    wanted: Wanted,
    place: tuple[int, str] | None,
    most: int,
) -> Sequence[Row[Any]]:
    if wanted.since_ms is not None:
        query = query.where(moment >= wanted.since_ms)
    if wanted.until_ms is not None:
        query = query.where(moment < wanted.until_ms)
    id_column = moment.table.c.id
    if place is not None:
        query = query.where(tuple_(moment, id_column) < place)
    return tx.execute(query.order_by(moment.desc(), id_column.desc()).limit(most)).all()


def _topups(
    tx: Transaction, user_id: str, wanted: Wanted, place: tuple[int, str] | None, most: int
) -> list[Movement]:
    query = select(payment).where(payment.c.user_id == user_id, payment.c.purpose == "topup")
    return [
        Movement(
            id=row.id,
            kind="topup",
            detail=row.gateway,
            at_ms=row.created_at_ms,
            amount_minor=row.amount_minor,
            wallet_minor=row.amount_minor if row.state == "paid" else 0,
            currency=row.currency,
            state=row.state,
            channel_name="",
            channel_slug=None,
            message=row.problem,
            taken_back_minor=row.refunded_minor + row.disputed_minor,
        )
        for row in _newest(tx, query, payment.c.created_at_ms, wanted, place, most)
    ]


def _given(
    tx: Transaction, user_id: str, wanted: Wanted, place: tuple[int, str] | None, most: int
) -> list[Movement]:
    query = (
        select(contribution, channel.c.slug)
        .outerjoin(channel, channel.c.id == contribution.c.channel_id)
        .where(contribution.c.sender_id == user_id)
    )
    if wanted.kind is not None:
        query = query.where(contribution.c.kind == wanted.kind)
    if wanted.channel is not None:
        query = query.where(channel.c.slug == wanted.channel)
    return [
        Movement(
            id=row.id,
            kind=row.kind,
            detail="anonymous" if row.is_anonymous else "",
            at_ms=row.created_at_ms,
            amount_minor=row.amount_minor,
            wallet_minor=-row.amount_minor if row.kind == "tip" and row.state == "paid" else 0,
            currency=row.currency,
            state=row.state,
            channel_name=row.channel_name,
            channel_slug=row.slug,
            message=row.message,
            taken_back_minor=row.taken_back_minor,
        )
        for row in _newest(tx, query, contribution.c.created_at_ms, wanted, place, most)
    ]


def _entries(
    tx: Transaction,
    user_id: str,
    currency: str,
    wanted: Wanted,
    place: tuple[int, str] | None,
    most: int,
) -> list[Movement]:
    """What moved the wallet and is no top-up and no tip."""
    wallet = ledger.wallet_of(user_id, currency)
    is_membership = ledger_entry.c.kind.like("membership%")
    query = (
        select(ledger_entry, change_of(wallet).label("change_minor"))
        .join(ledger_transfer, ledger_transfer.c.entry_id == ledger_entry.c.id)
        .where(touches(wallet), ledger_entry.c.kind.not_in(("topup", "tip")))
        .group_by(*ledger_entry.c)
    )
    if wanted.kind is not None:
        query = query.where(is_membership if wanted.kind == "membership" else not_(is_membership))
    return [
        Movement(
            id=row.id,
            kind="membership" if row.kind.startswith("membership") else "other",
            detail=row.kind,
            at_ms=row.created_at_ms,
            amount_minor=abs(int(row.change_minor)),
            wallet_minor=int(row.change_minor),
            currency=currency,
            state="booked",
            channel_name="",
            channel_slug=None,
            message=row.reason,
            taken_back_minor=0,
        )
        for row in _newest(tx, query, ledger_entry.c.created_at_ms, wanted, place, most)
    ]


def _channels(tx: Transaction, user_id: str) -> list[GivenTo]:
    rows = tx.execute(
        select(channel.c.slug, channel.c.name)
        .where(
            channel.c.id.in_(
                select(contribution.c.channel_id).where(contribution.c.sender_id == user_id)
            )
        )
        .order_by(func.lower(channel.c.name), channel.c.slug)
        .limit(limits.CHANNELS_LISTED_MAX)
    )
    return [GivenTo(row.slug, row.name) for row in rows]

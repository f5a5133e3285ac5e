"""Supporters: what a channel was given, for its streamer. Givers who asked for it stay unnamed.

Reads the table of contributions.py; owns none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from mediaserver.accounts.permissions import Action, Thing, check
from mediaserver.accounts.users import User
from mediaserver.channels import channels
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.money.commission import fee_of_part
from mediaserver.money.contributions import Contribution, contribution, to_contribution

STATES = ("paid", "declared", "rejected")
"""What a streamer sees: a payment that is still open, or failed, is the giver's own business."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What to list; None: all. `name` is a part of a giver's name; times are in ms, `until_ms` is
    the first moment that is too late.
    """

    kind: str | None = None
    state: str | None = None
    name: str | None = None
    least_minor: int | None = None
    most_minor: int | None = None
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """What was paid, of what is sought: `gross_minor` is `fee_minor` and `net_minor` together, all
    without what was taken back. `direct_minor` went from bank to bank, without commission, and is
    part of none of them.
    """

    gifts: int
    gross_minor: int
    fee_minor: int
    net_minor: int
    taken_back_minor: int
    direct_minor: int


_Query = Select[*tuple[Any, ...]]


class Supporters:
    """Who gave to a channel."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(
        self,
        actor: User,
        slug: str,
        sought: Sought,
        *,
        after: str | None = None,
        most: int = limits.HISTORY_LISTED_MAX,
    ) -> list[Contribution]:
        """Newest first, behind the one with the id `after`. Raises `NotFound` or `Forbidden`."""
        return await self._db.read(_page, actor, slug, sought, after, most)

    async def sums(self, actor: User, slug: str, sought: Sought) -> Sums:
        """Raises `NotFound` or `Forbidden`."""
        return await self._db.read(_sums, actor, slug, sought)


def _page(
    tx: Transaction, actor: User, slug: str, sought: Sought, after: str | None, most: int
) -> list[Contribution]:
    query = _query(select(contribution), _managed(tx, actor, slug), sought)
    rows = rows_behind(tx, query, contribution.c.created_at_ms, after, most)
    return [to_contribution(row) for row in rows]


def _sums(tx: Transaction, actor: User, slug: str, sought: Sought) -> Sums:
    found = _managed(tx, actor, slug)
    is_paid, is_direct = contribution.c.state == "paid", contribution.c.kind == "transfer"
    row = tx.execute(
        _query(
            select(
                func.count().label("gifts"),
                func.sum(contribution.c.amount_minor).label("gross"),
                func.sum(contribution.c.fee_minor).label("fee"),
            ),
            found,
            sought,
        ).where(is_paid, ~is_direct)
    ).one()
    direct = _query(
        select(func.count().label("gifts"), func.sum(contribution.c.amount_minor).label("gross")),
        found,
        sought,
    ).where(is_paid, is_direct)
    directly = tx.execute(direct).one()
    taken, fee_taken = _taken_back(tx, found, sought)
    gross, fee = int(row.gross or 0) - taken, int(row.fee or 0) - fee_taken
    gifts = row.gifts + directly.gifts
    return Sums(gifts, gross, fee, gross - fee, taken, int(directly.gross or 0))


def _taken_back(tx: Transaction, found: Channel, sought: Sought) -> tuple[int, int]:
    """What was taken back, and the commission in it, rounded for each as it was booked."""
    query = select(
        contribution.c.fee_minor, contribution.c.amount_minor, contribution.c.taken_back_minor
    )
    rows = tx.execute(
        _query(query, found, sought).where(
            contribution.c.state == "paid",
            contribution.c.kind != "transfer",
            contribution.c.taken_back_minor > 0,
        )
    )
    taken = fee_taken = 0
    for row in rows:
        taken += row.taken_back_minor
        fee_taken += fee_of_part(row.fee_minor, row.amount_minor, 0, row.taken_back_minor)
    return taken, fee_taken


def _managed(tx: Transaction, actor: User, slug: str) -> Channel:
    found = channels.get(tx, slug)
    check(actor, Action.MANAGE_MONEY, Thing(found.owner_id))
    return found


def _query(query: _Query, found: Channel, sought: Sought) -> _Query:
    columns = contribution.c
    conditions: list[ColumnElement[bool]] = [
        columns.recipient_id == found.owner_id,
        columns.channel_id == found.id,
        columns.state == sought.state if sought.state in STATES else columns.state.in_(STATES),
    ]
    if sought.kind is not None:
        conditions.append(columns.kind == sought.kind)
    if sought.name:
        # An anonymous giver must not be found out by guessing names.
        named = func.lower(columns.sender_name).contains(sought.name.lower(), autoescape=True)
        conditions += [named, columns.is_anonymous == 0]
    if sought.least_minor is not None:
        conditions.append(columns.amount_minor >= sought.least_minor)
    if sought.most_minor is not None:
        conditions.append(columns.amount_minor <= sought.most_minor)
    if sought.since_ms is not None:
        conditions.append(columns.created_at_ms >= sought.since_ms)
    if sought.until_ms is not None:
        conditions.append(columns.created_at_ms < sought.until_ms)
    return query.where(*conditions)

"""How contributions stand in the chat: how strong their line is, how long it stays on top.

Both go by multiples of the channel's smallest tip. Owns the table `tip_scale`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.money import giving
from mediaserver.money.currencies import CURRENCIES, money

if TYPE_CHECKING:
    from mediaserver.money.contributions import Contribution

tip_scale = table("tip_scale", text("currency", primary_key=True), int64("tip_minor_min"))
"""The site's smallest tip, as `set_scale` wrote it: by multiples of it lines stay on top."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A contribution as the chat shows it: `data["tip"]` of its line. Its line stays on top until
    `top_until_ms`; `tier` 0 to 4 says how long that was at first.
    """

    id: str
    kind: str
    amount_minor: int
    currency: str
    amount: str
    name: str
    tier: int
    top_until_ms: int


@dataclass(frozen=True, slots=True)
class KeptLine:
    """A line on top of the chat."""

    line_id: str
    text: str
    tip: Kept


def set_scale(tx: Transaction, currency: str, tip_minor_min: int) -> None:
    """At start: the site's smallest tip, as settings have it."""
    where = tip_scale.c.currency == currency
    if tx.execute(update(tip_scale).where(where).values(tip_minor_min=tip_minor_min)).rowcount == 0:
        tx.execute(insert(tip_scale).values(currency=currency, tip_minor_min=tip_minor_min))


def tip_of(given: Contribution, smallest_minor: int, top_until_ms: int) -> Kept:
    tier, _ = tier_of(given.amount_minor, smallest_minor)
    return Kept(
        given.id,
        given.kind,
        given.amount_minor,
        given.currency,
        money(given.amount_minor, given.currency),
        given.public_name,
        tier,
        top_until_ms,
    )


def tier_of(amount_minor: int, smallest_minor: int) -> tuple[int, int]:
    """The tier of an amount, 0 to 4, and for how many ms its line stays on top."""
    tier, kept_s = 0, 0
    for place, (times, seconds) in enumerate(limits.TIP_TIERS):
        if amount_minor >= times * smallest_minor:
            tier, kept_s = place, seconds
    return tier, kept_s * 1000


def smallest_of(tx: Transaction, channel_id: str, currency: str) -> int:
    """The channel's smallest tip."""
    own = tx.execute(
        select(giving.giving.c.tip_minor_min).where(giving.giving.c.channel_id == channel_id)
    ).scalar()
    site = tx.execute(
        select(tip_scale.c.tip_minor_min).where(tip_scale.c.currency == currency)
    ).scalar()
    return max(1, int(own or 0), int(site or CURRENCIES[currency].unit_minor))

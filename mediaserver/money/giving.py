"""Giving: on which terms a channel takes tips, donations and transfers. Owns the table `giving`."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import CheckConstraint, ForeignKey, select

from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import flag, int64, table, text
from mediaserver.money.currencies import currency_of, parsed_amount

giving = table(
    "giving",
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), primary_key=True),
    flag("takes_tips", default=1),
    flag("takes_donations", default=1),
    flag("takes_transfers"),
    int64("tip_minor_min"),
    int64("donation_minor_min"),
    text("transfer_instructions"),
    CheckConstraint("takes_tips IN (0, 1)", name="takes_tips"),
    CheckConstraint("takes_donations IN (0, 1)", name="takes_donations"),
    CheckConstraint("takes_transfers IN (0, 1)", name="takes_transfers"),
    CheckConstraint("tip_minor_min >= 0 AND donation_minor_min >= 0", name="minimums"),
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a channel takes, and how little of it at least, in minor units of the site's currency.

    `transfer_instructions`: where to send a transfer from bank to bank, as the streamer wrote it.
    """

    takes_tips: bool
    takes_donations: bool
    takes_transfers: bool
    tip_minor_min: int
    donation_minor_min: int
    transfer_instructions: str


def terms_of(tx: Transaction, channel_id: str, config: MoneyConfig) -> Terms:
    """The channel's own, nowhere below the site's."""
    currency = currency_of(config.currency)
    tip_min = parsed_amount(config.tip_min, currency, "tip_min")
    donation_min = parsed_amount(config.donation_min, currency, "donation_min")
    row = tx.execute(select(giving).where(giving.c.channel_id == channel_id)).first()
    if row is None:
        return Terms(True, True, False, tip_min, donation_min, "")
    return Terms(
        bool(row.takes_tips),
        bool(row.takes_donations),
        bool(row.takes_transfers),
        max(tip_min, row.tip_minor_min),
        max(donation_min, row.donation_minor_min),
        row.transfer_instructions,
    )

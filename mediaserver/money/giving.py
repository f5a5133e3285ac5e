"""Giving: on which terms a channel takes tips, donations and transfers. Owns the table `giving`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from sqlalchemy import CheckConstraint, ForeignKey, delete, insert, select

from mediaserver.accounts.permissions import Action, Thing, check
from mediaserver.accounts.users import User
from mediaserver.channels import channels, oversight
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import flag, int64, table, text
from mediaserver.kernel.errors import Invalid
from mediaserver.kernel.texts import checked_paragraphs
from mediaserver.money.currencies import checked_amount, currency_of, formatted, parsed_amount

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


@dataclass(frozen=True, slots=True)
class TermsChange:
    """What to change of the terms; None leaves it as it is."""

    takes_tips: bool | None = None
    takes_donations: bool | None = None
    takes_transfers: bool | None = None
    tip_minor_min: int | None = None
    donation_minor_min: int | None = None
    transfer_instructions: str | None = None


class Giving:
    """Reads and changes the terms of a channel."""

    def __init__(self, db: Database, clock: Clock, config: MoneyConfig) -> None:
        self._db = db
        self._clock = clock
        self._config = config

    async def terms(self, channel_id: str) -> Terms:
        """On which terms a channel takes money."""
        return await self._db.read(terms_of, channel_id, self._config)

    async def managed(self, actor: User, slug: str) -> tuple[Channel, Terms]:
        """A channel and its terms, for who sees to its money. Raises `NotFound`, `Forbidden`."""
        return await self._db.read(_managed, actor, slug, self._config)

    async def change(self, actor: User, slug: str, wanted: TermsChange) -> Terms:
        """Raises `NotFound`, `Forbidden` or `Invalid`: a least amount below that of the site,
        transfers without saying where to.
        """
        return await self._db.write(
            _change, actor, slug, wanted, self._config, self._clock.wall_ms()
        )


def site_terms(config: MoneyConfig) -> Terms:
    """Those of a channel that has set none."""
    currency = currency_of(config.currency)
    tip_min = parsed_amount(config.tip_min, currency, "tip_min")
    donation_min = parsed_amount(config.donation_min, currency, "donation_min")
    return Terms(True, True, False, tip_min, donation_min, "")


def terms_of(tx: Transaction, channel_id: str, config: MoneyConfig) -> Terms:
    """The channel's own, nowhere below the site's."""
    least = site_terms(config)
    row = tx.execute(select(giving).where(giving.c.channel_id == channel_id)).first()
    if row is None:
        return least
    return Terms(
        bool(row.takes_tips),
        bool(row.takes_donations),
        bool(row.takes_transfers),
        max(least.tip_minor_min, row.tip_minor_min),
        max(least.donation_minor_min, row.donation_minor_min),
        row.transfer_instructions,
    )


def _managed(tx: Transaction, actor: User, slug: str, config: MoneyConfig) -> tuple[Channel, Terms]:
    found = channels.get(tx, slug)
    check(actor, Action.MANAGE_MONEY, Thing(found.owner_id))
    return found, terms_of(tx, found.id, config)


def _change(
    tx: Transaction, actor: User, slug: str, wanted: TermsChange, config: MoneyConfig, now_ms: int
) -> Terms:
    found, _ = _managed(tx, actor, slug, config)
    channels.lock(tx, found.id)
    before = terms_of(tx, found.id, config)
    given = {name: value for name, value in asdict(wanted).items() if value is not None}
    after = _checked(replace(before, **given), site_terms(config), config)
    tx.execute(delete(giving).where(giving.c.channel_id == found.id))
    values = {name: int(v) if isinstance(v, bool) else v for name, v in asdict(after).items()}
    tx.execute(insert(giving).values(channel_id=found.id, **values))
    changed = [name for name, value in asdict(after).items() if value != getattr(before, name)]
    oversight.record(tx, actor, found, "channel.change_giving", now_ms, {"changed": changed})
    return after


def _checked(terms: Terms, site: Terms, config: MoneyConfig) -> Terms:
    currency = currency_of(config.currency)
    for name in ("tip_minor_min", "donation_minor_min"):
        amount, least = checked_amount(getattr(terms, name), name), getattr(site, name)
        if amount < least:
            raise Invalid(
                f"The site takes nothing below {formatted(least, currency)}.",
                field=name,
                code="amount_too_small",
            )
    instructions = checked_paragraphs(
        terms.transfer_instructions,
        "transfer_instructions",
        limits.TRANSFER_INSTRUCTIONS_CHARS_MAX,
    )
    if terms.takes_transfers and not instructions:
        raise Invalid("Say where a transfer goes.", field="transfer_instructions")
    return replace(terms, transfer_instructions=instructions)

"""Donations: to a channel straight through a gateway, by members and by guests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.users import User, checked_email
from mediaserver.channels import channels
from mediaserver.channels.channels import Channel
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Forbidden, Invalid, NotFound
from mediaserver.money import contributions, idempotency, payment_watch, payments
from mediaserver.money.checkouts import Checkouts, expiry_ms
from mediaserver.money.contributions import Offer, Words
from mediaserver.money.currencies import checked_amount, currency_of, formatted, parsed_amount
from mediaserver.money.gateways.gateway import Gateway
from mediaserver.money.gateways.gateways import Gateways
from mediaserver.money.giving import Terms, terms_of
from mediaserver.money.payments import NewPayment, Payment


@dataclass(frozen=True, slots=True)
class Gift:
    """What somebody wants to give. `email`: of a guest, for the receipt; `address` is the
    network's, from which they came.
    """

    slug: str
    amount_minor: int
    gateway: str
    words: Words
    email: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Occasion:
    """What somebody may give to a channel; `why_not` says why nothing, and is empty else."""

    channel: Channel
    terms: Terms
    most_minor: int
    why_not: str


class Donations:
    """Begins them: the contribution is written with its payment, and so is the commission."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        config: MoneyConfig,
        gateways: Gateways,
        checkouts: Checkouts,
    ) -> None:
        self._db = db
        self._clock = clock
        self._config = config
        self._gateways = gateways
        self._checkouts = checkouts

    async def occasion(self, sender: User | None, slug: str) -> Occasion:
        """Before anything is asked. Raises `NotFound`."""
        return await self._db.read(_occasion, self._config, sender, slug, self._clock.wall_ms())

    async def start(self, sender: User | None, gift: Gift, key: str | None = None) -> Payment:
        """A payment with its checkout. `key` is the caller's: the same one answers the first.

        Raises `NotFound`, `Forbidden` (not verified, one's own, shut out, takes none), `Invalid`
        (amount, gateway, email), `Conflict` ("idempotency_key"), `RateLimited`, or `Unavailable`
        when the gateway doesn't answer.
        """
        if not self._config.enabled:
            raise NotFound("There are no donations here.", code="no_money")
        if sender is not None:
            check(sender, Action.GIVE)
        gateway = self._gateways.offer(gift.gateway, "donation")
        email = "" if sender is not None else checked_email(gift.email)
        make = partial(
            _make,
            config=self._config,
            gateway=gateway,
            sender=sender,
            gift=gift,
            email=email,
            key=key,
        )
        words = f"Donation to {gift.slug}"
        return await self._checkouts.begin(gateway, sender, gift.address, words, make)


def _occasion(
    tx: Transaction, config: MoneyConfig, sender: User | None, slug: str, now_ms: int
) -> Occasion:
    found = channels.get_visible(tx, slug)
    terms = terms_of(tx, found.id, config)
    why_not = ""
    try:
        if sender is not None:
            check(sender, Action.GIVE)
        contributions.check_may_receive(tx, found, sender, now_ms)
    except Forbidden as error:
        why_not = error.message
    if not (terms.takes_donations or terms.takes_transfers):
        why_not = why_not or "This channel takes no donations."
    return Occasion(found, terms, donation_max(config), why_not)


def donation_max(config: MoneyConfig) -> int:
    """The most of one donation."""
    return parsed_amount(config.donation_max, currency_of(config.currency), "donation_max")


def _make(
    tx: Transaction,
    now_ms: int,
    *,
    config: MoneyConfig,
    gateway: Gateway,
    sender: User | None,
    gift: Gift,
    email: str,
    key: str | None,
) -> Payment:
    found = channels.get(tx, gift.slug)
    asked = idempotency.Request.of(
        key, "donation", found.id, gift.amount_minor, gateway.name, gift.words, email
    )
    if (first := payments.first_of(tx, sender, asked, email)) is not None:
        return first
    contributions.check_may_receive(tx, found, sender, now_ms)
    _check_terms(tx, config, found.id, gift.amount_minor)
    made = payments.create(
        tx,
        NewPayment(
            "donation",
            gateway.name,
            sender,
            email,
            gift.amount_minor,
            config.currency,
            expiry_ms(gateway, now_ms),
        ),
        asked,
        now_ms,
    )
    offer = Offer(
        "donation",
        found,
        sender,
        gift.words,
        gift.amount_minor,
        config.currency,
        config.commission_bps,
        payment_id=made.id,
    )
    contributions.create(tx, offer, "open", now_ms)
    payment_watch.watch(tx, made.id, now_ms)
    return made


def _check_terms(tx: Transaction, config: MoneyConfig, channel_id: str, amount_minor: int) -> None:
    currency = currency_of(config.currency)
    terms = terms_of(tx, channel_id, config)
    if not terms.takes_donations:
        raise Forbidden("This channel takes no donations.", code="no_donations")
    checked_amount(amount_minor)
    if amount_minor < terms.donation_minor_min:
        least = formatted(terms.donation_minor_min, currency)
        raise Invalid(
            f"The smallest donation here is {least}.",
            field="amount_minor",
            code="amount_too_small",
        )
    most = donation_max(config)
    if amount_minor > most:
        raise Invalid(
            f"Give at most {formatted(most, currency)} at once.",
            field="amount_minor",
            code="amount_too_large",
        )

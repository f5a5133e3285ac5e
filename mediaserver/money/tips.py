"""Tips: from a viewer's wallet to a channel, at once."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.users import User
from mediaserver.channels import channels
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Forbidden, Invalid, NotFound
from mediaserver.money import contributions, idempotency, ledger
from mediaserver.money.contributions import Contribution, Offer, Words
from mediaserver.money.currencies import checked_amount, currency_of, formatted
from mediaserver.money.giving import Terms, terms_of
from mediaserver.money.wallet import Standing, standing

QUICK_AMOUNTS = 5
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Invitation:
    """What somebody sees who is about to give: on which terms, what they have, and why not, if
    they can't. `wallet` is None for who isn't logged in.
    """

    channel: Channel
    terms: Terms
    wallet: Standing | None
    refusal: Forbidden | None


class Tips:
    """Gives them. Who asks twice with the same key gives once."""

    def __init__(self, db: Database, clock: Clock, config: MoneyConfig) -> None:
        self._db = db
        self._clock = clock
        self._config = config

    async def give(
        self, sender: User, slug: str, amount_minor: int, words: Words, key: str | None = None
    ) -> Contribution:
        """Book a tip and show it. `key` is the caller's: the same one answers the first tip.

        Raises `NotFound`, `Forbidden` (not verified, one's own, shut out), `Invalid` (the amount)
        or `Conflict` ("insufficient_funds", "frozen", "idempotency_key": it named another tip).
        """
        asked = (self._config, sender, slug, amount_minor, words, key, self._clock.wall_ms())
        try:
            return await self._db.write(give, *asked)
        except IntegrityError:  # the same key at the same moment: the other one was faster
            return await self._db.write(give, *asked)

    async def invite(self, sender: User | None, slug: str) -> Invitation:
        """Raises `NotFound`: no such channel, a hidden one, no wallets."""
        return await self._db.read(invite, self._config, sender, slug, self._clock.wall_ms())


def give(
    tx: Transaction,
    config: MoneyConfig,
    sender: User,
    slug: str,
    amount_minor: int,
    words: Words,
    key: str | None,
    now_ms: int,
) -> Contribution:
    """`Tips.give` inside a transaction."""
    check(sender, Action.GIVE)
    check_wallets_open(config)
    found = channels.get(tx, slug)
    asked = idempotency.Request.of(key, "tip", found.id, amount_minor, words)
    if (first := idempotency.first_contribution(tx, sender, asked)) is not None:
        return first
    contributions.check_may_receive(tx, found, sender, now_ms)
    currency = currency_of(config.currency)
    terms = terms_of(tx, found.id, config)
    _check_takes_tips(found, terms)
    if amount_minor < terms.tip_minor_min:
        raise Invalid(
            f"The smallest tip here is {formatted(terms.tip_minor_min, currency)}.",
            field="amount_minor",
            code="amount_too_small",
        )
    checked_amount(amount_minor)
    given = contributions.create(
        tx,
        Offer(
            "tip",
            found,
            sender,
            words,
            amount_minor,
            currency.code,
            config.commission_bps,
            idempotency_key=asked.key,
            request_hash=asked.hash,
        ),
        "open",
        now_ms,
    )
    wallet = ledger.wallet_of(sender.id, currency.code)
    return contributions.pay(tx, given, wallet, now_ms, maturity_days=config.maturity_days)


def invite(
    tx: Transaction, config: MoneyConfig, sender: User | None, slug: str, now_ms: int
) -> Invitation:
    """`Tips.invite` inside a transaction."""
    check_wallets_open(config)
    found = channels.get(tx, slug)
    terms = terms_of(tx, found.id, config)
    wallet = None if sender is None else standing(tx, sender.id, config.currency)
    try:
        contributions.check_may_receive(tx, found, sender, now_ms)
        _check_takes_tips(found, terms)
    except Forbidden as refusal:
        return Invitation(found, terms, wallet, refusal)
    return Invitation(found, terms, wallet, None)


def quick_amounts(least_minor: int, most_minor: int | None = None) -> list[int]:
    """Round amounts to choose from, in minor units: 1, 2, 5, 10, 20 … times something."""
    found: list[int] = []
    scale = 1
    while len(found) < QUICK_AMOUNTS and scale <= limits.AMOUNT_MINOR_MAX:
        round_ones = [step * scale for step in _STEPS if step * scale >= least_minor]
        found += [one for one in round_ones if most_minor is None or one <= most_minor]
        scale *= 10
    return found[:QUICK_AMOUNTS]


def _check_takes_tips(found: Channel, terms: Terms) -> None:
    if not terms.takes_tips:
        raise Forbidden(f"{found.name} takes no tips at the moment.", code="takes_no_tips")


def check_wallets_open(config: MoneyConfig) -> None:
    """Raises `NotFound` where the operator wants no money, or no wallets."""
    if not (config.enabled and config.wallet):
        raise NotFound("This site has no wallets.", code="no_wallets")

"""Tips: from a viewer's wallet to a channel, at once."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.users import User
from mediaserver.channels import channels
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Forbidden, Invalid, NotFound
from mediaserver.money import contributions, idempotency, ledger
from mediaserver.money.contributions import Contribution, Offer, Words
from mediaserver.money.currencies import checked_amount, currency_of, formatted
from mediaserver.money.giving import terms_of


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
    if not terms.takes_tips:
        raise Forbidden(f"{found.name} takes no tips at the moment.", code="takes_no_tips")
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


def check_wallets_open(config: MoneyConfig) -> None:
    """Raises `NotFound` where the operator wants no money, or no wallets."""
    if not (config.enabled and config.wallet):
        raise NotFound("This site has no wallets.", code="no_wallets")

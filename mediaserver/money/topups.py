"""Top-ups: somebody puts money into their own wallet through a gateway."""

from __future__ import annotations

from functools import partial

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.users import User
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.errors import Invalid, NotFound
from mediaserver.kernel.mail import Letterhead
from mediaserver.money import idempotency, ledger, payment_letters, payment_watch, payments
from mediaserver.money.checkouts import Checkouts, expiry_ms
from mediaserver.money.currencies import checked_amount, currency_of, formatted, parsed_amount
from mediaserver.money.gateways.gateway import Gateway
from mediaserver.money.gateways.gateways import Gateways
from mediaserver.money.gateways.manual import NAME as MANUAL
from mediaserver.money.gateways.manual import reference_code
from mediaserver.money.payments import NewPayment, Payment


class TopUps:
    """Begins them; settlement.py credits the wallet once they are paid."""

    def __init__(
        self,
        config: MoneyConfig,
        gateways: Gateways,
        checkouts: Checkouts,
        letterhead: Letterhead,
    ) -> None:
        self._config = config
        self._gateways = gateways
        self._checkouts = checkouts
        self._letterhead = letterhead

    async def start(
        self, user: User, amount_minor: int, gateway_name: str, key: str | None = None
    ) -> Payment:
        """A payment with its checkout. `key` is the caller's: the same one answers the first.

        Raises `NotFound` (no wallets here), `Forbidden`, `Invalid` (amount, gateway), `Conflict`
        ("idempotency_key", "frozen"), `RateLimited`, or `Unavailable` when the gateway doesn't
        answer.
        """
        if not (self._config.enabled and self._config.wallet):
            raise NotFound("There are no wallets here.", code="no_wallets")
        check(user, Action.USE_WALLET)
        gateway = self._gateways.offer(gateway_name, "topup")
        make = partial(
            _make,
            config=self._config,
            letterhead=self._letterhead,
            user=user,
            amount_minor=amount_minor,
            gateway=gateway,
            key=key,
        )
        return await self._checkouts.begin(gateway, user, "", "Money for your wallet", make)


def bounds(config: MoneyConfig) -> tuple[int, int]:
    """The least and the most of one top-up."""
    currency = currency_of(config.currency)
    return (
        max(1, parsed_amount(config.topup_min, currency, "topup_min")),
        parsed_amount(config.topup_max, currency, "topup_max"),
    )


def _make(
    tx: Transaction,
    now_ms: int,
    *,
    config: MoneyConfig,
    letterhead: Letterhead,
    user: User,
    amount_minor: int,
    gateway: Gateway,
    key: str | None,
) -> Payment:
    asked = idempotency.Request.of(key, "topup", amount_minor, gateway.name)
    if (first := payments.first_of(tx, user, asked)) is not None:
        return first
    _check_amount(tx, config, user, amount_minor)
    made = payments.create(
        tx,
        NewPayment(
            "topup",
            gateway.name,
            user,
            "",
            amount_minor,
            config.currency,
            expiry_ms(gateway, now_ms),
        ),
        asked,
        now_ms,
    )
    payment_watch.watch(tx, made.id, now_ms)
    if gateway.name == MANUAL:
        code = reference_code(made.id)
        payment_letters.transfer_expected(tx, letterhead, made, code, now_ms)
    return made


def _check_amount(tx: Transaction, config: MoneyConfig, user: User, amount_minor: int) -> None:
    checked_amount(amount_minor)
    currency = currency_of(config.currency)
    least, most = bounds(config)
    if amount_minor < least:
        raise _wrong(f"Add at least {formatted(least, currency)}.", "amount_too_small")
    if amount_minor > most:
        raise _wrong(f"Add at most {formatted(most, currency)} at once.", "amount_too_large")
    held = ledger.balance(tx, ledger.wallet_of(user.id, currency.code)).amount_minor
    wallet_max = parsed_amount(config.wallet_max, currency, "wallet_max")
    if held + amount_minor > wallet_max:
        raise _wrong(
            f"A wallet holds at most {formatted(wallet_max, currency)}, and yours has "
            f"{formatted(held, currency)}.",
            "wallet_full",
        )


def _wrong(message: str, code: str) -> Invalid:
    return Invalid(message, field="amount_minor", code=code)

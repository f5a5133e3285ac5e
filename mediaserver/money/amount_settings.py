"""Amounts in the settings: whether they fit the currency that the site has.

Called at start and when an admin changes one (kernel/settings.py), so that nobody meets a wrong one
while paying.
"""

from __future__ import annotations

from mediaserver.kernel.config import MoneyConfig
from mediaserver.money.currencies import currency_of, parsed_amount

_AMOUNTS = (
    "topup_min",
    "topup_max",
    "wallet_max",
    "tip_min",
    "donation_min",
    "donation_max",
    "payout_min",
    "two_admins_above",
)


def check(config: MoneyConfig) -> None:
    """Raises `Invalid` with the setting as its field: no such currency, or an amount with more
    digits than the currency has.
    """
    currency = currency_of(config.currency)
    for name in _AMOUNTS:
        parsed_amount(getattr(config, name), currency, name)

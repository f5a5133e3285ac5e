"""Checks of money: whether anybody can pay, and whether the money is real."""

from __future__ import annotations

from mediaserver.admin.doctor.finding import Finding, ok, warn
from mediaserver.kernel.config import Config

_TITLE = "Payments"


def ways_to_pay(config: Config) -> Finding:
    """Which payment providers the settings name. Asks none of them."""
    if not config.money.enabled:
        return ok("payments", _TITLE, "Money is turned off.")
    named = {
        "Stripe": config.stripe.secret_key,
        "Midtrans": config.midtrans.server_key,
        "SSLCommerz": config.sslcommerz.store_id,
        "bank transfer": config.money.manual_instructions,
    }
    ways = ", ".join(name for name, key in named.items() if key)
    if not config.money.production:
        return ok("payments", _TITLE, f"Test money: the sandbox{f', {ways}' if ways else ''}.")
    if not ways:
        advice = "Set one up (docs/payments.md), or turn money off: money.enabled = false"
        return warn("payments", _TITLE, "Money is real, and there is no way to pay.", advice)
    if config.stripe.secret_key and not config.stripe.webhook_secret:
        advice = "Set stripe.webhook_secret; until then payments are found minutes later."
        return warn("payments", _TITLE, "Stripe can't tell the site what was paid.", advice)
    return ok("payments", _TITLE, f"Real money by {ways}.")

"""Which gateways the site has, and which of them are offered for what.

Adapters are imported when they are configured: Stripe's library alone takes 31 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import Config, MoneyConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Invalid, NotFound
from mediaserver.kernel.vault import Vault
from mediaserver.money.gateways.gateway import Gateway
from mediaserver.money.gateways.manual import NAME as MANUAL
from mediaserver.money.gateways.manual import ManualGateway
from mediaserver.money.gateways.sandbox import SandboxGateway
from mediaserver.money.gateways.sandbox_provider import SandboxProvider
from mediaserver.money.payments import Purpose

_CURRENCIES: Mapping[str, frozenset[str]] = {
    "midtrans": frozenset({"IDR"}),
    "sslcommerz": frozenset({"AUD", "BDT", "CAD", "EUR", "GBP", "INR", "MYR", "SGD", "USD"}),
}
"""What those take that don't take (nearly) everything."""


class Gateways:
    """The site's gateways by name, as its settings are right now."""

    def __init__(self, gateways: Iterable[Gateway], config: MoneyConfig) -> None:
        self._gateways = {one.name: one for one in gateways}
        self._config = config

    def get(self, name: str) -> Gateway:
        """Raises `NotFound` for one that isn't configured, and for the sandbox in production."""
        found = self._gateways.get(name)
        if found is None or (found.is_test and self._config.production):
            raise NotFound("There is no such way to pay.", code="gateway_not_found")
        return found

    def label(self, name: str) -> str:
        """For people, also of one that is no longer configured."""
        found = self._gateways.get(name)
        return name.capitalize() if found is None else found.label

    def offered(self, purpose: Purpose) -> list[Gateway]:
        """What somebody may choose from, in the order of the settings."""
        return [one for one in self._gateways.values() if self._is_offered(one, purpose)]

    def offer(self, name: str, purpose: Purpose) -> Gateway:
        """The one that somebody chose. Raises `Invalid`."""
        found = self._gateways.get(name)
        if found is None or not self._is_offered(found, purpose):
            raise Invalid("Choose one of the ways to pay.", field="gateway", code="gateway")
        return found

    async def aclose(self) -> None:
        for one in self._gateways.values():
            await one.aclose()

    def _is_offered(self, one: Gateway, purpose: Purpose) -> bool:
        config = self._config
        if not config.enabled or (one.is_test and config.production):
            return False
        if one.name == MANUAL and (purpose != "topup" or not config.manual_instructions):
            return False
        takes = _CURRENCIES.get(one.name)
        return takes is None or config.currency in takes


def configured(
    config: Config, db: Database, clock: Clock, vault: Vault, url: Callable[[], str]
) -> tuple[Gateways, SandboxProvider]:
    """Those that the settings have keys for; `url` is the site's own address.

    Raises `Conflict` for keys that don't fit `money.production`.
    """
    provider = SandboxProvider(db, clock, vault)
    found = [
        *_providers(config, clock),
        ManualGateway(),
        SandboxGateway(provider, url),
    ]
    return Gateways(found, config.money), provider


def _providers(config: Config, clock: Clock) -> Iterator[Gateway]:
    """Each is imported here, if it is configured."""
    production = config.money.production
    if config.stripe.secret_key:
        from mediaserver.money.gateways.stripe import StripeGateway

        yield StripeGateway(config.stripe, production, clock)
    if config.midtrans.server_key:
        from mediaserver.money.gateways.midtrans import MidtransGateway

        yield MidtransGateway(config.midtrans, production, clock)
    if config.sslcommerz.store_id:
        from mediaserver.money.gateways.sslcommerz import SslcommerzGateway

        yield SslcommerzGateway(config.sslcommerz, production, clock)

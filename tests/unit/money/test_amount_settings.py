"""Amounts in the settings, and the currency of the site."""

from __future__ import annotations

import pytest

from mediaserver.kernel.audit import SITE
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import Config, MoneyConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Invalid
from mediaserver.kernel.settings import Settings
from mediaserver.money import amount_settings

CHECKS = {"money": amount_settings.check}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"currency": "XXX"}, "currency"),
        ({"currency": "JPY", "tip_min": "0.5"}, "tip_min"),
        ({"payout_min": "20.005"}, "payout_min"),
        ({"currency": "KRW", "two_admins_above": "1000.1"}, "two_admins_above"),
    ],
)
def test_what_does_not_fit_the_currency(values: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        amount_settings.check(MoneyConfig(**values))
    assert refused.value.field == field


def test_what_fits() -> None:
    amount_settings.check(MoneyConfig())
    amount_settings.check(MoneyConfig(currency="JPY", tip_min="100.00", two_admins_above="0"))
    amount_settings.check(MoneyConfig(currency="KWD", tip_min="0.005"))


async def test_an_admin_is_told_at_once(db: Database, clock: FakeClock) -> None:
    config = Config()
    settings = await Settings.open(db, clock, config, CHECKS)
    with pytest.raises(Invalid) as refused:
        await settings.change(SITE, "money.tip_min", "0.005")
    assert (refused.value.field, config.money.tip_min) == ("tip_min", "1")
    await settings.change(SITE, "money.tip_min", "0.05")
    assert config.money.tip_min == "0.05"


async def test_a_stored_amount_is_left_out_when_the_currency_has_changed(
    db: Database, clock: FakeClock
) -> None:
    settings = await Settings.open(db, clock, Config(), CHECKS)
    await settings.change(SITE, "money.tip_min", "0.05")
    config = Config(money=MoneyConfig(currency="JPY"))
    await Settings.open(db, clock, config, CHECKS)
    assert config.money.tip_min == "1"


async def test_a_wrong_amount_of_the_file_keeps_the_site_from_starting(
    db: Database, clock: FakeClock
) -> None:
    config = Config(money=MoneyConfig(currency="JPY", tip_min="0.5"))
    with pytest.raises(Invalid):
        await Settings.open(db, clock, config, CHECKS)

"""Money at the edge: whether the site knows it, what a form or a filter says."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from aiohttp import web

from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.errors import Invalid, NotFound
from mediaserver.money.contributions import ContributionKind
from mediaserver.money.currencies import Currency, currency_of
from mediaserver.money.earnings import Wanted
from mediaserver.money.tips import check_wallets_open
from mediaserver.routes.keys import CONFIG, GIVING
from mediaserver.routes.page import viewer
from mediaserver.routes.payments_view import ways_to_pay

KINDS: tuple[tuple[ContributionKind, str], ...] = (
    ("tip", "Tips"),
    ("donation", "Donations"),
    ("transfer", "Transfers"),
)

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def money_there(request: web.Request) -> MoneyConfig:
    """The settings. Raises `NotFound` where the site knows no money."""
    config = request.app[CONFIG].money
    if not config.enabled:
        raise NotFound("There is nothing at this address.", code="no_money")
    return config


def wallet_config(request: web.Request) -> MoneyConfig:
    """The settings. Raises `NotFound` where there are no wallets."""
    config = request.app[CONFIG].money
    check_wallets_open(config)
    return config


async def way_to_give(request: web.Request, found: Channel) -> str:
    """What a channel's pages invite to: "tip" from a wallet, "donate" through a gateway, which
    guests can too; or "" where nothing may be given.
    """
    config = request.app[CONFIG].money
    if not (config.enabled and found.is_verified):
        return ""
    terms = await request.app[GIVING].terms(found.id)
    tips = config.wallet and terms.takes_tips
    donations = terms.takes_donations and bool(ways_to_pay(request, "donation"))
    donations = donations or (terms.takes_transfers and bool(terms.transfer_instructions))
    if tips and (viewer(request) is not None or not donations):
        return "tip"
    return "donate" if donations else ""


def site_currency(request: web.Request) -> Currency:
    return currency_of(request.app[CONFIG].money.currency)


def idempotency_key(request: web.Request) -> str | None:
    """What a client sends to have its request done once, however often it arrives."""
    return request.headers.get("Idempotency-Key")


def day_ms(text: str, field: str, *, is_end: bool = False) -> int | None:
    """When a day such as "2026-11-20" begins in UTC, or with `is_end` is over; None for an empty
    text. Raises `Invalid`.
    """
    text = text.strip()
    if not text:
        return None
    try:
        if not _DATE.fullmatch(text):
            raise ValueError(text)
        begins = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        begins_ms = int(begins.timestamp()) * 1000
    except (ValueError, OverflowError) as error:
        raise Invalid("Write a day such as 2026-11-20.", field=field) from error
    return begins_ms + (limits.DAY_MS if is_end else 0)


def wanted_earnings(kind: str, from_day: str, until_day: str) -> Wanted:
    """What to list, both days included. Raises `Invalid`."""
    return Wanted(
        kind=next((name for name, _ in KINDS if name == kind), None),
        from_ms=day_ms(from_day, "from"),
        until_ms=day_ms(until_day, "until", is_end=True),
    )

"""Wallets at the edge: whether the site has them, what a form or a filter says."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from aiohttp import web

from mediaserver.channels.channels import Channel
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.errors import Invalid
from mediaserver.money.currencies import Currency, currency_of
from mediaserver.money.tips import check_wallets_open
from mediaserver.routes.keys import CONFIG, GIVING

_DAY_MS = 24 * 3600 * 1000
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def wallet_config(request: web.Request) -> MoneyConfig:
    """The settings. Raises `NotFound` where there are no wallets."""
    config = request.app[CONFIG].money
    check_wallets_open(config)
    return config


async def takes_tips(request: web.Request, found: Channel) -> bool:
    """Whether a channel's pages invite to tip it."""
    config = request.app[CONFIG].money
    if not (config.enabled and config.wallet and found.is_verified):
        return False
    return (await request.app[GIVING].terms(found.id)).takes_tips


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
    except ValueError as error:
        raise Invalid("Write a day such as 2026-11-20.", field=field) from error
    return begins_ms + (_DAY_MS if is_end else 0)

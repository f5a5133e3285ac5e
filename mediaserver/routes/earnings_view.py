"""Earnings, payouts and refunds at the edge: who may read them, and how their amounts are shown."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.errors import Invalid, NotFound
from mediaserver.money.contributions import ContributionKind
from mediaserver.money.earnings import Wanted
from mediaserver.routes.keys import CONFIG

KINDS: tuple[tuple[ContributionKind, str], ...] = (
    ("tip", "Tips"),
    ("donation", "Donations"),
    ("transfer", "Transfers"),
)

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def money_there(request: web.Request) -> MoneyConfig:
    """The settings of money. Raises `NotFound` where the site knows none."""
    config = request.app[CONFIG].money
    if not config.enabled:
        raise NotFound("There is nothing at this address.", code="no_money")
    return config


def wanted_earnings(kind: str, from_day: str, until_day: str) -> Wanted:
    """What to list, both days included. Raises `Invalid`."""
    until_ms = _day_ms(until_day, "until")
    return Wanted(
        kind=next((name for name, _ in KINDS if name == kind), None),
        from_ms=_day_ms(from_day, "from"),
        until_ms=None if until_ms is None else until_ms + limits.DAY_MS,
    )


def _day_ms(text: str, field: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    try:
        if not _DATE.fullmatch(text):
            raise ValueError(text)
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        return int(day.timestamp()) * 1000
    except (ValueError, OverflowError) as error:
        raise Invalid("Write a day such as 2026-11-20.", field=field) from error

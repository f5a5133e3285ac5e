"""Browser sources about money: alerts, the goal, the board of tippers. The one with the chat, and
what opens all of them: chat.py.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from aiohttp import web

from mediaserver.channels.channels import Channel
from mediaserver.kernel.errors import NotFound
from mediaserver.money.alert_looks import Look
from mediaserver.money.alerts import Showing
from mediaserver.money.currencies import currency_of, formatted
from mediaserver.routes.keys import ALERTS
from mediaserver.routes.page import page
from mediaserver.routes.pages.chat import opened_by_token, secret

_SAMPLES = (
    ("mira", 5, "Greetings from the harbour"),
    ("Somebody", 1, ""),
    ("kofi", 25, "A longer message shows where its lines break, so that the source gets a width."),
)


async def alerts_overlay(request: web.Request) -> web.Response:
    channel = await _channel(request)
    looks = await request.app[ALERTS].looks(channel.id)
    samples = [dataclasses.asdict(one) for one in samples_of(looks, request.app[ALERTS].currency)]
    return _overlay(request, channel, "alerts", {"samples": samples})


async def goal_overlay(request: web.Request) -> web.Response:
    channel = await _channel(request)
    shown = (await request.app[ALERTS].support(channel.id)).for_overlay()
    if request.query.get("test") == "1":
        shown["goal"] = sample_goal(request.app[ALERTS].currency)
    return _overlay(request, channel, "goal", {"shown": shown})


async def top_overlay(request: web.Request) -> web.Response:
    channel = await _channel(request)
    support = await request.app[ALERTS].support(channel.id)
    shown = support.for_overlay()
    if request.query.get("test") == "1":
        currency = currency_of(request.app[ALERTS].currency)
        shown["board"]["tippers"] = [
            {"name": name, "amount": formatted(units * currency.unit_minor, currency)}
            for name, units, _ in sorted(_SAMPLES, key=lambda one: -one[1])
        ]
    return _overlay(request, channel, "top", {"shown": shown})


def samples_of(looks: list[Look], code: str) -> list[Showing]:
    """Alerts for a test: one of each look that there is, and some more."""
    currency = currency_of(code)
    amounts = [(name, units * currency.unit_minor, said) for name, units, said in _SAMPLES]
    amounts += [("lena_k", one.amount_minor_min, "") for one in looks if one.amount_minor_min]
    return [
        Showing(
            id=f"test_{place}",
            turn=0,
            kind="tip",
            name=name,
            amount_minor=amount_minor,
            currency=code,
            amount=formatted(amount_minor, currency),
            message=said,
            goal="",
            line_id=None,
            gap_ms=1_000,
            look=[one for one in looks if one.amount_minor_min <= amount_minor][-1].as_json(),
        )
        for place, (name, amount_minor, said) in enumerate(amounts)
    ]


def sample_goal(code: str) -> dict[str, Any]:
    currency = currency_of(code)
    return {
        "title": "A new microphone",
        "raised": formatted(124 * currency.unit_minor, currency),
        "target": formatted(200 * currency.unit_minor, currency),
        "percent": 62,
    }


async def _channel(request: web.Request) -> Channel:
    """Of the token in the address. Raises `NotFound`, also where the site has no money."""
    if not request.app[ALERTS].is_on:
        raise NotFound("There is nothing here.")
    return (await opened_by_token(request, "overlay")).channel


def _overlay(
    request: web.Request, channel: Channel, part: str, context: dict[str, Any]
) -> web.Response:
    about = {"channel": {"slug": channel.slug, "name": channel.name}}
    return secret(page(request, f"overlay/{part}.html", {**about, **context}))


routes = [
    web.get("/overlay/{token}/alerts", alerts_overlay),
    web.get("/overlay/{token}/goal", goal_overlay),
    web.get("/overlay/{token}/top", top_overlay),
]

"""Giving a tip: a page of its own, which the watch page also shows in a dialog (tip.js)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, RateLimited, Unavailable
from mediaserver.kernel.ids import new_secret
from mediaserver.money.commission import percent
from mediaserver.money.contributions import Words
from mediaserver.money.currencies import Currency, formatted, parsed_amount, plain
from mediaserver.money.tips import Invitation, quick_amounts
from mediaserver.routes.channel_view import asked_channel
from mediaserver.routes.errors import problem_of
from mediaserver.routes.forms import form_errors, read_form
from mediaserver.routes.host_cookies import clear_host_cookie
from mediaserver.routes.keys import TIPS
from mediaserver.routes.money_view import site_currency, wallet_config
from mediaserver.routes.page import noticed, page, signed_in
from mediaserver.routes.pages.wallet import NEXT_COOKIE
from mediaserver.routes.payments_view import ways_to_pay

_FIELDS = ("choice", "amount", "message", "anonymous", "key")
_KEPT = ("choice", "amount", "message", "anonymous")
_ERRORS = (Invalid, Conflict, Forbidden, RateLimited, Unavailable)


async def show_tip(request: web.Request) -> web.Response:
    wallet_config(request)
    channel = await asked_channel(request, "/tip")
    user = signed_in(request)
    invited = await request.app[TIPS].invite(user, channel.slug)
    form = {name: request.query.get(name, "")[:500] for name in _KEPT}
    response = _page(request, invited, form)
    clear_host_cookie(request, response, NEXT_COOKIE)
    return response


async def give_tip(request: web.Request) -> web.Response:
    wallet_config(request)
    user = signed_in(request)
    form = await read_form(request)
    slug = request.match_info["slug"]
    currency = site_currency(request)
    try:
        words = Words.checked(form.get("message", ""), is_anonymous=form.get("anonymous") == "1")
        amount_minor = _amount(form, currency)
        given = await request.app[TIPS].give(
            user, slug, amount_minor, words, form.get("key") or None
        )
    except _ERRORS as error:
        return await _again(request, user, slug, form, error)
    return noticed(request, f"/receipts/{given.id}", "tip-given")


def _amount(form: Mapping[str, str], currency: Currency) -> int:
    """What was typed, or else the amount that was chosen. Raises `Invalid`."""
    typed = form.get("amount", "").strip()
    return parsed_amount(typed or form.get("choice", ""), currency, "amount")


async def _again(
    request: web.Request,
    user: User,
    slug: str,
    form: Mapping[str, str],
    error: Invalid | Conflict | Forbidden | RateLimited | Unavailable,
) -> web.Response:
    invited = await request.app[TIPS].invite(user, slug)
    if isinstance(error, Forbidden):
        errors = {"": error.message}
    else:
        errors = form_errors(error)
        if "amount_minor" in errors:
            errors["amount"] = errors.pop("amount_minor")
    if error.code == "idempotency_key":  # gone back to a form that gave a tip
        errors = {"": "A tip from this form was given before. Give another one?"}
        form = {**form, "key": ""}
    lacks = error.code == "insufficient_funds"
    return _page(
        request, invited, form, errors=errors, lacks=lacks, status=problem_of(error).status
    )


def _page(
    request: web.Request,
    invited: Invitation,
    form: Mapping[str, str],
    *,
    errors: Mapping[str, str] | None = None,
    lacks: bool = False,
    status: int = 200,
) -> web.Response:
    config, currency = wallet_config(request), site_currency(request)
    choices = quick_amounts(invited.terms.tip_minor_min)
    assert invited.wallet is not None
    kept = {name: form.get(name, "") for name in _FIELDS}
    kept["choice"] = kept["choice"] or plain(choices[1], currency)
    kept["key"] = kept["key"] or new_secret(128)
    context: dict[str, Any] = {
        "channel": {
            "slug": invited.channel.slug,
            "name": invited.channel.name,
            "is_verified": invited.channel.is_verified,
        },
        "refusal": None if invited.refusal is None else _refusal(invited.refusal),
        "frozen_for": invited.wallet.frozen_for,
        "wallet_balance": formatted(invited.wallet.balance_minor, currency),
        "balance_plain": plain(invited.wallet.balance_minor, currency),
        "choices": [(plain(one, currency), formatted(one, currency)) for one in choices],
        "least": formatted(invited.terms.tip_minor_min, currency),
        "symbol": currency.symbol,
        "exponent": currency.exponent,
        "rate": percent(config.commission_bps),
        "message_chars_max": limits.CONTRIBUTION_MESSAGE_CHARS_MAX,
        "takes_donations": invited.terms.takes_donations and bool(ways_to_pay(request, "donation")),
        "is_test": not config.production,
        "form": kept,
        "errors": dict(errors or {}),
        "lacks": lacks,
        "add_url": _add_url(invited.channel.slug, kept),
    }
    return page(request, "money/tip.html", context, status=status)


def _refusal(refusal: Forbidden) -> dict[str, str]:
    return {"code": refusal.code, "message": refusal.message}


def _add_url(slug: str, form: Mapping[str, str]) -> str:
    """To the wallet and back here, with everything that was typed."""
    kept = urlencode({name: form[name] for name in _KEPT if form[name]})
    return f"/wallet?next={quote(f'/@{slug}/tip?{kept}', safe='')}#add"


routes = [
    web.get("/@{slug}/tip", show_tip),
    web.post("/@{slug}/tip", give_tip),
]

"""Donating to a channel without a wallet: for members and guests, with JavaScript or without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.errors import Conflict, Invalid
from mediaserver.kernel.ids import new_word
from mediaserver.money.commission import percent
from mediaserver.money.contributions import Words
from mediaserver.money.currencies import currency_of, formatted, money, parsed_amount, plain
from mediaserver.money.donations import Gift, Occasion
from mediaserver.money.transfers import Declaration
from mediaserver.routes.channel_view import asked_channel
from mediaserver.routes.errors import problem_of
from mediaserver.routes.forms import FORM_ERRORS, FormError, form_errors, read_form
from mediaserver.routes.keys import DONATIONS, TRANSFERS
from mediaserver.routes.page import page, see_other, viewer
from mediaserver.routes.payments_view import (
    Way,
    amounts_to_choose,
    given_view,
    money_config,
    ways_to_pay,
)

_TRANSFER = "transfer"
_SHOWN = ("choice", "amount", "message", "name", "email", "anonymous", "gateway")
_KEY_CHARS = 26


async def ask(request: web.Request) -> web.Response:
    config = money_config(request)
    channel = await asked_channel(request, "/donate")
    occasion = await request.app[DONATIONS].occasion(viewer(request), channel.slug)
    return _form(request, config, occasion, {"key": new_word(_KEY_CHARS)}, None)


async def take(request: web.Request) -> web.Response:
    config = money_config(request)
    slug = request.match_info["slug"]
    sender = viewer(request)
    occasion = await request.app[DONATIONS].occasion(sender, slug)
    form = await read_form(request)
    key = form.get("key") or None
    try:
        words = Words.checked(
            form.get("message", ""),
            form.get("name", ""),
            is_anonymous=form.get("anonymous") == "1",
        )
        amount_minor = _amount(form, config)
        if form.get("gateway") == _TRANSFER:
            said = Declaration(slug, amount_minor, words, request.remote or "")
            declared = await request.app[TRANSFERS].declare(sender, said, key)
            return see_other(f"/@{slug}/donate/{declared.id}")
        gift = Gift(
            slug,
            amount_minor,
            form.get("gateway", ""),
            words,
            form.get("email", ""),
            request.remote or "",
        )
        started = await request.app[DONATIONS].start(sender, gift, key)
    except FORM_ERRORS as error:
        return _form(request, config, occasion, form, error)
    return see_other(f"/payments/{started.id}/checkout")


async def announced(request: web.Request) -> web.Response:
    """Where to send a transfer that was just announced. Says nothing that isn't public, but the
    amount.
    """
    config = money_config(request)
    channel = await asked_channel(request, "/donate")
    given = await request.app[TRANSFERS].announced(request.match_info["id"])
    occasion = await request.app[DONATIONS].occasion(None, channel.slug)
    if given.channel_id != channel.id or not occasion.terms.takes_transfers:
        return see_other(f"/@{channel.slug}/donate")
    return page(
        request,
        "money/donate_transfer.html",
        {
            "channel": _channel(channel),
            "given": given_view(given),
            "instructions": occasion.terms.transfer_instructions,
            "is_test": not config.production,
        },
    )


def _amount(form: Mapping[str, str], config: MoneyConfig) -> int:
    """The amount that was typed, else the one that was chosen. Raises `Invalid`."""
    typed = form.get("amount", "").strip() or form.get("choice", "")
    return parsed_amount(typed, currency_of(config.currency), "amount")


def _form(
    request: web.Request,
    config: MoneyConfig,
    occasion: Occasion,
    form: Mapping[str, str],
    error: FormError | None,
) -> web.Response:
    currency = currency_of(config.currency)
    terms = occasion.terms
    ways = ways_to_pay(request, "donation") if terms.takes_donations else []
    if terms.takes_transfers and terms.transfer_instructions:
        hint = "Straight to the streamer’s own account, without commission"
        ways = [*ways, Way(_TRANSFER, "Bank transfer", hint)]
    amounts = amounts_to_choose(terms.donation_minor_min, occasion.most_minor)
    context: dict[str, Any] = {
        "channel": _channel(occasion.channel),
        "why_not": occasion.why_not or ("" if ways else "There is no way to pay here right now."),
        "ways": ways,
        "amounts": [(plain(one, currency), formatted(one, currency)) for one in amounts],
        "least": money(terms.donation_minor_min, currency.code),
        "most": money(occasion.most_minor, currency.code),
        "currency": currency,
        "commission": percent(config.commission_bps),
        "message_chars_max": limits.CONTRIBUTION_MESSAGE_CHARS_MAX,
        "name_chars_max": limits.CONTRIBUTION_NAME_CHARS_MAX,
        "is_test": not config.production,
        "key": _next_key(form, error),
        "form": {name: form.get(name, "") for name in _SHOWN}
        | {"choice": form.get("choice") or (plain(amounts[0], currency) if amounts else "")},
        "errors": _errors(error),
    }
    status = 200 if error is None else problem_of(error).status
    return page(request, "money/donate.html", context, status=status)


def _next_key(form: Mapping[str, str], error: FormError | None) -> str:
    """The same key again for the same gift; another one where it named another gift before."""
    is_used = isinstance(error, Conflict) and error.code == "idempotency_key"
    return new_word(_KEY_CHARS) if is_used else form.get("key") or new_word(_KEY_CHARS)


def _errors(error: FormError | None) -> dict[str, str]:
    if error is None:
        return {}
    if isinstance(error, Invalid) and error.field == "amount_minor":
        return {"amount": error.message}
    return form_errors(error)


def _channel(found: Channel) -> dict[str, Any]:
    return {"slug": found.slug, "name": found.name, "is_verified": found.is_verified}


routes = [
    web.get("/@{slug}/donate", ask),
    web.post("/@{slug}/donate", take),
    web.get("/@{slug}/donate/{id}", announced),
]

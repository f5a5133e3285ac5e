"""Studio page "Tips & donations": on which terms the channel takes money."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.money.commission import percent
from mediaserver.money.currencies import Currency, formatted, parsed_amount, plain
from mediaserver.money.giving import Terms, TermsChange, site_terms
from mediaserver.routes.forms import FORM_ERRORS, read_form
from mediaserver.routes.keys import GIVING
from mediaserver.routes.money_view import site_currency
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.studio.frame import Returned, Studio, open_studio, studio_page
from mediaserver.routes.payments_view import money_config

_SECTION = "giving"
_AMOUNTS = ("tip_minor_min", "donation_minor_min")


async def show_giving(request: web.Request) -> web.Response:
    money_config(request)
    studio = await open_studio(request)
    return await _page(request, studio)


async def change_giving(request: web.Request) -> web.Response:
    money_config(request)
    studio = await open_studio(request)
    form = await read_form(request)
    try:
        change = _change(form, site_currency(request))
        await request.app[GIVING].change(studio.user, studio.channel.slug, change)
    except FORM_ERRORS as error:
        return await _page(request, studio, Returned(_SECTION, form, error))
    return noticed(request, studio.path(_SECTION), "saved")


def _change(form: Mapping[str, str], currency: Currency) -> TermsChange:
    """What the whole form says. Raises `Invalid`."""
    tip_minor_min, donation_minor_min = (
        parsed_amount(form.get(name, ""), currency, name) for name in _AMOUNTS
    )
    return TermsChange(
        takes_tips=form.get("takes_tips") == "1",
        takes_donations=form.get("takes_donations") == "1",
        takes_transfers=form.get("takes_transfers") == "1",
        tip_minor_min=tip_minor_min,
        donation_minor_min=donation_minor_min,
        transfer_instructions=form.get("transfer_instructions", ""),
    )


async def _page(
    request: web.Request, studio: Studio, returned: Returned | None = None
) -> web.Response:
    config, currency = money_config(request), site_currency(request)
    _, terms = await request.app[GIVING].managed(studio.user, studio.channel.slug)
    least = site_terms(config)
    context = {
        "form": _form(terms, currency) if returned is None else dict(returned.given),
        "is_verified": studio.channel.is_verified,
        "has_wallets": config.wallet,
        "symbol": currency.symbol,
        "least_tip": formatted(least.tip_minor_min, currency),
        "least_donation": formatted(least.donation_minor_min, currency),
        "instructions_chars_max": limits.TRANSFER_INSTRUCTIONS_CHARS_MAX,
        "rate": percent(config.commission_bps),
        "is_test": not config.production,
    }
    return await studio_page(request, studio, _SECTION, context, returned=returned)


def _form(terms: Terms, currency: Currency) -> dict[str, str]:
    ticks = {
        name: "1"
        for name in ("takes_tips", "takes_donations", "takes_transfers")
        if getattr(terms, name)
    }
    amounts = {name: plain(getattr(terms, name), currency) for name in _AMOUNTS}
    return {**ticks, **amounts, "transfer_instructions": terms.transfer_instructions}


routes = [
    web.get("/studio/{slug}/giving", show_giving),
    web.post("/studio/{slug}/giving", change_giving),
]

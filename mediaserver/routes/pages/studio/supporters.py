"""Studio page "Supporters": what the channel was given, and thanks to who gave most."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, NotFound
from mediaserver.money.commission import percent
from mediaserver.money.contributions import Contribution
from mediaserver.money.currencies import CURRENCIES, Currency, money, parsed_amount, plain
from mediaserver.money.supporters import STATES, Sought, Sums
from mediaserver.money.thanks import PERIODS, Biggest
from mediaserver.routes.csv import csv_lines
from mediaserver.routes.forms import FORM_ERRORS, form_errors, read_form
from mediaserver.routes.keys import SUPPORTERS, THANKS
from mediaserver.routes.moments import iso_moment
from mediaserver.routes.money_view import day_ms, site_currency
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.studio.frame import Returned, Studio, open_studio, studio_page
from mediaserver.routes.pages.wallet import csv_answer
from mediaserver.routes.payments_view import money_config

_SECTION = "supporters"
_KINDS = {"tip": "Tips", "donation": "Donations", "transfer": "Bank transfers"}
_STATES = {"paid": "Paid", "declared": "Announced", "rejected": "Did not arrive"}
_FILTERS = ("kind", "state", "name", "least", "most", "from", "to")
_COLUMNS = (
    "time",
    "kind",
    "from",
    "message",
    "gross",
    "commission",
    "net",
    "taken_back",
    "currency",
    "state",
    "id",
)


async def show_supporters(request: web.Request) -> web.Response:
    money_config(request)
    return await _page(request, await open_studio(request))


async def send_thanks(request: web.Request) -> web.Response:
    money_config(request)
    studio = await open_studio(request)
    form = await read_form(request)
    try:
        period = next((one for one in PERIODS if one == form.get("period")), None)
        if period is None:
            raise Invalid("Choose one of the list.", field="period")
        await request.app[THANKS].send(
            studio.user, studio.channel.slug, period, form.get("message", "")
        )
    except (*FORM_ERRORS, NotFound) as error:
        return await _page(request, studio, Returned("thanks", form, error))
    return noticed(request, studio.path(_SECTION), "thanked")


async def _page(
    request: web.Request, studio: Studio, returned: Returned | None = None
) -> web.Response:
    config, slug = money_config(request), studio.channel.slug
    supporters = request.app[SUPPORTERS]
    sought, errors = Sought(), {}
    try:
        sought = _sought(request, site_currency(request))
    except Invalid as error:
        errors = form_errors(error)
    after = request.query.get("after")
    found = await supporters.page(studio.user, slug, sought, after=after)
    given = {name: request.query.get(name, "") for name in _FILTERS}
    query = urlencode({name: value for name, value in given.items() if value})
    path = studio.path(_SECTION)
    is_full = len(found) == limits.HISTORY_LISTED_MAX
    biggest = await request.app[THANKS].biggest(studio.user, slug)
    context = {
        "gifts": [_gift_view(one) for one in found],
        "sums": _sums_view(await supporters.sums(studio.user, slug, sought), config.currency),
        "kinds": list(_KINDS.items()),
        "states": [(name, _STATES[name]) for name in STATES],
        "given": given,
        "filter_errors": errors,
        "is_filtered": bool(query),
        "is_first_page": after is None,
        "older_url": f"{path}?{query}{'&' if query else ''}after={found[-1].id}"
        if is_full
        else None,
        "csv_url": f"{path}.csv" + (f"?{query}" if query else ""),
        "biggest": [_biggest_view(one, config.currency) for one in biggest],
        "thanks_chars_max": limits.THANKS_CHARS_MAX,
        "is_verified": studio.channel.is_verified,
        "is_test": not config.production,
    }
    return await studio_page(request, studio, _SECTION, context, returned=returned)


def _sought(request: web.Request, currency: Currency) -> Sought:
    """What the filters ask for. Raises `Invalid`."""
    asked = request.query
    least, most = (
        parsed_amount(asked[name], currency, name) if asked.get(name) else None
        for name in ("least", "most")
    )
    return Sought(
        _known(asked, "kind", _KINDS),
        _known(asked, "state", _STATES),
        asked.get("name", "").strip()[: limits.CONTRIBUTION_NAME_CHARS_MAX] or None,
        least,
        most,
        day_ms(asked.get("from", ""), "from"),
        day_ms(asked.get("to", ""), "to", is_end=True),
    )


def _known(asked: Mapping[str, str], name: str, known: Mapping[str, str]) -> str | None:
    value = asked.get(name) or None
    if value is not None and value not in known:
        raise Invalid("Choose one of the list.", field=name)
    return value


def _gift_view(one: Contribution) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "giver": one.public_name,
        "message": one.message,
        "at_ms": one.paid_at_ms or one.created_at_ms,
        "amount": money(one.amount_minor, one.currency),
        "net": money(one.net_minor, one.currency),
        "rate": percent(one.commission_bps),
        "state": one.state,
        "state_label": _STATES.get(one.state, one.state),
        "taken_back": money(one.taken_back_minor, one.currency) if one.taken_back_minor else "",
    }


def _sums_view(sums: Sums, currency: str) -> dict[str, Any]:
    return {
        "gifts": sums.gifts,
        "gross": money(sums.gross_minor, currency),
        "fee": money(sums.fee_minor, currency),
        "net": money(sums.net_minor, currency),
        "taken_back": money(sums.taken_back_minor, currency) if sums.taken_back_minor else "",
        "direct": money(sums.direct_minor, currency) if sums.direct_minor else "",
    }


def _biggest_view(one: Biggest, currency: str) -> dict[str, Any]:
    return {
        "period": one.period,
        "label": PERIODS[one.period],
        "name": one.name,
        "amount": money(one.amount_minor, currency),
        "thanked_at_ms": one.thanked_at_ms,
    }


async def download_csv(request: web.Request) -> web.Response:
    money_config(request)
    studio = await open_studio(request)
    sought = _sought(request, site_currency(request))
    found = await request.app[SUPPORTERS].page(
        studio.user, studio.channel.slug, sought, most=limits.HISTORY_CSV_ROWS_MAX
    )
    rows = (_row(one) for one in found)
    name = f"supporters-{studio.channel.slug}"
    return csv_answer(name, csv_lines([_COLUMNS]) + csv_lines(rows))


def _row(one: Contribution) -> tuple[object, ...]:
    amounts = (one.amount_minor, one.fee_minor, one.net_minor, one.taken_back_minor)
    currency = CURRENCIES[one.currency]
    return (
        iso_moment(one.paid_at_ms or one.created_at_ms),
        one.kind,
        one.public_name,
        one.message,
        *(Decimal(plain(amount, currency)) for amount in amounts),
        one.currency,
        one.state,
        one.id,
    )


routes = [
    web.get("/studio/{slug}/supporters", show_supporters),
    web.get("/studio/{slug}/supporters.csv", download_csv),
    web.post("/studio/{slug}/supporters/thanks", send_thanks),
]

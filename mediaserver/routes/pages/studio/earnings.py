"""Earnings in the studio: what came in and when it is one's own, bank details, payouts.

They are the person's, over all their channels, so nobody else who works at the desk sees them.
"""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from mediaserver.accounts.permissions import Action, check
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.kernel.ids import new_word
from mediaserver.money.currencies import currency_of, money, parsed_amount, plain
from mediaserver.money.earnings import Earned
from mediaserver.money.payout_accounts import BankDetails
from mediaserver.routes.confirming import confirmed
from mediaserver.routes.csv import csv_lines
from mediaserver.routes.forms import FORM_ERRORS, read_form
from mediaserver.routes.keys import EARNINGS, PAYOUT_ACCOUNTS, PAYOUTS
from mediaserver.routes.moments import iso_moment
from mediaserver.routes.money_view import KINDS, money_there, wanted_earnings
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.studio.frame import Returned, Studio, open_studio, studio_page

_PATH = "/studio/{slug}/earnings"
_FIELDS = ("kind", "from", "until")
_KEY_CHARS = 20
_COLUMNS = (
    *("id", "at", "kind", "channel", "from", "currency", "gross", "commission", "net"),
    *("net left", "state", "available from"),
)


async def show_earnings(request: web.Request) -> web.Response:
    return await _earnings(request, await _open(request))


async def request_payout(request: web.Request) -> web.Response:
    studio = await _open(request)
    back = studio.path("earnings")
    confirmed(request, back)
    form = await read_form(request)
    try:
        currency = currency_of(money_there(request).currency)
        amount_minor = parsed_amount(form.get("amount", ""), currency)
        key = form.get("key") or None
        await request.app[PAYOUTS].request(studio.user, amount_minor, key)
    except (*FORM_ERRORS, Forbidden) as error:
        return await _earnings(request, studio, Returned("payout", form, error, "amount"))
    return noticed(request, back, "payout-requested")


async def cancel_payout(request: web.Request) -> web.Response:
    studio = await _open(request)
    form = await read_form(request)
    try:
        await request.app[PAYOUTS].cancel(studio.user, form.get("id", ""))
    except (Conflict, NotFound) as error:
        return await _earnings(request, studio, Returned("cancel", form, error))
    return noticed(request, studio.path("earnings"), "payout-cancelled")


async def change_account(request: web.Request) -> web.Response:
    studio = await _open(request)
    back = studio.path("earnings")
    confirmed(request, back)
    form = await read_form(request)
    try:
        fields = ("holder", "account", "bank", "routing", "country")
        details = BankDetails.checked(*(form.get(name, "") for name in fields))
        await request.app[PAYOUT_ACCOUNTS].change(studio.user, details)
    except (Invalid, Forbidden) as error:
        return await _earnings(request, studio, Returned("account", form, error))
    return noticed(request, back, "payout-account-changed")


async def remove_account(request: web.Request) -> web.Response:
    studio = await _open(request)
    back = studio.path("earnings")
    confirmed(request, back)
    await request.app[PAYOUT_ACCOUNTS].remove(studio.user)
    return noticed(request, back, "payout-account-removed")


async def show_history(request: web.Request) -> web.Response:
    studio = await _open(request)
    asked = {name: request.query.get(name, "") for name in _FIELDS}
    returned, found = None, []
    try:
        wanted = wanted_earnings(asked["kind"], asked["from"], asked["until"])
        after = request.query.get("after")
        found = await request.app[EARNINGS].page(studio.user, wanted, after=after)
    except Invalid as error:
        returned = Returned("filter", asked, error)
    is_full = len(found) == limits.EARNINGS_LISTED_MAX
    query = urlencode({name: value for name, value in asked.items() if value})
    more = f"{query}&after={found[-1].contribution.id}" if is_full else ""
    context = {
        "rows": [_row(one) for one in found],
        "form": asked,
        "kinds": [("", "All"), *KINDS],
        "query": query,
        "more": more,
        "is_filtered": bool(query),
        "is_test_money": not money_there(request).production,
    }
    return await studio_page(
        request, studio, "earnings", context, template="earnings_history", returned=returned
    )


async def download_history(request: web.Request) -> web.StreamResponse:
    """Everything that is wanted, batch by batch."""
    studio = await _open(request)
    wanted = wanted_earnings(*(request.query.get(name, "") for name in _FIELDS))
    response = web.StreamResponse(
        headers={
            "Content-Disposition": 'attachment; filename="earnings.csv"',
            "Content-Type": "text/csv; charset=utf-8",
            "Cache-Control": "no-store",
        }
    )
    await response.prepare(request)
    await response.write(csv_lines([_COLUMNS]).encode())
    async for batch in request.app[EARNINGS].export(studio.user, wanted):
        await response.write(csv_lines(map(_cells, batch)).encode())
    await response.write_eof()
    return response


async def _open(request: web.Request) -> Studio:
    money_there(request)
    studio = await open_studio(request)
    check(studio.user, Action.READ_OWN_MONEY)
    if studio.user.id != studio.channel.owner_id:
        raise Forbidden("Only the owner of a channel sees what they earn.")
    return studio


async def _earnings(
    request: web.Request, studio: Studio, returned: Returned | None = None
) -> web.Response:
    config = money_there(request)
    currency = currency_of(config.currency)
    overview = await request.app[EARNINGS].overview(studio.user)
    ready = await request.app[PAYOUTS].readiness(studio.user)
    context = {
        "overview": overview,
        "ready": ready,
        "account": await request.app[PAYOUT_ACCOUNTS].find(studio.user),
        "payouts": await request.app[PAYOUTS].page(studio.user),
        "money": money,
        "symbol": currency.symbol,
        "all_of_it": plain(ready.available_minor, currency),
        "key": new_word(_KEY_CHARS),
        "maturity_days": config.maturity_days,
        "is_test_money": not config.production,
    }
    return await studio_page(request, studio, "earnings", context, returned=returned)


def _row(one: Earned) -> dict[str, object]:
    given = one.contribution
    return {
        "id": given.id,
        "kind": given.kind,
        "name": given.public_name,
        "channel_name": given.channel_name,
        "gross": money(given.amount_minor, given.currency),
        "commission": money(given.fee_minor, given.currency),
        "left": money(one.left_minor, given.currency),
        "taken_back": given.taken_back_minor and money(given.taken_back_minor, given.currency),
        "state": one.state,
        "created_at_ms": given.created_at_ms,
        "matures_at_ms": given.matures_at_ms,
    }


def _cells(one: Earned) -> tuple[object, ...]:
    given = one.contribution
    currency = currency_of(given.currency)
    return (
        given.id,
        iso_moment(given.created_at_ms),
        given.kind,
        given.channel_name,
        given.public_name,
        given.currency,
        plain(given.amount_minor, currency),
        plain(given.fee_minor, currency),
        plain(given.net_minor, currency),
        plain(one.left_minor, currency),
        one.state,
        None if given.matures_at_ms is None else iso_moment(given.matures_at_ms),
    )


routes = [
    web.get(_PATH, show_earnings),
    web.post(f"{_PATH}/payout", request_payout),
    web.post(f"{_PATH}/payout/cancel", cancel_payout),
    web.post(f"{_PATH}/account", change_account),
    web.post(f"{_PATH}/account/remove", remove_account),
    web.get(f"{_PATH}/history", show_history),
    web.get(f"{_PATH}/history.csv", download_history),
]

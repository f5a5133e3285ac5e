"""The wallet of whoever is logged in: what is in it, what became of it, statements and receipts."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, NotFound
from mediaserver.kernel.ids import new_secret
from mediaserver.money.commission import percent
from mediaserver.money.currencies import CURRENCIES, formatted, money, parsed_amount, plain
from mediaserver.money.history import KINDS, Movement, Wanted
from mediaserver.money.tips import quick_amounts
from mediaserver.money.topups import bounds
from mediaserver.money.wallet import Line, month_of
from mediaserver.routes.csv import csv_lines
from mediaserver.routes.forms import (
    FORM_ERRORS,
    FormError,
    form_errors,
    form_status,
    read_form,
)
from mediaserver.routes.host_cookies import host_cookie, set_host_cookie
from mediaserver.routes.keys import CLOCK, GATEWAYS, HISTORY, RECEIPTS, TOPUPS, WALLETS
from mediaserver.routes.moments import iso_moment
from mediaserver.routes.money_view import day_ms, site_currency, wallet_config
from mediaserver.routes.page import page, see_other, signed_in
from mediaserver.routes.payments_view import money_config, ways_to_pay

NEXT_COOKIE = "wallet-next"
_NEXT = re.compile(r"/@([a-z0-9-]{3,30})/(?:tip|donate)\?[\x21-\x5b\x5d-\x7e]{0,3400}")
"""What somebody was about to give when they went to add money."""

_FILTERS = ("kind", "channel", "from", "to")
_COLUMNS = ("time", "what", "channel", "amount", "wallet", "currency", "state", "message", "id")

_STATES: Mapping[str, str] = {
    "created": "Not finished",
    "open": "Not finished",
    "review": "Being checked",
    "paid": "Paid",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "expired": "Expired",
    "reversed": "Taken back",
    "declared": "Not confirmed yet",
    "rejected": "Did not arrive",
    "booked": "Booked",
}
"""How the states of payments and contributions are called."""

_ENTRY_KINDS: Mapping[str, str] = {
    "topup": "Money added",
    "tip": "Tip",
    "membership": "Membership",
    "refund": "Refund",
    "refund.held": "Refund",
    "refund.failed": "Refund that didn’t work",
    "payment.reversed": "Payment taken back",
    "dispute": "Disputed payment",
    "dispute.won": "Dispute won",
    "correction": "Correction",
}
"""How entries of the ledger are called that touch a wallet."""


async def show_wallet(request: web.Request) -> web.Response:
    user = signed_in(request)
    response = await wallet_page(request, user)
    if _NEXT.fullmatch(request.query.get("next", "")):
        set_host_cookie(
            request, response, NEXT_COOKIE, request.query["next"], limits.TIP_DRAFT_MAX_AGE_S
        )
    return response


def _draft(request: web.Request) -> dict[str, str] | None:
    """The tip to which they may go back, and whom it is for."""
    target = request.query.get("next") or host_cookie(request, NEXT_COOKIE)
    match = _NEXT.fullmatch(target)
    return None if match is None else {"url": target, "slug": match[1]}


async def add_money(request: web.Request) -> web.Response:
    """Begin a payment into the wallet; the browser goes on to where it is paid."""
    user = signed_in(request)
    wallet_config(request)
    form = await read_form(request)
    try:
        typed = form.get("amount", "").strip() or form.get("choice", "")
        amount_minor = parsed_amount(typed, site_currency(request), "amount")
        started = await request.app[TOPUPS].start(
            user, amount_minor, form.get("gateway", ""), form.get("key") or None
        )
    except FORM_ERRORS as error:
        errors = form_errors(error)
        if "amount_minor" in errors:
            errors["amount"] = errors.pop("amount_minor")
        more = {"form": _add_form(form, error), "errors": errors}
        return await wallet_page(request, user, more, status=form_status(error))
    return see_other(f"/payments/{started.id}/checkout")


def _add_form(form: Mapping[str, str], error: FormError | None = None) -> dict[str, str]:
    """What was typed, and the key: another one where this one began another payment before."""
    kept = {name: form.get(name, "") for name in ("choice", "amount", "gateway", "key")}
    if not kept["key"] or (error is not None and error.code == "idempotency_key"):
        kept["key"] = new_secret(128)
    return kept


async def wallet_page(
    request: web.Request, user: User, more: Mapping[str, Any] | None = None, *, status: int = 200
) -> web.Response:
    """The page, with what a form on it found wrong in `more`."""
    config = wallet_config(request)
    held = await request.app[WALLETS].standing(user)
    errors: dict[str, str] = {}
    wanted = Wanted()
    try:
        wanted = _wanted(request)
    except Invalid as error:
        errors = form_errors(error)
    after = request.query.get("after")
    found = await request.app[HISTORY].page(user, wanted, after=after)
    is_full = len(found) == limits.HISTORY_LISTED_MAX
    given = {name: request.query.get(name, "") for name in _FILTERS}
    query = urlencode({name: value for name, value in given.items() if value})
    currency, (least, most) = site_currency(request), bounds(config)
    choices = quick_amounts(least, most)
    context = {
        "held": {
            "balance": money(held.balance_minor, held.currency),
            "frozen_for": held.frozen_for,
        },
        "draft": _draft(request),
        "ways": [dataclasses.asdict(one) for one in ways_to_pay(request, "topup")],
        "choices": [(plain(one, currency), formatted(one, currency)) for one in choices],
        "bounds": f"{formatted(least, currency)} to {formatted(most, currency)}.",
        "symbol": currency.symbol,
        "form": _add_form({"choice": plain(choices[0], currency)} if choices else {}),
        "is_test": not config.production,
        "movements": [_movement_view(one) for one in found],
        "kinds": list(KINDS.items()),
        "channels": [(one.slug, one.name) for one in await request.app[HISTORY].channels(user)],
        "given": given,
        "errors": errors,
        "is_filtered": bool(query),
        "csv_url": "/wallet/history.csv" + (f"?{query}" if query else ""),
        "is_first_page": after is None,
        "older_url": _older(query, found[-1].id) if is_full else None,
        "month": month_of(request.app[CLOCK].wall_ms()),
        **(more or {}),
    }
    if errors and status == 200:
        status = 422
    return page(request, "money/wallet.html", context, status=status)


def _wanted(request: web.Request) -> Wanted:
    """What the filters ask for. Raises `Invalid`."""
    asked = request.query
    kind = asked.get("kind") or None
    if kind is not None and kind not in KINDS:
        raise Invalid("Choose one of the list.", field="kind")
    return Wanted(
        kind,
        asked.get("channel") or None,
        day_ms(asked.get("from", ""), "from"),
        day_ms(asked.get("to", ""), "to", is_end=True),
    )


def _older(query: str, after: str) -> str:
    return f"/wallet?{query}{'&' if query else ''}after={after}#history"


def _movement_view(one: Movement) -> dict[str, Any]:
    signed = one.wallet_minor or one.amount_minor
    return {
        **dataclasses.asdict(one),
        "title": _title(one),
        "amount": ("+" if one.wallet_minor > 0 else "") + money(signed, one.currency),
        "is_in": one.wallet_minor > 0,
        "state_label": _STATES.get(one.state, one.state),
        "is_settled": one.state in ("paid", "booked"),
        "taken_back": money(one.taken_back_minor, one.currency) if one.taken_back_minor else "",
        "path": _path(one),
    }


def _title(one: Movement) -> str:
    if one.kind == "topup":
        return "Money added"
    if one.channel_name:
        return f"{KINDS[one.kind].removesuffix('s')} to {one.channel_name}"
    return entry_title(one.detail)


def entry_title(kind: str) -> str:
    """How an entry of the ledger is called, for people."""
    return _ENTRY_KINDS.get(kind, kind.replace(".", ", ").replace("_", " ").capitalize())


def _path(one: Movement) -> str:
    if one.kind == "topup":
        return f"/payments/{one.id}"
    return f"/receipts/{one.id}" if one.channel_name else ""


async def download_csv(request: web.Request) -> web.Response:
    user = signed_in(request)
    money_config(request)
    found = await request.app[HISTORY].page(
        user, _wanted(request), most=limits.HISTORY_CSV_ROWS_MAX
    )
    rows = (
        (
            iso_moment(one.at_ms),
            _title(one),
            one.channel_name,
            _decimal(one.amount_minor, one.currency),
            _decimal(one.wallet_minor, one.currency),
            one.currency,
            one.state,
            one.message,
            one.id,
        )
        for one in found
    )
    return csv_answer("money", csv_lines([_COLUMNS]) + csv_lines(rows))


def csv_answer(name: str, text: str) -> web.Response:
    """A table to save as `name`.csv."""
    return web.Response(
        text=text,
        content_type="text/csv",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.csv"',
            "Cache-Control": "no-store",
        },
    )


def _decimal(amount_minor: int, currency: str) -> Decimal:
    return Decimal(plain(amount_minor, CURRENCIES[currency]))


async def show_statement(request: web.Request) -> web.Response:
    user = signed_in(request)
    wallet_config(request)
    stated = await request.app[WALLETS].statement(user, request.match_info["month"])
    now_ms = request.app[CLOCK].wall_ms()
    if stated.starts_at_ms > now_ms:
        raise NotFound("That month hasn't begun.")
    code = stated.currency
    context = {
        "month": stated.month,
        "holder": user.username,
        "starts_at_ms": stated.starts_at_ms,
        "is_over": stated.ends_at_ms <= now_ms,
        "earlier": month_of(stated.starts_at_ms - 1),
        "later": month_of(stated.ends_at_ms) if stated.ends_at_ms <= now_ms else None,
        "opening": money(stated.opening_minor, code),
        "closing": money(stated.closing_minor, code),
        "lines": [
            {
                "id": line.entry_id,
                "at_ms": line.at_ms,
                "title": entry_title(line.kind),
                "about": _about(request, line),
                "amount": ("+" if line.amount_minor > 0 else "") + money(line.amount_minor, code),
                "balance": money(line.balance_minor, code),
            }
            for line in stated.lines
        ],
        "others": stated.others,
        "others_amount": money(stated.others_minor, code),
        "currency": code,
        "is_test": not money_config(request).production,
    }
    return page(request, "money/statement.html", context)


def _about(request: web.Request, line: Line) -> str:
    return request.app[GATEWAYS].label(line.about) if line.kind == "topup" else line.about


async def show_receipt(request: web.Request) -> web.Response:
    user = signed_in(request)
    config = money_config(request)
    receipt = await request.app[RECEIPTS].get(user, request.match_info["id"])
    given = receipt.given
    net_minor = given.net_minor - (given.taken_back_minor - receipt.fee_taken_back_minor)
    fee_minor = given.fee_minor - receipt.fee_taken_back_minor
    context = {
        "given": {
            "id": given.id,
            "kind": given.kind,
            "state": given.state,
            "state_label": _STATES[given.state],
            "channel_name": given.channel_name,
            "message": given.message,
            "is_anonymous": given.is_anonymous,
            "at_ms": given.paid_at_ms or given.created_at_ms,
            "amount": money(given.amount_minor, given.currency),
            "fee": money(given.fee_minor, given.currency),
            "net": money(given.net_minor, given.currency),
            "rate": percent(given.commission_bps),
            "currency": given.currency,
            "payment_id": given.payment_id if receipt.is_givers else None,
            "entry_id": given.entry_id,
        },
        "taken_back": {
            "amount": money(given.taken_back_minor, given.currency),
            "fee_left": money(fee_minor, given.currency),
            "net_left": money(net_minor, given.currency),
        }
        if given.taken_back_minor
        else None,
        "giver": receipt.giver,
        "is_givers": receipt.is_givers,
        "channel_slug": receipt.channel_slug,
        "is_test": not config.production,
    }
    return page(request, "money/receipt.html", context)


routes = [
    web.get("/wallet", show_wallet),
    web.post("/wallet", add_money),
    web.get("/wallet/history.csv", download_csv),
    web.get("/wallet/statement/{month}", show_statement),
    web.get("/receipts/{id}", show_receipt),
]

"""Payments at the admin desk: those that wait for somebody, and one with all that came about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid
from mediaserver.money.currencies import currency_of, money, parsed_amount
from mediaserver.money.gateways.manual import NAME as MANUAL
from mediaserver.money.payments import Payment, State
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import (
    CLOCK,
    GATEWAYS,
    HOOK_INBOX,
    PAYMENT_DECISIONS,
    PAYMENT_VIEWS,
)
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin
from mediaserver.routes.payments_view import money_config, payment_view

_PAGE = "/admin/payments"

_VIEWS: Mapping[str, tuple[str, tuple[State, ...], str | None]] = {
    "transfers": ("Bank transfers", ("created", "open"), MANUAL),
    "review": ("In review", ("review",), None),
    "open": ("Under way", ("created", "open"), None),
    "paid": ("Paid", ("paid",), None),
    "ended": ("Not paid", ("failed", "cancelled", "expired", "reversed"), None),
    "all": ("All", (), None),
}
"""What is listed under each tab: its label, states, and the one gateway."""


async def show_list(request: web.Request) -> web.Response:
    config = money_config(request)
    await admin(request, Action.READ_BOOKS)
    asked = request.query.get("show", "transfers")
    show = asked if asked in _VIEWS else "all"
    _, states, gateway = _VIEWS[show]
    found = await request.app[PAYMENT_DECISIONS].page(
        states, gateway, after=request.query.get("after")
    )
    context = {
        "payments": [_row(request, one) for one in found],
        "show": show,
        "tabs": [(name, label) for name, (label, _, _) in _VIEWS.items()],
        "more": found[-1].id if len(found) == limits.PAYMENTS_LISTED_MAX else None,
        "is_test": not config.production,
    }
    return await admin_page(request, "payments", context)


async def show_one(request: web.Request) -> web.Response:
    money_config(request)
    await admin(request, Action.READ_BOOKS)
    return await _one(request, {}, None)


async def confirm(request: web.Request) -> web.Response:
    """The transfer has come."""
    payment_id = request.match_info["id"]

    async def act(form: Mapping[str, str]) -> str:
        actor = await _deciding(request)
        done = await request.app[PAYMENT_DECISIONS].confirm(
            actor, payment_id, form.get("bank_ref", ""), _amount(request, form)
        )
        return "payment-confirmed" if done.state == "paid" else "payment-approved"

    return await _decide(request, act)


async def accept(request: web.Request) -> web.Response:
    """Book what was really paid."""
    payment_id = request.match_info["id"]

    async def act(form: Mapping[str, str]) -> str:
        actor = await _deciding(request)
        amount_minor = _amount(request, form)
        if amount_minor is None:
            raise Invalid("Write down what was paid.", field="amount")
        done = await request.app[PAYMENT_DECISIONS].accept(actor, payment_id, amount_minor)
        return "payment-accepted" if done.state == "paid" else "payment-approved"

    return await _decide(request, act)


async def reject(request: web.Request) -> web.Response:
    payment_id = request.match_info["id"]

    async def act(form: Mapping[str, str]) -> str:
        actor = await _deciding(request)
        await request.app[PAYMENT_DECISIONS].reject(actor, payment_id, form.get("reason", ""))
        return "payment-rejected"

    return await _decide(request, act)


async def check(request: web.Request) -> web.Response:
    """Ask its gateway once more: changes nothing that wouldn't change by itself."""

    async def act(form: Mapping[str, str]) -> str:
        await admin(request, Action.DECIDE_PAYMENT)
        await request.app[PAYMENT_DECISIONS].check(request.match_info["id"])
        return "payment-checked"

    return await _decide(request, act)


def _amount(request: web.Request, form: Mapping[str, str]) -> int | None:
    """What was typed; None for an empty field. Raises `Invalid`."""
    typed = form.get("amount", "").strip()
    currency = currency_of(money_config(request).currency)
    return parsed_amount(typed, currency, "amount") if typed else None


async def _deciding(request: web.Request) -> Any:
    back = f"{_PAGE}/{request.match_info['id']}"
    return await confirmed_admin(request, Action.DECIDE_PAYMENT, back)


async def _decide(
    request: web.Request, act: Callable[[Mapping[str, str]], Awaitable[str]]
) -> web.Response:
    money_config(request)
    await admin(request, Action.DECIDE_PAYMENT)
    form = await read_form(request)
    try:
        notice = await act(form)
    except FORM_ERRORS as error:
        if isinstance(error, Invalid) and error.field == "amount_minor":
            error = Invalid(error.message, field="amount")
        return await _one(request, form, error)
    return noticed(request, f"{_PAGE}/{request.match_info['id']}", notice)


async def _one(
    request: web.Request, form: Mapping[str, str], error: FormError | None
) -> web.Response:
    payment_id = request.match_info["id"]
    view = await request.app[PAYMENT_VIEWS].of_any(payment_id)
    found = view.payment
    first = await request.app[PAYMENT_DECISIONS].approval(payment_id)
    received = await request.app[HOOK_INBOX].of_payment(payment_id)
    is_by_bank = found.gateway == MANUAL
    context = {
        "payment": payment_view(request, view, request.app[CLOCK].wall_ms()),
        "state": found.state,
        "approval": first,
        "received": received,
        "may_confirm": is_by_bank and found.state not in ("paid", "reversed"),
        "may_reject": found.state == "review"
        or (is_by_bank and found.state in ("created", "open")),
        "may_accept": found.state == "review" and not is_by_bank,
        "approved": None if first is None else money(first.amount_minor, found.currency),
        "may_check": not is_by_bank,
        "reason_chars_max": limits.PAYMENT_REASON_CHARS_MAX,
        "reference_chars_max": limits.BANK_REFERENCE_CHARS_MAX,
    }
    return await admin_page(
        request, "payments", context, template="payment", form=form, error=error
    )


def _row(request: web.Request, found: Payment) -> dict[str, Any]:
    return {
        "id": found.id,
        "purpose": found.purpose,
        "amount": money(found.amount_minor, found.currency),
        "gateway": request.app[GATEWAYS].label(found.gateway),
        "state": found.state,
        "problem": found.problem,
        "created_at_ms": found.created_at_ms,
    }


routes = [
    web.get(_PAGE, show_list),
    web.get(_PAGE + "/{id}", show_one),
    web.post(_PAGE + "/{id}/confirm", confirm),
    web.post(_PAGE + "/{id}/accept", accept),
    web.post(_PAGE + "/{id}/reject", reject),
    web.post(_PAGE + "/{id}/check", check),
]

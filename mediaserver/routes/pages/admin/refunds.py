"""Refunds at the admin desk: those under way, one of them, and giving back a payment.

`/admin/refunds/new?payment=pay_…` shows whose money it would be before anything is moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.kernel import limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.ids import new_word
from mediaserver.money.currencies import currency_of, money, parsed_amount, plain
from mediaserver.money.ledger import Kind
from mediaserver.money.refund_rows import STATES
from mediaserver.money.refunds import Preview
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import PAYMENT_VIEWS, REFUND_DESK
from mediaserver.routes.money_view import money_there
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin

_PAGE = "/admin/refunds"
_KEY_CHARS = 20
_SOURCES = (
    (Kind.WALLET, "The payer's wallet"),
    (Kind.EARNINGS_PENDING, "Streamers' pending earnings"),
    (Kind.COMMISSION, "Our commission"),
    (Kind.UNCLAIMED, "Unclaimed money"),
    (Kind.LOSSES, "Our loss"),
)


async def show_list(request: web.Request) -> web.Response:
    config = money_there(request)
    await admin(request, Action.DECIDE_PAYMENT)
    shown = "decided" if request.query.get("show") == "decided" else "open"
    desk, after = request.app[REFUND_DESK], request.query.get("after")
    if shown == "open":
        found = await desk.page(("requested", "pending"), after=after)
    else:
        found = await desk.page(("succeeded", "failed"), after=after)
    is_full = len(found) == limits.REFUNDS_LISTED_MAX
    context = {
        "shown": shown,
        "refunds": found,
        "money": money,
        "next": found[-1].id if is_full else None,
        "is_test_money": not config.production,
    }
    return await admin_page(request, "refunds", context)


async def show_new(request: web.Request) -> web.Response:
    """The form, with what the amount in `?amount=` would take from whom."""
    money_there(request)
    await admin(request, Action.DECIDE_PAYMENT)
    payment_id = request.query.get("payment", "")
    form = {"amount": request.query.get("amount", ""), "payment": payment_id}
    try:
        return await _new(request, payment_id, form, None)
    except (Invalid, Conflict) as error:
        return await _new(request, payment_id, form, error)


async def ask(request: web.Request) -> web.Response:
    money_there(request)
    await admin(request, Action.DECIDE_PAYMENT)
    form = await read_form(request)
    payment_id = form.get("payment", "")
    actor = await _decider(request, f"{_PAGE}/new?payment={quote(payment_id)}")
    desk = request.app[REFUND_DESK]
    try:
        currency = (await desk.preview(payment_id)).paid.currency
        made = await desk.ask(
            actor,
            payment_id,
            parsed_amount(form.get("amount", ""), currency_of(currency)),
            form.get("reason", ""),
            by_hand="by_hand" in form,
            key=form.get("key") or None,
        )
    except FORM_ERRORS as error:
        return await _new(request, payment_id, form, error)
    return noticed(request, f"{_PAGE}/{made.id}", "refund-asked")


async def show_one(request: web.Request) -> web.Response:
    money_there(request)
    await admin(request, Action.DECIDE_PAYMENT)
    return await _one(request)


async def confirm(request: web.Request) -> web.Response:
    refund_id = request.match_info["id"]
    actor = await _decider(request, f"{_PAGE}/{refund_id}")
    form = await read_form(request)
    try:
        await request.app[REFUND_DESK].confirm(actor, refund_id, form.get("bank_reference", ""))
    except FORM_ERRORS as error:
        return await _one(request, form, error)
    return noticed(request, f"{_PAGE}/{refund_id}", "refund-confirmed")


async def reject(request: web.Request) -> web.Response:
    refund_id = request.match_info["id"]
    actor = await _decider(request, f"{_PAGE}/{refund_id}")
    form = await read_form(request)
    try:
        seen = next((one for one in STATES if one == form.get("state")), None)
        await request.app[REFUND_DESK].reject(actor, refund_id, form.get("reason", ""), seen)
    except FORM_ERRORS as error:
        return await _one(request, form, error)
    return noticed(request, f"{_PAGE}/{refund_id}", "refund-rejected")


async def _decider(request: web.Request, back: str) -> Actor:
    money_there(request)
    return await confirmed_admin(request, Action.DECIDE_PAYMENT, back)


async def _new(
    request: web.Request, payment_id: str, form: Mapping[str, str], error: FormError | None
) -> web.Response:
    desk = request.app[REFUND_DESK]
    seen: Preview | None = None
    try:
        seen = await desk.preview(payment_id)
        if error is None and form.get("amount"):
            currency = currency_of(seen.paid.currency)
            seen = await desk.preview(payment_id, parsed_amount(form["amount"], currency))
    except Conflict as conflict:
        error = error or conflict
    except NotFound as missing:
        if payment_id:
            error = Invalid(missing.message, field="payment")
    context = {
        "payment_id": payment_id,
        "seen": None if seen is None else _seen(seen),
        "paid": None if seen is None else seen.paid,
        "payer": seen and (await request.app[PAYMENT_VIEWS].of_any(seen.paid.id)).payer,
        "earlier": () if seen is None else seen.earlier,
        "money": money,
        "can_ask_gateway": seen is not None and desk.can_ask_gateway(seen.paid),
        "key": new_word(_KEY_CHARS),
        "is_test_money": not money_there(request).production,
    }
    return await admin_page(
        request, "refunds", context, template="refund_new", form=form, error=error
    )


def _seen(seen: Preview) -> dict[str, object]:
    currency = seen.paid.currency
    return {
        "gateway": seen.paid.gateway,
        "purpose": "a top-up" if seen.paid.purpose == "topup" else "a donation",
        "paid": money(seen.paid.amount_minor, currency),
        "left": money(seen.left_minor, currency),
        "amount": money(seen.amount_minor, currency),
        "plain": plain(seen.amount_minor, currency_of(currency)),
        "symbol": currency_of(currency).symbol,
        "sources": [
            (label, money(seen.plan.from_kind(kind), currency))
            for kind, label in _SOURCES
            if seen.plan.from_kind(kind)
        ],
    }


async def _one(
    request: web.Request, form: Mapping[str, str] | None = None, error: FormError | None = None
) -> web.Response:
    found = await request.app[REFUND_DESK].get(request.match_info["id"])
    context = {
        "one": found.refund,
        "paid": found.paid,
        "is_being_asked": found.is_being_asked,
        "amount": money(found.refund.amount_minor, found.refund.currency),
        "is_test_money": not money_there(request).production,
    }
    return await admin_page(request, "refunds", context, template="refund", form=form, error=error)


routes = [
    web.get(_PAGE, show_list),
    web.get(_PAGE + "/new", show_new),
    web.post(_PAGE + "/new", ask),
    web.get(_PAGE + "/{id}", show_one),
    web.post(_PAGE + "/{id}/confirm", confirm),
    web.post(_PAGE + "/{id}/reject", reject),
]

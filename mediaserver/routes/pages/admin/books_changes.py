"""What admins enter into the books: settlements, the owner's share, corrections, reversals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.kernel import limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.errors import Forbidden, Invalid
from mediaserver.kernel.ids import new_word
from mediaserver.money.books import LABELS
from mediaserver.money.corrections import CORRECTABLE, OWNED, Asked, Correction
from mediaserver.money.currencies import Currency, currency_of, parsed_amount
from mediaserver.money.settlements import Arrived
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import BOOKS, CONFIG, CORRECTIONS, SETTLEMENTS
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.books import ENTRIES, PAGE, books_page, entry_page, reader
from mediaserver.routes.pages.admin.frame import confirmed_admin

_SETTLEMENTS = f"{PAGE}/settlements"
_OWNER = f"{PAGE}/owner"
_CORRECTIONS = f"{PAGE}/corrections"
_KINDS = [(kind.label, LABELS[kind] + (" of …" if kind in OWNED else "")) for kind in CORRECTABLE]


async def show_settlements(request: web.Request) -> web.Response:
    return await _settlements(request)


async def enter_settlement(request: web.Request) -> web.Response:
    actor = await _acting(request, _SETTLEMENTS)
    form = await read_form(request)
    try:
        arrived = Arrived(
            form.get("gateway", ""),
            form.get("arrived_on", ""),
            _amount(request, form, "amount"),
            _amount(request, form, "fee", is_empty_zero=True),
            form.get("reference", ""),
        )
        await request.app[SETTLEMENTS].enter(actor, arrived)
    except FORM_ERRORS as error:
        return await _settlements(request, "settlement", form, error)
    return noticed(request, _SETTLEMENTS, "booked")


async def note_balance(request: web.Request) -> web.Response:
    actor = await _acting(request, _SETTLEMENTS)
    form = await read_form(request)
    typed = form.get("reported", "").strip()
    try:
        reported = _amount(request, {"reported": typed.removeprefix("-")}, "reported")
        reported = -reported if typed.startswith("-") else reported
        await request.app[SETTLEMENTS].note_balance(actor, form.get("gateway", ""), reported)
    except FORM_ERRORS as error:
        return await _settlements(request, "balance", form, error)
    return noticed(request, _SETTLEMENTS, "balance-noted")


async def show_owner(request: web.Request) -> web.Response:
    return await _owner(request)


async def move_owners_share(request: web.Request) -> web.Response:
    actor = await _acting(request, _OWNER)
    form = await read_form(request)
    try:
        await request.app[SETTLEMENTS].move_owners_share(
            actor,
            _direction(form),
            _amount(request, form, "amount"),
            form.get("reference", ""),
            form.get("reason", ""),
            form.get("key") or None,
        )
    except FORM_ERRORS as error:
        return await _owner(request, form, error)
    return noticed(request, _OWNER, "booked")


async def show_corrections(request: web.Request) -> web.Response:
    return await _corrections(request)


async def ask_correction(request: web.Request) -> web.Response:
    actor = await _acting(request, _CORRECTIONS)
    form = await read_form(request)
    try:
        asked = Asked(
            form.get("debit_kind", ""),
            form.get("debit_owner", ""),
            form.get("credit_kind", ""),
            form.get("credit_owner", ""),
            _amount(request, form, "amount"),
            form.get("reason", ""),
        )
        made = await request.app[CORRECTIONS].ask(actor, asked, form.get("key") or None)
    except FORM_ERRORS as error:
        return await _corrections(request, form, error)
    return noticed(request, _CORRECTIONS, _notice(made))


async def approve_correction(request: web.Request) -> web.Response:
    actor = await _acting(request, _CORRECTIONS)
    try:
        await request.app[CORRECTIONS].approve(actor, request.match_info["id"])
    except Forbidden as error:
        return await _corrections(request, error=Invalid(error.message))
    except FORM_ERRORS as error:
        return await _corrections(request, error=error)
    return noticed(request, _CORRECTIONS, "booked")


async def reject_correction(request: web.Request) -> web.Response:
    actor = await _acting(request, _CORRECTIONS)
    try:
        await request.app[CORRECTIONS].reject(actor, request.match_info["id"])
    except FORM_ERRORS as error:
        return await _corrections(request, error=error)
    return noticed(request, _CORRECTIONS, "correction-rejected")


async def reverse_entry(request: web.Request) -> web.Response:
    entry_id = request.match_info["id"]
    actor = await _acting(request, f"{ENTRIES}/{entry_id}")
    form = await read_form(request)
    try:
        made = await request.app[CORRECTIONS].reverse(actor, entry_id, form.get("reason", ""))
    except FORM_ERRORS as error:
        return await entry_page(request, entry_id, form=form, error=error)
    return noticed(request, f"{ENTRIES}/{entry_id}", _notice(made))


async def _acting(request: web.Request, back: str) -> Actor:
    await reader(request)
    return await confirmed_admin(request, Action.CORRECT_BOOKS, back)


async def _settlements(
    request: web.Request,
    failed: str = "",
    form: Mapping[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    await reader(request)
    entered, after = request.app[SETTLEMENTS], request.query.get("after")
    found = await entered.page(after=after)
    standings, _ = await request.app[BOOKS].overview()
    code = _currency(request).code
    clearing = next((one.by_gateway for one in standings if one.currency == code), {})
    reported = await entered.balances()
    is_full = len(found) == limits.BOOKS_LISTED_MAX
    context = {
        "settlements": found,
        "gateways": [(name, name) for name in await entered.gateways()],
        "clearing": clearing,
        "reported": reported,
        "newest": {one.gateway: one for one in reversed(reported)},
        "currency": code,
        "failed": failed,
        "is_first": after is None,
        "next": f"{_SETTLEMENTS}?after={found[-1].id}" if is_full else "",
    }
    return await books_page(request, "settlements", context, form=form, error=error)


async def _owner(
    request: web.Request, form: Mapping[str, str] | None = None, error: FormError | None = None
) -> web.Response:
    await reader(request)
    code = _currency(request).code
    standings, _ = await request.app[BOOKS].overview()
    site = next((one for one in standings if one.currency == code), None)
    context = {"own_minor": 0 if site is None else site.own_minor, "currency": code, "key": _key()}
    return await books_page(request, "owner", context, form=form, error=error)


async def _corrections(
    request: web.Request, form: Mapping[str, str] | None = None, error: FormError | None = None
) -> web.Response:
    user = await reader(request)
    asked, after = request.app[CORRECTIONS], request.query.get("after")
    found, waiting = await asked.page(after=after), await asked.waiting()
    shown = [account for one in (*found, *waiting) for account in (one.debit_id, one.credit_id)]
    context = {
        "waiting": waiting,
        "corrections": found,
        "labels": await request.app[BOOKS].labels(shown),
        "kinds": _KINDS,
        "own_id": user.id,
        "currency": _currency(request).code,
        "above": request.app[CONFIG].money.two_admins_above,
        "key": _key(),
        "is_first": after is None,
        "next": f"{_CORRECTIONS}?after={found[-1].id}" if _is_full(found) else "",
    }
    return await books_page(request, "corrections", context, form=form, error=error)


def _amount(
    request: web.Request, form: Mapping[str, str], field: str, *, is_empty_zero: bool = False
) -> int:
    """Raises `Invalid`."""
    typed = form.get(field, "").strip()
    if not typed and is_empty_zero:
        return 0
    return parsed_amount(typed, _currency(request), field)


def _direction(form: Mapping[str, str]) -> Literal["in", "out"]:
    match form.get("direction"):
        case "in":
            return "in"
        case "out":
            return "out"
    raise Invalid("Choose one.", field="direction")


def _currency(request: web.Request) -> Currency:
    return currency_of(request.app[CONFIG].money.currency)


def _notice(made: Correction) -> str:
    return "correction-waits" if made.state == "waiting" else "booked"


def _is_full(found: list[Correction]) -> bool:
    return len(found) == limits.BOOKS_LISTED_MAX


def _key() -> str:
    """For a hidden field: a form that is sent twice counts once."""
    return new_word(20)


routes = [
    web.get(_SETTLEMENTS, show_settlements),
    web.post(_SETTLEMENTS, enter_settlement),
    web.post(f"{_SETTLEMENTS}/balance", note_balance),
    web.get(_OWNER, show_owner),
    web.post(_OWNER, move_owners_share),
    web.get(_CORRECTIONS, show_corrections),
    web.post(_CORRECTIONS, ask_correction),
    web.post(_CORRECTIONS + "/{id}/approve", approve_correction),
    web.post(_CORRECTIONS + "/{id}/reject", reject_correction),
    web.post(ENTRIES + "/{id}/reverse", reverse_entry),
]

"""The sandbox's pay page: what a payment company would show, with a button for each thing that may
happen. Anybody who has a checkout's address may press them; it is test money.
"""

from __future__ import annotations

from typing import cast, get_args

from aiohttp import web

from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.money.currencies import money
from mediaserver.money.gateways.sandbox_provider import Button, SandboxPayment
from mediaserver.routes.forms import read_form
from mediaserver.routes.keys import SANDBOX
from mediaserver.routes.page import page, see_other
from mediaserver.routes.payments_view import money_config

_BUTTONS = frozenset(get_args(Button))
_STAYS = frozenset({"dispute", "dispute_part", "win", "lose", "refund", "reverse", "approve"})
"""What happens long after the payer has left, so the browser stays here."""


async def show(request: web.Request) -> web.Response:
    _check_sandbox(request)
    found = await request.app[SANDBOX].get(request.match_info["ref"])
    return _page(request, found)


async def press(request: web.Request) -> web.Response:
    _check_sandbox(request)
    form = await read_form(request)
    name = form.get("button", "")
    if name not in _BUTTONS:
        raise Invalid("There is no such button.", field="button")
    ref = request.match_info["ref"]
    try:
        found = await request.app[SANDBOX].press(ref, cast(Button, name))
    except Conflict as error:
        return _page(request, await request.app[SANDBOX].get(ref), error)
    if name in _STAYS:
        return see_other(f"/sandbox/{found.id}")
    return see_other(f"/payments/{found.payment_id}")


def _page(
    request: web.Request, found: SandboxPayment, error: Conflict | None = None
) -> web.Response:
    disputed = money(found.disputed_minor, found.currency) if found.dispute else ""
    return page(
        request,
        "money/sandbox.html",
        {
            "checkout": {
                "id": found.id,
                "payment_id": found.payment_id,
                "amount": money(found.amount_minor, found.currency),
                "description": found.description,
                "standing": found.standing,
                "dispute": found.dispute,
                "disputed": disputed,
                "refunded": money(found.refunded_minor, found.currency)
                if found.refunded_minor
                else "",
                "is_payable": found.standing in ("open", "failed", "cancelled", "expired"),
            },
            "errors": {"": error.message} if error is not None else {},
        },
        status=200 if error is None else 409,
    )


def _check_sandbox(request: web.Request) -> None:
    """Raises `NotFound` where money is real."""
    if money_config(request).production:
        raise NotFound("There is no sandbox here.")


routes = [web.get("/sandbox/{ref}", show), web.post("/sandbox/{ref}", press)]

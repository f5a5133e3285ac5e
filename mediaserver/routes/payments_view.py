"""What pages and the API show of payments and of the ways to pay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.errors import NotFound
from mediaserver.money.commission import percent
from mediaserver.money.contributions import Contribution
from mediaserver.money.currencies import money
from mediaserver.money.gateways.manual import NAME as MANUAL
from mediaserver.money.gateways.manual import reference_code
from mediaserver.money.payment_views import PaymentView
from mediaserver.money.payments import Payment, Purpose
from mediaserver.money.sandbox import NAME as SANDBOX
from mediaserver.routes.keys import (
    CONFIG,
    GATEWAYS,
    PAYMENT_CHECKS,
    PAYMENT_VIEWS,
)

_HINTS = {
    "stripe": "Cards and what else your country pays with",
    "midtrans": "Cards, bank transfer, virtual accounts, QRIS",
    "sslcommerz": "Cards, mobile banking, internet banking",
    "manual": "Takes one to three days",
    "sandbox": "Test money: nobody pays anything",
}

_TITLES = {
    "created": "Your payment is being prepared",
    "open": "Waiting for your payment",
    "review": "Your payment is being looked at",
    "paid": "Thank you, that worked",
    "failed": "The payment didn’t work",
    "cancelled": "You cancelled the payment",
    "expired": "The payment has expired",
    "reversed": "The payment was taken back",
}


@dataclass(frozen=True, slots=True)
class Way:
    """A way to pay, as somebody chooses it."""

    name: str
    label: str
    hint: str


def money_config(request: web.Request) -> MoneyConfig:
    """The settings of money. Raises `NotFound` on a site without money."""
    config = request.app[CONFIG].money
    if not config.enabled:
        raise NotFound("There is no money on this site.", code="no_money")
    return config


def ways_to_pay(request: web.Request, purpose: Purpose) -> list[Way]:
    """What is offered, in order."""
    offered = request.app[GATEWAYS].offered(purpose)
    return [Way(one.name, one.label, _HINTS.get(one.name, "")) for one in offered]


async def looked_at(request: web.Request, payment_id: str, asker: User | None) -> PaymentView:
    """A payment that `asker` may see, after a look at its gateway. Raises `NotFound`."""
    views = request.app[PAYMENT_VIEWS]
    await views.get(payment_id, asker)
    await request.app[PAYMENT_CHECKS].look(payment_id)
    return await views.get(payment_id, asker)


def is_payable(found: Payment, now_ms: int) -> bool:
    """Whether its checkout may still be used."""
    is_web = found.checkout_url.startswith(("https://", "http://"))
    return (
        found.state == "open"
        and found.gateway != MANUAL
        and is_web
        and (now_ms < found.expires_at_ms)
    )


def checkout_url(found: Payment) -> str:
    """Where the browser goes on to pay. The sandbox is part of the site, so it is reached under
    whatever name the browser came by.
    """
    is_here = found.gateway == SANDBOX
    return f"/sandbox/{found.provider_ref}" if is_here else found.checkout_url


def payment_view(request: web.Request, view: PaymentView, now_ms: int) -> dict[str, Any]:
    """For templates."""
    found = view.payment
    is_by_bank = found.gateway == MANUAL
    waits_for_bank = is_by_bank and found.state in ("created", "open")
    return {
        "id": found.id,
        "title": "Send us your transfer" if waits_for_bank else _TITLES[found.state],
        "state": found.state,
        "purpose": found.purpose,
        "amount": money(found.amount_minor, found.currency),
        "gateway": request.app[GATEWAYS].label(found.gateway),
        "problem": found.problem,
        "created_at_ms": found.created_at_ms,
        "paid_at_ms": found.paid_at_ms,
        "expires_at_ms": found.expires_at_ms,
        "refunded": money(found.refunded_minor, found.currency) if found.refunded_minor else "",
        "is_payable": is_payable(found, now_ms),
        "is_waiting": found.state in ("created", "open") and not is_by_bank,
        "code": reference_code(found.id) if is_by_bank else "",
        "instructions": request.app[CONFIG].money.manual_instructions if waits_for_bank else "",
        "given": None if view.given is None else given_view(view.given),
        "slug": view.slug,
        "payer": view.payer,
        "email": found.email,
        "provider_ref": found.provider_ref,
        "charge_ref": found.charge_ref,
    }


def given_view(given: Contribution) -> dict[str, Any]:
    """A contribution for its giver: gross, commission, net."""
    return {
        "id": given.id,
        "channel_name": given.channel_name,
        "message": given.message,
        "public_name": given.public_name,
        "is_anonymous": given.is_anonymous,
        "amount": money(given.amount_minor, given.currency),
        "commission": money(given.fee_minor, given.currency),
        "commission_percent": percent(given.commission_bps),
        "net": money(given.net_minor, given.currency),
        "state": given.state,
        "created_at_ms": given.created_at_ms,
        "code": reference_code(given.id),
    }


def amounts_to_choose(least_minor: int, most_minor: int) -> Sequence[int]:
    """A few amounts between the bounds, the least one first."""
    return [one for one in (least_minor * by for by in (1, 2, 5, 10, 25)) if one <= most_minor]

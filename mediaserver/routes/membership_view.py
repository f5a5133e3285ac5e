"""What pages and the API tell about plans and memberships."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from mediaserver.memberships.letters import day
from mediaserver.memberships.memberships import Charge, Membership
from mediaserver.memberships.periods import unused
from mediaserver.memberships.plans import Plan
from mediaserver.memberships.subscriptions import Selling, Standing
from mediaserver.money.currencies import CURRENCIES, money, plain
from mediaserver.routes.money_view import wallet_config

STATES = {"on_sale": "On sale", "off_sale": "Not on sale", "withdrawn": "Withdrawn"}


def check_offered(request: web.Request) -> None:
    """Raises `NotFound` where there are no wallets to pay a membership from."""
    wallet_config(request)


def plan_view(plan: Plan) -> dict[str, Any]:
    return {
        "id": plan.id,
        "name": plan.name,
        "description": plan.description,
        "price_minor": plan.price_minor,
        "price": money(plan.price_minor, plan.currency),
        "currency": plan.currency,
        "period": plan.period,
        "state": plan.state,
    }


def choice_view(plan: Plan, standing: Standing | None, now_ms: int) -> dict[str, Any]:
    """A plan with what choosing it means for who looks: `does` is "join", "upgrade", "switch",
    "keep" or "has"; `due_minor` what it takes from the wallet now.
    """
    view = {**plan_view(plan), "does": "join", "credit": "", "due_minor": plan.price_minor}
    if standing is None or (has := standing.membership) is None:
        return _with_due(view, plan, standing)
    if has.plan_id == plan.id:
        view["does"] = "has" if has.next_plan_id is None else "keep"
    elif has.next_plan_id == plan.id:
        view["does"] = "next"
    elif now_ms < has.ends_at_ms and plan.price_minor > has.price_minor:
        credit_minor = unused(has.price_minor, has.starts_at_ms, has.ends_at_ms, now_ms)
        view |= {
            "does": "upgrade",
            "credit": money(credit_minor, plan.currency),
            "due_minor": plan.price_minor - credit_minor,
        }
    else:
        view["does"] = "switch"
    return _with_due(view, plan, standing)


def _with_due(view: dict[str, Any], plan: Plan, standing: Standing | None) -> dict[str, Any]:
    takes_money = view["does"] in ("join", "upgrade")
    held_minor = 0 if standing is None else standing.wallet_minor
    missing_minor = max(view["due_minor"] - held_minor, 0) if takes_money and standing else 0
    return {
        **view,
        "due": money(view["due_minor"], plan.currency),
        "missing": money(missing_minor, plan.currency) if missing_minor else "",
    }


def standing_view(standing: Standing) -> dict[str, Any] | None:
    """Somebody's membership; None without one."""
    has, plan = standing.membership, standing.plan
    if has is None or plan is None:
        return None
    return {
        **membership_view(has),
        "plan": plan_view(plan),
        "next_plan": None if standing.next_plan is None else plan_view(standing.next_plan),
    }


def membership_view(has: Membership) -> dict[str, Any]:
    new_minor, from_ms = has.new_price_minor, has.new_price_from_ms
    return {
        "id": has.id,
        "state": has.state,
        "is_cancelled": has.is_cancelled,
        "starts_at_ms": has.starts_at_ms,
        "ends_at_ms": has.ends_at_ms,
        "ends_on": day(has.ends_at_ms),
        "grace_until_ms": has.grace_until_ms,
        "grace_until": "" if has.grace_until_ms is None else day(has.grace_until_ms),
        "next_amount_minor": None if has.is_cancelled else has.next_price_minor,
        "next_amount": money(has.next_price_minor, has.currency),
        "new_price": "" if new_minor is None else money(new_minor, has.currency),
        "new_price_from": "" if from_ms is None else day(from_ms),
        "currency": has.currency,
    }


def charge_view(charge: Charge) -> dict[str, Any]:
    return {
        "id": charge.id,
        "plan": charge.plan_name,
        "price_minor": charge.price_minor,
        "credit_minor": charge.credit_minor,
        "credit": money(charge.credit_minor, charge.currency) if charge.credit_minor else "",
        "amount_minor": charge.amount_minor,
        "amount": money(charge.amount_minor, charge.currency),
        "currency": charge.currency,
        "starts_at_ms": charge.starts_at_ms,
        "ends_at_ms": charge.ends_at_ms,
        "from": day(charge.starts_at_ms),
        "until": day(charge.ends_at_ms),
        "paid_at_ms": charge.created_at_ms,
    }


def selling_view(sold: Selling) -> dict[str, Any]:
    """A plan as admins see it."""
    plan = sold.plan
    return {
        **plan_view(plan),
        "price_plain": plain(plan.price_minor, CURRENCIES[plan.currency]),
        "state_label": STATES[plan.state],
        "members": sold.members,
        "leaving": sold.leaving,
        "this_month_minor": sold.this_month_minor,
        "this_month": money(sold.this_month_minor, plan.currency),
        "last_month_minor": sold.last_month_minor,
        "last_month": money(sold.last_month_minor, plan.currency),
    }

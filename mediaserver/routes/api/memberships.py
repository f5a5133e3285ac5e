"""Plans and one's own membership over the API. Changing plans: routes/api/admin/plans.py."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.memberships.plans import Plan
from mediaserver.routes.api.operation import Answer, Body, Operations, Query, caller
from mediaserver.routes.keys import PLANS, SUBSCRIPTIONS
from mediaserver.routes.membership_view import (
    charge_view,
    check_offered,
    plan_view,
    standing_view,
)
from mediaserver.routes.money_view import idempotency_key

api = Operations("Memberships")


class PlanOut(Answer):
    """A plan. Every plan makes premium."""

    id: str = Field(examples=["pln_0123456789abcdefghjk"])
    name: str = Field(examples=["Gold"])
    description: str = Field(examples=["A badge, and our thanks."])
    price_minor: int = Field(description="For one period.", examples=[500])
    price: str = Field(examples=["$5.00"])
    currency: str = Field(examples=["USD"])
    period: str = Field(description="month or year.", examples=["month"])
    state: str = Field(description="on_sale, off_sale or withdrawn.", examples=["on_sale"])


class PlanList(Answer):
    """Plans in the order in which they are shown."""

    plans: list[PlanOut]


class MembershipOut(Answer):
    """A membership. `grace`: it couldn't be paid, and ends unless it is by `grace_until_ms`."""

    id: str = Field(examples=["mbr_0123456789abcdefghjk"])
    state: str = Field(description="active or grace.", examples=["active"])
    plan: PlanOut
    next_plan: PlanOut | None = Field(description="Which begins when this period ends.")
    is_cancelled: bool = Field(description="It ends with this period.")
    starts_at_ms: int
    ends_at_ms: int = Field(description="The end of this period.")
    grace_until_ms: int | None
    next_amount_minor: int | None = Field(description="What the next period costs.", examples=[500])
    currency: str = Field(examples=["USD"])


class OwnMembershipOut(Answer):
    """Your membership; null without one."""

    membership: MembershipOut | None


class ChargeOut(Answer):
    """What was paid for a period. `amount_minor` is the price less the credit."""

    id: str = Field(examples=["mch_0123456789abcdefghjk"])
    plan: str = Field(examples=["Gold"])
    price_minor: int = Field(examples=[500])
    credit_minor: int = Field(description="For what wasn't used of the plan before.", examples=[0])
    amount_minor: int = Field(examples=[500])
    amount: str = Field(examples=["$5.00"])
    currency: str = Field(examples=["USD"])
    starts_at_ms: int
    ends_at_ms: int
    paid_at_ms: int


class ChargeList(Answer):
    """Newest first."""

    charges: list[ChargeOut]


class ChargesQuery(Query):
    after: str | None = Field(None, max_length=64, description="List what is older than this one.")


class PlanChoice(Body):
    plan: str = Field(max_length=64, description="Its id.", examples=["pln_0123456789abcdefghjk"])
    price_minor: int | None = Field(
        None,
        description="The price that you know of: refused if it is another now.",
        examples=[500],
    )


@api.get("/plans", "List plans", answer=PlanList, errors=(NotFound,))
async def list_plans(request: web.Request) -> PlanList:
    """The plans on sale."""
    check_offered(request)
    return PlanList(plans=[_plan(one) for one in await request.app[PLANS].on_sale()])


@api.get(
    "/membership",
    "Show your membership",
    answer=OwnMembershipOut,
    sign_in=True,
    errors=(NotFound, Forbidden),
)
async def show_membership(request: web.Request) -> OwnMembershipOut:
    """Your plan, until when it is paid, and what comes then."""
    check_offered(request)
    return await _standing(request)


@api.post(
    "/membership",
    "Take out a membership",
    body=PlanChoice,
    answer=OwnMembershipOut,
    status=201,
    sign_in=True,
    errors=(NotFound, Forbidden, Invalid, Conflict),
)
async def take_membership(request: web.Request, body: PlanChoice) -> OwnMembershipOut:
    """The first period is paid from your wallet at once. With a header `Idempotency-Key` the same
    request is done once, however often it is sent.
    """
    check_offered(request)
    key = idempotency_key(request)
    await request.app[SUBSCRIPTIONS].subscribe(caller(request), body.plan, body.price_minor, key)
    return await _standing(request)


@api.patch(
    "/membership",
    "Change your plan",
    body=PlanChoice,
    answer=OwnMembershipOut,
    sign_in=True,
    errors=(NotFound, Forbidden, Conflict),
)
async def change_membership(request: web.Request, body: PlanChoice) -> OwnMembershipOut:
    """A plan with a higher price begins at once, less what wasn't used of the one before; any other
    begins when this period ends. Naming your present plan takes that back.
    """
    check_offered(request)
    await request.app[SUBSCRIPTIONS].change(caller(request), body.plan, body.price_minor)
    return await _standing(request)


@api.post(
    "/membership/cancel",
    "Cancel your membership",
    answer=OwnMembershipOut,
    sign_in=True,
    by_banned=True,
    errors=(NotFound, Forbidden, Conflict),
)
async def cancel_membership(request: web.Request) -> OwnMembershipOut:
    """It ends with the period that is paid. Doing it twice changes nothing."""
    check_offered(request)
    await request.app[SUBSCRIPTIONS].cancel(caller(request))
    return await _standing(request)


@api.post(
    "/membership/resume",
    "Keep your membership",
    answer=OwnMembershipOut,
    sign_in=True,
    errors=(NotFound, Forbidden, Conflict),
)
async def resume_membership(request: web.Request) -> OwnMembershipOut:
    """It goes on, though it was cancelled. Doing it twice changes nothing."""
    check_offered(request)
    await request.app[SUBSCRIPTIONS].resume(caller(request))
    return await _standing(request)


@api.get(
    "/membership/charges",
    "List what you paid",
    query=ChargesQuery,
    answer=ChargeList,
    sign_in=True,
    errors=(NotFound, Forbidden),
)
async def list_charges(request: web.Request, query: ChargesQuery) -> ChargeList:
    """What was taken from your wallet for memberships."""
    check_offered(request)
    found = await request.app[SUBSCRIPTIONS].charges(caller(request), after=query.after)
    return ChargeList(charges=[ChargeOut(**charge_view(one)) for one in found])


def _plan(plan: Plan) -> PlanOut:
    return PlanOut(**plan_view(plan))


async def _standing(request: web.Request) -> OwnMembershipOut:
    view = standing_view(await request.app[SUBSCRIPTIONS].standing(caller(request)))
    return OwnMembershipOut(membership=None if view is None else MembershipOut(**view))

"""Plans of membership over the API, for admins."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.memberships.plans import Wanted
from mediaserver.routes.api.memberships import PlanOut
from mediaserver.routes.api.operation import Answer, Body, Operations, acting, caller
from mediaserver.routes.keys import PLANS, SUBSCRIPTIONS
from mediaserver.routes.membership_view import check_offered, plan_view, selling_view

api = Operations("Admin: plans", Scope.ADMIN)


class SellingOut(PlanOut):
    """A plan with its members, and what it brought in calendar months in UTC."""

    members: int = Field(examples=[12])
    leaving: int = Field(description="Members who have cancelled.", examples=[1])
    this_month_minor: int = Field(examples=[6000])
    last_month_minor: int = Field(examples=[5500])


class SellingList(Answer):
    """All plans in the order in which they are shown."""

    plans: list[SellingOut]


class NewPlan(Body):
    name: str = Field(max_length=200, examples=["Gold"])
    description: str = Field("", max_length=2000, examples=["A badge, and our thanks."])
    price_minor: int = Field(description="For one period.", examples=[500])
    period: str = Field(max_length=10, description="month or year.", examples=["month"])


class PlanEdit(Body):
    """What isn't named stays as it is."""

    name: str | None = Field(None, max_length=200, examples=["Silver"])
    description: str | None = Field(None, max_length=2000, examples=["A badge."])
    price_minor: int | None = Field(None, examples=[600])
    state: str | None = Field(
        None, max_length=20, description="on_sale, off_sale or withdrawn.", examples=["off_sale"]
    )


class PlanMove(Body):
    steps: int = Field(
        ge=-limits.PLANS_MAX,
        le=limits.PLANS_MAX,
        description="So many places later in the list; negative: earlier.",
        examples=[1],
    )


@api.get(
    "/admin/plans",
    "List all plans",
    answer=SellingList,
    sign_in=True,
    errors=(NotFound, Forbidden),
)
async def list_all_plans(request: web.Request) -> SellingList:
    """Those that aren't on sale too, with members and income."""
    check_offered(request)
    check(caller(request), Action.CHANGE_PLANS)
    found = await request.app[SUBSCRIPTIONS].selling()
    return SellingList(plans=[SellingOut(**selling_view(one)) for one in found])


@api.post(
    "/admin/plans",
    "Make a plan",
    body=NewPlan,
    answer=PlanOut,
    status=201,
    sign_in=True,
    confirm=True,
    errors=(NotFound, Forbidden, Invalid, Conflict),
)
async def make_plan(request: web.Request, body: NewPlan) -> PlanOut:
    """It is on sale from now on."""
    check_offered(request)
    actor = acting(request, Action.CHANGE_PLANS)
    made = await request.app[PLANS].make(
        actor, body.name, body.description, body.price_minor, body.period
    )
    return PlanOut(**plan_view(made))


@api.patch(
    "/admin/plans/{id}",
    "Change a plan",
    body=PlanEdit,
    answer=PlanOut,
    sign_in=True,
    confirm=True,
    errors=(NotFound, Forbidden, Invalid, Conflict),
)
async def change_plan(request: web.Request, body: PlanEdit) -> PlanOut:
    """Members are told of a new price, and pay a higher one two weeks later at the earliest. One
    that is withdrawn ends for its members with what they paid, and never comes back.
    """
    check_offered(request)
    actor = acting(request, Action.CHANGE_PLANS)
    wanted = Wanted(body.name, body.description, body.price_minor, body.state)
    changed = await request.app[PLANS].change(actor, request.match_info["id"], wanted)
    return PlanOut(**plan_view(changed))


@api.post(
    "/admin/plans/{id}/move",
    "Move a plan",
    body=PlanMove,
    sign_in=True,
    errors=(NotFound, Forbidden),
)
async def move_plan(request: web.Request, body: PlanMove) -> None:
    """Shows it later, or earlier, than others."""
    check_offered(request)
    actor = acting(request, Action.CHANGE_PLANS)
    await request.app[PLANS].move(actor, request.match_info["id"], body.steps)

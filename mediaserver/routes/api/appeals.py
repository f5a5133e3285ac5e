"""Appeals against bans over the API: made by the banned, decided by admins."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.routes.api.operation import Answer, Body, Operations, Query, acting, caller
from mediaserver.routes.api.sanctions import BanOut, ban_out
from mediaserver.routes.keys import APPEALS
from mediaserver.trust.appeals import Appeal

api = Operations("Appeals", Scope.ACCOUNT)


class NewAppeal(Body):
    text: str = Field(
        max_length=limits.APPEAL_TEXT_CHARS_MAX,
        description="Why the ban should be lifted.",
        examples=["The music was my own."],
    )


class AppealQuery(Query):
    state: Literal["open", "accepted", "refused"] | None = Field(
        None, description="Only those that stand like this."
    )
    after: str | None = Field(
        None, max_length=100, description="Id of an appeal: only those behind it."
    )


class AppealDecision(Body):
    accepted: bool = Field(description="True lifts the ban.")
    answer: str = Field(
        "", max_length=limits.SANCTION_TEXT_CHARS_MAX, description="What they are told."
    )


class AppealOut(Answer):
    """An appeal, and the ban that it is against."""

    id: str
    username: str
    text: str
    state: str = Field(description="open, accepted or refused")
    answer: str
    created_at_ms: int
    decided_at_ms: int | None
    ban: BanOut


class AppealList(Answer):
    """Open ones oldest first, all others newest first."""

    appeals: list[AppealOut]


def _out(appeal: Appeal, *, names: bool) -> AppealOut:
    return AppealOut(
        id=appeal.id,
        username=appeal.username,
        text=appeal.text,
        state=appeal.state,
        answer=appeal.answer,
        created_at_ms=appeal.created_at_ms,
        decided_at_ms=appeal.decided_at_ms,
        ban=ban_out(appeal.ban, names=names),
    )


@api.post(
    "/me/bans/{id}/appeal",
    "Appeal against a ban",
    body=NewAppeal,
    answer=AppealOut,
    status=201,
    sign_in=True,
    by_banned=True,
    errors=(Forbidden, NotFound, Invalid, Conflict),
)
async def appeal_against_ban(request: web.Request, body: NewAppeal) -> AppealOut:
    """Once for each ban, while it lasts."""
    made = await request.app[APPEALS].make(caller(request), request.match_info["id"], body.text)
    return _out(made, names=False)


@api.get(
    "/admin/appeals",
    "List appeals",
    query=AppealQuery,
    answer=AppealList,
    sign_in=True,
    scope=Scope.ADMIN,
    errors=(Forbidden, Invalid),
)
async def list_appeals(request: web.Request, query: AppealQuery) -> AppealList:
    """All, or those of one state."""
    acting(request, Action.DECIDE_REPORT)
    found = await request.app[APPEALS].page(query.state, after=query.after)
    return AppealList(appeals=[_out(one, names=True) for one in found])


@api.post(
    "/admin/appeals/{id}/decide",
    "Decide an appeal",
    body=AppealDecision,
    answer=AppealOut,
    sign_in=True,
    scope=Scope.ADMIN,
    confirm=True,
    errors=(Forbidden, NotFound, Invalid, Conflict),
)
async def decide_appeal(request: web.Request, body: AppealDecision) -> AppealOut:
    """Lifts the ban or lets it stand; they are told in the site and by mail."""
    actor = acting(request, Action.SANCTION)
    decided = await request.app[APPEALS].decide(
        actor, request.match_info["id"], is_accepted=body.accepted, answer=body.answer
    )
    return _out(decided, names=True)

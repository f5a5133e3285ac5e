"""Warnings and bans over the API: for admins, and for who has them."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.routes.api.operation import Answer, Body, Operations, acting, caller
from mediaserver.routes.keys import SANCTIONS
from mediaserver.trust.bans import Ban
from mediaserver.trust.reasons import Reason
from mediaserver.trust.sanctions import Standing
from mediaserver.trust.warnings import GivenWarning

api = Operations("Sanctions", Scope.ADMIN)

_REASONS = ", ".join(Reason)
_READS = (Forbidden, NotFound)
_WRITES = (Forbidden, NotFound, Invalid)


class NewWarning(Body):
    reason: str = Field(max_length=40, description=f"One of: {_REASONS}.", examples=["spam"])
    text: str = Field(
        "",
        max_length=limits.SANCTION_TEXT_CHARS_MAX,
        description="What they are told besides, in your own words.",
    )


class NewBan(NewWarning):
    days: int | None = Field(
        None, description=f"1 to {limits.BAN_DAYS_MAX}; null has no end.", examples=[7]
    )


class NewEnd(Body):
    days: int | None = Field(
        description=f"From now on, 1 to {limits.BAN_DAYS_MAX}; null has no end.", examples=[30]
    )


class WarningOut(Answer):
    """A warning. `given_by` is null when that account is gone."""

    id: str
    reason: str
    text: str
    given_by: str | None
    given_at_ms: int


class BanOut(Answer):
    """A ban. It stands while `lifted_at_ms` is null."""

    id: str
    reason: str
    text: str
    from_ms: int
    until_ms: int | None = Field(description="Null: it has no end.")
    lifted_at_ms: int | None
    given_by: str | None


class WarnedOut(Answer):
    """The warning, and the ban that it brought, if it was one too many."""

    warning: WarningOut
    ban: BanOut | None


class StandingOut(Answer):
    """Warnings and bans of one person, newest first."""

    username: str
    strikes: int = Field(description="Warnings that count now.")
    strikes_max: int = Field(description="So many bring a ban by itself; 0: they never do.")
    warnings: list[WarningOut]
    bans: list[BanOut]


def warning_out(warning: GivenWarning, *, names: bool) -> WarningOut:
    return WarningOut(
        id=warning.id,
        reason=warning.reason,
        text=warning.text,
        given_by=warning.given_by if names else None,
        given_at_ms=warning.given_at_ms,
    )


def ban_out(ban: Ban, *, names: bool) -> BanOut:
    return BanOut(
        id=ban.id,
        reason=ban.reason,
        text=ban.text,
        from_ms=ban.from_ms,
        until_ms=ban.until_ms,
        lifted_at_ms=ban.lifted_at_ms,
        given_by=ban.given_by if names else None,
    )


def standing_out(standing: Standing, *, names: bool) -> StandingOut:
    """`names`: say which admin it was; that is for admins."""
    return StandingOut(
        username=standing.user.username,
        strikes=standing.strikes,
        strikes_max=standing.strikes_max,
        warnings=[warning_out(one, names=names) for one in standing.warnings],
        bans=[ban_out(one, names=names) for one in standing.bans],
    )


@api.get("/me/sanctions", "My warnings and bans", answer=StandingOut, sign_in=True)
async def my_sanctions(request: web.Request) -> StandingOut:
    """What admins have told you so far, without their names."""
    standing = await request.app[SANCTIONS].own(caller(request))
    return standing_out(standing, names=False)


@api.get(
    "/admin/users/{username}/sanctions",
    "Show somebody's warnings and bans",
    answer=StandingOut,
    sign_in=True,
    errors=_READS,
)
async def show_sanctions(request: web.Request) -> StandingOut:
    """Everything that admins have told somebody so far."""
    acting(request, Action.SANCTION)
    standing = await request.app[SANCTIONS].standing(request.match_info["username"])
    return standing_out(standing, names=True)


@api.post(
    "/admin/users/{username}/warnings",
    "Warn somebody",
    body=NewWarning,
    answer=WarnedOut,
    status=201,
    sign_in=True,
    confirm=True,
    errors=_WRITES,
)
async def warn(request: web.Request, body: NewWarning) -> WarnedOut:
    """They are told in the site and by mail. The last of too many warnings bans them."""
    actor = acting(request, Action.SANCTION)
    username = request.match_info["username"]
    warned = await request.app[SANCTIONS].warn(actor, username, body.reason, body.text)
    return WarnedOut(
        warning=warning_out(warned.warning, names=True),
        ban=None if warned.ban is None else ban_out(warned.ban, names=True),
    )


@api.post(
    "/admin/users/{username}/bans",
    "Ban somebody",
    body=NewBan,
    answer=BanOut,
    status=201,
    sign_in=True,
    confirm=True,
    errors=(*_WRITES, Conflict),
)
async def ban(request: web.Request, body: NewBan) -> BanOut:
    """Their streams end at once, they are logged out everywhere, and nobody sees their channels."""
    actor = acting(request, Action.SANCTION)
    username = request.match_info["username"]
    placed = await request.app[SANCTIONS].ban(actor, username, body.reason, body.text, body.days)
    return ban_out(placed, names=True)


@api.patch(
    "/admin/bans/{id}",
    "Change the length of a ban",
    body=NewEnd,
    answer=BanOut,
    sign_in=True,
    confirm=True,
    errors=(*_WRITES, Conflict),
)
async def change_ban(request: web.Request, body: NewEnd) -> BanOut:
    """The days count from now on."""
    actor = acting(request, Action.SANCTION)
    changed = await request.app[SANCTIONS].change_end(actor, request.match_info["id"], body.days)
    return ban_out(changed, names=True)


@api.delete(
    "/admin/bans/{id}",
    "Lift a ban",
    answer=BanOut,
    sign_in=True,
    confirm=True,
    errors=(*_READS, Conflict),
)
async def lift_ban(request: web.Request) -> BanOut:
    """They can do everything again, and are told."""
    actor = acting(request, Action.SANCTION)
    return ban_out(await request.app[SANCTIONS].lift(actor, request.match_info["id"]), names=True)

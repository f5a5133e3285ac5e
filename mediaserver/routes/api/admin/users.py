"""Accounts of others, over the API."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.administration import Administration
from mediaserver.accounts.permissions import Action, check, role_of
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.accounts.user_list import Show
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.routes.api.operation import Answer, Body, Operations, Query, acting, caller
from mediaserver.routes.keys import ACCOUNTS, CHANNELS, PERSONAL_DATA

api = Operations("Admin: users", Scope.ADMIN)


class UsersQuery(Query):
    search: str = Field(
        "",
        max_length=limits.EMAIL_CHARS_MAX,
        description="How a name begins, or an address when it holds an @ or a dot. The list is "
        "sorted by it then; without it the newest come first.",
    )
    show: Literal["all", "normal", "premium", "admin", "banned"] = Field(
        "all", description="Only those."
    )
    after: str | None = Field(
        None, max_length=limits.ID_CHARS_MAX, description="The last `id` of the page before."
    )


class RoleBody(Body):
    role: Literal["normal", "premium", "admin"] = Field(examples=["premium"])


class UserOut(Answer):
    """An account. `role`: normal, premium or admin."""

    id: str = Field(examples=["usr_0123456789abcdefghjk"])
    username: str = Field(examples=["alice"])
    email: str = Field(examples=["alice@example.org"])
    role: str = Field(examples=["normal"])
    is_banned: bool
    created_at_ms: int


class UserList(Answer):
    """One page of accounts."""

    users: list[UserOut]


class UserDeviceOut(Answer):
    """A browser, or a program with tokens of `/auth/login`, where somebody is logged in."""

    id: str
    kind: Literal["browser", "program"]
    address: str
    user_agent: str
    created_at_ms: int
    seen_at_ms: int


class UserPageOut(UserOut):
    """One account with what belongs to it. `channels`: their slugs."""

    has_second_factor: bool
    sessions: list[UserDeviceOut]
    channels: list[str]


@api.get(
    "/admin/users",
    "List accounts",
    query=UsersQuery,
    answer=UserList,
    sign_in=True,
    errors=(Forbidden, Invalid),
)
async def list_users(request: web.Request, query: UsersQuery) -> UserList:
    """At most fifty; ask for the next page with the last `id` of this one."""
    check(caller(request), Action.CHANGE_USERS)
    found = await _administration(request).page(
        search=query.search, show=Show(query.show), after=query.after
    )
    return UserList(users=[UserOut(**_fields(user)) for user in found])


@api.get(
    "/admin/users/{username}",
    "Show an account",
    answer=UserPageOut,
    sign_in=True,
    errors=(Forbidden, NotFound),
)
async def show_user(request: web.Request) -> UserPageOut:
    """One account, where it is logged in, and its channels."""
    check(caller(request), Action.CHANGE_USERS)
    dossier = await _administration(request).dossier(request.match_info["username"])
    channels = await request.app[CHANNELS].list_owned(dossier.user)
    return UserPageOut(
        **_fields(dossier.user),
        has_second_factor=dossier.has_app,
        sessions=[
            UserDeviceOut(
                id=device.id,
                kind=device.kind,
                address=device.address,
                user_agent=device.user_agent,
                created_at_ms=device.created_at_ms,
                seen_at_ms=device.seen_at_ms,
            )
            for device in dossier.devices
        ],
        channels=[channel.slug for channel in channels],
    )


@api.put(
    "/admin/users/{username}/role",
    "Change a role",
    body=RoleBody,
    answer=UserOut,
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, Invalid, NotFound),
)
async def set_role(request: web.Request, body: RoleBody) -> UserOut:
    """Logs them out everywhere. The last admin stays one (409, `last`)."""
    actor = acting(request, Action.CHANGE_USERS)
    changed = await _administration(request).set_role(actor, _username(request), body.role)
    return UserOut(**_fields(changed))


@api.post(
    "/admin/users/{username}/log-out",
    "Log somebody out",
    sign_in=True,
    confirm=True,
    errors=(Forbidden, NotFound),
)
async def log_out_user(request: web.Request) -> None:
    """Ends all sessions, log-ins of programs and personal tokens."""
    actor = acting(request, Action.CHANGE_USERS)
    await _administration(request).end_sessions(actor, _username(request))


@api.delete(
    "/admin/users/{username}/second-factor",
    "Turn somebody's two-step log-in off",
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, NotFound),
)
async def reset_second_factor(request: web.Request) -> None:
    """For those who have lost their phone and their recovery codes. They are told by mail."""
    actor = acting(request, Action.CHANGE_USERS)
    await _administration(request).reset_second_factor(actor, _username(request))


@api.post(
    "/admin/users/{username}/password-code",
    "Mail a code for a new password",
    sign_in=True,
    confirm=True,
    errors=(Forbidden, NotFound),
)
async def send_password_code(request: web.Request) -> None:
    """The mail holds a link and a code; the password stays as it is until both are used."""
    actor = acting(request, Action.CHANGE_USERS)
    await _administration(request).send_password_code(actor, _username(request))


@api.delete(
    "/admin/users/{username}",
    "Delete an account",
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, NotFound),
)
async def delete_user(request: web.Request) -> None:
    """Removes the account and its channels for good. The last admin can't be deleted."""
    actor = acting(request, Action.CHANGE_USERS)
    dossier = await _administration(request).dossier(_username(request))
    await request.app[PERSONAL_DATA].delete(dossier.user, by=actor)


def _administration(request: web.Request) -> Administration:
    return request.app[ACCOUNTS].administration


def _username(request: web.Request) -> str:
    return request.match_info["username"]


def _fields(user: User) -> dict[str, str | bool | int]:
    return {
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "role": role_of(user).label,
        "is_banned": user.is_banned,
        "created_at_ms": user.created_at_ms,
    }

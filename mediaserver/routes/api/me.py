"""One's own account over the API: who it is, profile, picture, data."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import role_of
from mediaserver.accounts.profiles import Link, Profile
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.errors import (
    Conflict,
    Invalid,
    RateLimited,
    TooLarge,
    Unavailable,
)
from mediaserver.routes.api.operation import Answer, Body, Operations, caller
from mediaserver.routes.keys import ACCOUNTS, AVATARS, PERSONAL_DATA

api = Operations("My account")


class LinkBody(Body):
    name: str = Field("", max_length=200, examples=["My site"])
    url: str = Field(max_length=1000, examples=["https://example.org"])


class ProfileChanges(Body):
    """What isn't named stays as it is."""

    about: str | None = Field(None, max_length=5000, examples=["I build small boats."])
    links: list[LinkBody] | None = Field(None, max_length=20)


class Me(Answer):
    """An account as its owner sees it. `role`: normal, premium or admin."""

    id: str
    username: str
    email: str
    role: str
    is_admin: bool
    is_banned: bool
    created_at_ms: int


class LinkOut(Answer):
    name: str
    url: str


class MyData(Answer):
    """`data` has one entry for each part of the site that knows something."""

    data: dict[str, Any]


class ProfileOut(Answer):
    """What somebody shows of themselves. `avatar`: the path of a picture, or null."""

    about: str
    links: list[LinkOut]
    avatar: str | None


def me_of(user: User) -> Me:
    return Me(
        id=user.id,
        username=user.username,
        email=user.email,
        role=role_of(user).label,
        is_admin=user.is_admin,
        is_banned=user.is_banned,
        created_at_ms=user.created_at_ms,
    )


def profile_out(profile: Profile) -> ProfileOut:
    return ProfileOut(
        about=profile.about,
        links=[LinkOut(name=link.name, url=link.url) for link in profile.links],
        avatar=f"/avatars/{profile.avatar}.webp" if profile.avatar else None,
    )


@api.get("/me", "Who am I", answer=Me, sign_in=True)
async def me(request: web.Request) -> Me:
    """The account that the token or the session belongs to."""
    return me_of(caller(request))


@api.get("/me/data", "Download my data", answer=MyData, sign_in=True, confirm=True)
async def my_data(request: web.Request) -> MyData:
    """Everything the site knows about you. Passwords, keys and tokens are not part of it."""
    return MyData(data=await request.app[PERSONAL_DATA].export(caller(request)))


@api.delete(
    "/me",
    "Delete my account",
    sign_in=True,
    confirm=True,
    by_banned=True,
    errors=(Conflict,),
)
async def delete_me(request: web.Request) -> None:
    """Deletes the account, its channels, and the words of its chat lines. The last admin stays."""
    await request.app[PERSONAL_DATA].delete(caller(request))


@api.get("/me/profile", "My profile", answer=ProfileOut, sign_in=True)
async def profile(request: web.Request) -> ProfileOut:
    """What others see of you."""
    return profile_out(await request.app[ACCOUNTS].profiles.of(caller(request)))


@api.patch(
    "/me/profile",
    "Change my profile",
    body=ProfileChanges,
    answer=ProfileOut,
    sign_in=True,
    errors=(Invalid,),
)
async def change_profile(request: web.Request, body: ProfileChanges) -> ProfileOut:
    """Links are http or https addresses, five at most."""
    links = None if body.links is None else [Link(link.name, link.url) for link in body.links]
    return profile_out(
        await request.app[ACCOUNTS].profiles.change(caller(request), about=body.about, links=links)
    )


@api.put(
    "/me/avatar",
    "Show a picture beside my name",
    upload_bytes_max=limits.AVATAR_UPLOAD_BYTES_MAX,
    answer=ProfileOut,
    sign_in=True,
    errors=(Invalid, TooLarge, RateLimited, Unavailable),
)
async def put_avatar(request: web.Request, picture: bytes) -> ProfileOut:
    """The body is the picture: PNG, JPEG, WebP or GIF (its first frame). It is made anew."""
    user = caller(request)
    await request.app[AVATARS].put(user, picture)
    return profile_out(await request.app[ACCOUNTS].profiles.of(user))


@api.delete("/me/avatar", "Show no picture", sign_in=True)
async def remove_avatar(request: web.Request) -> None:
    """Nothing happens when there is none."""
    await request.app[AVATARS].remove(caller(request))

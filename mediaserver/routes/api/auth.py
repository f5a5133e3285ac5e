"""Accounts over the API: register, log in, refresh, log out, who am I."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.tokens import TokenPair
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, RateLimited, Unauthorized, Unavailable
from mediaserver.routes.api.operation import Answer, Body, Operations, caller
from mediaserver.routes.cookies import end_session
from mediaserver.routes.keys import TOKENS, USERS

api = Operations("Accounts")


class Registration(Body):
    username: str = Field(
        description="3 to 24 of a-z, 0-9 and _.", max_length=100, examples=["alice"]
    )
    email: str = Field(max_length=limits.EMAIL_CHARS_MAX, examples=["alice@example.org"])
    password: str = Field(
        description="8 to 256 characters.", max_length=1000, examples=["correct horse battery"]
    )


class Login(Body):
    username: str = Field(description="User name or e-mail address.", max_length=300)
    password: str = Field(max_length=1000)


class Refresh(Body):
    refresh_token: str = Field(max_length=limits.TOKEN_CHARS_MAX)


class Logout(Body):
    refresh_token: str | None = Field(None, max_length=limits.TOKEN_CHARS_MAX)


class Me(Answer):
    """An account as its owner sees it."""

    id: str
    username: str
    email: str
    is_admin: bool
    created_at_ms: int


class Tokens(Answer):
    """An access token for the next `expires_in` seconds, and a refresh token for one exchange."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int


def _me(user: User) -> Me:
    return Me(
        id=user.id,
        username=user.username,
        email=user.email,
        is_admin=user.is_admin,
        created_at_ms=user.created_at_ms,
    )


def _tokens(pair: TokenPair) -> Tokens:
    return Tokens(
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
        token_type="Bearer",  # noqa: S106  # the name of the scheme
        expires_in=pair.expires_in_s,
    )


@api.post(
    "/auth/register",
    "Make an account",
    body=Registration,
    answer=Me,
    status=201,
    errors=(Conflict, Forbidden, RateLimited, Unavailable),
)
async def register(request: web.Request, body: Registration) -> Me:
    """Makes an ordinary account. 403 when this site doesn't take new ones. Log in afterwards."""
    return _me(
        await request.app[USERS].register(
            body.username, body.email, body.password, address=request.remote or ""
        )
    )


@api.post(
    "/auth/login",
    "Log in",
    body=Login,
    answer=Tokens,
    errors=(Unauthorized, RateLimited, Unavailable),
)
async def login(request: web.Request, body: Login) -> Tokens:
    """Exchanges name and password for tokens. An unknown name and a wrong password answer alike."""
    user = await request.app[USERS].log_in(
        body.username, body.password, address=request.remote or ""
    )
    return _tokens(await request.app[TOKENS].issue(user))


@api.post("/auth/refresh", "Renew the tokens", body=Refresh, answer=Tokens, errors=(Unauthorized,))
async def refresh(request: web.Request, body: Refresh) -> Tokens:
    """Exchanges a refresh token, which works once. Using one twice ends the whole log-in."""
    return _tokens(await request.app[TOKENS].refresh(body.refresh_token))


@api.post("/auth/logout", "Log out", body=Logout, is_body_optional=True)
async def logout(request: web.Request, body: Logout) -> None:
    """Ends the log-in that the refresh token (or the access token, or the session cookie) belongs
    to; its tokens stop working at once.
    """
    if body.refresh_token is not None:
        await request.app[TOKENS].revoke(body.refresh_token)
    elif request.headers.get("Authorization", "").startswith("Bearer "):
        await request.app[TOKENS].revoke_access(request.headers["Authorization"][7:].strip())
    else:
        await end_session(request)


@api.get("/me", "Who am I", answer=Me, sign_in=True)
async def me(request: web.Request) -> Me:
    """The account that the token or the session belongs to."""
    return _me(caller(request))

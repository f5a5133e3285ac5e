"""Accounts over the API: register, log in, refresh, log out, a forgotten password."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from mediaserver.accounts import registrations
from mediaserver.accounts.credentials import CodeSent
from mediaserver.accounts.tokens import TokenPair
from mediaserver.kernel import limits
from mediaserver.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from mediaserver.routes.api.me import Me, me_of
from mediaserver.routes.api.operation import Answer, Body, Operations, caller_of
from mediaserver.routes.cookies import log_out, set_session_cookie
from mediaserver.routes.keys import ACCOUNTS

api = Operations("Accounts")

_HANDLE = "otc_0123456789abcdefghjk"


class Registration(Body):
    username: str = Field(
        description="3 to 24 of a-z, 0-9 and _.", max_length=100, examples=["alice"]
    )
    email: str = Field(max_length=limits.EMAIL_CHARS_MAX, examples=["alice@example.org"])
    password: str = Field(
        description="8 to 256 characters.", max_length=1000, examples=["correct horse battery"]
    )


class Handle(Body):
    handle: str = Field(description="From the answer before.", max_length=100, examples=[_HANDLE])


class HandleAndCode(Handle):
    code: str = Field(
        description="The eight digits of the mail.", max_length=40, examples=["1234 5678"]
    )


class NewPassword(HandleAndCode):
    password: str = Field(
        description="8 to 256 characters.", max_length=1000, examples=["correct horse battery"]
    )


class Forgotten(Body):
    email: str = Field(max_length=limits.EMAIL_CHARS_MAX, examples=["alice@example.org"])


class Login(Body):
    username: str = Field(
        description="User name or e-mail address.", max_length=300, examples=["alice"]
    )
    password: str = Field(max_length=1000, examples=["correct horse battery"])
    code: str | None = Field(
        None,
        description="Of the authenticator app, or a recovery code, where two-step log-in is on.",
        max_length=40,
        examples=["123456"],
    )


class Confirmation(Body):
    password: str | None = Field(None, max_length=1000, examples=["correct horse battery"])
    code: str | None = Field(
        None,
        description="Needed in the place of the password where two-step log-in is on.",
        max_length=40,
        examples=["123456"],
    )


class Refresh(Body):
    refresh_token: str = Field(max_length=limits.TOKEN_CHARS_MAX)


class Logout(Body):
    refresh_token: str | None = Field(None, max_length=limits.TOKEN_CHARS_MAX)


class Pending(Answer):
    """A code was mailed. With `handle` and the code, the next call completes what was begun."""

    handle: str = Field(examples=[_HANDLE])
    email: str
    expires_in: int = Field(description="Seconds that the code works.")


class PendingRegistration(Pending):
    """A registration waits for its code."""

    username: str


class Tokens(Answer):
    """An access token for the next `expires_in` seconds, and a refresh token for one exchange."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int


def _pending(sent: CodeSent) -> Pending:
    return Pending(handle=sent.handle, email=sent.email, expires_in=sent.expires_in_s)


def _registration(made: registrations.Registration) -> PendingRegistration:
    return PendingRegistration(
        handle=made.handle,
        username=made.username,
        email=made.email,
        expires_in=made.expires_in_s,
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
    "Ask for an account",
    body=Registration,
    answer=PendingRegistration,
    status=201,
    errors=(Conflict, Forbidden, RateLimited, Unavailable),
)
async def register(request: web.Request, body: Registration) -> PendingRegistration:
    """Mails a code to the address; `/auth/register/confirm` makes the account with it. The answer
    doesn't tell whether the address has an account already. 403 when this site takes no new ones.
    """
    made = await request.app[ACCOUNTS].registrations.begin(
        body.username, body.email, body.password, address=request.remote or ""
    )
    return _registration(made)


@api.post(
    "/auth/register/resend",
    "Mail another code",
    body=Handle,
    answer=PendingRegistration,
    errors=(Invalid, RateLimited),
)
async def resend(request: web.Request, body: Handle) -> PendingRegistration:
    """For a registration whose code didn't arrive or is too old. The handle is a new one."""
    return _registration(
        await request.app[ACCOUNTS].registrations.resend(body.handle, address=request.remote or "")
    )


@api.post(
    "/auth/register/confirm",
    "Make the account",
    body=HandleAndCode,
    answer=Me,
    status=201,
    errors=(Invalid, Conflict, RateLimited),
)
async def confirm_registration(request: web.Request, body: HandleAndCode) -> Me:
    """Makes the account that the code was mailed for. Log in afterwards."""
    user = await request.app[ACCOUNTS].registrations.confirm(
        body.handle, body.code, address=request.remote or ""
    )
    return me_of(user)


@api.post(
    "/auth/login",
    "Log in",
    body=Login,
    answer=Tokens,
    errors=(Unauthorized, RateLimited, Unavailable),
)
async def login(request: web.Request, body: Login) -> Tokens:
    """Exchanges name and password for tokens. An unknown name and a wrong password answer alike.
    Where two-step log-in is on, a right password without `code` answers 401 with the error code
    `code_required`.
    """
    accounts = request.app[ACCOUNTS]
    user = await accounts.users.log_in(body.username, body.password, address=request.remote or "")
    if (await accounts.second_factor.standing(user)).is_on:
        if not body.code:
            raise Unauthorized("Send the code of your authenticator app.", code="code_required")
        await accounts.second_factor.check(user, body.code)
    agent = request.headers.get("User-Agent", "")
    return _tokens(
        await accounts.tokens.issue(user, address=request.remote or "", user_agent=agent)
    )


@api.post(
    "/auth/confirm",
    "Confirm that it is you",
    body=Confirmation,
    sign_in=True,
    by_banned=True,
    errors=(Unauthorized, Forbidden, RateLimited),
)
async def confirm(request: web.Request, body: Confirmation) -> web.Response:
    """Gives the password, or a code where two-step log-in is on, once more: for the next five
    minutes this log-in may do what is dangerous. Personal tokens can't. A session cookie is
    answered with a new one in its place.
    """
    accounts = request.app[ACCOUNTS]
    calls = caller_of(request)
    if calls.is_personal_token:
        raise Forbidden("A personal token can't confirm anything.", code="scope")
    if (await accounts.second_factor.standing(calls.user)).is_on:
        await accounts.second_factor.check(calls.user, body.code or "", log_in=calls.log_in_id)
    else:
        await accounts.credentials.confirm_password(
            calls.user,
            body.password or "",
            log_in=calls.log_in_id,
            address=request.remote or "",
        )
    response = web.Response(status=204, headers={"Cache-Control": "no-store"})
    if calls.session is not None:
        set_session_cookie(request, response, await accounts.sessions.confirm(calls.session))
    elif calls.log_in is not None:
        await accounts.tokens.confirm(calls.log_in)
    return response


@api.post("/auth/refresh", "Renew the tokens", body=Refresh, answer=Tokens, errors=(Unauthorized,))
async def refresh(request: web.Request, body: Refresh) -> Tokens:
    """Exchanges a refresh token, which works once. Using one twice ends the whole log-in."""
    return _tokens(await request.app[ACCOUNTS].tokens.refresh(body.refresh_token))


@api.post("/auth/logout", "Log out", body=Logout, is_body_optional=True)
async def logout(request: web.Request, body: Logout) -> web.Response:
    """Ends the log-in that the refresh token (or the access token, or the session cookie) belongs
    to; its tokens stop working at once.
    """
    tokens = request.app[ACCOUNTS].tokens
    response = web.Response(status=204, headers={"Cache-Control": "no-store"})
    if body.refresh_token is not None:
        await tokens.revoke(body.refresh_token)
    elif request.headers.get("Authorization", "").startswith("Bearer "):
        await tokens.revoke_access(request.headers["Authorization"][7:].strip())
    else:
        await log_out(request, response)
    return response


@api.post(
    "/auth/password/forgotten",
    "Forgot the password",
    body=Forgotten,
    answer=Pending,
    status=202,
    errors=(Invalid, RateLimited),
)
async def forgotten(request: web.Request, body: Forgotten) -> Pending:
    """Mails a code to the address, if it has an account; the answer is the same if it hasn't."""
    return _pending(
        await request.app[ACCOUNTS].credentials.forget_password(
            body.email, address=request.remote or ""
        )
    )


@api.post(
    "/auth/password/reset",
    "Set a new password with a code",
    body=NewPassword,
    errors=(Invalid, RateLimited, Unavailable),
)
async def reset(request: web.Request, body: NewPassword) -> None:
    """Sets the password and ends every session and token of the account. Nobody is logged in by
    it, and two-step log-in stays on.
    """
    await request.app[ACCOUNTS].credentials.reset_password(
        body.handle, body.code, body.password, address=request.remote or ""
    )

"""What opens one's own account, over the API: password, address, second factor, devices, tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import PersonalToken, Scope
from mediaserver.kernel import limits
from mediaserver.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from mediaserver.routes.api.me import Me, me_of
from mediaserver.routes.api.operation import Answer, Body, Operations, caller, caller_of
from mediaserver.routes.cookies import session_token
from mediaserver.routes.keys import ACCOUNTS

api = Operations("My account")


class PasswordChange(Body):
    current_password: str = Field(max_length=1000, examples=["correct horse battery"])
    new_password: str = Field(
        description="8 to 256 characters.", max_length=1000, examples=["staple of the battery"]
    )


class NewEmail(Body):
    email: str = Field(max_length=limits.EMAIL_CHARS_MAX, examples=["new@example.org"])


class EmailCode(Body):
    handle: str = Field(max_length=100, examples=["otc_0123456789abcdefghjk"])
    code: str = Field(max_length=40, examples=["1234 5678"])


class Code(Body):
    code: str = Field(description="Of the authenticator app.", max_length=40, examples=["123456"])


class NewToken(Body):
    name: str = Field(max_length=200, examples=["my script"])
    scopes: Annotated[list[Scope], Field(strict=False)] = Field(
        min_length=1, max_length=len(Scope), examples=[["read"]]
    )
    expires_in_days: int | None = Field(
        None, description="Without it the token works until it is revoked.", examples=[90]
    )


class EmailPending(Answer):
    """A code was mailed to the new address."""

    handle: str
    email: str
    expires_in: int


class SecondFactorOut(Answer):
    is_on: bool
    recovery_codes_left: int


class EnrolmentOut(Answer):
    """For the authenticator app, as text and as an address for a QR code."""

    secret: str
    uri: str


class RecoveryCodes(Answer):
    """Each works once in the place of a code of the app. They are shown this once."""

    recovery_codes: list[str]


class DeviceOut(Answer):
    """A browser, or a program with tokens of `/auth/login`, that is logged in."""

    id: str
    kind: Literal["browser", "program"]
    address: str
    user_agent: str
    created_at_ms: int
    seen_at_ms: int
    is_this: bool


class Devices(Answer):
    sessions: list[DeviceOut]


class TokenOut(Answer):
    """A personal token without its secret. `hint`: its last four characters."""

    id: str
    name: str
    scopes: list[str]
    hint: str
    created_at_ms: int
    last_used_at_ms: int | None
    expires_at_ms: int | None


class NewTokenOut(TokenOut):
    """`token` is shown this once."""

    token: str


class TokensOut(Answer):
    tokens: list[TokenOut]


def _token_out(token: PersonalToken) -> TokenOut:
    return TokenOut(
        id=token.id,
        name=token.name,
        scopes=[str(scope) for scope in token.scopes],
        hint=token.hint,
        created_at_ms=token.created_at_ms,
        last_used_at_ms=token.last_used_at_ms,
        expires_at_ms=token.expires_at_ms,
    )


@api.post(
    "/me/password",
    "Change my password",
    body=PasswordChange,
    sign_in=True,
    by_banned=True,
    errors=(Invalid, Unauthorized, Forbidden, RateLimited, Unavailable),
)
async def change_password(request: web.Request, body: PasswordChange) -> None:
    """Ends every other session and every token of the account, the caller's bearer token too."""
    _check_person(request)
    await request.app[ACCOUNTS].credentials.change_password(
        caller(request),
        body.current_password,
        body.new_password,
        log_in=caller_of(request).log_in_id,
        address=request.remote or "",
        keep_session=session_token(request) if caller_of(request).session else None,
    )


@api.post(
    "/me/email",
    "Ask for another address",
    body=NewEmail,
    answer=EmailPending,
    status=202,
    sign_in=True,
    confirm=True,
    by_banned=True,
    errors=(Invalid, Forbidden, RateLimited),
)
async def ask_email(request: web.Request, body: NewEmail) -> EmailPending:
    """Mails a code to the new address. Confirm that it is you first (`/auth/confirm`)."""
    sent = await request.app[ACCOUNTS].credentials.begin_email_change(caller(request), body.email)
    return EmailPending(handle=sent.handle, email=sent.email, expires_in=sent.expires_in_s)


@api.post(
    "/me/email/confirm",
    "Use the other address",
    body=EmailCode,
    answer=Me,
    sign_in=True,
    confirm=True,
    by_banned=True,
    errors=(Invalid, Conflict, Forbidden, RateLimited),
)
async def confirm_email(request: web.Request, body: EmailCode) -> Me:
    """Changes the address with the code that was mailed to it; the old one is told."""
    changed = await request.app[ACCOUNTS].credentials.confirm_email_change(
        caller(request), body.handle, body.code
    )
    return me_of(changed)


@api.get("/me/second-factor", "My two-step log-in", answer=SecondFactorOut, sign_in=True)
async def second_factor(request: web.Request) -> SecondFactorOut:
    """Whether logging in asks for a code, and how many recovery codes are left."""
    found = await request.app[ACCOUNTS].second_factor.standing(caller(request))
    return SecondFactorOut(is_on=found.is_on, recovery_codes_left=found.recovery_codes_left)


@api.post(
    "/me/second-factor",
    "Begin two-step log-in",
    answer=EnrolmentOut,
    sign_in=True,
    confirm=True,
    by_banned=True,
    errors=(Conflict, Forbidden),
)
async def enrol(request: web.Request) -> EnrolmentOut:
    """A secret for an authenticator app (TOTP). It counts once a first code was confirmed."""
    made = await request.app[ACCOUNTS].second_factor.enrol(caller(request))
    return EnrolmentOut(secret=made.secret, uri=made.uri)


@api.post(
    "/me/second-factor/confirm",
    "Turn two-step log-in on",
    body=Code,
    answer=RecoveryCodes,
    sign_in=True,
    confirm=True,
    by_banned=True,
    errors=(Invalid, Conflict, Forbidden, RateLimited),
)
async def confirm_second_factor(request: web.Request, body: Code) -> RecoveryCodes:
    """Takes a first code of the app. From now on logging in asks for one."""
    made = await request.app[ACCOUNTS].second_factor.confirm(caller(request), body.code)
    return RecoveryCodes(recovery_codes=made)


@api.post(
    "/me/second-factor/recovery-codes",
    "New recovery codes",
    answer=RecoveryCodes,
    sign_in=True,
    confirm=True,
    by_banned=True,
    errors=(Conflict, Forbidden),
)
async def new_recovery_codes(request: web.Request) -> RecoveryCodes:
    """Ten new ones; those before don't work any more."""
    made = await request.app[ACCOUNTS].second_factor.new_recovery_codes(caller(request))
    return RecoveryCodes(recovery_codes=made)


@api.delete(
    "/me/second-factor",
    "Turn two-step log-in off",
    sign_in=True,
    confirm=True,
    by_banned=True,
    errors=(Forbidden,),
)
async def turn_off_second_factor(request: web.Request) -> None:
    """From now on the password alone is enough. The account is told by mail."""
    await request.app[ACCOUNTS].second_factor.turn_off(caller(request))


@api.get("/me/sessions", "Where I am logged in", answer=Devices, sign_in=True)
async def sessions(request: web.Request) -> Devices:
    """Browsers and programs, last seen first."""
    found = await request.app[ACCOUNTS].devices.list(caller(request))
    own = caller_of(request).log_in_id
    return Devices(
        sessions=[
            DeviceOut(
                id=device.id,
                kind=device.kind,
                address=device.address,
                user_agent=device.user_agent,
                created_at_ms=device.created_at_ms,
                seen_at_ms=device.seen_at_ms,
                is_this=own == device.id,
            )
            for device in found
        ]
    )


@api.delete(
    "/me/sessions/{id}",
    "Log a browser or program out",
    sign_in=True,
    confirm=True,
    by_banned=True,
    errors=(NotFound, Forbidden),
)
async def revoke_session(request: web.Request) -> None:
    """Its session or its tokens end at once, its connections too."""
    _check_person(request)
    await request.app[ACCOUNTS].devices.revoke(caller(request), request.match_info["id"])


@api.get("/me/tokens", "My personal tokens", answer=TokensOut, sign_in=True)
async def tokens(request: web.Request) -> TokensOut:
    """Those that work, newest first, without their secrets."""
    found = await request.app[ACCOUNTS].personal_tokens.list(caller(request))
    return TokensOut(tokens=[_token_out(token) for token in found])


@api.post(
    "/me/tokens",
    "Make a personal token",
    body=NewToken,
    answer=NewTokenOut,
    status=201,
    sign_in=True,
    confirm=True,
    errors=(Invalid, Conflict, Forbidden),
)
async def create_token(request: web.Request, body: NewToken) -> NewTokenOut:
    """Send it as `Authorization: Bearer msp_…`. It does what its scopes name and no more."""
    made = await request.app[ACCOUNTS].personal_tokens.create(
        caller(request), body.name, body.scopes, days=body.expires_in_days
    )
    return NewTokenOut(token=made.secret, **_token_out(made.token).model_dump())


@api.delete(
    "/me/tokens/{id}",
    "Revoke a personal token",
    sign_in=True,
    by_banned=True,
    errors=(NotFound,),
)
async def revoke_token(request: web.Request) -> None:
    """It stops working at once."""
    await request.app[ACCOUNTS].personal_tokens.revoke(caller(request), request.match_info["id"])


def _check_person(request: web.Request) -> None:
    """Raises `Forbidden` for a personal token: a leaked one must not lock its owner out."""
    if caller_of(request).is_personal_token:
        raise Forbidden("A personal token can't do that.", code="scope")

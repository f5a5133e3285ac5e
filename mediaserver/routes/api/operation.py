"""One decorator for an operation of the API: checks the body, knows the caller, documents itself.

    api = Operations("Channels")

    @api.post("/channels", "Make a channel", body=NewChannel, answer=ChannelOut, status=201,
              sign_in=True, errors=(Conflict,))
    async def create_channel(request: web.Request, body: NewChannel) -> ChannelOut:
        \"\"\"The description, as it is published.\"\"\"

A handler is given the request, then the body, the uploaded file (`upload_bytes_max`) and the query,
as far as the operation has them; one that gives out a file (`answer_types`) makes its own response.
openapi.py turns the collected operations into the
document at /api/openapi.json.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.personal_tokens import PREFIX as PERSONAL
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.accounts.sessions import Session
from mediaserver.accounts.tokens import LogIn
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.errors import Forbidden, MediaserverError, Unauthorized
from mediaserver.routes.api.bad_input import bad_input
from mediaserver.routes.duty import lacks_second_factor, on_duty
from mediaserver.routes.keys import ACCOUNTS, CALLER_ID, CLOCK, SESSION, VIEWER
from mediaserver.routes.page import read_body, read_file

PREFIX = "/api/v1"
_ADMIN = "/admin"
"""Below this nobody but admins gets in, before anything of the request is read."""

_ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and by what: a browser's session, a client's log-in, or a personal token, whose
    row in the database `log_in_id` names.
    """

    user: User
    scopes: frozenset[Scope]
    log_in_id: str
    session: Session | None = None
    log_in: LogIn | None = None

    @property
    def is_personal_token(self) -> bool:
        return self.session is None and self.log_in is None

    def is_confirmed(self, now_ms: int) -> bool:
        """Whether they gave their password, or a code, just now; a personal token never does."""
        shown = self.session or self.log_in
        return shown is not None and now_ms - shown.confirmed_at_ms < limits.CONFIRMED_MS


_CALLER: web.RequestKey[Caller] = web.RequestKey("CALLER")

Handler = Callable[..., Awaitable[BaseModel | web.StreamResponse | None]]


class Body(BaseModel):
    """A request body. What it doesn't name is refused, so nobody sets a field by guessing it."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """What may stand behind the ? of a URL."""

    model_config = ConfigDict(extra="ignore")


class Answer(BaseModel):
    """A response body."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    tag: str
    name: str
    summary: str
    description: str
    handler: Handler
    body: type[Body] | None
    is_body_optional: bool
    query: type[Query] | None
    upload_bytes_max: int | None
    upload_types: tuple[str, ...]
    answer: type[Answer] | None
    answer_types: tuple[str, ...]
    status: int
    sign_in: bool
    scope: Scope
    confirm: bool
    by_banned: bool
    errors: tuple[type[MediaserverError], ...]

    def route(self) -> web.RouteDef:
        return web.route(self.method, PREFIX + self.path, self._handle)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self.sign_in:
            request[_CALLER] = await self._identify(request)
        arguments: list[Any] = []
        if self.body is not None:
            arguments.append(await self._parse(request, self.body))
        if self.upload_bytes_max is not None:
            arguments.append(await read_file(request, self.upload_types))
        if self.query is not None:
            arguments.append(_parse_query(request, self.query))
        answer = await self.handler(request, *arguments)
        if isinstance(answer, web.StreamResponse):
            return answer
        headers = {"Cache-Control": "no-store"}
        if answer is None:
            return web.Response(status=self.status, headers=headers)
        return web.Response(
            text=answer.model_dump_json(),
            status=self.status,
            content_type="application/json",
            headers=headers,
        )

    async def _identify(self, request: web.Request) -> Caller:
        """Who calls, if they may call this. Raises `Unauthorized` or `Forbidden`."""
        found = await _identify(request)
        request[CALLER_ID] = found.user.id
        if self.scope not in found.scopes:
            raise Forbidden(f'This token lacks the scope "{self.scope}".', code="scope")
        if found.user.is_banned and not self.by_banned:
            raise Forbidden("This account is banned.", code="banned")
        if self.path.startswith(_ADMIN) or self.scope is Scope.ADMIN:
            await _check_admin(request, found)
        if self.confirm and not found.is_confirmed(request.app[CLOCK].wall_ms()):
            raise _unconfirmed()
        return found

    async def _parse(self, request: web.Request, model: type[Body]) -> Body:
        raw = await read_body(request)
        if not raw and self.is_body_optional:
            raw = b"{}"
        elif request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType
        try:
            return model.model_validate_json(raw)
        except ValidationError as error:
            raise bad_input(error) from error


def _parse_query(request: web.Request, model: type[Query]) -> Query:
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        raise bad_input(error) from error


class Operations:
    """The operations of one tag, in the order in which they are documented."""

    def __init__(self, tag: str, scope: Scope = Scope.ACCOUNT) -> None:
        """`scope`: what a personal token needs for those that change something; `READ` for the
        others, unless they are the admin's.
        """
        self._tag = tag
        self._scope = scope

        self.all: list[Operation] = []

    def get(self, path: str, summary: str, **options: Any) -> Callable[[Handler], Handler]:
        return self._add("GET", path, summary, **options)

    def post(self, path: str, summary: str, **options: Any) -> Callable[[Handler], Handler]:
        return self._add("POST", path, summary, **options)

    def put(self, path: str, summary: str, **options: Any) -> Callable[[Handler], Handler]:
        return self._add("PUT", path, summary, **options)

    def patch(self, path: str, summary: str, **options: Any) -> Callable[[Handler], Handler]:
        return self._add("PATCH", path, summary, **options)

    def delete(self, path: str, summary: str, **options: Any) -> Callable[[Handler], Handler]:
        return self._add("DELETE", path, summary, **options)

    def _add(
        self,
        method: str,
        path: str,
        summary: str,
        *,
        body: type[Body] | None = None,
        is_body_optional: bool = False,
        query: type[Query] | None = None,
        upload_bytes_max: int | None = None,
        upload_types: tuple[str, ...] = ("image/*",),
        answer: type[Answer] | None = None,
        answer_types: tuple[str, ...] = (),
        status: int = 200,
        sign_in: bool = False,
        scope: Scope | None = None,
        confirm: bool = False,
        by_banned: bool | None = None,
        errors: tuple[type[MediaserverError], ...] = (),
    ) -> Callable[[Handler], Handler]:
        is_reading = method == "GET"
        default_scope = Scope.READ if is_reading and not path.startswith(_ADMIN) else self._scope

        def register(handler: Handler) -> Handler:
            assert handler.__doc__, f"{method} {path} has no description"
            self.all.append(
                Operation(
                    method=method,
                    path=path,
                    tag=self._tag,
                    name=handler.__name__,
                    summary=summary,
                    description=inspect.cleandoc(handler.__doc__),
                    handler=handler,
                    body=body,
                    is_body_optional=is_body_optional,
                    query=query,
                    upload_bytes_max=upload_bytes_max,
                    upload_types=upload_types,
                    answer=answer,
                    answer_types=answer_types,
                    status=status if answer is not None or answer_types else 204,
                    sign_in=sign_in,
                    scope=scope or default_scope,
                    confirm=confirm,
                    by_banned=is_reading if by_banned is None else by_banned,
                    errors=errors,
                )
            )
            return handler

        return register


def caller(request: web.Request) -> User:
    """Who calls an operation that has `sign_in`."""
    return request[_CALLER].user


def caller_of(request: web.Request) -> Caller:
    """Who calls an operation that has `sign_in`, and how they showed it."""
    return request[_CALLER]


def acting(request: web.Request, action: Action) -> Actor:
    """Who calls, as the audit log names them, if they may do `action`. Raises `Forbidden`."""
    user = caller(request)
    check(user, action)
    return Actor(user.id, user.username, request.remote)


async def optional_caller(request: web.Request) -> User | None:
    """Who calls an operation that answers everybody, if they say; nobody by a token that may not
    read.
    """
    if "Authorization" in request.headers:
        found = await _identify(request)
        return found.user if Scope.READ in found.scopes else None
    return request.get(VIEWER)


async def _check_admin(request: web.Request, found: Caller) -> None:
    """Raises `Forbidden` for all but admins, for one without the second factor that settings ask
    for, and for one whose log-in has to be confirmed anew, as on the pages of the desk.
    """
    check(replace(found.user, is_off_duty=False), Action.USE_ADMIN_DESK)
    if await lacks_second_factor(request, found.user):
        raise Forbidden("Turn two-step log-in on first.", code="second_factor")
    if found.user.is_off_duty:
        raise _unconfirmed()


def _unconfirmed() -> Forbidden:
    return Forbidden("Confirm that it is you: send your password to /auth/confirm.", code="confirm")


async def _identify(request: web.Request) -> Caller:
    """A bearer token if there is one, else the session cookie of our own pages."""
    header = request.headers.get("Authorization")
    accounts = request.app[ACCOUNTS]
    if header is not None:
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer":
            raise Unauthorized("Send the access token as: Authorization: Bearer TOKEN.")
        if token.startswith(PERSONAL):
            shown = await accounts.personal_tokens.find(token)
            user = await on_duty(request, shown.user, None, has_scope=Scope.ADMIN in shown.scopes)
            return Caller(user, shown.scopes, shown.token_id)
        log_in = await accounts.tokens.find(token)
        user = await on_duty(request, log_in.user, log_in.confirmed_at_ms)
        return Caller(user, _ALL_SCOPES, log_in.family_id, log_in=log_in)
    opened: Session | None = request.get(SESSION)
    if opened is None:
        raise Unauthorized("Log in first.")
    return Caller(opened.user, _ALL_SCOPES, opened.id, session=opened)

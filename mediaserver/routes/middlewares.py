"""What happens to every request, from the outside in:

    proxies → headers → errors → host → body size → csrf → session → banned → unread → balance →
    handler

Each does one thing; app.py puts them in this order.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from mediaserver.accounts.sessions import Session
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.addresses import AddressList
from mediaserver.kernel.errors import Forbidden, MediaserverError, RateLimited
from mediaserver.money.currencies import money
from mediaserver.routes.confirming import MustConfirm
from mediaserver.routes.cookies import SESSION_COOKIE, session_token
from mediaserver.routes.duty import on_duty
from mediaserver.routes.errors import STATUS, Problem, json_answer, page_answer, problem_of
from mediaserver.routes.forms import FORM_TYPE, read_pairs
from mediaserver.routes.held_forms import HeldForm
from mediaserver.routes.host_cookies import host_cookie_name
from mediaserver.routes.keys import (
    ACCOUNTS,
    BALANCE,
    CALLER_ID,
    CONFIG,
    HELD_FORMS,
    NOTICES,
    SESSION,
    UNREAD,
    VIEWER,
    WALLETS,
)
from mediaserver.routes.render import CSP_PAGE

_log = structlog.get_logger(__name__)

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

_HOOKS = "/hooks/"
"""What payment gateways send, and where they send browsers back to by a form of their own."""

_WITHOUT_SESSION = (
    _HOOKS,
    "/static/",
    "/emotes/",
    "/live/",
    "/socket.io/",
    "/healthz",
    "/readyz",
    "/metrics",
)
"""Paths that answer everybody alike, or look for themselves; asked for often, so they cost no look
at the database."""

_ANY_HOST = ("/healthz", "/readyz", "/metrics", "/live/")
"""Paths that monitors and caches reach by whatever name they know."""

_CSP_MEDIA = "default-src 'none'; frame-ancestors 'none'"
"""For playlists and pieces of video: short, as they come by the hundred."""

_SECRET_PATHS = ("overlay", "dock")
"""Below these stand tokens."""

_REFUSALS = frozenset((403, 413, 421, 429))
_BAD_LOG_INS = frozenset(("invalid_token",))
"""What is written to the log: somebody may not, sent too much or too often, came by another name,
or brought a token that is none of ours."""

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


def proxies(trusted: AddressList) -> Middleware:
    """Believe X-Forwarded-For and -Proto from trusted addresses only, hop by hop from the right."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        remote = request.remote or ""
        if remote not in trusted:
            return await handler(request)
        for hop in reversed(_listed(request, "X-Forwarded-For")):
            try:
                remote = str(ipaddress.ip_address(hop))
            except ValueError:
                break
            if remote not in trusted:
                break
        proto = _listed(request, "X-Forwarded-Proto")[-1].lower()
        scheme = proto if proto in ("http", "https") else request.scheme
        return await handler(request.clone(remote=remote, scheme=scheme))

    return middleware


def _listed(request: web.Request, name: str) -> list[str]:
    """What a header lists, over all its lines: some proxies add a line of their own below the one
    that the visitor sent.
    """
    return [part.strip() for part in ",".join(request.headers.getall(name, ())).split(",")]


@web.middleware
async def headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Security headers; a handler's own value stands."""
    response = await handler(request)
    if response.prepared:
        return response
    fields = response.headers
    fields.setdefault("Server", "mediaserver")
    fields.setdefault("X-Content-Type-Options", "nosniff")
    if request.secure:
        fields.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    if request.path.startswith("/live/"):
        fields.setdefault("Content-Security-Policy", _CSP_MEDIA)
        return response
    fields.setdefault("Content-Security-Policy", CSP_PAGE)
    fields.setdefault("Referrer-Policy", "same-origin")
    fields.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    fields.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    fields.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
    return response


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error becomes an answer. Unexpected ones are logged with where they came from, refusals
    with who was refused; what people mistype is not.
    """
    try:
        response = await handler(request)
        if response.status == STATUS[RateLimited]:  # forms say so in themselves
            _log_refusal(request, response.status, RateLimited.code)
        return response
    except web.HTTPException as error:
        if error.status < 400:  # a redirect; as a response it gets its headers too
            return web.Response(
                status=error.status, headers={"Location": error.headers["Location"]}
            )
        problem = problem_of(error)
    except MediaserverError as error:
        problem = problem_of(error)
    except web.RequestPayloadError:
        problem = problem_of(web.HTTPBadRequest())
    except Exception as error:
        if isinstance(error, ConnectionError) and _has_left(request):
            return web.Response()  # nobody reads it; aiohttp would log the error
        _log.exception("request failed", method=request.method, path=_told_path(request))
        problem = problem_of(error)
    if problem.status in _REFUSALS or problem.code in _BAD_LOG_INS:
        _log_refusal(request, problem.status, problem.code)
    return _answer(request, problem)


def _log_refusal(request: web.Request, status: int, code: str) -> None:
    user = request.get(CALLER_ID) or getattr(request.get(VIEWER), "id", None)
    _log.info(
        "refused",
        status=status,
        code=code,
        method=request.method,
        path=_told_path(request),
        address=request.remote,
        user=user,
    )


def _has_left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _answer(request: web.Request, problem: Problem) -> web.Response:
    if request.path.startswith(("/api/", "/live/", "/socket.io/", _HOOKS)):
        return json_answer(problem)
    try:
        return page_answer(request, problem)
    except Exception:
        _log.exception("error page failed", path=_told_path(request))
        return web.Response(status=problem.status, text=problem.message)


def _told_path(request: web.Request) -> str:
    """The path for the log, which must not hold the tokens of overlays and docks."""
    first, _, _ = request.path.lstrip("/").partition("/")
    return f"/{first}/…" if first in _SECRET_PATHS else request.path


@web.middleware
async def host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer to the site's own name only, once it has one: another name that points here would let
    a foreign page act as this site (DNS rebinding). Bare addresses can't be rebound and may stay.
    """
    if request.path.startswith(_ANY_HOST):
        return await handler(request)
    match = _HOST.fullmatch(request.headers.get("Host", ""))
    if match is None:
        raise web.HTTPBadRequest
    public_url = request.app[CONFIG].site.public_url
    if public_url:
        expected = urlsplit(public_url).hostname
        asked = match[1].strip("[]").lower().rstrip(".")
        if asked not in (expected, "localhost") and not _is_address(asked):
            raise web.HTTPMisdirectedRequest(text=f"This site is at {public_url}.")
    return await handler(request)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@web.middleware
async def csrf(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what another site makes a browser send.

    Browsers say so in Sec-Fetch-Site; those that don't (or on plain http) send Origin, which must
    be this host. A request with neither comes from no browser. A client that authenticates by a
    bearer token alone can't be forged: browsers never add one by themselves.
    """
    is_safe = request.method in _SAFE_METHODS or _is_bearer_only(request)
    is_hook = request.path.startswith(_HOOKS)  # signed, or without any effect; reads no cookie
    if not is_safe and not is_hook and is_foreign(request):
        origin = request.headers.get("Origin")
        _log.warning("cross-site request refused", path=_told_path(request), origin=origin)
        raise Forbidden("This came from another site, so it was refused.", code="cross_site")
    return await handler(request)


def is_foreign(request: web.Request) -> bool:
    """Whether a browser says that another site made it send this."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and not _is_own_origin(request, origin)


def _is_bearer_only(request: web.Request) -> bool:
    return (
        request.headers.get("Authorization", "").startswith("Bearer ")
        and host_cookie_name(request, SESSION_COOKIE) not in request.cookies
    )


def _is_own_origin(request: web.Request, origin: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return False
    if request.secure and parts.scheme != "https":
        return False
    public_url = request.app[CONFIG].site.public_url
    return parts.netloc.lower() == request.host.lower() or (
        bool(public_url) and origin.lower() == public_url.lower()
    )


@web.middleware
async def session(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find out who the session cookie belongs to."""
    opened = None
    if not request.path.startswith(_WITHOUT_SESSION):
        opened = await _session_of(request)
    request[SESSION] = opened
    request[VIEWER] = None if opened is None else opened.user
    return await handler(request)


async def user_of_session(request: web.Request) -> User | None:
    opened = await _session_of(request)
    return None if opened is None else opened.user


async def _session_of(request: web.Request) -> Session | None:
    token = session_token(request)
    opened = None if token is None else await request.app[ACCOUNTS].sessions.find(token)
    if opened is None:
        return None
    return replace(opened, user=await on_duty(request, opened.user, opened.confirmed_at_ms))


@web.middleware
async def held_forms(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Keep the form of somebody who is asked who they are, for after the answer."""
    try:
        return await handler(request)
    except MustConfirm as asked:
        opened = request[SESSION]
        if opened is not None and request.content_type == FORM_TYPE:
            fields = tuple(await read_pairs(request))
            if not any("password" in name for name, _ in fields):
                form = HeldForm(request.path_qs, asked.back, fields)
                request.app[HELD_FORMS].hold(opened.id, form)
        raise


_BY_BANNED = (
    "/api/",
    "/appeal",
    "/confirm",
    "/logout",
    "/settings/data",
    "/settings/security",
    "/theme",
    "/unsubscribe",
)
"""Where somebody who is banned may still send something; the API looks at each operation."""


@web.middleware
async def banned(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Somebody who is banned may read, and see to their own account; nothing more."""
    user = request[VIEWER]
    is_safe = request.method in _SAFE_METHODS or request.path.startswith(_BY_BANNED)
    if user is not None and user.is_banned and not is_safe:
        raise Forbidden("Your account is banned.", code="banned")
    return await handler(request)


_WITHOUT_HEADER = ("/api/", "/avatars/", "/embed/", "/overlay/", "/dock/", "/theme.css")
"""Paths whose answers show no bell, beside those without a session."""


@web.middleware
async def unread(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the notices that wait, for the bell in the header of pages."""
    user = request[VIEWER]
    if user is not None and not request.path.startswith(_WITHOUT_HEADER):
        request[UNREAD] = await request.app[NOTICES].count_unread(user)
    return await handler(request)


@web.middleware
async def balance(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Look into the viewer's wallet, for the header of pages; not where there are no wallets."""
    user, config = request[VIEWER], request.app[CONFIG].money
    has_header = user is not None and not request.path.startswith(_WITHOUT_HEADER)
    if user is not None and has_header and config.enabled and config.wallet:
        held = await request.app[WALLETS].standing(user)
        request[BALANCE] = money(held.balance_minor, held.currency)
    return await handler(request)


def body_size(upload_bytes_max: Mapping[str, int]) -> Middleware:
    """Refuse a body by its announced length; the request's own bound catches those that lie.

    `upload_bytes_max`: for PUT and POST to some routes, by their path with {names}, more than for
    all others.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        bytes_max = limits.REQUEST_BODY_BYTES_MAX
        resource = request.match_info.route.resource
        if resource is not None and request.method in ("PUT", "POST"):
            bytes_max = upload_bytes_max.get(resource.canonical, bytes_max)
        if (request.content_length or 0) > bytes_max:
            raise web.HTTPRequestEntityTooLarge(
                max_size=bytes_max, actual_size=request.content_length or 0
            )
        if bytes_max != limits.REQUEST_BODY_BYTES_MAX:
            request = request.clone(client_max_size=bytes_max)
        return await handler(request)

    return middleware

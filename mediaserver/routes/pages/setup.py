"""The operator's first visit: the one-time link makes the admin, a channel and a stream key."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel, Channels
from mediaserver.channels.stream_keys import StreamKeys
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.errors import Conflict, RateLimited, Unauthorized
from mediaserver.routes.cookies import set_session_cookie, start_session
from mediaserver.routes.errors import problem_of
from mediaserver.routes.forms import FORM_ERRORS, form_errors, read_form
from mediaserver.routes.keys import ACCOUNTS, CHANNELS, SHOWN_ONCE, STREAM_KEYS
from mediaserver.routes.page import page, redirect, see_other
from mediaserver.routes.shown_once import NewKey

_FIELDS = ("username", "email", "channel_name", "channel_slug")

_FIELD_OF_CHANNEL = {"name": "channel_name", "slug": "channel_slug"}


async def setup_page(request: web.Request) -> web.Response:
    if not await request.app[ACCOUNTS].setup.is_needed():
        redirect("/")
    token = request.query.get("token", "")
    if not token:
        return _token_step(request, {})
    try:
        await request.app[ACCOUNTS].setup.check(token, address=request.remote or "")
    except (Unauthorized, RateLimited) as error:
        return _token_step(request, {"token": error.message}, problem_of(error).status)
    return _account_step(request, token, {}, {}, 200)


async def setup(request: web.Request) -> web.Response:
    form = await read_form(request)
    if not await request.app[ACCOUNTS].setup.is_needed():
        raise Conflict("This site is set up already. Log in instead.", code="setup_done")
    token = form.get("token", "")
    if "username" not in form:  # the token alone, typed by hand
        try:
            await request.app[ACCOUNTS].setup.check(token, address=request.remote or "")
        except (Unauthorized, RateLimited) as error:
            return _token_step(request, {"token": error.message}, problem_of(error).status)
        return _account_step(request, token, {}, {}, 200)
    try:
        user, (channel, secret) = await request.app[ACCOUNTS].setup.complete(
            token,
            form["username"],
            form.get("email", ""),
            form.get("password", ""),
            address=request.remote or "",
            then=partial(
                _first_channel,
                request.app[CHANNELS],
                request.app[STREAM_KEYS],
                form.get("channel_slug", ""),
                form.get("channel_name", ""),
            ),
        )
    except _WrongChannel as wrong:
        return _account_step(request, token, form, wrong.errors, 422)
    except (Unauthorized, RateLimited) as error:
        return _token_step(request, {"token": error.message}, problem_of(error).status)
    except FORM_ERRORS as error:
        return _account_step(request, token, form, form_errors(error), problem_of(error).status)
    request.app[SHOWN_ONCE].put(user.id, channel.slug, NewKey("OBS", secret))
    response = see_other("/studio?welcome=1")
    set_session_cookie(request, response, await start_session(request, user))
    return response


class _WrongChannel(Exception):
    """The channel half of the form is wrong; rolls the whole set-up back."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(errors)
        self.errors = errors


def _first_channel(
    channels: Channels,
    stream_keys: StreamKeys,
    slug: str,
    name: str,
    tx: Transaction,
    owner: User,
) -> tuple[Channel, str]:
    try:
        channel = channels.create_in(tx, owner, slug or owner.username.replace("_", "-"), name)
    except FORM_ERRORS as error:
        raise _WrongChannel(
            {_FIELD_OF_CHANNEL.get(key, key): text for key, text in form_errors(error).items()}
        ) from error
    _, secret = stream_keys.create_in(tx, channel, "OBS")
    return channel, secret


def _token_step(request: web.Request, errors: dict[str, str], status: int = 200) -> web.Response:
    return page(
        request,
        "setup.html",
        {"step": "token", "form": {}, "errors": errors},
        status=status,
    )


def _account_step(
    request: web.Request, token: str, form: dict[str, str], errors: dict[str, str], status: int
) -> web.Response:
    response = page(
        request,
        "setup.html",
        {
            "step": "account",
            "form": {"token": token, **{field: form.get(field, "") for field in _FIELDS}},
            "errors": errors,
        },
        status=status,
    )
    response.headers["Cache-Control"] = "no-store"
    return response


routes = [web.get("/setup", setup_page), web.post("/setup", setup)]

"""Making a channel: the first one, or another."""

from __future__ import annotations

from aiohttp import web

from mediaserver.kernel.errors import Conflict, Forbidden, Invalid
from mediaserver.routes.errors import problem_of
from mediaserver.routes.forms import form_errors, read_form
from mediaserver.routes.keys import CHANNELS, POLICIES, SHOWN_ONCE, STREAM_KEYS
from mediaserver.routes.page import noticed, page, signed_in
from mediaserver.routes.pages.studio.frame import reachable
from mediaserver.routes.policies_view import accepted_in, outstanding, unaccepted
from mediaserver.routes.shown_once import NewKey


async def new_channel(request: web.Request) -> web.Response:
    return await new_channel_page(request)


async def create_channel(request: web.Request) -> web.Response:
    user = signed_in(request)
    form = await read_form(request)
    try:
        channel = await request.app[CHANNELS].open(
            user,
            form.get("slug", ""),
            form.get("name", "") or form.get("slug", ""),
            accepting=accepted_in(form),
            address=request.remote or "",
        )
    except (Invalid, Conflict) as error:
        return await new_channel_page(request, form, error)
    except Forbidden as error:
        return await new_channel_page(request, form, unaccepted(error))
    _, secret = await request.app[STREAM_KEYS].create(user, channel.slug, "OBS")
    request.app[SHOWN_ONCE].put(user.id, channel.slug, NewKey("OBS", secret))
    return noticed(request, f"/studio/{channel.slug}", "channel-made")


async def new_channel_page(
    request: web.Request,
    form: dict[str, str] | None = None,
    error: Invalid | Conflict | None = None,
) -> web.Response:
    """The form that makes a channel, with the policies that are to be accepted first."""
    user = signed_in(request)
    standing = await request.app[POLICIES].standing(user)
    return page(
        request,
        "studio/new.html",
        {
            "channels": await reachable(request, user),
            "policies": [] if user.is_admin else outstanding(standing),
            "form": form or {},
            "errors": {} if error is None else form_errors(error),
        },
        status=200 if error is None else problem_of(error).status,
    )


routes = [web.get("/studio/new", new_channel), web.post("/studio/channels", create_channel)]

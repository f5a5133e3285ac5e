"""Who is live, how it goes, and ending a stream with a reason."""

from __future__ import annotations

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.kernel.errors import NotFound
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import CHANNELS, LIVE, LIVE_CONTROL, STREAM_HEALTH
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin

_PAGE = "/admin/live"


async def show_live(request: web.Request) -> web.Response:
    return await _live(request)


async def end_stream(request: web.Request) -> web.Response:
    slug = request.match_info["slug"]
    actor = await confirmed_admin(request, Action.END_ANY_STREAM, _PAGE)
    form = await read_form(request)
    try:
        await request.app[LIVE_CONTROL].end(actor, slug, form.get("reason", ""))
    except FORM_ERRORS as error:
        return await _live(request, slug, form, error)
    except NotFound:  # it has ended by itself meanwhile
        return noticed(request, _PAGE, "stream-not-live")
    return noticed(request, _PAGE, "stream-ended-by-admin")


async def _live(
    request: web.Request,
    failed: str = "",
    form: dict[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    await admin(request, Action.END_ANY_STREAM)
    statuses = [status for status in request.app[LIVE].all() if status.state != "ended"]
    statuses.sort(key=lambda status: (-status.viewers, status.channel))
    slugs = [status.channel for status in statuses]
    channels = {one.slug: one for one in await request.app[CHANNELS].list_by_slug(slugs)}
    health = request.app[STREAM_HEALTH]
    context = {
        "streams": [
            (status, channels[status.channel], health.current(status.channel))
            for status in statuses
            if status.channel in channels
        ],
        "failed": failed,
    }
    return await admin_page(request, "live", context, form=form, error=error)


routes = [web.get(_PAGE, show_live), web.post(_PAGE + "/{slug}/end", end_stream)]

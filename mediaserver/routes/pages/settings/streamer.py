"""Being a streamer: the policies that one has accepted."""

from __future__ import annotations

from aiohttp import web

from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import CHANNELS, POLICIES
from mediaserver.routes.page import noticed, signed_in
from mediaserver.routes.pages.settings.frame import settings_page
from mediaserver.routes.policies_view import accepted_in, outstanding, policy_view

_PAGE = "/settings/streamer"


async def show_streamer(request: web.Request) -> web.Response:
    return await _streamer(request)


async def accept_policies(request: web.Request) -> web.Response:
    user = signed_in(request)
    form = await read_form(request)
    try:
        await request.app[POLICIES].accept(user, accepted_in(form), request.remote or "")
    except FORM_ERRORS as error:
        return await _streamer(request, "policies", form, error)
    return noticed(request, _PAGE, "policies-accepted")


async def _streamer(
    request: web.Request,
    failed: str = "",
    form: dict[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    user = signed_in(request)
    standing = await request.app[POLICIES].standing(user)
    context = {
        "has_channel": bool(await request.app[CHANNELS].list_owned(user)),
        "policies": outstanding(standing),
        "accepted": [
            policy_view(one.policy) | {"accepted_at_ms": one.accepted_at_ms}
            for one in standing
            if one.accepted_at_ms is not None
        ],
    }
    return await settings_page(request, "streamer", context, failed=failed, form=form, error=error)


routes = [
    web.get(_PAGE, show_streamer),
    web.post(f"{_PAGE}/policies", accept_policies),
]

"""The choice of dark or light, kept in a cookie."""

from __future__ import annotations

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.routes.forms import read_form
from mediaserver.routes.host_cookies import set_host_cookie
from mediaserver.routes.page import THEME_COOKIE, local_path, see_other
from mediaserver.routes.render import THEMES


async def choose_theme(request: web.Request) -> web.Response:
    form = await read_form(request)
    response = see_other(local_path(form.get("next", "")))
    chosen = form.get("theme", "")
    if chosen in THEMES:
        set_host_cookie(request, response, THEME_COOKIE, chosen, limits.THEME_MAX_AGE_S)
    return response


routes = [web.post("/theme", choose_theme)]

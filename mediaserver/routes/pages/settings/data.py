"""One's own data: to take along, or to be deleted with the account."""

from __future__ import annotations

import json

from aiohttp import web

from mediaserver.kernel.errors import Conflict, Invalid
from mediaserver.routes.cookies import clear_session_cookie
from mediaserver.routes.forms import FormError, read_form
from mediaserver.routes.keys import CHANNELS, PERSONAL_DATA
from mediaserver.routes.page import noticed, signed_in
from mediaserver.routes.pages.settings.frame import confirmed, settings_page

_PAGE = "/settings/data"


async def show_data(request: web.Request) -> web.Response:
    return await _data(request)


async def download(request: web.Request) -> web.Response:
    opened = confirmed(request)
    data = await request.app[PERSONAL_DATA].export(opened.user)
    return web.Response(
        text=json.dumps(data, ensure_ascii=False, indent=2),
        content_type="application/json",
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{opened.user.username}.json"',
        },
    )


async def delete_account(request: web.Request) -> web.Response:
    opened = confirmed(request)
    form = await read_form(request)
    try:
        if form.get("username", "").strip().lower() != opened.user.username:
            raise Invalid("Type your name as it is written above.", field="username")
        await request.app[PERSONAL_DATA].delete(opened.user)
    except (Invalid, Conflict) as error:
        return await _data(request, error)
    response = noticed(request, "/", "account-deleted")
    clear_session_cookie(request, response)
    return response


async def _data(request: web.Request, error: FormError | None = None) -> web.Response:
    owned = await request.app[CHANNELS].list_owned(signed_in(request))
    context = {"owned": [{"slug": one.slug, "name": one.name} for one in owned]}
    return await settings_page(request, "data", context, failed="delete", error=error)


routes = [
    web.get(_PAGE, show_data),
    web.get(f"{_PAGE}/download", download),
    web.post(f"{_PAGE}/delete", delete_account),
]

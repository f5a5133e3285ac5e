"""Emotes of the site: pictures that stand for a word in every chat."""

from __future__ import annotations

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, NotFound, TooLarge
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import EMOTES
from mediaserver.routes.page import noticed, signed_in
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin
from mediaserver.routes.uploads import read_upload

_PAGE = "/admin/emotes"


async def show_emotes(request: web.Request) -> web.Response:
    return await _emotes(request)


async def add_emote(request: web.Request) -> web.Response:
    user = await admin(request, Action.CHANGE_SITE_EMOTES)
    fields: dict[str, str] = {}
    try:
        upload = await read_upload(request, "picture", limits.EMOTE_UPLOAD_BYTES_MAX)
        fields = upload.fields
        code = fields.get("code", "").strip().strip(":").lower()
        await request.app[EMOTES].put(user, None, code, upload.file, request.remote)
    except TooLarge as error:
        return await _emotes(request, fields, Invalid(error.message, field="picture"))
    except FORM_ERRORS as error:
        return await _emotes(request, fields, error)
    return noticed(request, _PAGE, "emote-made")


async def remove_emote(request: web.Request) -> web.Response:
    await confirmed_admin(request, Action.CHANGE_SITE_EMOTES, _PAGE)
    user = signed_in(request)
    form = await read_form(request)
    try:
        await request.app[EMOTES].remove(user, None, form.get("code", ""), request.remote)
    except NotFound as error:
        return await _emotes(request, {}, Invalid(error.message))
    return noticed(request, _PAGE, "emote-gone")


async def _emotes(
    request: web.Request, form: dict[str, str] | None = None, error: FormError | None = None
) -> web.Response:
    await admin(request, Action.CHANGE_SITE_EMOTES)
    context = {
        "emotes": await request.app[EMOTES].list_all(None),
        "emotes_max": limits.EMOTES_OF_SITE_MAX,
    }
    return await admin_page(request, "emotes", context, form=form, error=error)


UPLOADS = {_PAGE: limits.EMOTE_UPLOAD_BYTES_MAX + limits.REQUEST_BODY_BYTES_MAX}
"""The picture, and the form round it."""

routes = [
    web.get(_PAGE, show_emotes),
    web.post(_PAGE, add_emote),
    web.post(f"{_PAGE}/remove", remove_emote),
]

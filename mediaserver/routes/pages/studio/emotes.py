"""Emotes of a channel: pictures that are uploaded here and stand for a word in its chat."""

from __future__ import annotations

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Forbidden, NotFound, TooLarge
from mediaserver.routes.forms import FORM_ERRORS, read_form
from mediaserver.routes.keys import EMOTES
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.studio.chat import chat_page
from mediaserver.routes.pages.studio.frame import Returned, open_studio
from mediaserver.routes.uploads import read_upload


async def add_emote(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    fields: dict[str, str] = {}
    try:
        upload = await read_upload(request, "picture", limits.EMOTE_UPLOAD_BYTES_MAX)
        fields = upload.fields
        code = fields.get("code", "").strip().strip(":").lower()
        await request.app[EMOTES].put(studio.user, studio.channel, code, upload.file)
    except (*FORM_ERRORS, Forbidden, TooLarge) as error:
        return await chat_page(request, studio, Returned("emote", fields, error, "picture"))
    return noticed(request, studio.path("chat"), "emote-made")


async def remove_emote(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    form = await read_form(request)
    try:
        await request.app[EMOTES].remove(studio.user, studio.channel, form.get("code", ""))
    except (*FORM_ERRORS, NotFound) as error:
        return await chat_page(request, studio, Returned("emote", {}, error, "code"))
    return noticed(request, studio.path("chat"), "emote-gone")


UPLOADS = {
    "/studio/{slug}/chat/emotes": limits.EMOTE_UPLOAD_BYTES_MAX + limits.REQUEST_BODY_BYTES_MAX
}
"""The picture, and the form round it."""

routes = [
    web.post("/studio/{slug}/chat/emotes", add_emote),
    web.post("/studio/{slug}/chat/emotes/remove", remove_emote),
]

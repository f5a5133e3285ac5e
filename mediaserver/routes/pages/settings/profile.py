"""What others see of somebody: picture, a few words, links."""

from __future__ import annotations

from aiohttp import web

from mediaserver.accounts.profiles import Link
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, TooLarge
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import ACCOUNTS, AVATARS
from mediaserver.routes.page import noticed, signed_in
from mediaserver.routes.pages.settings.frame import settings_page
from mediaserver.routes.uploads import read_upload


async def show_profile(request: web.Request) -> web.Response:
    return await _profile(request)


async def change_profile(request: web.Request) -> web.Response:
    user = signed_in(request)
    form = await read_form(request)
    links = [
        Link(form.get(f"link_name_{number}", ""), url)
        for number in range(limits.PROFILE_LINKS_MAX)
        if (url := form.get(f"link_url_{number}", "").strip())
    ]
    try:
        await request.app[ACCOUNTS].profiles.change(user, about=form.get("about"), links=links)
    except FORM_ERRORS as error:
        return await _profile(request, "profile", form, error)
    return noticed(request, "/settings", "saved")


async def put_avatar(request: web.Request) -> web.Response:
    user = signed_in(request)
    try:
        upload = await read_upload(request, "picture", limits.AVATAR_UPLOAD_BYTES_MAX)
        await request.app[AVATARS].put(user, upload.file)
    except FORM_ERRORS as error:
        return await _profile(request, "avatar", {}, error)
    except TooLarge as error:
        return await _profile(request, "avatar", {}, Invalid(error.message, field="picture"))
    return noticed(request, "/settings", "saved")


async def remove_avatar(request: web.Request) -> web.Response:
    await request.app[AVATARS].remove(signed_in(request))
    return noticed(request, "/settings", "saved")


async def _profile(
    request: web.Request,
    failed: str = "",
    form: dict[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    found = await request.app[ACCOUNTS].profiles.of(signed_in(request))
    given = {"about": found.about}
    for number, link in enumerate(found.links):
        given |= {f"link_name_{number}": link.name, f"link_url_{number}": link.url}
    if failed == "profile" and form is not None:
        given = form
    context = {"links_max": limits.PROFILE_LINKS_MAX}
    return await settings_page(request, "profile", context, failed=failed, form=given, error=error)


UPLOADS = {
    "/settings/avatar": limits.AVATAR_UPLOAD_BYTES_MAX + limits.REQUEST_BODY_BYTES_MAX,
}
"""The picture, and the form round it."""

routes = [
    web.get("/settings", show_profile),
    web.post("/settings", change_profile),
    web.post("/settings/avatar", put_avatar),
    web.post("/settings/avatar/remove", remove_avatar),
]

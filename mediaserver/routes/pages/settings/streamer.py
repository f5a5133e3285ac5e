"""Being a streamer: the policies that one has accepted, and being verified."""

from __future__ import annotations

import dataclasses
from contextlib import suppress

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Forbidden, Invalid, NotFound, TooLarge
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import CHANNELS, CONFIG, DOCUMENTS, POLICIES, VERIFICATIONS
from mediaserver.routes.page import noticed, signed_in
from mediaserver.routes.pages.settings.frame import settings_page
from mediaserver.routes.policies_view import accepted_in, outstanding, policy_view, unaccepted
from mediaserver.routes.uploads import read_uploads

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


async def ask_for_verification(request: web.Request) -> web.Response:
    user = signed_in(request)
    form: dict[str, str] = {}

    async def take(data: bytes) -> None:
        await request.app[DOCUMENTS].add(user, data)

    try:
        await read_uploads(request, "documents", limits.DOCUMENT_BYTES_MAX, form, take)
        await request.app[VERIFICATIONS].submit(
            user, form.get("legal_name", ""), form.get("note", "")
        )
    except FORM_ERRORS as error:
        return await _streamer(request, "verification", form, error)
    except TooLarge as error:
        wrong = Invalid(error.message, field="documents")
        return await _streamer(request, "verification", form, wrong)
    except Forbidden as error:
        return await _streamer(request, "policies", form, unaccepted(error))
    return noticed(request, _PAGE, "verification-sent")


async def discard_document(request: web.Request) -> web.Response:
    user = signed_in(request)
    form = await read_form(request)
    with suppress(NotFound):  # it is gone already
        await request.app[DOCUMENTS].discard(user, form.get("id", ""))
    return noticed(request, f"{_PAGE}#verification", "document-gone")


async def _streamer(
    request: web.Request,
    failed: str = "",
    form: dict[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    user = signed_in(request)
    standing = await request.app[POLICIES].standing(user)
    requests = await request.app[VERIFICATIONS].of(user)
    context = {
        "has_channel": bool(await request.app[CHANNELS].list_owned(user)),
        "policies": outstanding(standing),
        "accepted": [
            policy_view(one.policy) | {"accepted_at_ms": one.accepted_at_ms}
            for one in standing
            if one.accepted_at_ms is not None
        ],
        "is_verified": user.is_verified,
        "requests": [dataclasses.asdict(one) for one in requests],
        "waiting": [dataclasses.asdict(one) for one in await request.app[DOCUMENTS].waiting(user)],
        "documents_max": limits.DOCUMENTS_MAX,
        "megabytes_max": limits.DOCUMENT_BYTES_MAX // limits.MIB,
        "name_chars_max": limits.LEGAL_NAME_CHARS_MAX,
        "note_chars_max": limits.VERIFICATION_NOTE_CHARS_MAX,
        "keep_days": request.app[CONFIG].accounts.documents_keep_days,
    }
    return await settings_page(request, "streamer", context, failed=failed, form=form, error=error)


UPLOADS = {
    f"{_PAGE}/verification": (
        limits.DOCUMENTS_MAX * limits.DOCUMENT_BYTES_MAX + limits.REQUEST_BODY_BYTES_MAX
    )
}
"""All documents of a request at once, and the form round them."""

routes = [
    web.get(_PAGE, show_streamer),
    web.post(f"{_PAGE}/policies", accept_policies),
    web.post(f"{_PAGE}/verification", ask_for_verification),
    web.post(f"{_PAGE}/documents/remove", discard_document),
]

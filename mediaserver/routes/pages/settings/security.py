"""Password, address, two-step log-in, and where somebody is logged in."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import web

from mediaserver.kernel.errors import NotFound
from mediaserver.routes.confirming import session_of
from mediaserver.routes.cookies import NEW_EMAIL, session_token
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import ACCOUNTS, CONFIG
from mediaserver.routes.page import noticed, redirect, see_other
from mediaserver.routes.pages.settings.frame import confirmed, settings_page
from mediaserver.routes.qr_code import qr_code

_PAGE = "/settings/security"


async def show_security(request: web.Request) -> web.Response:
    return await _security(request)


async def change_password(request: web.Request) -> web.Response:
    opened = session_of(request)
    form = await read_form(request)
    try:
        await request.app[ACCOUNTS].credentials.change_password(
            opened.user,
            form.get("current_password", ""),
            form.get("password", ""),
            log_in=opened.id,
            address=request.remote or "",
            keep_session=session_token(request),
        )
    except FORM_ERRORS as error:
        return await _security(request, "password", form, error)
    return noticed(request, _PAGE, "password-set")


async def ask_email(request: web.Request) -> web.Response:
    opened = confirmed(request)
    form = await read_form(request)
    try:
        sent = await request.app[ACCOUNTS].credentials.begin_email_change(
            opened.user, form.get("email", "")
        )
    except FORM_ERRORS as error:
        return await _security(request, "email", form, error)
    response = see_other(f"{_PAGE}/email")
    NEW_EMAIL.leave(request, response, sent.handle, _PAGE)
    return response


async def email_page(request: web.Request) -> web.Response:
    confirmed(request)
    if not NEW_EMAIL.value(request):
        redirect(_PAGE)
    return await _email_code(request)


async def confirm_email(request: web.Request) -> web.Response:
    opened = confirmed(request)
    form = await read_form(request)
    try:
        await request.app[ACCOUNTS].credentials.confirm_email_change(
            opened.user, NEW_EMAIL.value(request), form.get("code", "")
        )
    except FORM_ERRORS as error:
        return await _email_code(request, error)
    response = noticed(request, _PAGE, "email-changed")
    NEW_EMAIL.clear(request, response)
    return response


async def begin_app(request: web.Request) -> web.Response:
    """A fresh secret each time: one that was on a screen before is worth nothing."""
    opened = confirmed(request)
    factor = request.app[ACCOUNTS].second_factor
    if (await factor.standing(opened.user)).is_on:
        redirect(_PAGE)
    await factor.enrol(opened.user)
    return see_other(f"{_PAGE}/app")


async def app_page(request: web.Request) -> web.Response:
    """The secret that waits for its first code; opening the page again doesn't change it."""
    waiting = await request.app[ACCOUNTS].second_factor.waiting(confirmed(request).user)
    if waiting is None:
        redirect(_PAGE)
    return await _app(request, waiting.secret, waiting.uri)


async def confirm_app(request: web.Request) -> web.Response:
    opened = confirmed(request)
    form = await read_form(request)
    factor = request.app[ACCOUNTS].second_factor
    try:
        codes = await factor.confirm(opened.user, form.get("code", ""))
    except FORM_ERRORS as error:
        waiting = await factor.waiting(opened.user)
        if waiting is None:
            redirect(_PAGE)
        return await _app(request, waiting.secret, waiting.uri, error)
    return await _recovery_codes(request, codes)


async def renew_recovery_codes(request: web.Request) -> web.Response:
    opened = confirmed(request)
    return await _recovery_codes(
        request, await request.app[ACCOUNTS].second_factor.new_recovery_codes(opened.user)
    )


async def turn_app_off(request: web.Request) -> web.Response:
    await request.app[ACCOUNTS].second_factor.turn_off(confirmed(request).user)
    return noticed(request, _PAGE, "second-factor-off")


async def revoke_device(request: web.Request) -> web.Response:
    user = confirmed(request).user
    form = await read_form(request)
    with suppress(NotFound):  # it has ended by itself meanwhile
        await request.app[ACCOUNTS].devices.revoke(user, form.get("id", ""))
    return noticed(request, _PAGE, "device-out")


async def revoke_others(request: web.Request) -> web.Response:
    user = confirmed(request).user
    await request.app[ACCOUNTS].devices.end_others(user, keep_session=session_token(request))
    return noticed(request, _PAGE, "devices-out")


async def _security(
    request: web.Request,
    failed: str = "",
    form: dict[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    opened = session_of(request)
    accounts = request.app[ACCOUNTS]
    factor = await accounts.second_factor.standing(opened.user)
    devices = [
        {
            "id": device.id,
            "kind": device.kind,
            "address": device.address,
            "program": device.user_agent,
            "seen_at_ms": device.seen_at_ms,
            "created_at_ms": device.created_at_ms,
            "is_this": device.id == opened.id,
        }
        for device in await accounts.devices.list(opened.user)
    ]
    shown = {name: value for name, value in (form or {}).items() if "password" not in name}
    context = {
        "app_is_on": factor.is_on,
        "recovery_codes_left": factor.recovery_codes_left,
        "devices": devices,
        "is_asked_for_app": opened.user.is_admin and not factor.is_on,
        "app_is_required": request.app[CONFIG].accounts.admin_totp == "required",
    }
    return await settings_page(request, "security", context, failed=failed, form=shown, error=error)


async def _email_code(request: web.Request, error: FormError | None = None) -> web.Response:
    context = {"keeps_mail": not request.app[CONFIG].mail.smtp_host}
    return await settings_page(request, "email", context, failed="code", error=error)


async def _app(
    request: web.Request, secret: str, uri: str, error: FormError | None = None
) -> web.Response:
    spaced = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    context = {"secret": spaced, "qr_code": qr_code(uri)}
    return await settings_page(request, "app", context, failed="code", error=error)


async def _recovery_codes(request: web.Request, codes: list[str]) -> web.Response:
    return await settings_page(request, "recovery", {"codes": codes})


routes = [
    web.get(_PAGE, show_security),
    web.post(f"{_PAGE}/password", change_password),
    web.post(f"{_PAGE}/email", ask_email),
    web.get(f"{_PAGE}/email", email_page),
    web.post(f"{_PAGE}/email/confirm", confirm_email),
    web.post(f"{_PAGE}/app/begin", begin_app),
    web.get(f"{_PAGE}/app", app_page),
    web.post(f"{_PAGE}/app", confirm_app),
    web.post(f"{_PAGE}/app/off", turn_app_off),
    web.post(f"{_PAGE}/app/recovery", renew_recovery_codes),
    web.post(f"{_PAGE}/devices/revoke", revoke_device),
    web.post(f"{_PAGE}/devices/revoke-others", revoke_others),
]

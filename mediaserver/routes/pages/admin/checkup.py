"""The check-up: whether everything the site needs is well, with the browser's own view of it."""

from __future__ import annotations

from aiohttp import web

from mediaserver.admin.doctor.finding import Finding, Result
from mediaserver.routes.about_request import about_request
from mediaserver.routes.keys import CONFIG, DOCTOR
from mediaserver.routes.pages.admin.frame import admin, admin_page

_PAGE = "/admin/checkup"


async def show_checkup(request: web.Request) -> web.Response:
    await admin(request)
    return await _checkup(request, [])


async def check_mail(request: web.Request) -> web.Response:
    """Asks the mail server; a second look at the page asks nothing."""
    await admin(request)
    return await _checkup(request, [await request.app[DOCTOR].mail_server()])


async def _checkup(request: web.Request, more: list[Finding]) -> web.Response:
    findings = [*more, *about_request(request), *await request.app[DOCTOR].examine()]
    order = (Result.BAD, Result.WARN)
    context = {
        "wrong": [one for result in order for one in findings if one.result == result],
        "well": [one for one in findings if one.result == Result.OK],
        "has_mail_server": bool(request.app[CONFIG].mail.smtp_host),
    }
    return await admin_page(request, "checkup", context)


routes = [web.get(_PAGE, show_checkup), web.post(f"{_PAGE}/mail", check_mail)]

"""Mail: the site's own mailbox, what waits to be sent, and whether it works."""

from __future__ import annotations

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.kernel import limits
from mediaserver.routes.forms import FORM_ERRORS, FormError, read_form
from mediaserver.routes.keys import CONFIG, DEFERRED, MAILBOX
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin

_PAGE = "/admin/mail"


async def show_mail(request: web.Request) -> web.Response:
    return await _mail(request)


async def send_test(request: web.Request) -> web.Response:
    user = await admin(request, Action.READ_MAIL)
    await request.app[DEFERRED].send_test(user)
    return noticed(request, _PAGE, "test-mail")


async def retry_mail(request: web.Request) -> web.Response:
    actor = await confirmed_admin(request, Action.READ_MAIL, _PAGE)
    form = await read_form(request)
    try:
        await request.app[DEFERRED].retry(actor, form.get("id", ""))
    except FORM_ERRORS as error:
        return await _mail(request, error)
    return noticed(request, _PAGE, "tried-again")


async def drop_mail(request: web.Request) -> web.Response:
    actor = await confirmed_admin(request, Action.READ_MAIL, _PAGE)
    form = await read_form(request)
    try:
        await request.app[DEFERRED].drop(actor, form.get("id", ""))
    except FORM_ERRORS as error:
        return await _mail(request, error)
    return noticed(request, _PAGE, "dropped")


async def _mail(request: web.Request, error: FormError | None = None) -> web.Response:
    await admin(request, Action.READ_MAIL)
    after, queue_after = request.query.get("after"), request.query.get("queue")
    kept = await request.app[MAILBOX].page(after=after)
    queue = await request.app[DEFERRED].mails(after=queue_after)
    context = {
        "smtp_host": request.app[CONFIG].mail.smtp_host,
        "kept": kept,
        "queue": queue,
        "is_first": after is None,
        "next": f"{_PAGE}?after={kept[-1].id}" if len(kept) == limits.MAIL_LISTED_MAX else "",
        "is_queue_first": queue_after is None,
        "queue_next": (
            f"{_PAGE}?queue={queue[-1].id}" if len(queue) == limits.JOBS_LISTED_MAX else ""
        ),
    }
    return await admin_page(request, "mail", context, error=error)


routes = [
    web.get(_PAGE, show_mail),
    web.post(f"{_PAGE}/test", send_test),
    web.post(f"{_PAGE}/retry", retry_mail),
    web.post(f"{_PAGE}/drop", drop_mail),
]

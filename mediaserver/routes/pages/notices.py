"""The notices of whoever is logged in, and the link in mails that turns such mails off."""

from __future__ import annotations

import dataclasses

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid
from mediaserver.notifications.notices import TOPICS, checked_link
from mediaserver.routes.forms import read_form
from mediaserver.routes.keys import LETTERHEAD, NOTICES, UNREAD
from mediaserver.routes.page import noticed, page, signed_in

_LINK = ("who", "topic", "signature")


async def show_notices(request: web.Request) -> web.Response:
    """Opening the page marks what it shows as read; there it still stands out."""
    user, notices = signed_in(request), request.app[NOTICES]
    after = request.query.get("after")
    found = await notices.page(user, after=after)
    if fresh := [one.id for one in found if not one.is_read]:
        await notices.read_some(user, fresh)
        request[UNREAD] = await notices.count_unread(user)
    is_full = len(found) == limits.NOTICES_LISTED_MAX
    context = {
        "items": [dataclasses.asdict(one) for one in found],
        "is_first_page": after is None,
        "next_page": found[-1].id if is_full else None,
        "others_wait": request.get(UNREAD, 0) > 0,
    }
    return page(request, "notices.html", context)


async def read_all(request: web.Request) -> web.Response:
    await request.app[NOTICES].read_all(signed_in(request))
    return noticed(request, "/notices", "notices-read")


async def ask_unsubscribe(request: web.Request) -> web.Response:
    """Asks first: programs that scan mail open every link in it."""
    link = {name: request.query.get(name, "") for name in _LINK}
    topic = checked_link(request.app[LETTERHEAD], link["who"], link["topic"], link["signature"])
    context = {"link": link, "label": TOPICS[topic][0], "is_done": False}
    return page(request, "unsubscribe.html", context)


async def unsubscribe(request: web.Request) -> web.Response:
    """The button on the page, or a mail program by itself (RFC 8058): the link says it all."""
    form = await read_form(request)
    if form.get("List-Unsubscribe") not in (None, "One-Click"):
        raise Invalid("That can't be read.")
    link = {name: request.query.get(name) or form.get(name, "") for name in _LINK}
    topic = await request.app[NOTICES].unsubscribe(
        request.app[LETTERHEAD], link["who"], link["topic"], link["signature"]
    )
    context = {"link": link, "label": TOPICS[topic][0], "is_done": True}
    return page(request, "unsubscribe.html", context)


routes = [
    web.get("/notices", show_notices),
    web.post("/notices/read", read_all),
    web.get("/unsubscribe", ask_unsubscribe),
    web.post("/unsubscribe", unsubscribe),
]

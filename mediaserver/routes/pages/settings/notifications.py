"""Which notices are mailed too."""

from __future__ import annotations

from aiohttp import web

from mediaserver.notifications.notices import TOPICS, topics_for
from mediaserver.routes.forms import read_form
from mediaserver.routes.keys import NOTICES
from mediaserver.routes.page import noticed, signed_in
from mediaserver.routes.pages.settings.frame import settings_page

_PAGE = "/settings/notifications"


async def show_notifications(request: web.Request) -> web.Response:
    user = signed_in(request)
    mailed = await request.app[NOTICES].mailed(user)
    topics = [
        {
            "name": str(topic),
            "label": TOPICS[topic][0],
            "explanation": TOPICS[topic][1],
            "by_mail": mailed[topic],
            "is_fixed": topic.is_always_mailed,
        }
        for topic in topics_for(user)
    ]
    return await settings_page(request, "notifications", {"topics": topics})


async def choose(request: web.Request) -> web.Response:
    user = signed_in(request)
    form = await read_form(request)
    chosen = {topic: f"mail_{topic}" in form for topic in topics_for(user)}
    await request.app[NOTICES].choose(user, chosen)
    return noticed(request, _PAGE, "saved")


routes = [web.get(_PAGE, show_notifications), web.post(_PAGE, choose)]

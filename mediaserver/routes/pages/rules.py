"""The site's rules, for everybody to read."""

from __future__ import annotations

from aiohttp import web

from mediaserver.routes.keys import POLICIES
from mediaserver.routes.page import page
from mediaserver.routes.policies_view import policy_view


async def rules_page(request: web.Request) -> web.Response:
    current = await request.app[POLICIES].current()
    return page(request, "rules.html", {"policies": [policy_view(one) for one in current]})


routes = [web.get("/rules", rules_page)]

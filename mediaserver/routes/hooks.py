"""What payment gateways send: notifications to /hooks/{gateway}, and browsers that come back.

Neither reads a cookie. A notification has its signature; coming back changes nothing, it only leads
to the payment's page, which asks the gateway itself. So a form that another site posts here, as
SSLCommerz has browsers do, can do no harm.
"""

from __future__ import annotations

from aiohttp import web

from mediaserver.kernel.ids import is_id
from mediaserver.money.gateways.gateway import Notification
from mediaserver.money.payments import PREFIX
from mediaserver.routes.keys import HOOK_INBOX
from mediaserver.routes.page import read_body, see_other
from mediaserver.routes.payments_view import money_config


async def receive(request: web.Request) -> web.Response:
    """200 once it is stored, also for what came before and what is about no payment of ours; 403
    for a wrong signature, 422 for nonsense.
    """
    money_config(request)
    notification = Notification(
        dict(request.headers), dict(request.query), await read_body(request)
    )
    await request.app[HOOK_INBOX].receive(request.match_info["gateway"], notification)
    return web.Response(text="ok", headers={"Cache-Control": "no-store"})


async def come_back(request: web.Request) -> web.Response:
    """To the payment's page; the browser brings its cookies there, since that is a GET."""
    money_config(request)
    payment_id = request.query.get("payment", "")
    return see_other(f"/payments/{payment_id}" if is_id(payment_id, PREFIX) else "/")


routes = [
    web.post("/hooks/{gateway}", receive),
    web.get("/hooks/{gateway}/return", come_back),
    web.post("/hooks/{gateway}/return", come_back),
]

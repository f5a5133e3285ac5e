"""A payment's own page: where browsers come back to, and where somebody sees how it stands."""

from __future__ import annotations

from aiohttp import web

from mediaserver.kernel.errors import NotFound
from mediaserver.money.payment_views import PaymentView
from mediaserver.routes.keys import CLOCK, PAYMENT_VIEWS
from mediaserver.routes.page import page, signed_in, viewer
from mediaserver.routes.payments_view import (
    checkout_url,
    is_payable,
    looked_at,
    money_config,
    payment_view,
)


async def show(request: web.Request) -> web.Response:
    """Looks at the gateway first, as far as the answer may wait for it."""
    config = money_config(request)
    view = await _own(request)
    view = await looked_at(request, view.payment.id, viewer(request))
    now_ms = request.app[CLOCK].wall_ms()
    return page(
        request,
        "money/payment.html",
        {"payment": payment_view(request, view, now_ms), "is_test": not config.production},
    )


async def go_pay(request: web.Request) -> web.Response:
    """On to the gateway. A page that goes there by itself: a redirect behind a form to another site
    is refused by browsers, as our policy lets forms go nowhere else.
    """
    config = money_config(request)
    view = await _own(request)
    now_ms = request.app[CLOCK].wall_ms()
    if not is_payable(view.payment, now_ms):
        raise web.HTTPSeeOther(f"/payments/{view.payment.id}")
    return page(
        request,
        "money/payment_go.html",
        {
            "payment": payment_view(request, view, now_ms),
            "checkout_url": checkout_url(view.payment),
            "is_test": not config.production,
        },
    )


async def _own(request: web.Request) -> PaymentView:
    """The payment, if it is the viewer's; whoever isn't logged in may do so first."""
    try:
        return await request.app[PAYMENT_VIEWS].get(request.match_info["id"], viewer(request))
    except NotFound:
        if viewer(request) is None:
            signed_in(request)
        raise


routes = [web.get("/payments/{id}", show), web.get("/payments/{id}/checkout", go_pay)]

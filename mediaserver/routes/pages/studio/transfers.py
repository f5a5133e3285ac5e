"""Transfers to the streamer's own account: what people say to have sent, and whether it came."""

from __future__ import annotations

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict
from mediaserver.money.currencies import money
from mediaserver.routes.forms import read_form
from mediaserver.routes.keys import DONATIONS, TRANSFERS
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.studio.frame import Returned, Studio, open_studio, studio_page
from mediaserver.routes.payments_view import given_view, money_config


async def show_transfers(request: web.Request) -> web.Response:
    money_config(request)
    return await _page(request, await open_studio(request))


async def decide(request: web.Request) -> web.Response:
    money_config(request)
    studio = await open_studio(request)
    form = await read_form(request)
    transfers = request.app[TRANSFERS]
    is_here = form.get("decision") == "confirm"
    try:
        if is_here:
            await transfers.confirm(studio.user, form.get("id", ""))
        else:
            await transfers.reject(studio.user, form.get("id", ""))
    except Conflict as error:
        return await _page(request, studio, Returned("decide", form, error))
    notice = "transfer-confirmed" if is_here else "transfer-rejected"
    return noticed(request, studio.path("transfers"), notice)


async def _page(
    request: web.Request, studio: Studio, returned: Returned | None = None
) -> web.Response:
    config = money_config(request)
    only_open = request.query.get("show") != "all"
    slug = studio.channel.slug
    found = await request.app[TRANSFERS].page(
        studio.user, slug, only_open=only_open, after=request.query.get("after")
    )
    occasion = await request.app[DONATIONS].occasion(None, slug)
    received = await request.app[TRANSFERS].received_minor(studio.user)
    context = {
        "transfers": [given_view(one) for one in found],
        "only_open": only_open,
        "more": found[-1].id if len(found) == limits.PAYMENTS_LISTED_MAX else None,
        "takes_transfers": occasion.terms.takes_transfers,
        "received": money(received, config.currency),
        "is_test": not config.production,
        "is_streamer": studio.user.id == studio.channel.owner_id,
    }
    return await studio_page(request, studio, "transfers", context, returned=returned)


routes = [
    web.get("/studio/{slug}/transfers", show_transfers),
    web.post("/studio/{slug}/transfers", decide),
]

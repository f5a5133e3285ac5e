"""Webhooks of the site as a whole over the API, for admins; the shapes are those of webhooks.py."""

from __future__ import annotations

from aiohttp import web

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel.errors import Conflict, Forbidden
from mediaserver.routes.api.operation import Operations, caller
from mediaserver.routes.api.webhooks import (
    BY_HAND,
    MANAGED,
    DeliveriesAfter,
    DeliveryList,
    DeliveryOut,
    NewWebhook,
    NewWebhookOut,
    WebhookChange,
    WebhookList,
    WebhookOut,
    delivery_out,
    webhook_out,
    with_secret,
)
from mediaserver.routes.keys import WEBHOOK_SENDER, WEBHOOKS
from mediaserver.webhooks.webhooks import Asker

api = Operations("Webhooks", Scope.ADMIN)


def _asker(request: web.Request) -> Asker:
    return Asker(caller(request), address=request.remote)


_ALL = "/admin/webhooks"
_ONE = f"{_ALL}/{{id}}"


@api.get(_ALL, "List the site's webhooks", answer=WebhookList, sign_in=True, errors=MANAGED)
async def list_site_webhooks(request: web.Request) -> WebhookList:
    """Those that are told of all channels and accounts. Only an admin may."""
    found = await request.app[WEBHOOKS].list(_asker(request))
    return WebhookList(webhooks=[webhook_out(one) for one in found])


@api.post(
    _ALL,
    "Make a webhook of the site",
    body=NewWebhook,
    answer=NewWebhookOut,
    status=201,
    sign_in=True,
    confirm=True,
    errors=(Forbidden, Conflict),
)
async def create_site_webhook(request: web.Request, body: NewWebhook) -> NewWebhookOut:
    """Ten at most. `secret` is shown this once: deliveries are signed with it."""
    return with_secret(*await request.app[WEBHOOKS].create(_asker(request), body.url, body.events))


@api.get(_ONE, "Show a webhook of the site", answer=WebhookOut, sign_in=True, errors=MANAGED)
async def show_site_webhook(request: web.Request) -> WebhookOut:
    """One webhook of the site. Only an admin may."""
    return webhook_out(await request.app[WEBHOOKS].get(_asker(request), request.match_info["id"]))


@api.patch(
    _ONE,
    "Change a webhook of the site",
    body=WebhookChange,
    answer=WebhookOut,
    sign_in=True,
    confirm=True,
    errors=MANAGED,
)
async def change_site_webhook(request: web.Request, body: WebhookChange) -> WebhookOut:
    """Changes what is given. Turned on again, it begins with what happens from now on."""
    return webhook_out(
        await request.app[WEBHOOKS].change(
            _asker(request), request.match_info["id"], **body.model_dump()
        )
    )


@api.delete(_ONE, "Delete a webhook of the site", sign_in=True, confirm=True, errors=MANAGED)
async def remove_site_webhook(request: web.Request) -> None:
    """Its log goes too, and what still waits for it is not sent."""
    await request.app[WEBHOOKS].remove(_asker(request), request.match_info["id"])


@api.post(
    f"{_ONE}/rotate",
    "Make a new secret for a webhook of the site",
    answer=NewWebhookOut,
    sign_in=True,
    confirm=True,
    errors=MANAGED,
)
async def rotate_site_webhook(request: web.Request) -> NewWebhookOut:
    """For a day deliveries carry two signatures, the second one with the old secret."""
    return with_secret(
        *await request.app[WEBHOOKS].rotate(_asker(request), request.match_info["id"])
    )


@api.post(
    f"{_ONE}/test",
    "Send a test to a webhook of the site",
    answer=DeliveryOut,
    status=202,
    sign_in=True,
    errors=BY_HAND,
)
async def test_site_webhook(request: web.Request) -> DeliveryOut:
    """Sends the event `webhook.test`; look into the deliveries for how it went."""
    return delivery_out(
        await request.app[WEBHOOK_SENDER].send_test(_asker(request), request.match_info["id"])
    )


@api.get(
    f"{_ONE}/deliveries",
    "List deliveries of the site",
    query=DeliveriesAfter,
    answer=DeliveryList,
    sign_in=True,
    errors=MANAGED,
)
async def list_site_deliveries(request: web.Request, query: DeliveriesAfter) -> DeliveryList:
    """What was sent in the last two weeks, thirty at a time."""
    found = await request.app[WEBHOOK_SENDER].page(
        _asker(request), request.match_info["id"], after=query.after
    )
    return DeliveryList(deliveries=[delivery_out(one) for one in found])


@api.post(
    f"{_ONE}/deliveries/{{delivery_id}}/resend",
    "Send a delivery of the site again",
    answer=DeliveryOut,
    status=202,
    sign_in=True,
    errors=BY_HAND,
)
async def resend_site_delivery(request: web.Request) -> DeliveryOut:
    """The same event under the same id. 409 while it is still being tried."""
    return delivery_out(
        await request.app[WEBHOOK_SENDER].send_again(
            _asker(request), request.match_info["id"], request.match_info["delivery_id"]
        )
    )

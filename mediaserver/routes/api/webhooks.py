"""Webhooks of a channel over the API. Those of the site, with the same shapes: site_webhooks.py."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound, RateLimited
from mediaserver.routes.api.operation import Answer, Body, Operations, Query, caller
from mediaserver.routes.keys import WEBHOOK_SENDER, WEBHOOKS
from mediaserver.webhooks.deliveries import Delivery
from mediaserver.webhooks.envelopes import KINDS
from mediaserver.webhooks.webhooks import Asker, Webhook

api = Operations("Webhooks", Scope.CHANNELS)

MANAGED = (Forbidden, NotFound)
BY_HAND = (*MANAGED, Conflict, RateLimited)

_ID = "whk_0123456789abcdefghjk"
_DELIVERY_ID = "dlv_0123456789abcdefghjk"
_URL = "https://example.org/hook"
_MOMENT = 1_900_000_000_000
_EVENTS = "What it is told: see the section of webhooks in this document."


class NewWebhook(Body):
    url: str = Field(
        description="Where deliveries are sent: an https address that is public.",
        max_length=2000,
        examples=[_URL],
    )
    events: list[str] = Field(
        description=_EVENTS, max_length=len(KINDS), examples=[["stream.online"]]
    )


class WebhookChange(Body):
    """What isn't named stays as it is."""

    url: str | None = Field(None, max_length=2000, examples=[_URL])
    events: list[str] | None = Field(
        None, description=_EVENTS, max_length=len(KINDS), examples=[["stream.online"]]
    )
    is_on: bool | None = Field(
        None, description="False: it is told nothing until it is on again.", examples=[True]
    )


class DeliveriesAfter(Query):
    after: str | None = Field(
        None,
        description="The last id of the page before.",
        max_length=100,
        examples=[_DELIVERY_ID],
    )


class WebhookOut(Answer):
    """A webhook without its secret."""

    id: str = Field(examples=[_ID])
    url: str = Field(examples=[_URL])
    events: list[str] = Field(examples=[["stream.online"]])
    is_on: bool = Field(examples=[True])
    off_reason: str | None = Field(
        description="asked: by somebody. gone: the other site answered 410. failing: it took "
        "nothing for five days.",
        examples=["failing"],
    )
    failing_since_ms: int | None = Field(
        description="Nothing was taken since then.", examples=[None]
    )
    created_at_ms: int = Field(examples=[_MOMENT])


class NewWebhookOut(WebhookOut):
    """A webhook with its secret: this is the only time it is shown."""

    secret: str = Field(
        description="Signs every delivery.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )


class WebhookList(Answer):
    """Webhooks, oldest first."""

    webhooks: list[WebhookOut]


class DeliveryOut(Answer):
    """One event for one webhook, and how sending it went."""

    id: str = Field(examples=[_DELIVERY_ID])
    event_id: str = Field(
        description="The same when it is sent again.", examples=["evt_0123456789abcdefghjk"]
    )
    event: str = Field(examples=["stream.online"])
    state: str = Field(description="waiting, taken or failed.", examples=["taken"])
    attempts: int = Field(examples=[1])
    status: int | None = Field(description="Of the last answer.", examples=[200])
    last_error: str | None = Field(description="Why it wasn't taken.", examples=[None])
    response_excerpt: str | None = Field(
        description="The beginning of the last answer.", examples=["ok"]
    )
    body: str = Field(description="The JSON that is sent.", examples=["{}"])
    next_at_ms: int | None = Field(description="When it is tried next.", examples=[None])
    created_at_ms: int = Field(examples=[_MOMENT])
    ended_at_ms: int | None = Field(examples=[_MOMENT])


class DeliveryList(Answer):
    """Deliveries, newest first."""

    deliveries: list[DeliveryOut]


def webhook_out(found: Webhook) -> WebhookOut:
    return WebhookOut(
        id=found.id,
        url=found.url,
        events=[str(event) for event in found.events],
        is_on=found.is_on,
        off_reason=found.off_reason,
        failing_since_ms=found.failing_since_ms,
        created_at_ms=found.created_at_ms,
    )


def with_secret(made: Webhook, secret: str) -> NewWebhookOut:
    return NewWebhookOut(**webhook_out(made).model_dump(), secret=secret)


def delivery_out(found: Delivery) -> DeliveryOut:
    return DeliveryOut(
        id=found.id,
        event_id=found.event_id,
        event=found.event,
        state=found.state,
        attempts=found.attempts,
        status=found.status,
        last_error=found.last_error,
        response_excerpt=found.response_excerpt,
        body=found.body,
        next_at_ms=found.next_at_ms,
        created_at_ms=found.created_at_ms,
        ended_at_ms=found.ended_at_ms,
    )


def _asker(request: web.Request) -> Asker:
    return Asker(caller(request), request.match_info["slug"], request.remote)


_ALL = "/channels/{slug}/webhooks"
_ONE = f"{_ALL}/{{id}}"


@api.get(_ALL, "List webhooks", answer=WebhookList, sign_in=True, errors=MANAGED)
async def list_webhooks(request: web.Request) -> WebhookList:
    """Those of the channel, without their secrets. Only its owner or an admin may."""
    found = await request.app[WEBHOOKS].list(_asker(request))
    return WebhookList(webhooks=[webhook_out(one) for one in found])


@api.post(
    _ALL,
    "Make a webhook",
    body=NewWebhook,
    answer=NewWebhookOut,
    status=201,
    sign_in=True,
    errors=(*MANAGED, Conflict),
)
async def create_webhook(request: web.Request, body: NewWebhook) -> NewWebhookOut:
    """Ten for each channel. `secret` is shown this once: deliveries are signed with it."""
    return with_secret(*await request.app[WEBHOOKS].create(_asker(request), body.url, body.events))


@api.get(_ONE, "Show a webhook", answer=WebhookOut, sign_in=True, errors=MANAGED)
async def show_webhook(request: web.Request) -> WebhookOut:
    """One webhook of the channel."""
    return webhook_out(await request.app[WEBHOOKS].get(_asker(request), request.match_info["id"]))


@api.patch(
    _ONE, "Change a webhook", body=WebhookChange, answer=WebhookOut, sign_in=True, errors=MANAGED
)
async def change_webhook(request: web.Request, body: WebhookChange) -> WebhookOut:
    """Changes what is given. Turned on again, it begins with what happens from now on."""
    return webhook_out(
        await request.app[WEBHOOKS].change(
            _asker(request), request.match_info["id"], **body.model_dump()
        )
    )


@api.delete(_ONE, "Delete a webhook", sign_in=True, errors=MANAGED)
async def remove_webhook(request: web.Request) -> None:
    """Its log goes too, and what still waits for it is not sent."""
    await request.app[WEBHOOKS].remove(_asker(request), request.match_info["id"])


@api.post(f"{_ONE}/rotate", "Make a new secret", answer=NewWebhookOut, sign_in=True, errors=MANAGED)
async def rotate_webhook(request: web.Request) -> NewWebhookOut:
    """For a day deliveries carry two signatures, the second one with the old secret."""
    return with_secret(
        *await request.app[WEBHOOKS].rotate(_asker(request), request.match_info["id"])
    )


@api.post(
    f"{_ONE}/test",
    "Send a test",
    answer=DeliveryOut,
    status=202,
    sign_in=True,
    errors=BY_HAND,
)
async def test_webhook(request: web.Request) -> DeliveryOut:
    """Sends the event `webhook.test`; look into the deliveries for how it went."""
    return delivery_out(
        await request.app[WEBHOOK_SENDER].send_test(_asker(request), request.match_info["id"])
    )


@api.get(
    f"{_ONE}/deliveries",
    "List deliveries",
    query=DeliveriesAfter,
    answer=DeliveryList,
    sign_in=True,
    errors=MANAGED,
)
async def list_deliveries(request: web.Request, query: DeliveriesAfter) -> DeliveryList:
    """What was sent in the last two weeks, thirty at a time."""
    found = await request.app[WEBHOOK_SENDER].page(
        _asker(request), request.match_info["id"], after=query.after
    )
    return DeliveryList(deliveries=[delivery_out(one) for one in found])


@api.post(
    f"{_ONE}/deliveries/{{delivery_id}}/resend",
    "Send a delivery again",
    answer=DeliveryOut,
    status=202,
    sign_in=True,
    errors=BY_HAND,
)
async def resend_delivery(request: web.Request) -> DeliveryOut:
    """The same event under the same id. 409 while it is still being tried."""
    return delivery_out(
        await request.app[WEBHOOK_SENDER].send_again(
            _asker(request), request.match_info["id"], request.match_info["delivery_id"]
        )
    )

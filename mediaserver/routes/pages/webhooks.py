"""Pages of webhooks, alike in the studio and at the admin desk: their list, and one with its log.

`routes_at` puts them below an address; the caller says who works there (`Place`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.routes.forms import FORM_ERRORS, FormError, form_errors, read_form
from mediaserver.routes.keys import SHOWN_ONCE, WEBHOOK_SENDER, WEBHOOKS
from mediaserver.routes.page import noticed
from mediaserver.routes.shown_once import NewKey
from mediaserver.webhooks.deliveries import Delivery
from mediaserver.webhooks.envelopes import KINDS, choices
from mediaserver.webhooks.webhooks import Asker, Webhook


class Render(Protocol):
    """Renders `{template}.html` in the frame of the desk."""

    async def __call__(
        self, template: str, context: Mapping[str, Any], error: FormError | None
    ) -> web.Response: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Whose webhooks these are, where their pages are, and how a page is made there."""

    asker: Asker
    path: str
    render: Render


class OpenPlace(Protocol):
    """Finds who works where; `changing`: what the site tells whom, by this request."""

    async def __call__(self, request: web.Request, *, changing: bool) -> Place: ...


_Handler = Callable[[web.Request, Place], Awaitable[web.Response]]


async def show_all(request: web.Request, place: Place) -> web.Response:
    return await _all(request, place)


async def create(request: web.Request, place: Place) -> web.Response:
    form = await read_form(request)
    try:
        made, secret = await request.app[WEBHOOKS].create(
            place.asker, form.get("url", ""), _chosen(form)
        )
    except FORM_ERRORS as error:
        return await _all(request, place, form, error)
    _show_once(request, place, made, secret)
    return noticed(request, f"{place.path}/{made.id}", "webhook-made")


async def show_one(request: web.Request, place: Place) -> web.Response:
    return await _one(request, place)


async def change(request: web.Request, place: Place) -> web.Response:
    form = await read_form(request)
    try:
        await request.app[WEBHOOKS].change(
            place.asker, _id(request), url=form.get("url", ""), events=_chosen(form)
        )
    except FORM_ERRORS as error:
        return await _one(request, place, form, error)
    return noticed(request, _path(request, place), "saved")


async def turn_on(request: web.Request, place: Place) -> web.Response:
    await request.app[WEBHOOKS].change(place.asker, _id(request), is_on=True)
    return noticed(request, _path(request, place), "webhook-on")


async def turn_off(request: web.Request, place: Place) -> web.Response:
    await request.app[WEBHOOKS].change(place.asker, _id(request), is_on=False)
    return noticed(request, _path(request, place), "webhook-off")


async def rotate(request: web.Request, place: Place) -> web.Response:
    _show_once(request, place, *await request.app[WEBHOOKS].rotate(place.asker, _id(request)))
    return noticed(request, _path(request, place), "secret-made")


async def remove(request: web.Request, place: Place) -> web.Response:
    await request.app[WEBHOOKS].remove(place.asker, _id(request))
    return noticed(request, place.path, "webhook-gone")


async def send_test(request: web.Request, place: Place) -> web.Response:
    try:
        await request.app[WEBHOOK_SENDER].send_test(place.asker, _id(request))
    except FORM_ERRORS as error:
        return await _one(request, place, None, error)
    return noticed(request, _path(request, place), "delivery-made")


async def send_again(request: web.Request, place: Place) -> web.Response:
    delivery_id = request.match_info["delivery_id"]
    try:
        await request.app[WEBHOOK_SENDER].send_again(place.asker, _id(request), delivery_id)
    except FORM_ERRORS as error:
        return await _one(request, place, None, error)
    return noticed(request, _path(request, place), "delivery-made")


async def _all(
    request: web.Request,
    place: Place,
    form: dict[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    found = await request.app[WEBHOOKS].list(place.asker)
    context = {
        "path_of_webhooks": place.path,
        "webhooks": [_shown(one) for one in found],
        "webhooks_max": limits.WEBHOOKS_MAX,
        "events": _events(place, None, form),
        "form": form or {},
        "errors": form_errors(error) if error else {},
    }
    return await place.render("webhooks", context, error)


async def _one(
    request: web.Request,
    place: Place,
    form: dict[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    found = await request.app[WEBHOOKS].get(place.asker, _id(request))
    after = request.query.get("after")
    log = await request.app[WEBHOOK_SENDER].page(place.asker, found.id, after=after)
    secret = request.app[SHOWN_ONCE].take(place.asker.user.id, _waits_at(found))
    is_full = len(log) == limits.WEBHOOK_DELIVERIES_LISTED_MAX
    context = {
        "path_of_webhooks": place.path,
        "webhook": _shown(found),
        "secret": None if secret is None else secret.key,
        "events": _events(place, found, form),
        "deliveries": [_delivery(one) for one in log],
        "is_first_page": after is None,
        "next_page": log[-1].id if is_full else None,
        "form": form or {"url": found.url},
        "errors": form_errors(error) if error else {},
    }
    return await place.render("webhook", context, error)


def _shown(found: Webhook) -> dict[str, Any]:
    return {
        "id": found.id,
        "url": found.url,
        "labels": [KINDS[event].label for event in found.events],
        "is_on": found.is_on,
        "off_reason": found.off_reason,
        "failing_since_ms": found.failing_since_ms,
        "created_at_ms": found.created_at_ms,
    }


def _delivery(found: Delivery) -> dict[str, Any]:
    return {
        "id": found.id,
        "label": KINDS[found.event].label,
        "event": str(found.event),
        "event_id": found.event_id,
        "state": found.state,
        "attempts": found.attempts,
        "status": found.status,
        "error": found.last_error,
        "answer": found.response_excerpt,
        "body": found.body,
        "next_at_ms": found.next_at_ms,
        "created_at_ms": found.created_at_ms,
    }


def _events(
    place: Place, found: Webhook | None, form: Mapping[str, str] | None
) -> list[dict[str, Any]]:
    """What may be chosen, and what is: in the form, else of the webhook, else the first two."""
    offered = choices(of_site=place.asker.slug is None)
    given = found.events if found is not None else tuple(offered)[:2]
    return [
        {
            "field": f"event.{event}",
            "label": kind.label,
            "explanation": kind.explanation,
            "name": str(event),
            "is_chosen": event in given if form is None else f"event.{event}" in form,
        }
        for event, kind in offered.items()
    ]


def _chosen(form: Mapping[str, str]) -> list[str]:
    return [name.removeprefix("event.") for name in form if name.startswith("event.")]


def _show_once(request: web.Request, place: Place, found: Webhook, secret: str) -> None:
    shown = NewKey(found.url, secret)
    request.app[SHOWN_ONCE].put(place.asker.user.id, _waits_at(found), shown)


def _waits_at(found: Webhook) -> str:
    """Where a new secret waits to be shown; a slug holds no space."""
    return f"webhook {found.id}"


def _id(request: web.Request) -> str:
    return request.match_info["id"]


def _path(request: web.Request, place: Place) -> str:
    return f"{place.path}/{_id(request)}"


_ROUTES: tuple[tuple[str, str, _Handler], ...] = (
    ("GET", "", show_all),
    ("POST", "", create),
    ("GET", "/{id}", show_one),
    ("POST", "/{id}", change),
    ("POST", "/{id}/on", turn_on),
    ("POST", "/{id}/off", turn_off),
    ("POST", "/{id}/rotate", rotate),
    ("POST", "/{id}/delete", remove),
    ("POST", "/{id}/test", send_test),
    ("POST", "/{id}/deliveries/{delivery_id}/resend", send_again),
)


def routes_at(path: str, open_place: OpenPlace) -> list[web.RouteDef]:
    """The pages below `path`, for whoever `open_place` finds there."""

    def bound(method: str, handler: _Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        changing = method == "POST" and handler not in (send_test, send_again)

        async def handle(request: web.Request) -> web.Response:
            return await handler(request, await open_place(request, changing=changing))

        return handle

    return [
        web.route(method, path + tail, bound(method, handler)) for method, tail, handler in _ROUTES
    ]

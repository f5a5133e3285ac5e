"""Alerts of a channel: what waits and what came, for moderators too; overlays, looks, goal and
board, for its owner.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from mediaserver.accounts.permissions import Rank
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Forbidden, Invalid, NotFound, TooLarge
from mediaserver.money.alert_desk import AlertDesk
from mediaserver.money.alert_looks import ANIMATIONS, LAYOUTS, PICTURES, SOUNDS, Look
from mediaserver.money.contributions import Contribution
from mediaserver.money.currencies import (
    Currency,
    currency_of,
    formatted,
    money,
    parsed_amount,
    plain,
)
from mediaserver.money.goals import Plan
from mediaserver.money.tippers import Board
from mediaserver.routes.api.alerts import desk_of
from mediaserver.routes.forms import FORM_ERRORS, read_form
from mediaserver.routes.keys import CLOCK, DISPLAY_TOKENS
from mediaserver.routes.moments import day_of, parse_day_end
from mediaserver.routes.page import noticed, site_url
from mediaserver.routes.pages.overlays import sample_goal
from mediaserver.routes.pages.studio.frame import (
    Returned,
    Studio,
    number_in,
    open_studio,
    studio_page,
)
from mediaserver.routes.uploads import read_upload

_ERRORS = (*FORM_ERRORS, NotFound)
_PAGE_ITEMS = 25
_SAMPLE_UNITS = 5

Form = Mapping[str, str]


async def show_alerts(request: web.Request) -> web.Response:
    return await _page(request, await open_studio(request, Rank.MODERATOR))


async def decide(request: web.Request) -> web.Response:
    """Approve, deny, skip, replay one of them."""
    studio = await open_studio(request, Rank.MODERATOR)
    desk, slug = desk_of(request), studio.channel.slug
    alert_id, deed = request.match_info["id"], request.match_info["deed"]
    deeds: dict[str, Callable[[], Awaitable[object]]] = {
        "approve": lambda: desk.approve(studio.user, slug, alert_id),
        "approve-silent": lambda: desk.approve(studio.user, slug, alert_id, message=False),
        "deny": lambda: desk.deny(studio.user, slug, alert_id),
        "skip": lambda: desk.skip(studio.user, slug, alert_id),
        "replay": lambda: desk.replay(studio.user, slug, alert_id),
    }
    if deed not in deeds:
        raise NotFound("There is no such page.")
    try:
        await deeds[deed]()
    except _ERRORS as error:
        return await _page(request, studio, Returned("queue", {}, error))
    return noticed(request, studio.path("alerts"), f"alert-{deed}")


async def skip_current(request: web.Request) -> web.Response:
    studio = await open_studio(request, Rank.MODERATOR)
    await desk_of(request).skip_current(studio.user, studio.channel.slug)
    return noticed(request, studio.path("alerts"), "alert-skip")


async def test_alert(request: web.Request) -> web.Response:
    async def run(studio: Studio, desk: AlertDesk, form: Form) -> None:
        currency = currency_of(desk.currency)
        amount = parsed_amount(form.get("amount", "") or "5", currency)
        await desk.test(studio.user, studio.channel.slug, max(1, amount))

    return await _owned(request, "test", "alert-tested", run)


async def save_rules(request: web.Request) -> web.Response:
    async def run(studio: Studio, desk: AlertDesk, form: Form) -> None:
        currency = currency_of(desk.currency)
        changes = {
            "is_on": "is_on" in form,
            "approves_first": "approves_first" in form,
            "amount_minor_min": _amount(form, "amount_minor_min", currency),
            "gap_ms": (number_in(form, "gap_s") or 0) * 1000,
        }
        await desk.set_rules(studio.user, studio.channel.slug, changes)

    return await _owned(request, "rules", "saved", run)


async def save_look(request: web.Request) -> web.Response:
    look_id = request.match_info.get("id", "")

    async def run(studio: Studio, desk: AlertDesk, form: Form) -> None:
        given = _look_of(form, currency_of(desk.currency))
        await desk.put_look(studio.user, studio.channel.slug, look_id, given)

    return await _owned(request, f"look {look_id}".strip(), "saved", run)


async def remove_look(request: web.Request) -> web.Response:
    async def run(studio: Studio, desk: AlertDesk, form: Form) -> None:
        await desk.remove_look(studio.user, studio.channel.slug, request.match_info["id"])

    return await _owned(request, "look", "look-gone", run)


async def upload_picture(request: web.Request) -> web.Response:
    studio = await open_studio(request)
    look_id = request.match_info["id"]
    try:
        upload = await read_upload(request, "picture", limits.ALERT_PICTURE_UPLOAD_BYTES_MAX)
        await desk_of(request).put_picture(studio.user, studio.channel.slug, look_id, upload.file)
    except (*_ERRORS, Forbidden, TooLarge) as error:
        return await _page(request, studio, Returned(f"look {look_id}", {}, error, "picture"))
    return noticed(request, studio.path("alerts"), "saved")


async def save_goal(request: web.Request) -> web.Response:
    async def run(studio: Studio, desk: AlertDesk, form: Form) -> None:
        currency = currency_of(desk.currency)
        plan = Plan(
            form.get("title", ""),
            _amount(form, "target_minor", currency),
            _amount(form, "start_minor", currency),
            parse_day_end(form.get("ends_at_ms", ""), "ends_at_ms"),
        )
        anew = "anew" in form
        await desk.set_goal(studio.user, studio.channel.slug, plan, anew=anew)

    return await _owned(request, "goal", "saved", run)


async def remove_goal(request: web.Request) -> web.Response:
    async def run(studio: Studio, desk: AlertDesk, form: Form) -> None:
        await desk.remove_goal(studio.user, studio.channel.slug)

    return await _owned(request, "goal", "goal-gone", run)


async def save_board(request: web.Request) -> web.Response:
    async def run(studio: Studio, desk: AlertDesk, form: Form) -> None:
        period: Any = form.get("period", "")
        board = Board("is_public" in form, period, number_in(form, "rows") or 0, "amounts" in form)
        await desk.set_board(studio.user, studio.channel.slug, board)

    return await _owned(request, "board", "saved", run)


async def _owned(
    request: web.Request,
    name: str,
    notice: str,
    run: Callable[[Studio, AlertDesk, Form], Awaitable[None]],
) -> web.Response:
    """What the owner's form `name` does, and the page again where it is wrong."""
    studio = await open_studio(request)
    form = await read_form(request)
    try:
        await run(studio, desk_of(request), form)
    except _ERRORS as error:
        return await _page(request, studio, Returned(name, form, error))
    return noticed(request, studio.path("alerts"), notice)


async def _page(
    request: web.Request, studio: Studio, returned: Returned | None = None
) -> web.Response:
    desk, slug = desk_of(request), studio.channel.slug
    after = request.query.get("after")
    given = await desk.given(studio.user, slug, after, _PAGE_ITEMS + 1)
    context: dict[str, Any] = {
        "queue": [_item(one) for one in await desk.queue(studio.user, slug)],
        "given": [_item(one) for one in given[:_PAGE_ITEMS]],
        "next": given[_PAGE_ITEMS - 1].id if len(given) > _PAGE_ITEMS else None,
        "after": after,
    }
    if studio.rank >= Rank.OWNER:
        context |= await _owners(request, studio, desk)
    return await studio_page(request, studio, "alerts", context, returned=returned)


async def _owners(request: web.Request, studio: Studio, desk: AlertDesk) -> dict[str, Any]:
    slug, currency = studio.channel.slug, currency_of(desk.currency)
    token = await request.app[DISPLAY_TOKENS].overlay(studio.user, slug)
    setup = await desk.setup(studio.user, slug)
    goal = setup.goal
    return {
        "overlays": {
            part: f"{site_url(request)}/overlay/{token}/{part}"
            for part in ("alerts", "goal", "top")
        },
        "currency": {"code": currency.code, "symbol": currency.symbol},
        "rules": {
            "is_on": setup.rules.is_on,
            "approves_first": setup.rules.approves_first,
            "amount_minor_min": plain(setup.rules.amount_minor_min, currency),
            "gap_s": setup.rules.gap_ms // 1000,
        },
        "looks": [_look_view(look, currency) for look in setup.looks],
        "sample": {
            "amount": formatted(_SAMPLE_UNITS * currency.unit_minor, currency),
            "goal": "{raised} of {target}".format(**sample_goal(currency.code)),
        },
        "looks_max": limits.ALERT_LOOKS_MAX,
        "choices": {
            "picture": PICTURES,
            "sound": SOUNDS,
            "animation": ANIMATIONS,
            "layout": LAYOUTS,
        },
        "goal": None
        if goal is None
        else {
            "title": goal.title,
            "target_minor": plain(goal.target_minor, currency),
            "start_minor": plain(goal.start_minor, currency),
            "ends_at_ms": day_of(goal.ends_at_ms),
            "sentence": goal.sentence,
            "is_over": goal.ends_at_ms is not None
            and goal.ends_at_ms <= request.app[CLOCK].wall_ms(),
        },
        "board": setup.board,
    }


def _item(given: Contribution) -> dict[str, Any]:
    return {
        "id": given.id,
        "kind": given.kind,
        "name": given.public_name,
        "message": given.message,
        "amount": money(given.amount_minor, given.currency),
        "alert": given.alert,
        "paid_at_ms": given.paid_at_ms,
        "taken_back": money(given.taken_back_minor, given.currency)
        if given.taken_back_minor
        else None,
    }


def _look_view(look: Look, currency: Currency) -> dict[str, Any]:
    return {
        **look.as_json(),
        "amount": plain(look.amount_minor_min, currency),
        "from": money(look.amount_minor_min, currency.code),
        "duration_s": look.duration_ms // 1000,
    }


def _look_of(form: Form, currency: Currency) -> dict[str, Any]:
    """What a form says of a look."""
    duration_s = number_in(form, "duration_s")
    given: dict[str, Any] = {
        "amount_minor_min": _amount(form, "amount_minor_min", currency),
        "template": form.get("template", ""),
        "duration_ms": (duration_s or 0) * 1000,
        "volume": number_in(form, "volume") or 0,
        "size_px": number_in(form, "size_px") or 0,
    }
    for name in ("picture", "sound", "animation", "layout"):
        given[name] = form.get(name, "")
    for name in ("colour", "name_colour"):
        given[name] = form.get(name, "").lower()
    if duration_s is None:
        raise Invalid("Say for how many seconds.", field="duration_ms")
    return given


def _amount(form: Form, field: str, currency: Currency) -> int:
    """An amount; nothing is 0."""
    text = form.get(field, "").strip()
    return parsed_amount(text, currency, field) if text else 0


UPLOADS = {
    "/studio/{slug}/alerts/looks/{id}/picture": limits.ALERT_PICTURE_UPLOAD_BYTES_MAX
    + limits.REQUEST_BODY_BYTES_MAX
}
"""The picture, and the form round it."""

routes = [
    web.get("/studio/{slug}/alerts", show_alerts),
    web.post("/studio/{slug}/alerts/rules", save_rules),
    web.post("/studio/{slug}/alerts/test", test_alert),
    web.post("/studio/{slug}/alerts/skip", skip_current),
    web.post("/studio/{slug}/alerts/looks", save_look),
    web.post("/studio/{slug}/alerts/looks/{id}", save_look),
    web.post("/studio/{slug}/alerts/looks/{id}/remove", remove_look),
    web.post("/studio/{slug}/alerts/looks/{id}/picture", upload_picture),
    web.post("/studio/{slug}/alerts/goal", save_goal),
    web.post("/studio/{slug}/alerts/goal/remove", remove_goal),
    web.post("/studio/{slug}/alerts/board", save_board),
    web.post("/studio/{slug}/alerts/{id}/{deed}", decide),
]
"""The last one comes after `looks/{id}`."""

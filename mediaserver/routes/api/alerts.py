"""Alerts, goals and boards of tippers over the API."""

from __future__ import annotations

import dataclasses
from typing import Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.errors import (
    Conflict,
    Forbidden,
    NotFound,
    RateLimited,
    TooLarge,
    Unavailable,
)
from mediaserver.money.alert_desk import AlertDesk
from mediaserver.money.alert_looks import Look, Rules
from mediaserver.money.contributions import Contribution
from mediaserver.money.currencies import money
from mediaserver.money.goals import Goal, Plan
from mediaserver.money.support import goal_json
from mediaserver.money.tippers import Board
from mediaserver.routes.api.operation import Answer, Body, Operations, Query, caller
from mediaserver.routes.keys import ALERTS

api = Operations("Alerts", Scope.CHANNELS)

_MANAGED = (Forbidden, NotFound)
_DECIDED = (Forbidden, NotFound, Conflict)

_State = Literal["none", "held", "waiting", "shown", "skipped", "denied"]
_Kind = Literal["tip", "donation", "transfer"]
_Period = Literal["stream", "month", "all"]
_Picture = Literal["star", "heart", "gift", "spark", "none", "own"]
_Sound = Literal["chime", "bell", "coins", "fanfare", "none"]
_AMOUNT_MAX = limits.AMOUNT_MINOR_MAX


class AlertOut(Answer):
    """Something that was given, and what becomes of its alert."""

    id: str
    kind: _Kind
    name: str = Field(description="As everybody may see it.", examples=["bob"])
    message: str = Field(examples=["Great stream"])
    amount_minor: int
    currency: str = Field(examples=["USD"])
    amount: str = Field(description="For people.", examples=["$12.50"])
    alert: _State
    paid_at_ms: int | None


class AlertList(Answer):
    alerts: list[AlertOut]


class AlertRulesOut(Answer):
    """Which contributions get an alert."""

    is_on: bool
    approves_first: bool = Field(description="A moderator approves each one before it is shown.")
    amount_minor_min: int = Field(description="Smaller ones are a line in the chat alone.")
    gap_ms: int = Field(description="The pause between two alerts.")


class AlertRulesChange(Body):
    is_on: bool | None = Field(None, description="Whether there are alerts at all.")
    approves_first: bool | None = Field(None, description="Hold each until it is approved.")
    amount_minor_min: int | None = Field(None, ge=0, le=_AMOUNT_MAX)
    gap_ms: int | None = Field(None, ge=0, le=limits.ALERT_GAP_MS_MAX)


class AlertLookOut(Answer):
    """How alerts from an amount on look and sound."""

    id: str = Field(description="Empty for ours, while you have none of your own.")
    amount_minor_min: int
    template: str = Field(examples=["{name} gave {amount}"])
    picture: _Picture
    picture_url: str | None = Field(
        description="The uploaded one.",
        examples=["/alert-pictures/alp_0123456789abcdefghjk.webp"],
    )
    sound: _Sound
    volume: int
    duration_ms: int
    animation: Literal["rise", "fade", "none"]
    layout: Literal["above", "beside", "text"]
    size_px: int
    colour: str = Field(examples=["#ffffff"])
    name_colour: str = Field(examples=["#7ee2a8"])


class AlertLookChange(Body):
    """What is left out stays as it is, or is as in ours."""

    amount_minor_min: int | None = Field(None, ge=0, le=_AMOUNT_MAX)
    template: str | None = Field(
        None,
        description="With {name}, {amount}, {message} and {goal}.",
        max_length=4 * limits.ALERT_TEMPLATE_CHARS_MAX,
        examples=["{name} gave {amount}"],
    )
    picture: _Picture | None = None
    sound: _Sound | None = None
    volume: int | None = Field(None, ge=0, le=100)
    duration_ms: int | None = Field(
        None, ge=limits.ALERT_DURATION_MS_MIN, le=limits.ALERT_DURATION_MS_MAX, examples=[8_000]
    )
    animation: Literal["rise", "fade", "none"] | None = None
    layout: Literal["above", "beside", "text"] | None = None
    size_px: int | None = Field(
        None, ge=limits.ALERT_SIZE_PX_MIN, le=limits.ALERT_SIZE_PX_MAX, examples=[40]
    )
    colour: str | None = Field(None, pattern=r"^#[0-9a-f]{6}$", examples=["#ffffff"])
    name_colour: str | None = Field(None, pattern=r"^#[0-9a-f]{6}$", examples=["#7ee2a8"])


class AlertSetup(Answer):
    """All that is set up of alerts."""

    rules: AlertRulesOut
    looks: list[AlertLookOut]


class AlertApproval(Body):
    message: bool = Field(True, description="false: without what its giver wrote.")


class AlertTest(Body):
    amount_minor: int = Field(500, ge=1, le=_AMOUNT_MAX, description="It chooses the look.")


class AlertsQuery(Query):
    after: str | None = Field(None, description="Id of the last one that you have.", max_length=100)


class GoalOut(Answer):
    """What a channel collects for, and how far it is."""

    title: str
    target_minor: int
    raised_minor: int
    currency: str = Field(examples=["USD"])
    target: str = Field(examples=["$200.00"])
    raised: str = Field(examples=["$124.00"])
    percent: int
    ends_at_ms: int | None


class GoalChange(Body):
    title: str = Field(max_length=4 * limits.GOAL_TITLE_CHARS_MAX, examples=["A new microphone"])
    target_minor: int = Field(ge=1, le=_AMOUNT_MAX, examples=[20_000])
    start_minor: int = Field(0, ge=0, le=_AMOUNT_MAX, description="What is there already.")
    ends_at_ms: int | None = Field(
        None, ge=0, le=253_402_300_799_000, description="What comes later doesn't count."
    )
    anew: bool = Field(False, description="Count from now on, not from where the last one began.")


class TipperOut(Answer):
    name: str = Field(examples=["bob"])
    amount: str | None = Field(
        description="null where the streamer shows none.", examples=["$12.50"]
    )


class TipperList(Answer):
    """Who has given most, the biggest first."""

    tippers: list[TipperOut]


class TippersQuery(Query):
    period: _Period = Field("month", description="stream: the one that runs, or the last one.")
    limit: int = Field(10, ge=1, le=limits.TIPPERS_MAX, description="The most to answer with.")


class TipBoard(Body):
    is_public: bool = Field(True, description="Whether the channel's page has a board too.")
    period: _Period = "month"
    rows: int = Field(5, ge=1, le=limits.TIPPERS_MAX)
    shows_amounts: bool = Field(True, description="Whether people see how much it was.")


class TipBoardOut(Answer):
    """What boards of tippers show."""

    is_public: bool
    period: _Period
    rows: int
    shows_amounts: bool


def alert_out(given: Contribution) -> AlertOut:
    return AlertOut(
        id=given.id,
        kind=given.kind,
        name=given.public_name,
        message=given.message,
        amount_minor=given.amount_minor,
        currency=given.currency,
        amount=money(given.amount_minor, given.currency),
        alert=given.alert,
        paid_at_ms=given.paid_at_ms,
    )


def desk_of(request: web.Request) -> AlertDesk:
    """Raises `NotFound` where the site has no money."""
    desk = request.app[ALERTS]
    if not desk.is_on:
        raise NotFound("This site has no tips.", code="no_money")
    return desk


def _look(look: Look) -> AlertLookOut:
    return AlertLookOut(**look.as_json())


def _rules(rules: Rules) -> AlertRulesOut:
    return AlertRulesOut(**dataclasses.asdict(rules))


def _goal(goal: Goal) -> GoalOut:
    return GoalOut(**goal_json(goal))


@api.get(
    "/channels/{slug}/alerts",
    "List what was given",
    query=AlertsQuery,
    answer=AlertList,
    sign_in=True,
    errors=_MANAGED,
)
async def list_alerts(request: web.Request, query: AlertsQuery) -> AlertList:
    """What the channel was given, newest first, with what becomes of each alert. For its owner and
    moderators.
    """
    slug = request.match_info["slug"]
    found = await desk_of(request).given(caller(request), slug, query.after)
    return AlertList(alerts=[alert_out(one) for one in found])


@api.get(
    "/channels/{slug}/alerts/queue",
    "List alerts that wait",
    answer=AlertList,
    sign_in=True,
    errors=_MANAGED,
)
async def list_waiting_alerts(request: web.Request) -> AlertList:
    """Those that are held until somebody approves, and those that wait for an overlay, oldest
    first.
    """
    found = await desk_of(request).queue(caller(request), request.match_info["slug"])
    return AlertList(alerts=[alert_out(one) for one in found])


@api.post(
    "/channels/{slug}/alerts/{id}/approve",
    "Approve an alert",
    body=AlertApproval,
    is_body_optional=True,
    answer=AlertOut,
    scope=Scope.CHAT,
    sign_in=True,
    errors=_DECIDED,
)
async def approve_alert(request: web.Request, body: AlertApproval) -> AlertOut:
    """Shows one that is held, in the chat and on the overlay, with its message or without."""
    slug, alert_id = request.match_info["slug"], request.match_info["id"]
    desk = desk_of(request)
    return alert_out(await desk.approve(caller(request), slug, alert_id, message=body.message))


@api.post(
    "/channels/{slug}/alerts/{id}/deny",
    "Deny an alert",
    answer=AlertOut,
    scope=Scope.CHAT,
    sign_in=True,
    errors=_DECIDED,
)
async def deny_alert(request: web.Request) -> AlertOut:
    """Shows nothing of one that is held. The money stays where it is."""
    slug, alert_id = request.match_info["slug"], request.match_info["id"]
    return alert_out(await desk_of(request).deny(caller(request), slug, alert_id))


@api.post(
    "/channels/{slug}/alerts/{id}/skip",
    "Skip an alert",
    answer=AlertOut,
    scope=Scope.CHAT,
    sign_in=True,
    errors=_DECIDED,
)
async def skip_alert(request: web.Request) -> AlertOut:
    """Takes it off the overlay, whether it is shown or waits."""
    slug, alert_id = request.match_info["slug"], request.match_info["id"]
    return alert_out(await desk_of(request).skip(caller(request), slug, alert_id))


@api.post(
    "/channels/{slug}/alerts/{id}/replay",
    "Replay an alert",
    answer=AlertOut,
    scope=Scope.CHAT,
    sign_in=True,
    errors=_DECIDED,
)
async def replay_alert(request: web.Request) -> AlertOut:
    """Shows it once more on the overlay; the chat gets no second line."""
    slug, alert_id = request.match_info["slug"], request.match_info["id"]
    return alert_out(await desk_of(request).replay(caller(request), slug, alert_id))


@api.post(
    "/channels/{slug}/alerts/skip",
    "Skip what shows now",
    scope=Scope.CHAT,
    sign_in=True,
    errors=_MANAGED,
)
async def skip_current_alert(request: web.Request) -> None:
    """Takes off whatever overlays show right now; the next one follows."""
    await desk_of(request).skip_current(caller(request), request.match_info["slug"])


@api.post(
    "/channels/{slug}/alerts/test",
    "Test the alerts",
    body=AlertTest,
    is_body_optional=True,
    sign_in=True,
    errors=(*_MANAGED, RateLimited),
)
async def test_alert(request: web.Request, body: AlertTest) -> None:
    """Overlays that are open show a sample. Nothing is kept of it."""
    slug = request.match_info["slug"]
    await desk_of(request).test(caller(request), slug, body.amount_minor)


@api.get(
    "/channels/{slug}/alert-setup",
    "Show how alerts are set up",
    answer=AlertSetup,
    sign_in=True,
    errors=_MANAGED,
)
async def show_alert_setup(request: web.Request) -> AlertSetup:
    """The rules and the looks, which go by amount. For the owner."""
    setup = await desk_of(request).setup(caller(request), request.match_info["slug"])
    return AlertSetup(rules=_rules(setup.rules), looks=[_look(one) for one in setup.looks])


@api.patch(
    "/channels/{slug}/alert-setup",
    "Change the rules of alerts",
    body=AlertRulesChange,
    answer=AlertRulesOut,
    sign_in=True,
    errors=_MANAGED,
)
async def change_alert_rules(request: web.Request, body: AlertRulesChange) -> AlertRulesOut:
    """Changes what is given and leaves the rest."""
    given = body.model_dump(exclude_none=True)
    slug = request.match_info["slug"]
    return _rules(await desk_of(request).set_rules(caller(request), slug, given))


@api.post(
    "/channels/{slug}/alert-looks",
    "Make a look",
    body=AlertLookChange,
    answer=AlertLookOut,
    status=201,
    sign_in=True,
    errors=(*_MANAGED, Conflict),
)
async def create_alert_look(request: web.Request, body: AlertLookChange) -> AlertLookOut:
    """Alerts of at least its `amount_minor_min` look like that, up to the next look. There may be
    five.
    """
    given = body.model_dump(exclude_none=True)
    slug = request.match_info["slug"]
    return _look(await desk_of(request).put_look(caller(request), slug, "", given))


@api.patch(
    "/channels/{slug}/alert-looks/{id}",
    "Change a look",
    body=AlertLookChange,
    answer=AlertLookOut,
    sign_in=True,
    errors=(*_MANAGED, Conflict),
)
async def change_alert_look(request: web.Request, body: AlertLookChange) -> AlertLookOut:
    """Changes what is given and leaves the rest."""
    slug, look_id = request.match_info["slug"], request.match_info["id"]
    given = body.model_dump(exclude_none=True)
    return _look(await desk_of(request).put_look(caller(request), slug, look_id, given))


@api.delete("/channels/{slug}/alert-looks/{id}", "Remove a look", sign_in=True, errors=_MANAGED)
async def remove_alert_look(request: web.Request) -> None:
    """Its amounts get the look below it."""
    slug, look_id = request.match_info["slug"], request.match_info["id"]
    await desk_of(request).remove_look(caller(request), slug, look_id)


@api.put(
    "/channels/{slug}/alert-looks/{id}/picture",
    "Upload the picture of a look",
    upload_bytes_max=limits.ALERT_PICTURE_UPLOAD_BYTES_MAX,
    answer=AlertLookOut,
    sign_in=True,
    errors=(*_MANAGED, TooLarge, RateLimited, Unavailable),
)
async def put_alert_picture(request: web.Request, picture: bytes) -> AlertLookOut:
    """Takes a PNG, WebP, JPEG or GIF, also a moving one, and makes it at most 640 pixels wide and
    high.
    """
    slug, look_id = request.match_info["slug"], request.match_info["id"]
    desk = desk_of(request)
    return _look(await desk.put_picture(caller(request), slug, look_id, picture))


@api.get("/channels/{slug}/goal", "Show the goal", answer=GoalOut, errors=(NotFound,))
async def show_goal(request: web.Request) -> GoalOut:
    """What the channel collects for, and how far it is. For everybody."""
    found = await desk_of(request).top(request.match_info["slug"], "month", 1)
    if found.goal is None:
        raise NotFound("This channel has no goal.", code="no_goal")
    return _goal(found.goal)


@api.put(
    "/channels/{slug}/goal",
    "Set the goal",
    body=GoalChange,
    answer=GoalOut,
    sign_in=True,
    errors=_MANAGED,
)
async def set_goal(request: web.Request, body: GoalChange) -> GoalOut:
    """One for each channel; another one takes its place and, unless `anew`, counts what that one
    counted.
    """
    plan = Plan(body.title, body.target_minor, body.start_minor, body.ends_at_ms)
    slug = request.match_info["slug"]
    return _goal(await desk_of(request).set_goal(caller(request), slug, plan, anew=body.anew))


@api.delete("/channels/{slug}/goal", "Remove the goal", sign_in=True, errors=_MANAGED)
async def remove_goal(request: web.Request) -> None:
    """Nothing is collected for any more; what was given stays."""
    await desk_of(request).remove_goal(caller(request), request.match_info["slug"])


@api.get(
    "/channels/{slug}/tippers",
    "List the biggest tippers",
    query=TippersQuery,
    answer=TipperList,
    errors=(NotFound,),
)
async def list_tippers(request: web.Request, query: TippersQuery) -> TipperList:
    """Who has given most, as the streamer shows it: nobody where the board isn't public. Who gave
    without a name is "Somebody".
    """
    slug = request.match_info["slug"]
    found = await desk_of(request).top(slug, query.period, query.limit)
    return TipperList(tippers=[TipperOut(**row) for row in found.rows(found.large)])


@api.put(
    "/channels/{slug}/tip-board",
    "Set the board of tippers",
    body=TipBoard,
    answer=TipBoardOut,
    sign_in=True,
    errors=_MANAGED,
)
async def set_tip_board(request: web.Request, body: TipBoard) -> TipBoardOut:
    """What the overlay and the channel's page show of the biggest tippers."""
    slug = request.match_info["slug"]
    made = await desk_of(request).set_board(caller(request), slug, Board(**body.model_dump()))
    return TipBoardOut(**dataclasses.asdict(made))

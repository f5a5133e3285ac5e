"""Live streams of others, over the API."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Forbidden, Invalid, NotFound
from mediaserver.routes.api.operation import Answer, Body, Operations, acting, caller
from mediaserver.routes.keys import LIVE, LIVE_CONTROL, STREAM_HEALTH

api = Operations("Admin: live streams", Scope.ADMIN)


class EndBody(Body):
    reason: str = Field(
        description="The encoder shows it, and the owner gets it by mail.",
        max_length=limits.END_REASON_CHARS_MAX,
        examples=["This film isn't yours."],
    )


class LiveStreamOut(Answer):
    """What an encoder sends. `verdict`: good, warn, bad or idle (nothing measured)."""

    channel: str = Field(examples=["alice"])
    state: str = Field(examples=["live"])
    started_at_ms: int
    viewers: int
    bitrate_bps: int
    verdict: str = Field(examples=["good"])
    advice: str | None


class RunningList(Answer):
    """Most watched first."""

    streams: list[LiveStreamOut]


@api.get(
    "/admin/live", "List what encoders send", answer=RunningList, sign_in=True, errors=(Forbidden,)
)
async def list_running(request: web.Request) -> RunningList:
    """Also streams that are held back, or whose encoder is away for the moment."""
    check(caller(request), Action.END_ANY_STREAM)
    streams = []
    for status in request.app[LIVE].all():
        if status.state == "ended":
            continue
        health = request.app[STREAM_HEALTH].current(status.channel)
        streams.append(
            LiveStreamOut(
                channel=status.channel,
                state=str(status.state),
                started_at_ms=status.started_at_ms,
                viewers=status.viewers,
                bitrate_bps=health.bitrate_bps if health else 0,
                verdict=health.verdict if health else "idle",
                advice=health.advice if health else None,
            )
        )
    return RunningList(streams=sorted(streams, key=lambda one: (-one.viewers, one.channel)))


@api.post(
    "/admin/live/{slug}/end",
    "End a stream",
    body=EndBody,
    sign_in=True,
    confirm=True,
    errors=(Forbidden, Invalid, NotFound),
)
async def end_stream(request: web.Request, body: EndBody) -> None:
    """Disconnects the encoder and tells it, and the owner, why."""
    actor = acting(request, Action.END_ANY_STREAM)
    await request.app[LIVE_CONTROL].end(actor, request.match_info["slug"], body.reason)

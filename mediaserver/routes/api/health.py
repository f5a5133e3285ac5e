"""How a channel's stream is doing, for its owner and moderators."""

from __future__ import annotations

import dataclasses
from typing import Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action, check_rank
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel.errors import Forbidden, NotFound
from mediaserver.routes.api.chat import channel_of
from mediaserver.routes.api.operation import Answer, Operations, caller
from mediaserver.routes.keys import DESK, STREAM_HEALTH

api = Operations("Live", Scope.CHANNELS)


class HealthOut(Answer):
    """One measurement. Counts are over the last 30 s, rates over 10 s; null is not known."""

    at_ms: int
    state: str
    bitrate_bps: int = Field(description="From the encoder.")
    fps: float
    keyframe_interval_ms: int
    video_codec: str | None
    audio_codec: str | None
    width: int | None
    height: int | None
    dropped_frames: int = Field(description="Missing between those that came.")
    dropped_pct: float
    late_parts: int
    viewers: int
    viewers_instant: int
    viewers_hls: int
    latency_p50_ms: int | None = Field(description="As viewers report it, encoder to screen.")
    latency_p95_ms: int | None
    stalls_per_hour: float | None = Field(description="Of one viewer.")
    viewers_stalling_pct: float | None = Field(description="Of those who report.")
    uplink_bps: int = Field(description="What all streams of the server send.")
    uplink_max_bps: int | None
    verdict: Literal["good", "warn", "bad", "idle"]
    advice: str | None = Field(description="One sentence: what to do first.")


class HealthAnswer(Answer):
    """Null while nothing is there to measure."""

    health: HealthOut | None
    history: list[HealthOut] = Field(
        description="Half an hour, oldest first: one in 10 s, in the last two minutes one in 2 s."
    )


@api.get(
    "/channels/{slug}/health",
    "Show the stream's health",
    answer=HealthAnswer,
    sign_in=True,
    errors=(Forbidden, NotFound),
)
async def show_health(request: web.Request) -> HealthAnswer:
    """What was measured of the encoder and of viewers' playback, with a verdict. For moderators,
    as in the studio.
    """
    channel = await channel_of(request)
    check_rank(await request.app[DESK].rank(caller(request), channel), Action.MODERATE_CHAT)
    watch = request.app[STREAM_HEALTH]
    health = watch.current(channel.slug)
    return HealthAnswer(
        health=HealthOut(**dataclasses.asdict(health)) if health is not None else None,
        history=[HealthOut(**dataclasses.asdict(one)) for one in watch.history(channel.slug)],
    )

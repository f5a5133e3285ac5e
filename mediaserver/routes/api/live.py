"""Who is live, for pages that follow along and for other programs."""

from __future__ import annotations

import dataclasses

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.channels.channels import Channel, manages
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, NotFound
from mediaserver.routes.api.operation import Answer, Body, Operations, Query, optional_caller
from mediaserver.routes.gate_tickets import kinds_of
from mediaserver.routes.gates import ticket_of
from mediaserver.routes.keys import CHANNELS, GATE_TICKETS, LIVE
from mediaserver.routes.live_view import LiveStreams, cards, live_view, watchable

api = Operations("Live", Scope.CHANNELS)


class LiveOut(Answer):
    """A live stream; while the channel is offline everything but `state` is null."""

    state: str = Field(
        description="offline, starting, held (for the streamer, until the start), live, "
        "reconnecting or ended",
        examples=["live"],
    )
    playlist_url: str | None = None
    instant_url: str | None = Field(
        None, description="WebSocket of docs/instant-playback.md; null while it has no room."
    )
    poster_url: str | None = None
    title: str | None = None
    started_at_ms: int | None = None
    viewers: int | None = None
    video_codec: str | None = None
    audio_codec: str | None = None
    width: int | None = None
    height: int | None = None
    warning: str | None = Field(None, description="For the streamer; null for everybody else.")
    broadcast_id: str | None = None
    dvr_url: str | None = Field(None, description="Playlist to rewind in; null without one.")
    dvr_window_s: int | None = Field(
        None, description="How far back it reaches at most, and never behind the start."
    )
    full: bool | None = Field(
        None, description="Somebody who doesn't watch yet would be refused right now."
    )
    category: str | None = Field(None, description="The name of its category.")
    category_slug: str | None = None
    tags: list[str] | None = None
    brand_promotion: bool | None = None
    recorded_content: bool | None = None
    age_restricted: bool | None = None
    not_general: bool | None = None
    not_general_reason: str | None = None
    back_soon_url: str | None = Field(
        None, description="A picture to show while the encoder is away."
    )


class LiveQuery(Query):
    gate: str | None = Field(
        None,
        max_length=limits.GATE_TICKET_CHARS_MAX,
        description="A ticket of the gate: the addresses in the answer carry it.",
    )


class GateAnswer(Body):
    accepted: bool = Field(
        description="The viewer is 18 or older, where that is asked, and wants to go on."
    )


class GateTicket(Answer):
    """What opens the media of one channel, for what it asks today."""

    gate: str
    expires_at_ms: int


class CardOut(Answer):
    """A live stream in a list."""

    slug: str
    channel_name: str
    is_verified: bool
    title: str
    thumbnail_url: str | None = Field(description="Null for a stream behind a gate.")
    started_at_ms: int
    viewers: int
    state: str
    category: str | None
    category_slug: str | None
    tags: list[str]
    brand_promotion: bool
    recorded_content: bool
    age_restricted: bool
    not_general: bool


class LiveList(Answer):
    """Streams with a picture, most watched first."""

    streams: list[CardOut]


@api.get(
    "/channels/{slug}/live",
    "Show the live stream",
    query=LiveQuery,
    answer=LiveOut,
    errors=(NotFound,),
)
async def show_live(request: web.Request, query: LiveQuery) -> LiveOut:
    """What a channel streams right now. `state` is "offline" when nothing is there. The media of
    one with `age_restricted` or `not_general` answer 403 without a ticket of its gate."""
    user = await optional_caller(request)
    channel = await request.app[CHANNELS].get(request.match_info["slug"])
    is_owner = manages(user, channel.owner_id)
    ticket = ticket_of(request, channel) if query.gate else ""
    return live_out(channel, request.app[LIVE], for_owner=is_owner, ticket=ticket)


@api.post(
    "/channels/{slug}/gate",
    "Pass the gate",
    body=GateAnswer,
    answer=GateTicket,
    errors=(NotFound, Invalid),
)
async def answer_gate(request: web.Request, body: GateAnswer) -> GateTicket:
    """The ticket for a stream that is not for everybody, once the viewer has said yes. Put it as
    `gate` behind the ? of the addresses of its media; their playlists carry it on."""
    if not body.accepted:
        raise Invalid("Only who says yes goes on.", field="accepted")
    channel = await request.app[CHANNELS].get(request.match_info["slug"])
    ticket, expires_at_ms = request.app[GATE_TICKETS].issue(channel.slug, kinds_of(channel))
    return GateTicket(gate=ticket, expires_at_ms=expires_at_ms)


def live_out(channel: Channel, live: LiveStreams, *, for_owner: bool, ticket: str = "") -> LiveOut:
    """What the answer above says, also for those who are told of changes."""
    view = live_view(channel, live, for_owner=for_owner, ticket=ticket)
    return LiveOut(state="offline") if view is None else LiveOut(**dataclasses.asdict(view))


@api.get("/live", "List live streams", answer=LiveList)
async def list_live(request: web.Request) -> LiveList:
    """Everything that can be watched right now."""
    live = watchable(request.app[LIVE])
    channels = await request.app[CHANNELS].list_by_slug([status.channel for status in live])
    return LiveList(streams=[CardOut(**dataclasses.asdict(card)) for card in cards(live, channels)])

"""Streams over the API: planned, started, stopped, looked at."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.channels.channels import manages
from mediaserver.channels.streams import Stream
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound
from mediaserver.routes.api.information import (
    InformationChange,
    InformationOut,
    information_fields,
)
from mediaserver.routes.api.operation import Answer, Operations, caller, optional_caller
from mediaserver.routes.keys import CHANNELS, LIVE, STREAMS

api = Operations("Streams", Scope.CHANNELS)

_MANAGED = (Forbidden, NotFound)


class NewStream(InformationChange):
    """What isn't given is as the channel has it."""


class StreamOut(InformationOut):
    """A stream with its own copy of what it is about."""

    id: str
    channel: str = Field(description="The channel's slug.")
    state: str = Field(
        description="planned, waiting (started, and waits for an encoder), starting, held (the "
        "encoder sends, and nobody sees it before the start), live, reconnecting, ended or "
        "cancelled",
        examples=["planned"],
    )
    created_at_ms: int
    started_at_ms: int | None = Field(description="When its encoder connected.")
    live_at_ms: int | None = Field(description="When the first picture was public.")
    ended_at_ms: int | None
    end_reason: str | None = Field(description="For the streamer; null for everybody else.")


class StreamList(Answer):
    """Streams, newest first."""

    streams: list[StreamOut]


@api.get("/channels/{slug}/streams", "List streams", answer=StreamList, errors=(NotFound,))
async def list_streams(request: web.Request) -> StreamList:
    """Streams of a channel that are or were live; for its owner also planned ones."""
    channel = await request.app[CHANNELS].get(request.match_info["slug"])
    is_owner = manages(await optional_caller(request), channel.owner_id)
    streams = await request.app[STREAMS].list_of(channel.id, with_plans=is_owner)
    return StreamList(streams=[_stream(request, one, is_owner) for one in streams])


@api.post(
    "/channels/{slug}/streams",
    "Plan a stream",
    body=NewStream,
    is_body_optional=True,
    answer=StreamOut,
    status=201,
    sign_in=True,
    errors=(*_MANAGED, Conflict),
)
async def plan_stream(request: web.Request, body: NewStream) -> StreamOut:
    """Makes a stream in state `planned`. The next encoder sends it: at once when it is started, or
    by itself when the channel starts automatically; of several plans the newest.
    """
    made = await request.app[STREAMS].plan(
        caller(request), request.match_info["slug"], **body.changes()
    )
    return _stream(request, made, True)


@api.get("/streams/{id}", "Show a stream", answer=StreamOut, errors=(NotFound,))
async def show_stream(request: web.Request) -> StreamOut:
    """One stream. Before it was live only its owner sees it."""
    found = await request.app[STREAMS].get(request.match_info["id"])
    is_owner = manages(await optional_caller(request), found.owner_id)
    if not is_owner and found.live_at_ms is None:
        raise NotFound("There is no such stream.", code="stream_not_found")
    return _stream(request, found, is_owner)


@api.post(
    "/streams/{id}/start",
    "Start a stream",
    answer=StreamOut,
    sign_in=True,
    errors=(*_MANAGED, Conflict),
)
async def start_stream(request: web.Request) -> StreamOut:
    """What the encoder sends becomes public; without an encoder the state is `waiting`, and the
    stream is live as soon as one connects. 409 when it is over or another stream is live.
    """
    started = await request.app[STREAMS].start(caller(request), request.match_info["id"])
    return _stream(request, started, True)


@api.post(
    "/streams/{id}/stop",
    "Stop a stream",
    answer=StreamOut,
    sign_in=True,
    errors=_MANAGED,
)
async def stop_this_stream(request: web.Request) -> StreamOut:
    """Disconnects the encoder and ends the stream; one that was only planned is cancelled."""
    stopped = await request.app[STREAMS].stop(caller(request), request.match_info["id"])
    return _stream(request, stopped, True)


def _stream(request: web.Request, stream: Stream, is_owner: bool) -> StreamOut:
    return StreamOut(
        id=stream.id,
        channel=stream.channel,
        state=stream_state(request, stream),
        created_at_ms=stream.created_at_ms,
        started_at_ms=stream.started_at_ms,
        live_at_ms=stream.live_at_ms,
        ended_at_ms=stream.ended_at_ms,
        end_reason=stream.end_reason if is_owner else None,
        **information_fields(stream),
    )


def stream_state(request: web.Request, stream: Stream) -> str:
    """Its phase, and while it is started what the engine says."""
    if stream.phase != "started":
        return stream.phase
    status = request.app[LIVE].status(stream.channel)
    if status is None or status.broadcast_id != stream.broadcast_id:
        return "ended"  # its row follows in a moment
    return str(status.state)

"""Channels and stream keys over the API."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.channels.channels import Channel
from mediaserver.channels.stream_keys import StreamKey
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound
from mediaserver.routes.api.information import (
    InformationChange,
    InformationOut,
    information_fields,
)
from mediaserver.routes.api.operation import Answer, Body, Operations, caller
from mediaserver.routes.keys import CHANNELS, DELETION, FOLLOWS, LIVE, STREAM_KEYS
from mediaserver.routes.live_view import is_watchable

api = Operations("Channels", Scope.CHANNELS)

_MANAGED = (Forbidden, NotFound)


class NewChannel(Body):
    slug: str = Field(
        description="The name in the address: 3 to 30 of a-z, 0-9 and -.",
        max_length=100,
        examples=["alice"],
    )
    name: str = Field("", description="Empty: the slug.", max_length=limits.CHANNEL_NAME_CHARS_MAX)
    title: str = Field("", description="Of the stream.", max_length=limits.CHANNEL_TITLE_CHARS_MAX)
    description: str = Field("", max_length=limits.CHANNEL_DESCRIPTION_CHARS_MAX)


class ChannelChange(InformationChange):
    name: str | None = Field(None, max_length=limits.CHANNEL_NAME_CHARS_MAX)
    starts_automatically: bool | None = Field(
        None, description="False: what an encoder sends is held until a stream is started."
    )


class NewStreamKey(Body):
    name: str = Field(
        "",
        description="To tell your keys apart, such as the name of a device.",
        max_length=limits.STREAM_KEY_NAME_CHARS_MAX,
        examples=["OBS"],
    )


class ChannelOut(InformationOut):
    """A channel as anyone may see it."""

    id: str
    slug: str
    name: str
    owner: str
    is_verified: bool = Field(description="An admin has seen who the owner is.")
    followers: int
    starts_automatically: bool
    created_at_ms: int
    is_live: bool


class ChannelList(Answer):
    """Channels."""

    channels: list[ChannelOut]


class StreamKeyOut(Answer):
    """A stream key without its secret."""

    id: str
    name: str
    hint: str = Field(description="The last four characters.")
    created_at_ms: int
    last_used_at_ms: int | None


class NewStreamKeyOut(StreamKeyOut):
    """A stream key with its secret: this is the only time it is shown."""

    key: str


class StreamKeyList(Answer):
    """The stream keys that work."""

    stream_keys: list[StreamKeyOut]


class Stopped(Answer):
    """Whether there was a stream to stop."""

    stopped: bool


async def _channel(request: web.Request, channel: Channel) -> ChannelOut:
    return (await _channels(request, [channel]))[0]


async def _channels(request: web.Request, channels: Sequence[Channel]) -> list[ChannelOut]:
    followers = await request.app[FOLLOWS].counts([channel.id for channel in channels])
    return [_out(request, channel, followers.get(channel.id, 0)) for channel in channels]


def _out(request: web.Request, channel: Channel, followers: int) -> ChannelOut:
    status = request.app[LIVE].status(channel.slug)
    return ChannelOut(
        id=channel.id,
        slug=channel.slug,
        name=channel.name,
        owner=channel.owner,
        is_verified=channel.is_verified,
        followers=followers,
        starts_automatically=channel.starts_automatically,
        created_at_ms=channel.created_at_ms,
        is_live=status is not None and is_watchable(status),
        **information_fields(channel),
    )


def _key(key: StreamKey) -> StreamKeyOut:
    return StreamKeyOut(
        id=key.id,
        name=key.name,
        hint=key.hint,
        created_at_ms=key.created_at_ms,
        last_used_at_ms=key.last_used_at_ms,
    )


@api.get("/channels", "List channels", answer=ChannelList)
async def list_channels(request: web.Request) -> ChannelList:
    """All channels by name, live or not."""
    channels = await request.app[CHANNELS].list_all()
    return ChannelList(channels=await _channels(request, channels))


@api.post(
    "/channels",
    "Make a channel",
    body=NewChannel,
    answer=ChannelOut,
    status=201,
    sign_in=True,
    errors=(Conflict, Forbidden),
)
async def create_channel(request: web.Request, body: NewChannel) -> ChannelOut:
    """Makes a channel of your own. 409 when its address is taken or you have too many; 403 with the
    code `policies_not_accepted` until you have accepted the policies by `PUT /me/streamer`.
    """
    channel = await request.app[CHANNELS].open(
        caller(request),
        body.slug,
        body.name or body.slug,
        title=body.title,
        description=body.description,
    )
    return await _channel(request, channel)


@api.get("/channels/{slug}", "Show a channel", answer=ChannelOut, errors=(NotFound,))
async def show_channel(request: web.Request) -> ChannelOut:
    """One channel."""
    return await _channel(request, await request.app[CHANNELS].get(request.match_info["slug"]))


@api.patch(
    "/channels/{slug}",
    "Change a channel",
    body=ChannelChange,
    answer=ChannelOut,
    sign_in=True,
    errors=_MANAGED,
)
async def change_channel(request: web.Request, body: ChannelChange) -> ChannelOut:
    """Changes what is given and leaves the rest. Only its owner or an admin may."""
    channel = await request.app[CHANNELS].update(
        caller(request),
        request.match_info["slug"],
        name=body.name,
        starts_automatically=body.starts_automatically,
        **body.changes(),
    )
    return await _channel(request, channel)


@api.delete(
    "/channels/{slug}", "Delete a channel", sign_in=True, confirm=True, errors=(NotFound, Forbidden)
)
async def delete_channel(request: web.Request) -> None:
    """Ends its stream and deletes it with streams, schedule, chat, emotes, keys and followers. The
    address rests for half a year.
    """
    await request.app[DELETION].delete(caller(request), request.match_info["slug"])


@api.get(
    "/channels/{slug}/stream-keys",
    "List stream keys",
    answer=StreamKeyList,
    sign_in=True,
    errors=_MANAGED,
)
async def list_stream_keys(request: web.Request) -> StreamKeyList:
    """The keys that work, without their secrets."""
    keys = await request.app[STREAM_KEYS].list_active(caller(request), request.match_info["slug"])
    return StreamKeyList(stream_keys=[_key(key) for key in keys])


@api.post(
    "/channels/{slug}/stream-keys",
    "Make a stream key",
    body=NewStreamKey,
    is_body_optional=True,
    answer=NewStreamKeyOut,
    status=201,
    sign_in=True,
    errors=(*_MANAGED, Conflict),
)
async def create_stream_key(request: web.Request, body: NewStreamKey) -> NewStreamKeyOut:
    """Makes a key and shows its secret, `key`, this once."""
    made, secret = await request.app[STREAM_KEYS].create(
        caller(request), request.match_info["slug"], body.name
    )
    return NewStreamKeyOut(**_key(made).model_dump(), key=secret)


@api.delete(
    "/channels/{slug}/stream-keys/{id}",
    "Revoke a stream key",
    sign_in=True,
    errors=_MANAGED,
)
async def revoke_stream_key(request: web.Request) -> None:
    """The key stops working at once; an encoder that publishes with it is disconnected."""
    await request.app[STREAM_KEYS].revoke(
        caller(request), request.match_info["slug"], request.match_info["id"]
    )


@api.post("/channels/{slug}/stop", "Stop the stream", answer=Stopped, sign_in=True, errors=_MANAGED)
async def stop_stream(request: web.Request) -> Stopped:
    """Disconnects the encoder and ends the stream. The key still works afterwards."""
    channel = await request.app[CHANNELS].get_managed(caller(request), request.match_info["slug"])
    stopped = request.app[LIVE].stop(channel.slug, "The stream was stopped from the studio.")
    return Stopped(stopped=stopped)

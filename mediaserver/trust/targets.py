"""What can be reported: a stream, a channel, a line of a chat, somebody's profile.

A kind is a name and a function that finds the thing, so that videos and comments can join them.
Called by trust/reports.py and by the page that asks what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mediaserver.accounts import profiles
from mediaserver.accounts.users import find_by_typed_name
from mediaserver.channels import channels, streams
from mediaserver.channels.channels import Channel
from mediaserver.channels.streams import Stream
from mediaserver.chat import excerpts
from mediaserver.chat.excerpts import KeptLine
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.errors import Invalid, NotFound


class Kind(StrEnum):
    """The value is kept; `label` is what people read."""

    STREAM = "stream"
    CHANNEL = "channel"
    CHAT_LINE = "chat_line"
    USER = "user"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    Kind.STREAM: "Stream",
    Kind.CHANNEL: "Channel",
    Kind.CHAT_LINE: "Chat message",
    Kind.USER: "Person",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A thing that can be reported. `name` fits into a sentence; `path` is the page it is on.

    `owner_id`: who answers for it; None when that account is gone. `avatar`: the picture of a
    person. `is_on_air`: what `channel` streams now, if anything, belongs to it.
    """

    kind: Kind
    id: str
    name: str
    path: str
    owner_id: str | None
    channel: Channel | None = None
    stream: Stream | None = None
    line: KeptLine | None = None
    avatar: str | None = None
    is_on_air: bool = True


def checked_kind(value: str) -> Kind:
    """Raises `Invalid`."""
    try:
        return Kind(value)
    except ValueError as error:
        raise Invalid("That can't be reported.", field="kind") from error


def find(tx: Transaction, kind: Kind, target_id: str) -> Target:
    """What everybody can see under that id: the slug of a channel, the name of a person, the id of
    a stream or a line. Raises `NotFound`.
    """
    return _FIND[kind](tx, target_id)


def _stream(tx: Transaction, stream_id: str) -> Target:
    found = streams.get(tx, stream_id)
    if found.live_at_ms is None:
        raise NotFound("There is no such stream.", code="stream_not_found")
    channel = channels.get_visible(tx, found.channel)
    name = f"the stream “{found.title or channel.name}” of {channel.name}"
    path = f"/@{channel.slug}"
    is_on_air = streams.open_stream_id(tx, channel.id) == found.id
    return Target(
        Kind.STREAM,
        found.id,
        name,
        path,
        channel.owner_id,
        channel,
        found,
        is_on_air=is_on_air,
    )


def _channel(tx: Transaction, slug: str) -> Target:
    found = channels.get_visible(tx, slug)
    name = f"the channel {found.name}"
    return Target(Kind.CHANNEL, found.id, name, f"/@{found.slug}", found.owner_id, found)


def _chat_line(tx: Transaction, line_id: str) -> Target:
    line = excerpts.find(tx, line_id)
    if line is None or not line.text:  # emptied when its author's account went
        raise NotFound("There is no such message.", code="line_not_found")
    channel = channels.get_visible(tx, channels.get_by_id(tx, line.channel_id).slug)
    name = f"a message of {line.username or 'somebody'} in the chat of {channel.name}"
    path = f"/@{channel.slug}"
    return Target(Kind.CHAT_LINE, line.id, name, path, line.user_id, channel, line=line)


def _user(tx: Transaction, username: str) -> Target:
    user = find_by_typed_name(tx, username)
    if user is None:
        raise NotFound("There is nobody with that name.", code="user_not_found")
    avatar = profiles.find(tx, user.id).avatar
    return Target(Kind.USER, user.id, user.username, "/", user.id, avatar=avatar)


_FIND: Mapping[Kind, Callable[[Transaction, str], Target]] = {
    Kind.STREAM: _stream,
    Kind.CHANNEL: _channel,
    Kind.CHAT_LINE: _chat_line,
    Kind.USER: _user,
}

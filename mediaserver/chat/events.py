"""What happens in a chat, as everybody is told: the events of a channel's log and their JSON.

`ChatEvents` and `YouChanged` are published through kernel/events.py after the commit; whoever
holds connections relays them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LINES = ("message", "announcement", "notice")
"""Kinds that are lines of the chat; the others tell of changes to it."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a line or did something. `role` is the one they had then."""

    id: str
    username: str
    role: str


@dataclass(frozen=True, slots=True)
class Quote:
    """The line that a reply answers: its first characters, nothing when it was removed."""

    id: str
    username: str
    text: str


@dataclass(frozen=True, slots=True)
class Emote:
    """A small picture that stands for `:code:` in a text. `channel`: of this channel alone."""

    code: str
    url: str
    width: int
    height: int
    animated: bool
    channel: bool


@dataclass(frozen=True, slots=True)
class ChatEvent:
    """One entry of a channel's log. `data` depends on the kind:

    announcement {"colour"}; removed {"ids", "username", "by"}; cleared {"by"}: all earlier lines
    are removed; pinned {"id", "by", "line"}; unpinned {"by"}; rules {"rules", "by"};
    emotes {"emotes"}.
    """

    sequence: int
    kind: str
    id: str
    at_ms: int
    author: Author | None
    text: str
    reply_to: Quote | None = None
    removed: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The shape that the API and the socket send."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class ChatEvents:
    """A channel's log grew by `events`, in order and without a hole."""

    channel_id: str
    channel_slug: str
    events: tuple[ChatEvent, ...]


@dataclass(frozen=True, slots=True)
class YouChanged:
    """What `user_id` may do in the channel is no longer what they were told."""

    channel_id: str
    channel_slug: str
    user_id: str


@dataclass(frozen=True, slots=True)
class You:
    """What the asker may do. `code` says for programs why they can't write, `why_not` for people.

    `until_ms`: the end of a time-out. `next_at_ms`: when slow mode lets them write again.
    """

    username: str | None
    role: str
    can_write: bool
    why_not: str | None
    code: str | None
    until_ms: int | None
    slow_s: int
    next_at_ms: int | None
    follows: bool

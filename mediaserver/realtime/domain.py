"""What realtime needs of the rest of the site, as far as it needs it. server.py hands it in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel


class ChatJoined(Protocol):
    """A chat as it is when somebody enters."""

    @property
    def sequence(self) -> int: ...
    @property
    def reset(self) -> bool: ...
    @property
    def events(self) -> Sequence[Any]: ...
    @property
    def pinned(self) -> Any: ...
    @property
    def rules(self) -> Any: ...
    @property
    def emotes(self) -> Sequence[Any]: ...
    @property
    def you(self) -> Any: ...
    @property
    def commands(self) -> Sequence[Any]: ...


class ChatSaid(Protocol):
    """A line that is written, or what a command answered."""

    @property
    def id(self) -> str | None: ...
    @property
    def sequence(self) -> int | None: ...
    @property
    def notice(self) -> str | None: ...


class ChatDomain(Protocol):
    """mediaserver/chat. Its values are dataclasses with the fields of messages.py."""

    async def join(self, channel: Channel, user: User | None, after: int | None) -> ChatJoined: ...

    async def say(
        self, user: User, channel: Channel, text: str, *, reply_to: str | None, nonce: str
    ) -> ChatSaid: ...

    async def act(self, user: User, channel: Channel, action: Any) -> str | None:
        """Do what messages.py's action says; a sentence for whoever asked."""
        ...

    async def card(self, user: User | None, channel: Channel, username: str) -> Any: ...

    async def you(self, channel: Channel, user: User | None) -> Any: ...


class ChannelList(Protocol):
    """channels/channels.py."""

    async def get(self, slug: str) -> Channel:
        """Raises `NotFound`."""
        ...


class FollowerList(Protocol):
    """channels/follows.py."""

    async def count(self, channel_id: str) -> int: ...

    async def among(self, channel_id: str, user_ids: Iterable[str]) -> set[str]:
        """Those of `user_ids` who follow the channel."""
        ...


@dataclass(frozen=True, slots=True)
class Door:
    """Who is at the door: functions of routes and accounts."""

    is_foreign: Callable[[web.Request], bool]
    """Whether another site made a browser send this."""

    by_session: Callable[[web.Request], Awaitable[User | None]]
    by_ticket: Callable[[str], Awaitable[User]]
    """Raises `Unauthorized`."""


DescribeLive = Callable[[Channel], Any]
"""What viewers may know of a channel's stream, as the API answers it."""

CountViewers = Callable[[str], int]
"""Viewers of the channel with this slug; 0 while it is offline."""

"""What realtime needs of routes, which it may not import: server.py hands these functions in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.media.audience import ViewerReport
from mediaserver.media.health import Health


@dataclass(frozen=True, slots=True)
class Site:
    """The rest of the site as functions."""

    is_foreign: Callable[[web.Request], bool]
    """Whether another site made a browser send this."""

    user_of_session: Callable[[web.Request], Awaitable[User | None]]
    """Who the session cookie belongs to."""

    describe_live: Callable[[Channel], Any]
    """What viewers may know of a channel's stream, as the API answers it."""

    count_viewers: Callable[[str], int]
    """Viewers of the channel with this slug; 0 while it is offline."""

    take_report: Callable[[str, str, ViewerReport], None]
    """A player's report: slug, a key of the viewer, and what it says."""

    current_health: Callable[[str], Health | None]
    health_history: Callable[[str], list[Health]]
    """How the stream of the channel with this slug is doing, and did, oldest first."""

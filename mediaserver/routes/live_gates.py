"""Before every answer below /live/: is the channel hidden, and does it ask something first?

What a channel asks is kept in memory until it changes, so a stream for everybody costs one look
into a dict. Answers of a gated stream are for one viewer, so no cache
may share them. Where the ticket came behind the ?, playlists carry it on to what they name.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from mediaserver.channels.channels import Channel, ChannelChanged
from mediaserver.channels.deletion import ChannelDeleted
from mediaserver.kernel.errors import Forbidden, NotFound
from mediaserver.kernel.events import Events
from mediaserver.routes.gate_tickets import Kind, Tickets, kinds_of
from mediaserver.routes.gates import QUERY, media_ticket
from mediaserver.routes.hls import GATED, PLAYLIST_TYPE
from mediaserver.routes.instant import STILL_ADMITTED
from mediaserver.trust.bans import Banned, Unbanned

_URI = re.compile(r'(?<=URI=")([^"]+)(?=")')


class Channels(Protocol):
    """channels/channels.py, as far as it is asked."""

    async def find(self, slug: str) -> Channel: ...


class LiveStreams(Protocol):
    """The engine's registry, as far as it is asked."""

    def status(self, channel: str) -> object | None: ...


@dataclass(frozen=True, slots=True)
class _Access:
    """Who may have the media of a channel."""

    kinds: Collection[Kind] = ()
    is_hidden: bool = False


_OPEN = _Access()


class LiveGates:
    """Put before the routes of the media path by server/server.py."""

    def __init__(
        self, channels: Channels, live: LiveStreams, tickets: Tickets, events: Events
    ) -> None:
        self._channels = channels
        self._live = live
        self._tickets = tickets

        self._known: dict[str, _Access] = {}
        self._changes = 0
        events.subscribe(ChannelChanged, lambda event: self._forget(event.slug))
        events.subscribe(ChannelDeleted, lambda event: self._forget(event.slug))
        events.subscribe(Banned, lambda event: self._forget(*event.channels.values()))
        events.subscribe(Unbanned, lambda event: self._forget(*event.channels.values()))

    def guard(self, routes: Iterable[web.RouteDef]) -> list[web.RouteDef]:
        """The same routes, each behind the gate of the `channel` in its path."""
        return [
            web.RouteDef(one.method, one.path, self._guarded(one.handler), one.kwargs)
            for one in routes
        ]

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            slug = request.match_info["channel"]
            request[STILL_ADMITTED] = lambda: self._is_admitted(request)
            access = self._known.get(slug) or await self._look_up(slug)
            if access is _OPEN:
                return await handler(request)
            if access.is_hidden:
                raise NotFound(
                    "This channel is not available right now.", code="channel_unavailable"
                )
            if not self._answers(request, access):
                raise Forbidden("This stream asks something first, on its page.", code="gate")
            return await _gated(request, handler)

        return guarded

    async def _is_admitted(self, request: web.Request) -> bool:
        """Whether a request that was let in would be let in now."""
        slug = request.match_info["channel"]
        access = self._known.get(slug) or await self._look_up(slug)
        return access is _OPEN or (not access.is_hidden and self._answers(request, access))

    def _answers(self, request: web.Request, access: _Access) -> bool:
        asked = request.query.get(QUERY)
        ticket = media_ticket(request) if asked is None else asked
        answered = self._tickets.answered(request.match_info["channel"], ticket)
        return all(kind in answered for kind in access.kinds)

    async def _look_up(self, slug: str) -> _Access:
        if self._live.status(slug) is None:
            return _OPEN  # nothing is there to see
        changes = self._changes
        try:
            found = await self._channels.find(slug)
        except NotFound:
            return _OPEN
        kinds = kinds_of(found)
        access = _Access(kinds, found.is_hidden) if kinds or found.is_hidden else _OPEN
        if changes == self._changes:  # else it may be old already
            self._known[slug] = access
        return access

    def _forget(self, *slugs: str) -> None:
        self._changes += 1
        for slug in slugs:
            self._known.pop(slug, None)


async def _gated(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The answer for one viewer alone; a ticket in its address is carried on."""
    request[GATED] = True
    response = await handler(request)
    if not response.prepared:
        response.headers[hdrs.CACHE_CONTROL] = "private, no-cache"
        response.headers.add(hdrs.VARY, "Cookie")
        asked = request.query.get(QUERY)
        if asked and isinstance(response, web.Response):
            _carry_on(response, asked)
    return response


def _carry_on(response: web.Response, ticket: str) -> None:
    """Have the addresses in a playlist carry the ticket that its own address had."""
    if response.content_type != PLAYLIST_TYPE or not isinstance(response.body, bytes):
        return
    body = response.body
    if response.headers.pop(hdrs.CONTENT_ENCODING, None) == "gzip":
        body = gzip.decompress(body)
    response.body = with_query(body.decode(), {QUERY: ticket}).encode()


def with_query(playlist: str, query: Mapping[str, str]) -> str:
    """The playlist with `query`, which needs no escaping, behind every address in it."""
    tail = "&".join(f"{name}={value}" for name, value in query.items())

    def add(address: str) -> str:
        return f"{address}{'&' if '?' in address else '?'}{tail}"

    lines = []
    for line in playlist.split("\n"):
        if line.startswith("#"):
            lines.append(_URI.sub(lambda match: add(match[1]), line))
        else:
            lines.append(add(line) if line.strip() else line)
    return "\n".join(lines)

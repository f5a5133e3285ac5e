"""Who connects: by session cookie, by ticket, or by the token of an overlay or a dock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from mediaserver.accounts.tickets import Holder, Tickets
from mediaserver.accounts.users import User
from mediaserver.channels.display_tokens import DisplayTokens, Opened
from mediaserver.kernel.errors import Unauthorized
from mediaserver.realtime.site import Site


@dataclass(frozen=True, slots=True)
class Guest:
    """Nobody in particular without a user; with `opened`, the token's channel is all they see.

    `by_session`: the request whose cookie said who it is; `by_ticket`: what a ticket stood for.
    """

    user: User | None
    opened: Opened | None = None
    by_session: web.Request | None = None
    by_ticket: Holder | None = None


class Guests:
    """What a client says of itself is in its `auth`; what it doesn't say may be in its cookie."""

    def __init__(self, site: Site, tickets: Tickets, display_tokens: DisplayTokens) -> None:
        self._site = site
        self._tickets = tickets
        self._display_tokens = display_tokens

    async def identify(self, request: web.Request, auth: Mapping[str, Any]) -> Guest:
        """Raises `Unauthorized` for a ticket or token that opens nothing."""
        ticket, token = _text(auth, "ticket"), _text(auth, "token")
        if ticket is not None:
            holder = await self._tickets.redeem(ticket)
            return Guest(holder.user, by_ticket=holder)
        if token is not None:
            opened = await self._display_tokens.open("dock", token)
            return Guest(opened.user, opened)
        return Guest(await self._site.user_of_session(request), by_session=request)

    async def is_still(self, guest: Guest) -> bool:
        """False for somebody whose log-in has ended since."""
        if guest.by_ticket is not None:
            return await self._tickets.still_stands(guest.by_ticket)
        if guest.by_session is None or guest.user is None:
            return True
        user = await self._site.user_of_session(guest.by_session)
        return user is not None and user.id == guest.user.id

    async def overlay(self, auth: Mapping[str, Any]) -> Guest:
        """For the overlay of one channel. Raises `Unauthorized`."""
        token = _text(auth, "token")
        if token is None:
            raise Unauthorized("The overlay's token is missing.", code="invalid_token")
        return Guest(None, await self._display_tokens.open("overlay", token))


def _text(auth: Mapping[str, Any], name: str) -> str | None:
    value = auth.get(name)
    if value is not None and not isinstance(value, str):
        raise Unauthorized("The token is not valid.", code="invalid_token")
    return value

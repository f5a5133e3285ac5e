"""The way into Socket.IO for programs. What is said there: /api/events."""

from __future__ import annotations

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.routes.api.operation import Answer, Operations, caller
from mediaserver.routes.keys import TOKENS

api = Operations("Realtime")


class TicketOut(Answer):
    """Connect to a Socket.IO namespace with `{"ticket": …}` as its auth."""

    ticket: str
    expires_in: int


@api.post("/realtime/ticket", "Get a ticket", answer=TicketOut, status=201, sign_in=True)
async def create_ticket(request: web.Request) -> TicketOut:
    """A ticket for connecting to /socket.io/ as the caller, good for a minute. A connection that
    is open stays open; browsers of this site need none, as their session cookie does.
    """
    ticket = request.app[TOKENS].issue_ticket(caller(request))
    return TicketOut(ticket=ticket, expires_in=limits.REALTIME_TICKET_S)

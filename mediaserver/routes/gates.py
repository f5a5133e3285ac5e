"""The gate before a stream that is not for everybody: a question, and a ticket with the answer.

Browsers carry the ticket in cookies of the channel's page and of its media; programs, and pages
inside other sites' pages, as `gate` behind the ? of an address. live_gates.py asks for it.
"""

from __future__ import annotations

from typing import TypedDict

from aiohttp import web

from mediaserver.channels.channels import Channel, manages
from mediaserver.kernel import limits
from mediaserver.routes.gate_tickets import Kind, kinds_of
from mediaserver.routes.keys import GATE_TICKETS
from mediaserver.routes.page import viewer

QUERY = "gate"
_PAGE_COOKIE = "gate"
_MEDIA_COOKIE = "gate_live"


class Gate(TypedDict):
    """What is asked: of the viewer's age first, and in the same words (`is_not_general`) what the
    streamer says of the rest.
    """

    kind: Kind
    is_not_general: bool
    reason: str


def gate_of(request: web.Request, channel: Channel) -> Gate | None:
    """The gate that this visitor has to pass first; the owner and admins have none."""
    if manages(viewer(request), channel.owner_id):
        return None
    tickets = request.app[GATE_TICKETS]
    shown = request.query.get(QUERY) or request.cookies.get(_named(request, _PAGE_COOKIE), "")
    passed = tickets.answered(channel.slug, shown)
    waiting = [kind for kind in kinds_of(channel) if kind not in passed]
    if not waiting:
        return None
    return {
        "kind": waiting[0],
        "is_not_general": "not_general" in waiting,
        "reason": channel.not_general_reason,
    }


def ticket_of(request: web.Request, channel: Channel) -> str:
    """The ticket behind the ? of this address, if it is one for the channel; else nothing."""
    ticket = request.query.get(QUERY, "")
    return ticket if request.app[GATE_TICKETS].answered(channel.slug, ticket) else ""


def pass_gate(request: web.Request, response: web.StreamResponse, channel: Channel) -> str:
    """Remember that the visitor goes on, to all that the channel asks today; their ticket."""
    ticket, _ = request.app[GATE_TICKETS].issue(channel.slug, kinds_of(channel))
    for name, path in (
        (_PAGE_COOKIE, f"/@{channel.slug}"),
        (_MEDIA_COOKIE, f"/live/{channel.slug}"),
    ):
        response.set_cookie(
            _named(request, name),
            ticket,
            max_age=limits.GATE_MAX_AGE_S,
            path=path,
            secure=request.secure,
            httponly=True,
            samesite="Lax",
        )
    return ticket


def let_in(request: web.Request, response: web.StreamResponse, channel: Channel) -> None:
    """Have the players of who manages the channel see it: they are not asked."""
    if kinds_of(channel) and manages(viewer(request), channel.owner_id):
        pass_gate(request, response, channel)


def media_ticket(request: web.Request) -> str:
    """What a browser that asks for media has been given, if anything."""
    return request.cookies.get(_named(request, _MEDIA_COOKIE), "")


def _named(request: web.Request, name: str) -> str:
    """Not __Host-, as that prefix asks for the path /, and these cookies are one channel's."""
    return f"__Secure-{name}" if request.secure else name

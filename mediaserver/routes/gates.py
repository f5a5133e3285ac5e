"""The gate before a stream that is not for everybody: a question, and a cookie with the answer.

The cookie belongs to the channel's own pages, so an answer counts for that channel alone.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from aiohttp import web

from mediaserver.channels.channels import Channel, manages
from mediaserver.kernel import limits
from mediaserver.routes.page import viewer

Kind = Literal["age", "not_general"]


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
    cookie = request.cookies.get(_cookie_name(request), "")
    passed = cookie[: limits.GATE_COOKIE_CHARS_MAX].split(".")
    waiting = [kind for kind in _kinds(channel) if kind not in passed]
    if not waiting:
        return None
    return {
        "kind": waiting[0],
        "is_not_general": "not_general" in waiting,
        "reason": channel.not_general_reason,
    }


def pass_gate(request: web.Request, response: web.StreamResponse, channel: Channel) -> None:
    """Remember that the visitor goes on, to all that the channel asks today."""
    response.set_cookie(
        _cookie_name(request),
        ".".join(_kinds(channel)),
        max_age=limits.GATE_MAX_AGE_S,
        path=f"/@{channel.slug}",
        secure=request.secure,
        httponly=True,
        samesite="Lax",
    )


def _cookie_name(request: web.Request) -> str:
    """Not __Host-, as that prefix asks for the path /, and this cookie is one channel's."""
    return "__Secure-gate" if request.secure else "gate"


def _kinds(channel: Channel) -> list[Kind]:
    """What the channel asks, the most serious first."""
    kinds: list[Kind] = []
    if channel.age_restricted:
        kinds.append("age")
    if channel.not_general:
        kinds.append("not_general")
    return kinds

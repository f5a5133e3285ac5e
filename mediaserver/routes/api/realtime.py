"""The way into Socket.IO for programs. What is said there: /api/events."""

from __future__ import annotations

import dataclasses

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.channels.display_tokens import DockToken
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound
from mediaserver.routes.api.operation import Answer, Body, Operations, caller, caller_of
from mediaserver.routes.keys import ACCOUNTS, DISPLAY_TOKENS

api = Operations("Realtime", Scope.CHAT)

_MANAGED = (Forbidden, NotFound)


class TicketOut(Answer):
    """Connect to a Socket.IO namespace with `{"ticket": …}` as its auth."""

    ticket: str
    expires_in: int


class OverlayTokenOut(Answer):
    """The secret in the addresses of a channel's overlays. It opens the public chat, to read."""

    token: str = Field(examples=["ovl_3c1k…"])
    chat_url: str = Field(description="The chat overlay's path.")
    alerts_url: str = Field(description="The path of the overlay for alerts.")
    goal_url: str = Field(description="The path of the overlay for the goal.")
    top_url: str = Field(description="The path of the overlay for the biggest tippers.")


class NewDock(Body):
    name: str = Field(
        "",
        description="To tell your docks apart.",
        max_length=limits.STREAM_KEY_NAME_CHARS_MAX,
        examples=["OBS"],
    )


class DockTokenOut(Answer):
    """A dock's token without its secret."""

    id: str
    name: str
    made_by: str
    created_at_ms: int
    last_used_at_ms: int | None


class NewDockTokenOut(DockTokenOut):
    """A dock's token with its secret: this is the only time it is shown."""

    token: str
    url: str = Field(description="The dock's path.")


class DockTokenList(Answer):
    """The docks that work."""

    dock_tokens: list[DockTokenOut]


def _overlay(token: str) -> OverlayTokenOut:
    paths = {
        f"{part}_url": f"/overlay/{token}/{part}" for part in ("chat", "alerts", "goal", "top")
    }
    return OverlayTokenOut(token=token, **paths)


def _dock(token: DockToken) -> DockTokenOut:
    return DockTokenOut(**dataclasses.asdict(token))


@api.post("/realtime/ticket", "Get a ticket", answer=TicketOut, status=201, sign_in=True)
async def create_ticket(request: web.Request) -> TicketOut:
    """A ticket for connecting to /socket.io/ as the caller: it works once, within a minute, and the
    connection ends with the log-in. Browsers of this site need none, as their session cookie does.
    """
    called = caller_of(request)
    ticket = request.app[ACCOUNTS].tickets.issue(called.user, called.log_in_id)
    return TicketOut(ticket=ticket, expires_in=limits.REALTIME_TICKET_S)


@api.get(
    "/channels/{slug}/overlay-token",
    "Show the overlay token",
    answer=OverlayTokenOut,
    sign_in=True,
    scope=Scope.CHAT,
    errors=_MANAGED,
)
async def show_overlay_token(request: web.Request) -> OverlayTokenOut:
    """The token of the channel's overlays, made when it is first asked for. As it is a secret that
    is made, a personal token needs the scope `chat`, not only `read`.
    """
    tokens = request.app[DISPLAY_TOKENS]
    return _overlay(await tokens.overlay(caller(request), request.match_info["slug"]))


@api.post(
    "/channels/{slug}/overlay-token",
    "Regenerate the overlay token",
    answer=OverlayTokenOut,
    status=201,
    sign_in=True,
    errors=_MANAGED,
)
async def regenerate_overlay_token(request: web.Request) -> OverlayTokenOut:
    """Makes another token. Overlays with the one before stop at once."""
    tokens = request.app[DISPLAY_TOKENS]
    return _overlay(await tokens.regenerate_overlay(caller(request), request.match_info["slug"]))


@api.delete(
    "/channels/{slug}/overlay-token", "Revoke the overlay token", sign_in=True, errors=_MANAGED
)
async def revoke_overlay_token(request: web.Request) -> None:
    """Overlays of the channel stop at once, until a token is asked for again."""
    await request.app[DISPLAY_TOKENS].revoke_overlay(caller(request), request.match_info["slug"])


@api.get(
    "/channels/{slug}/dock-tokens",
    "List docks",
    answer=DockTokenList,
    sign_in=True,
    errors=_MANAGED,
)
async def list_dock_tokens(request: web.Request) -> DockTokenList:
    """The docks that work, without their secrets."""
    tokens = request.app[DISPLAY_TOKENS]
    docks = await tokens.list_docks(caller(request), request.match_info["slug"])
    return DockTokenList(dock_tokens=[_dock(dock) for dock in docks])


@api.post(
    "/channels/{slug}/dock-tokens",
    "Make a dock",
    body=NewDock,
    is_body_optional=True,
    answer=NewDockTokenOut,
    status=201,
    sign_in=True,
    confirm=True,
    errors=(*_MANAGED, Conflict),
)
async def create_dock_token(request: web.Request, body: NewDock) -> NewDockTokenOut:
    """Makes a token with which the chat stands in streaming software and writes as you. Its secret,
    `token`, is shown this once. Confirm that it is you first (`/auth/confirm`). It ends with your
    log-ins: a new password, for one, revokes it.
    """
    made, secret = await request.app[DISPLAY_TOKENS].create_dock(
        caller(request), request.match_info["slug"], body.name
    )
    return NewDockTokenOut(**_dock(made).model_dump(), token=secret, url=f"/dock/{secret}")


@api.delete("/channels/{slug}/dock-tokens/{id}", "Revoke a dock", sign_in=True, errors=_MANAGED)
async def revoke_dock_token(request: web.Request) -> None:
    """The dock stops at once."""
    await request.app[DISPLAY_TOKENS].revoke_dock(
        caller(request), request.match_info["slug"], request.match_info["id"]
    )

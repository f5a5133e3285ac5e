"""What every page of the studio shares: whose desk it is, the way round, a form that came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.routes.errors import problem_of
from mediaserver.routes.keys import CHANNELS, LIVE
from mediaserver.routes.live_view import is_watchable
from mediaserver.routes.page import FormError, form_errors, page, signed_in
from mediaserver.routes.render import CSP_PAGE


@dataclass(frozen=True, slots=True)
class Desk:
    """A channel and who works on it."""

    user: User
    channel: Channel

    def path(self, section: str = "") -> str:
        """Where a page of this desk is."""
        return f"/studio/{self.channel.slug}" + (f"/{section}" if section else "")


@dataclass(frozen=True, slots=True)
class Returned:
    """A form that comes back with what was given and what is wrong. `form` names it on its page."""

    form: str
    given: Mapping[str, str]
    error: FormError


async def open_desk(request: web.Request) -> Desk:
    """The desk that the address names. Raises `NotFound` or `Forbidden`."""
    user = signed_in(request)
    slug = request.match_info["slug"]
    return Desk(user, await request.app[CHANNELS].get_managed(user, slug))


async def desk_page(
    request: web.Request,
    desk: Desk,
    section: str,
    context: Mapping[str, Any],
    *,
    returned: Returned | None = None,
    csp: str = CSP_PAGE,
) -> web.Response:
    """Render `studio/{section}.html` in the frame."""
    channel = desk.channel
    status = request.app[LIVE].status(channel.slug)
    return page(
        request,
        f"studio/{section}.html",
        {
            "channels": await own_channels(request, desk.user),
            "channel": {
                "slug": channel.slug,
                "name": channel.name,
                "title": channel.title,
                "description": channel.description,
                "owner": channel.owner,
            },
            "section": section,
            "on_air": status is not None and is_watchable(status),
            "returned": None
            if returned is None
            else {
                "form": returned.form,
                "given": dict(returned.given),
                "errors": form_errors(returned.error),
            },
            **context,
        },
        status=200 if returned is None else problem_of(returned.error).status,
        csp=csp,
    )


async def own_channels(request: web.Request, user: User) -> list[dict[str, str]]:
    """For the switch between channels."""
    owned = await request.app[CHANNELS].list_owned(user)
    return [{"slug": channel.slug, "name": channel.name} for channel in owned]

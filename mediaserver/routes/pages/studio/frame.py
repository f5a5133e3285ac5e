"""What every page of the studio shares: whose desk it is, the way round, a form that came back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from mediaserver.accounts.permissions import Action, Rank, check_rank
from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.channels.information import Information
from mediaserver.channels.timetable import Entry
from mediaserver.kernel.errors import Invalid, MediaserverError
from mediaserver.routes.errors import problem_of
from mediaserver.routes.keys import CATEGORIES, CHANNELS, CONFIG, DESK, LIVE
from mediaserver.routes.live_view import is_watchable
from mediaserver.routes.page import page, redirect, signed_in
from mediaserver.routes.render import CSP_PAGE

_DIGITS_MAX = 15
_SECTIONS = (
    "desk",
    "chat",
    "health",
    "schedule",
    "teams",
    "overlays",
    "alerts",
    "supporters",
    "giving",
    "transfers",
    "earnings",
    "webhooks",
    "connect",
    "settings",
)
_MODERATOR_SECTIONS = ("chat", "health", "alerts")
_MONEY_SECTIONS = ("alerts", "supporters", "giving", "transfers", "earnings")
"""Not there on a site without money."""


@dataclass(frozen=True, slots=True)
class Studio:
    """A channel and who works on it."""

    user: User
    channel: Channel
    rank: Rank

    def path(self, section: str = "") -> str:
        """Where a page of this desk is."""
        return f"/studio/{self.channel.slug}" + (f"/{section}" if section else "")


@dataclass(frozen=True, slots=True)
class Returned:
    """A form that comes back with what was given and what is wrong. `form` names it on its page."""

    form: str
    given: Mapping[str, str]
    error: MediaserverError
    field: str = ""

    @property
    def errors(self) -> dict[str, str]:
        """Field → sentence; `field` is where it stands that names none itself."""
        return {getattr(self.error, "field", None) or self.field: self.error.message}


def working(request: web.Request) -> User:
    """Who is logged in; somebody who is banned has no desk and learns why."""
    user = signed_in(request)
    if user.is_banned:
        redirect("/appeal")
    return user


async def open_studio(request: web.Request, needed: Rank = Rank.OWNER) -> Studio:
    """The desk that the address names. Raises `NotFound` or `Forbidden`."""
    user = working(request)
    channel = await request.app[CHANNELS].find(request.match_info["slug"])
    rank = await request.app[DESK].rank(user, channel)
    check_rank(rank, Action.MANAGE_CHANNEL if needed == Rank.OWNER else Action.MODERATE_CHAT)
    return Studio(user, channel, rank)


async def studio_page(
    request: web.Request,
    studio: Studio,
    section: str,
    context: Mapping[str, Any],
    *,
    template: str = "",
    returned: Returned | None = None,
    csp: str = CSP_PAGE,
) -> web.Response:
    """Render `studio/{template or section}.html` in the frame."""
    channel = studio.channel
    status = request.app[LIVE].status(channel.slug)
    return page(
        request,
        f"studio/{template or section}.html",
        {
            "channels": await reachable(request, studio.user),
            "channel": dataclasses.asdict(channel),
            "section": section,
            "sections": _sections(request, studio.rank),
            "is_owner": studio.rank >= Rank.OWNER,
            "on_air": status is not None and is_watchable(status),
            "returned": None
            if returned is None
            else {
                "form": returned.form,
                "given": dict(returned.given),
                "errors": returned.errors,
            },
            **context,
        },
        status=200 if returned is None else problem_of(returned.error).status,
        csp=csp,
    )


def _sections(request: web.Request, rank: Rank) -> list[str]:
    """Pages of the studio for somebody of that rank; those about money where there is any."""
    has_money = request.app[CONFIG].money.enabled
    mine = _SECTIONS if rank >= Rank.OWNER else _MODERATOR_SECTIONS
    return [name for name in mine if has_money or name not in _MONEY_SECTIONS]


async def reachable(request: web.Request, user: User) -> list[dict[str, str]]:
    """The channels between which `user` may switch: the own ones, then those to moderate."""
    owned = await request.app[CHANNELS].list_owned(user)
    slugs = await request.app[DESK].moderated_by(user)
    trusted = await request.app[CHANNELS].list_by_slug(slugs)
    return [
        *({"slug": one.slug, "name": one.name, "path": f"/studio/{one.slug}"} for one in owned),
        *(
            {"slug": one.slug, "name": one.name, "path": f"/studio/{one.slug}/chat"}
            for one in sorted(trusted, key=lambda one: slugs.index(one.slug))
            if one.owner_id != user.id
        ),
    ]


async def category_options(
    request: web.Request, about: Information | Entry | None
) -> list[tuple[str, str]]:
    """Value and label of each category; `about` keeps its own, though it may be hidden by now."""
    options = [(one.slug, one.name) for one in await request.app[CATEGORIES].list_all()]
    if about is not None and about.category_slug and about.category_slug not in dict(options):
        options.append((about.category_slug, about.category or about.category_slug))
    return options


def number_in(form: Mapping[str, str], name: str) -> int | None:
    """The number in a field; None for an empty one. Raises `Invalid`."""
    given = form.get(name, "").strip()
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= _DIGITS_MAX):
        raise Invalid("Choose one of the list.", field=name)
    return int(given)

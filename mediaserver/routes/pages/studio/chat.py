"""The chat of a channel as its moderators set it up: rules, words, people, emotes, the log."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from mediaserver.accounts.permissions import Rank
from mediaserver.chat.actions import (
    Action,
    AddModerator,
    AddWord,
    Ban,
    RemoveModerator,
    RemoveWord,
    SetRules,
    TimeOut,
    Unban,
)
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Forbidden, NotFound
from mediaserver.routes.forms import FORM_ERRORS, read_form
from mediaserver.routes.keys import CHAT, DESK, EMOTES
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.studio.frame import (
    Returned,
    Studio,
    number_in,
    open_studio,
    studio_page,
)


@dataclass(frozen=True, slots=True)
class _Deed:
    """What one form of the page does. `field` is where a refusal is shown."""

    form: str
    field: str
    notice: str
    action: Callable[[Mapping[str, str]], Action]
    rank: Rank = Rank.MODERATOR


def _rules(form: Mapping[str, str]) -> Action:
    return SetRules(
        {
            "slow_s": number_in(form, "slow_s") or 0,
            "followers_min": number_in(form, "followers_min"),
            "account_age_min": number_in(form, "account_age_min") or 0,
            "emote_only": "emote_only" in form,
            "unique": "unique" in form,
            "links": "moderators" if "no_links" in form else "all",
        }
    )


def _restriction(form: Mapping[str, str]) -> Action:
    username, reason = form.get("username", ""), form.get("reason", "")
    seconds = number_in(form, "seconds")
    return Ban(username, reason) if seconds is None else TimeOut(username, seconds, reason)


def _username(form: Mapping[str, str]) -> str:
    return form.get("username", "")


_DEEDS: Mapping[str, _Deed] = {
    "rules": _Deed("rules", "", "saved", _rules),
    "lock": _Deed("rules", "", "chat-locked", lambda _: SetRules({"lockdown": True})),
    "unlock": _Deed("rules", "", "chat-open", lambda _: SetRules({"lockdown": False})),
    "words": _Deed("word", "word", "saved", lambda form: AddWord(form.get("word", ""))),
    "words/remove": _Deed("word", "word", "saved", lambda form: RemoveWord(form.get("word", ""))),
    "moderators": _Deed(
        "moderator",
        "username",
        "moderator-made",
        lambda form: AddModerator(_username(form)),
        Rank.OWNER,
    ),
    "moderators/remove": _Deed(
        "moderator",
        "username",
        "moderator-removed",
        lambda form: RemoveModerator(_username(form)),
        Rank.OWNER,
    ),
    "restrictions": _Deed("restriction", "username", "restricted", _restriction),
    "restrictions/lift": _Deed(
        "restriction", "username", "lifted", lambda form: Unban(_username(form))
    ),
}
"""Below /studio/{slug}/chat/."""


async def show_chat(request: web.Request) -> web.Response:
    return await chat_page(request, await open_studio(request, Rank.MODERATOR))


def _do(deed: _Deed) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(request: web.Request) -> web.Response:
        studio = await open_studio(request, deed.rank)
        form = await read_form(request)
        try:
            await request.app[CHAT].act(studio.user, studio.channel, deed.action(form))
        except (*FORM_ERRORS, NotFound, Forbidden) as error:
            return await chat_page(request, studio, Returned(deed.form, form, error, deed.field))
        return noticed(request, studio.path("chat"), deed.notice)

    return handler


async def chat_page(
    request: web.Request, studio: Studio, returned: Returned | None = None
) -> web.Response:
    """The whole page, with a form that came back."""
    desk, user, channel = request.app[DESK], studio.user, studio.channel
    log = await desk.log(
        user, channel, before=request.query.get("before"), limit=limits.MODERATION_LOG_SHOWN
    )
    emotes = await request.app[EMOTES].list_all(channel)
    context: dict[str, Any] = {
        "rules": dataclasses.asdict(await desk.rules(channel)),
        "words": [dataclasses.asdict(one) for one in await desk.words(user, channel)],
        "moderators": [dataclasses.asdict(one) for one in await desk.moderators(channel)],
        "restrictions": [dataclasses.asdict(one) for one in await desk.restrictions(user, channel)],
        "emotes": [dataclasses.asdict(one) for one in emotes if one.channel],
        "log": [dataclasses.asdict(entry) | {"text": entry.deed} for entry in log],
        "older": log[-1].id if len(log) == limits.MODERATION_LOG_SHOWN else None,
    }
    return await studio_page(request, studio, "chat", context, returned=returned)


routes = [
    web.get("/studio/{slug}/chat", show_chat),
    *(web.post(f"/studio/{{slug}}/chat/{name}", _do(deed)) for name, deed in _DEEDS.items()),
]

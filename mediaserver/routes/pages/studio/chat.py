"""The chat of a channel as its moderators set it up: rules, words, people, emotes, the log."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

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
from mediaserver.kernel.errors import Forbidden, Invalid, NotFound
from mediaserver.moderation.ranks import Rank
from mediaserver.routes.keys import CHAT, EMOTES, MODERATION
from mediaserver.routes.page import FORM_ERRORS, noticed, read_form
from mediaserver.routes.pages.studio.frame import Desk, Returned, desk_page, open_desk

_DIGITS_MAX = 15

_DONE: Mapping[str, str] = {
    "remove": "removed a message of",
    "timeout": "timed out",
    "untimeout": "lifted the time-out of",
    "ban": "banned",
    "unban": "lifted the ban of",
    "clear": "cleared the chat",
    "pin": "pinned a message of",
    "unpin": "unpinned the message",
    "announce": "announced",
    "rules": "changed the rules",
    "mod": "made a moderator of",
    "unmod": "took the moderator's rights from",
    "block-word": "blocked a word",
    "unblock-word": "allowed a word again",
    "add-emote": "added an emote",
    "remove-emote": "deleted an emote",
}


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
            "slow_s": _number(form, "slow_s") or 0,
            "followers_min": _number(form, "followers_min"),
            "account_age_min": _number(form, "account_age_min") or 0,
            "emote_only": "emote_only" in form,
            "unique": "unique" in form,
            "links": "moderators" if "no_links" in form else "all",
        }
    )


def _restriction(form: Mapping[str, str]) -> Action:
    username, reason = form.get("username", ""), form.get("reason", "")
    seconds = _number(form, "seconds")
    return Ban(username, reason) if seconds is None else TimeOut(username, seconds, reason)


def _number(form: Mapping[str, str], name: str) -> int | None:
    """The number in a field; None for an empty one. Raises `Invalid`."""
    given = form.get(name, "").strip()
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= _DIGITS_MAX):
        raise Invalid("Choose one of the list.", field=name)
    return int(given)


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
    return await chat_page(request, await open_desk(request, Rank.MODERATOR))


def _do(deed: _Deed) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(request: web.Request) -> web.Response:
        desk = await open_desk(request, deed.rank)
        form = await read_form(request)
        try:
            await request.app[CHAT].act(desk.user, desk.channel, deed.action(form))
        except (*FORM_ERRORS, NotFound, Forbidden) as error:
            return await chat_page(request, desk, Returned(deed.form, form, error, deed.field))
        return noticed(request, desk.path("chat"), deed.notice)

    return handler


async def chat_page(
    request: web.Request, desk: Desk, returned: Returned | None = None
) -> web.Response:
    """The whole page, with a form that came back."""
    before = request.query.get("before", "")
    is_number = before.isascii() and before.isdigit() and len(before) <= _DIGITS_MAX
    overview = await request.app[MODERATION].overview(
        desk.channel, before_ms=int(before) if is_number else None
    )
    emotes = await request.app[EMOTES].of_channel(desk.channel)
    context: dict[str, Any] = dataclasses.asdict(overview)
    context["emotes"] = [dataclasses.asdict(emote) for emote in emotes]
    for entry in context["log"]:
        entry["text"] = _DONE.get(entry["action"], entry["action"])
    return await desk_page(request, desk, "chat", context, returned=returned)


routes = [
    web.get("/studio/{slug}/chat", show_chat),
    *(web.post(f"/studio/{{slug}}/chat/{name}", _do(deed)) for name, deed in _DEEDS.items()),
]

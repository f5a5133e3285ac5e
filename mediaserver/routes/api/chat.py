"""Chat over the API: history, saying something, removing, pinning, announcing, rules."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.channels.channels import Channel
from mediaserver.chat import actions
from mediaserver.chat.events import ChatEvent, You
from mediaserver.kernel import limits
from mediaserver.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Unavailable,
)
from mediaserver.kernel.ids import new_id
from mediaserver.moderation.rules import Rules
from mediaserver.routes.api.operation import (
    Answer,
    Body,
    Operations,
    Query,
    caller,
    optional_caller,
)
from mediaserver.routes.keys import CHANNELS, CHAT, DESK

api = Operations("Chat", Scope.CHAT)

_WRITES = (Forbidden, NotFound, Invalid, Conflict, RateLimited, Unavailable)


class AuthorOut(Answer):
    """Who wrote a line or did something."""

    id: str
    username: str
    role: str = Field(description="viewer, moderator, owner or admin")


class QuoteOut(Answer):
    """The line that a reply answers."""

    id: str
    username: str
    text: str = Field(description="Its first 100 characters; empty when it was removed.")


class ChatEventOut(Answer):
    """An entry of a channel's chat log."""

    sequence: int = Field(description="1, 2, 3 … in each channel, without a hole.")
    kind: str = Field(
        description="Lines: message, announcement, notice. Changes: removed, pinned, unpinned, "
        "rules, emotes, cleared."
    )
    id: str
    at_ms: int
    author: AuthorOut | None
    text: str = Field(description="Plain text with :codes: of emotes; empty when removed.")
    reply_to: QuoteOut | None
    removed: bool
    data: dict[str, Any] = Field(description="What belongs to the kind.")


class ChatHistory(Answer):
    """Lines, oldest first."""

    events: list[ChatEventOut]


class HistoryQuery(Query):
    before: int | None = Field(None, description="A sequence: only lines before it.")
    limit: int = Field(
        limits.CHAT_HISTORY_LINES,
        ge=1,
        le=limits.CHAT_HISTORY_LINES,
        description="The most lines to answer with.",
    )


class NewLine(Body):
    text: str = Field(
        description="One line of at most 500 characters, or a command such as /help.",
        max_length=4_000,
        examples=["hi @alice :wave:"],
    )
    reply_to: str | None = Field(None, description="Id of a line.", max_length=100)
    nonce: str | None = Field(
        None,
        description="Anything new for each line. Sent again with the same one, a line isn't "
        "written twice.",
        max_length=100,
    )


class SaidOut(Answer):
    """The line as it stands in the log, or what came of a command."""

    id: str | None
    sequence: int | None
    notice: str | None


class ActedOut(Answer):
    """What came of it, in a sentence."""

    notice: str


class PinnedLine(Body):
    id: str = Field(description="Of the line.", max_length=100)


class NewAnnouncement(Body):
    text: str = Field(max_length=4_000)
    colour: Literal["accent", "good", "warn"] = "accent"


class RulesOut(Answer):
    """The rules of a channel's chat; owner and moderators stand above them."""

    slow_s: int = Field(description="Seconds between two lines of one viewer; 0: off.")
    followers_min: int | None = Field(
        description="Minutes that a writer must have followed; null: anybody writes."
    )
    account_age_min: int = Field(description="Minutes that a writer's account must exist.")
    emote_only: bool
    unique: bool = Field(description="No line that was among the last 200.")
    links: str = Field(description="all, or moderators: viewers can't post links.")
    lockdown: bool = Field(description="Only moderators write.")


class RulesChange(Body):
    slow_s: int | None = Field(None, ge=0, le=limits.CHAT_SLOW_S_MAX)
    followers_min: int | None = Field(None, ge=0, le=limits.CHAT_RULE_MINUTES_MAX)
    account_age_min: int | None = Field(None, ge=0, le=limits.CHAT_RULE_MINUTES_MAX)
    emote_only: bool | None = None
    unique: bool | None = None
    links: Literal["all", "moderators"] | None = None
    lockdown: bool | None = None


class YouOut(Answer):
    """What the caller may do in a chat, and why not."""

    username: str | None
    role: str
    can_write: bool
    why_not: str | None
    code: str | None = Field(
        description="sign_in, banned, banned_from_site, timed_out, lockdown, account_age or "
        "followers_only"
    )
    until_ms: int | None
    slow_s: int
    next_at_ms: int | None = Field(description="When slow mode lets the caller write again.")
    follows: bool


async def channel_of(request: web.Request) -> Channel:
    """The channel in the path. Raises `NotFound`."""
    return await request.app[CHANNELS].get(request.match_info["slug"])


def event_out(event: ChatEvent) -> ChatEventOut:
    return ChatEventOut.model_validate(event.as_json())


def _rules(rules: Rules) -> RulesOut:
    return RulesOut(**dataclasses.asdict(rules))


def _you(you: You) -> YouOut:
    return YouOut(**dataclasses.asdict(you))


@api.get(
    "/channels/{slug}/chat",
    "Read the chat",
    query=HistoryQuery,
    answer=ChatHistory,
    errors=(NotFound,),
)
async def read_chat(request: web.Request, query: HistoryQuery) -> ChatHistory:
    """The newest lines, or those before a sequence. Removed ones are there without their text;
    a chat that was cleared begins behind that.
    """
    events = await request.app[CHAT].history(await channel_of(request), query.before, query.limit)
    return ChatHistory(events=[event_out(event) for event in events])


@api.post(
    "/channels/{slug}/chat",
    "Say something",
    body=NewLine,
    answer=SaidOut,
    status=201,
    sign_in=True,
    errors=_WRITES,
)
async def say(request: web.Request, body: NewLine) -> SaidOut:
    """Writes a line; a line that begins with / does what the command says. 403 names the rule that
    keeps the caller from writing, 429 is slow mode.
    """
    said = await request.app[CHAT].say(
        caller(request),
        await channel_of(request),
        body.text,
        reply_to=body.reply_to or None,
        nonce=new_id("api") if body.nonce is None else body.nonce,
    )
    return SaidOut(id=said.id, sequence=said.sequence, notice=said.notice)


@api.get(
    "/channels/{slug}/chat/you",
    "What may I do in the chat",
    answer=YouOut,
    errors=(NotFound,),
)
async def show_you(request: web.Request) -> YouOut:
    """Whether the caller can write, and if not, why."""
    user = await optional_caller(request)
    return _you(await request.app[CHAT].you(await channel_of(request), user))


@api.get("/channels/{slug}/chat/rules", "Show the rules", answer=RulesOut, errors=(NotFound,))
async def show_rules(request: web.Request) -> RulesOut:
    """Slow mode and the like. Blocked words are not public."""
    return _rules(await request.app[DESK].rules(await channel_of(request)))


@api.patch(
    "/channels/{slug}/chat/rules",
    "Change the rules",
    body=RulesChange,
    answer=RulesOut,
    sign_in=True,
    errors=_WRITES,
)
async def change_rules(request: web.Request, body: RulesChange) -> RulesOut:
    """Changes what is given and leaves the rest; `followers_min` null lets everybody write."""
    channel = await channel_of(request)
    changes = body.model_dump(include=body.model_fields_set)
    for name, value in changes.items():
        if value is None and name != "followers_min":
            raise Invalid("This can't be null.", field=name)
    await request.app[CHAT].act(caller(request), channel, actions.SetRules(changes))
    return _rules(await request.app[DESK].rules(channel))


@api.put(
    "/channels/{slug}/chat/pin",
    "Pin a line",
    body=PinnedLine,
    answer=ActedOut,
    sign_in=True,
    errors=_WRITES,
)
async def pin_line(request: web.Request, body: PinnedLine) -> ActedOut:
    """Shows a line above the chat, in the place of the one that was there."""
    return await act(request, actions.Pin(body.id))


@api.delete(
    "/channels/{slug}/chat/pin",
    "Unpin the line",
    answer=ActedOut,
    sign_in=True,
    errors=_WRITES,
)
async def unpin_line(request: web.Request) -> ActedOut:
    """The pinned line stays in the chat."""
    return await act(request, actions.Unpin())


@api.post(
    "/channels/{slug}/chat/announcements",
    "Announce something",
    body=NewAnnouncement,
    answer=ActedOut,
    status=201,
    sign_in=True,
    errors=_WRITES,
)
async def announce(request: web.Request, body: NewAnnouncement) -> ActedOut:
    """Writes a highlighted line."""
    return await act(request, actions.Announce(body.text, body.colour))


@api.post(
    "/channels/{slug}/chat/clear",
    "Clear the chat",
    answer=ActedOut,
    sign_in=True,
    errors=_WRITES,
)
async def clear_chat(request: web.Request) -> ActedOut:
    """Removes all lines so far."""
    return await act(request, actions.Clear())


@api.delete(
    "/channels/{slug}/chat/{id}",
    "Remove a line",
    answer=ActedOut,
    sign_in=True,
    errors=_WRITES,
)
async def remove_line(request: web.Request) -> ActedOut:
    """The line stays as "removed", without its text."""
    return await act(request, actions.Remove(request.match_info["id"]))


async def act(request: web.Request, action: actions.Action) -> ActedOut:
    """Do what a moderator asks for in the channel of the path."""
    acted = await request.app[CHAT].act(caller(request), await channel_of(request), action)
    return ActedOut(notice=acted.notice)

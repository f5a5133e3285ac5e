"""Moderation over the API: moderators, restrictions, blocked words and the log of actions."""

from __future__ import annotations

import dataclasses

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.chat import actions
from mediaserver.kernel import limits
from mediaserver.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Unavailable,
)
from mediaserver.routes.api.chat import ActedOut, act, channel_of
from mediaserver.routes.api.operation import Answer, Body, Operations, Query, caller
from mediaserver.routes.keys import DESK

api = Operations("Moderation", Scope.CHAT)

_READS = (Forbidden, NotFound)
_WRITES = (Forbidden, NotFound, Invalid, Conflict, RateLimited, Unavailable)


class SomeUser(Body):
    username: str = Field(max_length=100, examples=["bob"])


class ModeratorOut(Answer):
    """Somebody whom the owner trusts with the chat."""

    username: str
    added_at_ms: int


class ModeratorList(Answer):
    """Moderators by name."""

    moderators: list[ModeratorOut]


class NewRestriction(Body):
    username: str = Field(max_length=100, examples=["bob"])
    seconds: int | None = Field(
        None, ge=1, le=limits.TIMEOUT_S_MAX, description="Length of a time-out; null is a ban."
    )
    reason: str = Field("", max_length=1_000, description="Shown to whom it concerns.")


class RestrictionOut(Answer):
    """A ban (`until_ms` null) or a time-out."""

    username: str
    kind: str = Field(description="ban or timeout")
    reason: str
    made_by: str | None
    made_at_ms: int
    until_ms: int | None


class RestrictionList(Answer):
    """Restrictions that hold now, newest first."""

    restrictions: list[RestrictionOut]


class NewWord(Body):
    word: str = Field(
        max_length=1_000,
        description="A word or phrase, found as a whole also behind look-alike letters.",
        examples=["free coins"],
    )


class WordOut(Answer):
    """A blocked word as it was typed."""

    word: str
    added_at_ms: int


class WordList(Answer):
    """Blocked words."""

    words: list[WordOut]


class LogQuery(Query):
    before: str | None = Field(None, max_length=100, description="Id of an entry: only older ones.")
    limit: int = Field(
        50, ge=1, le=limits.MODERATION_LISTED_MAX, description="The most entries to answer with."
    )


class LoggedActionOut(Answer):
    """What a moderator did, and to whom."""

    id: str
    at_ms: int
    actor: str | None
    action: str
    target: str | None
    detail: str


class ModerationLog(Answer):
    """Actions, newest first."""

    entries: list[LoggedActionOut]


@api.get("/channels/{slug}/moderators", "List moderators", answer=ModeratorList, errors=(NotFound,))
async def list_moderators(request: web.Request) -> ModeratorList:
    """Who moderates the chat besides the owner."""
    moderators = await request.app[DESK].moderators(await channel_of(request))
    return ModeratorList(
        moderators=[
            ModeratorOut(username=one.username, added_at_ms=one.added_at_ms) for one in moderators
        ]
    )


@api.post(
    "/channels/{slug}/moderators",
    "Make a moderator",
    body=SomeUser,
    answer=ActedOut,
    status=201,
    sign_in=True,
    errors=_WRITES,
)
async def add_moderator(request: web.Request, body: SomeUser) -> ActedOut:
    """Only the owner may. It lifts a ban or time-out of theirs."""
    return await act(request, actions.AddModerator(body.username))


@api.delete(
    "/channels/{slug}/moderators/{username}",
    "Dismiss a moderator",
    answer=ActedOut,
    sign_in=True,
    errors=_WRITES,
)
async def remove_moderator(request: web.Request) -> ActedOut:
    """Only the owner may."""
    return await act(request, actions.RemoveModerator(request.match_info["username"]))


@api.get(
    "/channels/{slug}/restrictions",
    "List bans and time-outs",
    answer=RestrictionList,
    sign_in=True,
    errors=_READS,
)
async def list_restrictions(request: web.Request) -> RestrictionList:
    """Those that hold now; for moderators."""
    held = await request.app[DESK].restrictions(caller(request), await channel_of(request))
    return RestrictionList(
        restrictions=[
            RestrictionOut(
                username=one.username,
                kind=one.kind,
                reason=one.reason,
                made_by=one.made_by,
                made_at_ms=one.made_at_ms,
                until_ms=one.until_ms,
            )
            for one in held
        ]
    )


@api.post(
    "/channels/{slug}/restrictions",
    "Ban or time out",
    body=NewRestriction,
    answer=ActedOut,
    status=201,
    sign_in=True,
    errors=_WRITES,
)
async def restrict(request: web.Request, body: NewRestriction) -> ActedOut:
    """Keeps somebody of a lower rank from writing and removes their last lines."""
    if body.seconds is None:
        return await act(request, actions.Ban(body.username, body.reason))
    return await act(request, actions.TimeOut(body.username, body.seconds, body.reason))


@api.delete(
    "/channels/{slug}/restrictions/{username}",
    "Lift a ban or time-out",
    answer=ActedOut,
    sign_in=True,
    errors=_WRITES,
)
async def lift_restriction(request: web.Request) -> ActedOut:
    """They can write again at once."""
    return await act(request, actions.Unban(request.match_info["username"]))


@api.get(
    "/channels/{slug}/blocked-words",
    "List blocked words",
    answer=WordList,
    sign_in=True,
    errors=_READS,
)
async def list_words(request: web.Request) -> WordList:
    """For moderators."""
    words = await request.app[DESK].words(caller(request), await channel_of(request))
    return WordList(words=[WordOut(word=one.word, added_at_ms=one.added_at_ms) for one in words])


@api.post(
    "/channels/{slug}/blocked-words",
    "Block a word",
    body=NewWord,
    answer=ActedOut,
    status=201,
    sign_in=True,
    errors=_WRITES,
)
async def block_word(request: web.Request, body: NewWord) -> ActedOut:
    """Lines of viewers that contain it are refused."""
    return await act(request, actions.AddWord(body.word))


@api.delete(
    "/channels/{slug}/blocked-words/{word}",
    "Allow a word again",
    answer=ActedOut,
    sign_in=True,
    errors=_WRITES,
)
async def allow_word(request: web.Request) -> ActedOut:
    """The word as it was typed, or one that reads alike."""
    return await act(request, actions.RemoveWord(request.match_info["word"]))


@api.get(
    "/channels/{slug}/moderation/log",
    "Read the moderation log",
    query=LogQuery,
    answer=ModerationLog,
    sign_in=True,
    errors=_READS,
)
async def read_log(request: web.Request, query: LogQuery) -> ModerationLog:
    """Every action of every moderator; for moderators."""
    entries = await request.app[DESK].log(
        caller(request), await channel_of(request), before=query.before, limit=query.limit
    )
    return ModerationLog(entries=[LoggedActionOut(**dataclasses.asdict(one)) for one in entries])

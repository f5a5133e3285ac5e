"""What clients send: payloads of the events that messages.py declares, checked before any handler
sees them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mediaserver.kernel import limits

_LOOSE = 4
"""The domain counts characters, after tidying them up, and says in plain words what is too long:
here is only a bound."""


class Asked(BaseModel):
    """What a client sends. A field that isn't named here is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Slug = Annotated[
    str,
    Field(description="The channel's name in its address.", max_length=limits.SLUG_CHARS_MAX),
]
Username = Annotated[str, Field(max_length=limits.USERNAME_CHARS_MAX)]
EventId = Annotated[
    str, Field(description="A line's `id`.", pattern=r"^[a-z]{3}_[0-9a-z]{1,32}$", max_length=40)
]
Text = Annotated[str, Field(max_length=_LOOSE * limits.CHAT_TEXT_CHARS_MAX)]
Reason = Annotated[
    str,
    Field(
        description="For the moderation log.",
        max_length=_LOOSE * limits.MODERATION_REASON_CHARS_MAX,
    ),
]
Word = Annotated[str, Field(max_length=_LOOSE * limits.BLOCKED_WORD_CHARS_MAX)]

# in /chat ---------------------------------------------------------------------------------------


class Join(Asked):
    """Enter a channel's room."""

    channel: Slug
    after: int | None = Field(
        None,
        ge=0,
        le=limits.CHAT_SEQUENCE_MAX,
        description="The last sequence that you have. Up to "
        f"{limits.CHAT_RESUME_EVENTS_MAX} newer events follow exactly; else `reset` is true and "
        "you get the latest lines.",
    )


class Leave(Asked):
    """Leave a channel's room."""

    channel: Slug


class Say(Asked):
    """Write a line. Lines that begin with / are commands."""

    channel: Slug
    text: Text
    reply_to: EventId | None = None
    nonce: str = Field(
        description="Random, the same when you try again: the line is then written once.",
        pattern=r"^[A-Za-z0-9_-]{8,64}$",
    )


class Remove(Asked):
    """Remove a line."""

    type: Literal["remove"]
    id: EventId


class TimeOut(Asked):
    """Keep somebody from writing for a while; their lines go."""

    type: Literal["timeout"]
    username: Username
    seconds: int = Field(ge=1, le=limits.TIMEOUT_S_MAX)
    reason: Reason = ""


class Untimeout(Asked):
    """End a time-out."""

    type: Literal["untimeout"]
    username: Username


class Ban(Asked):
    """Keep somebody from writing for good; their lines go."""

    type: Literal["ban"]
    username: Username
    reason: Reason = ""


class Unban(Asked):
    """Lift a ban."""

    type: Literal["unban"]
    username: Username


class Clear(Asked):
    """Remove all lines so far."""

    type: Literal["clear"]


class Pin(Asked):
    """Pin a line above the chat."""

    type: Literal["pin"]
    id: EventId


class Unpin(Asked):
    """Take the pinned line down."""

    type: Literal["unpin"]


class Announce(Asked):
    """Write a highlighted line."""

    type: Literal["announce"]
    text: Text
    colour: Literal["accent", "good", "warn"] = "accent"


class SetRules(Asked):
    """Change the rules that are given and leave the rest."""

    type: Literal["rules"]
    slow_s: int = Field(0, ge=0, le=limits.CHAT_SLOW_S_MAX)
    followers_min: int | None = Field(
        None, ge=0, le=limits.CHAT_RULE_MINUTES_MAX, description="null is off."
    )
    account_age_min: int = Field(0, ge=0, le=limits.CHAT_RULE_MINUTES_MAX)
    emote_only: bool = False
    unique: bool = False
    links: Literal["all", "moderators"] = "all"
    lockdown: bool = False


class AddModerator(Asked):
    """Make somebody a moderator. For the owner."""

    type: Literal["add_moderator"]
    username: Username


class RemoveModerator(Asked):
    """Make a moderator a viewer again. For the owner."""

    type: Literal["remove_moderator"]
    username: Username


class AddWord(Asked):
    """Block a word."""

    type: Literal["add_word"]
    word: Word


class RemoveWord(Asked):
    """Unblock a word."""

    type: Literal["remove_word"]
    word: Word


Action = Annotated[
    Remove
    | TimeOut
    | Untimeout
    | Ban
    | Unban
    | Clear
    | Pin
    | Unpin
    | Announce
    | SetRules
    | AddModerator
    | RemoveModerator
    | AddWord
    | RemoveWord,
    Field(discriminator="type"),
]


class Act(Asked):
    """Moderate. Needs a rank above the one it is about."""

    channel: Slug
    action: Action


class AskCard(Asked):
    """Ask who somebody is."""

    channel: Slug
    username: Username


class Report(Asked):
    """How playback goes, every 10 s while it plays. For channels whose room you are in."""

    channel: Slug
    way: Literal["instant", "hls", "dvr"]
    latency_ms: int = Field(ge=0, le=24 * 3600 * 1000)
    stalls: int = Field(ge=0, le=100_000, description="Since this player began.")
    bandwidth_bps: int | None = Field(None, ge=0, le=100_000_000_000)
    dropped_frames: int | None = Field(
        None, ge=0, le=100_000_000, description="Since this player began."
    )
    width: int | None = Field(None, ge=0, le=16_384)
    height: int | None = Field(None, ge=0, le=16_384)


# in /studio and /overlay ------------------------------------------------------------------------


class Watch(Asked):
    """Follow a channel's health and activity. For its moderators."""

    channel: Slug


class Hello(Asked):
    """Start; the token has said which channel."""

    after: int | None = Field(None, ge=0, le=limits.CHAT_SEQUENCE_MAX)
    part: Literal["chat", "alerts", "goal", "top"] = Field(
        "chat", description="What the overlay shows: `alerts` gets those that wait."
    )


class Shown(Asked):
    """An alert begins to show: overlays that open from now on don't get it any more."""

    id: Annotated[str, Field(pattern=r"^ctb_[0-9a-z]{1,32}$")]
    turn: int = Field(ge=0, le=1_000_000)

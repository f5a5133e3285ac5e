"""Every event that crosses the wire: its payload, its answer, what it means, and an example.

The handlers, the relay and the document at /api/asyncapi.json all read these declarations; a test
holds them together. Sequences and shapes of chat come from mediaserver/chat, which owns them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mediaserver.kernel import limits

CHAT, STUDIO, OVERLAY = "/chat", "/studio", "/overlay"


class Asked(BaseModel):
    """What a client sends. A field that isn't named here is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Told(BaseModel):
    """What a client gets."""

    model_config = ConfigDict(frozen=True)


Slug = Annotated[
    str,
    Field(description="The channel's name in its address.", max_length=limits.SLUG_CHARS_MAX),
]
Username = Annotated[str, Field(max_length=limits.USERNAME_CHARS_MAX)]
EventId = Annotated[
    str, Field(description="A line's `id`.", pattern=r"^[a-z]{3}_[0-9a-z]{1,32}$", max_length=40)
]
Text = Annotated[str, Field(max_length=4 * 500)]  # the domain counts, and says so in plain words
Reason = Annotated[str, Field(description="For the moderation log.", max_length=200)]

# chat: what clients send ----------------------------------------------------------------------


class Join(Asked):
    """Enter a channel's room."""

    channel: Slug
    after: int | None = Field(
        None,
        ge=0,
        le=2**53,
        description="The last sequence that you have. Up to 500 newer events follow exactly; else "
        "`reset` is true and you get the latest lines.",
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
    seconds: int = Field(ge=1, le=14 * 24 * 3600)
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
    slow_s: int = Field(0, ge=0, le=3600)
    followers_min: int | None = Field(None, ge=0, le=525_600, description="null is off.")
    account_age_min: int = Field(0, ge=0, le=525_600)
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
    word: str = Field(max_length=100)


class RemoveWord(Asked):
    """Unblock a word."""

    type: Literal["remove_word"]
    word: str = Field(max_length=100)


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
    """How playback goes, every 10 s while it plays."""

    channel: Slug
    way: Literal["instant", "hls", "dvr"]
    latency_ms: int = Field(ge=0, le=24 * 3600 * 1000)
    stalls: int = Field(ge=0, le=1000, description="Since the last report.")
    bandwidth_bps: int | None = Field(None, ge=0, le=100_000_000_000)
    dropped_frames: int | None = Field(None, ge=0, le=1_000_000)
    width: int | None = Field(None, ge=0, le=16_384)
    height: int | None = Field(None, ge=0, le=16_384)


# chat: what clients get -------------------------------------------------------------------------


class Author(Told):
    """Who wrote a line or did something."""

    id: str
    username: str
    role: Literal["viewer", "moderator", "owner", "admin"]


class ReplyTo(Told):
    """The line that is answered."""

    id: str
    username: str
    text: str = Field(description="Its first 100 characters.")


class ChatEvent(Told):
    """One entry of a channel's chat log. Sequences have no gaps."""

    sequence: int
    kind: Literal[
        "message",
        "announcement",
        "notice",
        "removed",
        "pinned",
        "unpinned",
        "rules",
        "emotes",
        "cleared",
    ]
    id: str
    at_ms: int
    author: Author | None
    text: str
    reply_to: ReplyTo | None
    removed: bool = Field(description="A removed line stays, without its text.")
    data: dict[str, Any] = Field(description="What the kind carries.")


class Rules(Told):
    """What holds in a channel's chat."""

    slow_s: int
    followers_min: int | None
    account_age_min: int
    emote_only: bool
    unique: bool
    links: Literal["all", "moderators"]
    lockdown: bool


class Emote(Told):
    """A picture that stands for `:code:`."""

    code: str
    url: str
    width: int
    height: int
    animated: bool
    channel: bool = Field(description="The channel's own, not the site's.")


class You(Told):
    """What the person at this connection may do in the channel."""

    username: str | None
    role: Literal["viewer", "moderator", "owner", "admin"]
    can_write: bool
    why_not: str | None
    code: str | None
    until_ms: int | None
    slow_s: int
    next_at_ms: int | None
    follows: bool


class Command(Told):
    """A command that you may use."""

    name: str
    usage: str
    help: str


class Live(Told):
    """The answer of `GET /api/v1/channels/{slug}/live`; its fields are in the OpenAPI document."""

    model_config = ConfigDict(extra="allow", frozen=True)

    state: str = Field(description="offline, starting, live, reconnecting or ended.")


class Done(Told):
    """It was done."""

    ok: Literal[True] = True


class Joined(Done):
    """The room as it is now."""

    channel: str
    sequence: int = Field(description="Of the latest event.")
    reset: bool
    events: tuple[ChatEvent, ...]
    pinned: ChatEvent | None
    rules: Rules
    emotes: tuple[Emote, ...]
    you: You
    commands: tuple[Command, ...]
    live: Live
    viewers: int
    followers: int


class Said(Done):
    """The line is written; it also comes as an event. A command may answer by a notice instead."""

    id: str | None
    sequence: int | None
    notice: str | None


class Acted(Done):
    """It was done."""

    notice: str | None


class Restriction(Told):
    """What keeps somebody from writing."""

    kind: Literal["ban", "timeout"]
    until_ms: int | None
    reason: str


class Card(Done):
    """Somebody in a channel."""

    username: str
    role: Literal["viewer", "moderator", "owner", "admin"]
    follows_since_ms: int | None
    joined_at_ms: int
    lines: int | None = Field(description="Lines in this channel; for moderators.")
    restriction: Restriction | None


class NewEvents(Told):
    """What happened in a chat, in order."""

    channel: str
    events: tuple[ChatEvent, ...]


class NewYou(Told):
    """What you may do has changed."""

    channel: str
    you: You


class NewLive(Told):
    """The stream has changed: its state, title and the like."""

    channel: str
    live: Live


class Presence(Told):
    """How many watch and follow; at most every 5 s, and only when it has changed."""

    channel: str
    viewers: int
    followers: int


class Notice(Told):
    """For one person, on any page."""

    kind: Literal["went-live", "schedule"]
    slug: str
    name: str
    title: str
    url: str


class Closing(Told):
    """The server ends the connection; come back in a moment."""

    reason: Literal["restart"]


# studio -----------------------------------------------------------------------------------------


class Watch(Asked):
    """Follow a channel's health and activity. For its moderators."""

    channel: Slug


class HealthPoint(Told):
    """How a stream is doing, measured every 2 s; see the streamer's guide for the fields."""

    model_config = ConfigDict(extra="allow", frozen=True)

    at_ms: int
    state: str
    verdict: Literal["good", "warn", "bad", "idle"]
    advice: str | None


class Activity(Told):
    """Something that happened round a stream."""

    id: str
    at_ms: int
    kind: Literal["live", "ended", "interrupted", "resumed", "follow", "moderation", "chat-notice"]
    text: str
    username: str | None


class Watched(Done):
    """Where things stand."""

    health: HealthPoint | None
    history: tuple[HealthPoint, ...] = Field(description="The last 30 minutes, oldest first.")
    activity: tuple[Activity, ...] = Field(description="The last 200, oldest first.")


class NewHealth(Told):
    """The latest measurement."""

    channel: str
    health: HealthPoint


class NewActivity(Told):
    """One more entry."""

    channel: str
    item: Activity


# overlay ----------------------------------------------------------------------------------------


class Hello(Asked):
    """Start; the token has said which channel."""

    after: int | None = Field(None, ge=0, le=2**53)


class Greeting(Done):
    """The channel and its latest lines."""

    channel: str
    name: str
    sequence: int
    reset: bool
    events: tuple[ChatEvent, ...]
    emotes: tuple[Emote, ...]


# the declarations -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class FromClient:
    """An event that a client may send, and the answer in its acknowledgement."""

    namespace: str
    name: str
    payload: type[Asked]
    answer: type[Done]
    example: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class FromServer:
    """An event that the server sends."""

    namespace: str
    name: str
    payload: type[Told]
    example: dict[str, Any]


_LINE = {
    "sequence": 41,
    "kind": "message",
    "id": "msg_7k2m9d0q4x8w1v5t3r6z",
    "at_ms": 1_800_000_000_000,
    "author": {"id": "usr_4c8n2p6s0v3y7b1f5h9k", "username": "ada", "role": "moderator"},
    "text": "hi @bob :wave:",
    "reply_to": None,
    "removed": False,
    "data": {},
}
_LIVE = {"state": "live", "title": "Night shift", "viewers": 12}
_HEALTH = {"at_ms": 1_800_000_000_000, "state": "live", "verdict": "good", "advice": None}
_NONCE = "c2VlIHlvdSBz"

JOIN = FromClient(CHAT, "join", Join, Joined, {"channel": "ada", "after": 41})
LEAVE = FromClient(CHAT, "leave", Leave, Done, {"channel": "ada"})
SAY = FromClient(CHAT, "say", Say, Said, {"channel": "ada", "text": "hi", "nonce": _NONCE})
ACT = FromClient(
    CHAT,
    "act",
    Act,
    Acted,
    {"channel": "ada", "action": {"type": "timeout", "username": "bob", "seconds": 600}},
)
CARD = FromClient(CHAT, "card", AskCard, Card, {"channel": "ada", "username": "bob"})
REPORT = FromClient(
    CHAT,
    "report",
    Report,
    Done,
    {"channel": "ada", "way": "instant", "latency_ms": 380, "stalls": 0},
)
WATCH = FromClient(STUDIO, "watch", Watch, Watched, {"channel": "ada"})
HELLO = FromClient(OVERLAY, "hello", Hello, Greeting, {})

EVENTS = FromServer(CHAT, "events", NewEvents, {"channel": "ada", "events": [_LINE]})
YOU = FromServer(
    CHAT,
    "you",
    NewYou,
    {
        "channel": "ada",
        "you": {
            "username": "bob",
            "role": "viewer",
            "can_write": False,
            "why_not": "You can write again in 10 minutes.",
            "code": "timed_out",
            "until_ms": 1_800_000_600_000,
            "slow_s": 0,
            "next_at_ms": None,
            "follows": True,
        },
    },
)
LIVE = FromServer(CHAT, "live", NewLive, {"channel": "ada", "live": _LIVE})
PRESENCE = FromServer(
    CHAT, "presence", Presence, {"channel": "ada", "viewers": 12, "followers": 340}
)
NOTICE = FromServer(
    CHAT,
    "notice",
    Notice,
    {"kind": "went-live", "slug": "ada", "name": "Ada", "title": "Night shift", "url": "/@ada"},
)
CHAT_CLOSING = FromServer(CHAT, "closing", Closing, {"reason": "restart"})
HEALTH = FromServer(STUDIO, "health", NewHealth, {"channel": "ada", "health": _HEALTH})
ACTIVITY = FromServer(
    STUDIO,
    "activity",
    NewActivity,
    {
        "channel": "ada",
        "item": {
            "id": "act_1",
            "at_ms": 1_800_000_000_000,
            "kind": "follow",
            "text": "bob follows you now.",
            "username": "bob",
        },
    },
)
STUDIO_CLOSING = FromServer(STUDIO, "closing", Closing, {"reason": "restart"})
OVERLAY_EVENTS = FromServer(OVERLAY, "events", NewEvents, EVENTS.example)
OVERLAY_LIVE = FromServer(OVERLAY, "live", NewLive, LIVE.example)
OVERLAY_CLOSING = FromServer(OVERLAY, "closing", Closing, {"reason": "restart"})

FROM_CLIENT = (JOIN, LEAVE, SAY, ACT, CARD, REPORT, WATCH, HELLO)
FROM_SERVER = (
    EVENTS,
    YOU,
    LIVE,
    PRESENCE,
    NOTICE,
    CHAT_CLOSING,
    HEALTH,
    ACTIVITY,
    STUDIO_CLOSING,
    OVERLAY_EVENTS,
    OVERLAY_LIVE,
    OVERLAY_CLOSING,
)

"""Every event that crosses the wire: its payload, its answer, what it means, and an example.

The handlers, the relay and the document at /api/asyncapi.json all read these declarations; a test
holds them together, which is why they stand in one module. Shapes of chat come from
mediaserver/chat, which owns them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mediaserver.kernel import limits
from mediaserver.media.health import Health

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


class Problem(Told):
    """What was wrong."""

    code: str = Field(description="Stable, for programs.")
    message: str = Field(description="For people; may change.")
    field: str | None = Field(None, description="The field that is wrong, if it is one.")
    retry_after_s: int | None = Field(None, description="When to try again, if it is too often.")


class Refused(Told):
    """It was not done."""

    ok: Literal[False] = False
    error: Problem


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


class Activity(Told):
    """Something that happened round a stream."""

    id: str
    at_ms: int
    kind: Literal["live", "ended", "interrupted", "resumed", "follow", "moderation", "chat-notice"]
    text: str
    username: str | None


class Watched(Done):
    """Where things stand."""

    health: Health | None
    history: tuple[Health, ...] = Field(description="The last 30 minutes, oldest first.")
    activity: tuple[Activity, ...] = Field(description="The last 200, oldest first.")


class NewHealth(Told):
    """The latest measurement."""

    channel: str
    health: Health


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
    answer_example: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class FromServer:
    """An event that the server sends."""

    namespace: str
    name: str
    payload: type[Told]
    example: dict[str, Any]


_LINE: dict[str, Any] = {
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
_HEALTH = dataclasses.asdict(
    Health(
        at_ms=1_800_000_000_000,
        state="live",
        bitrate_bps=5_800_000,
        fps=30.0,
        keyframe_interval_ms=8_300,
        video_codec="H.264",
        audio_codec="AAC",
        width=1920,
        height=1080,
        viewers=12,
        viewers_instant=9,
        viewers_hls=3,
        latency_p50_ms=380,
        latency_p95_ms=2_100,
        stalls_per_hour=0.4,
        viewers_stalling_pct=8.3,
        uplink_bps=69_600_000,
        verdict="warn",
        advice="Keyframes come every 8.3 s. Set 2 s in your encoder.",
    )
)
_ACTIVITY = {
    "id": "act_0q4x8w1v5t3r6z7k2m9d",
    "at_ms": 1_800_000_000_000,
    "kind": "follow",
    "text": "bob follows you now.",
    "username": "bob",
}
_YOU = {
    "username": "bob",
    "role": "viewer",
    "can_write": False,
    "why_not": "You can write again in 10 minutes.",
    "code": "timed_out",
    "until_ms": 1_800_000_600_000,
    "slow_s": 0,
    "next_at_ms": None,
    "follows": True,
}
_EMOTE = {
    "code": "wave",
    "url": "/emotes/emo_2p6s0v3y7b1f5h9k4c8n.webp",
    "width": 56,
    "height": 56,
    "animated": False,
    "channel": True,
}
_RULES = {
    "slow_s": 10,
    "followers_min": None,
    "account_age_min": 0,
    "emote_only": False,
    "unique": False,
    "links": "moderators",
    "lockdown": False,
}
_NONCE = "c2VlIHlvdSBz"
_DONE = {"ok": True}

REFUSED_EXAMPLE = {
    "ok": False,
    "error": {"code": "rate_limited", "message": "You write too fast.", "retry_after_s": 2},
}

JOIN = FromClient(
    CHAT,
    "join",
    Join,
    Joined,
    {"channel": "ada", "after": 40},
    {
        "ok": True,
        "channel": "ada",
        "sequence": 41,
        "reset": False,
        "events": [_LINE],
        "pinned": None,
        "rules": _RULES,
        "emotes": [_EMOTE],
        "you": _YOU,
        "commands": [
            {"name": "help", "usage": "/help", "help": "Show the commands that you may use."}
        ],
        "live": _LIVE,
        "viewers": 12,
        "followers": 340,
    },
)
LEAVE = FromClient(CHAT, "leave", Leave, Done, {"channel": "ada"}, _DONE)
SAY = FromClient(
    CHAT,
    "say",
    Say,
    Said,
    {"channel": "ada", "text": "hi", "nonce": _NONCE},
    {"ok": True, "id": _LINE["id"], "sequence": 41, "notice": None},
)
ACT = FromClient(
    CHAT,
    "act",
    Act,
    Acted,
    {"channel": "ada", "action": {"type": "timeout", "username": "bob", "seconds": 600}},
    {"ok": True, "notice": "bob can't write for 10 minutes."},
)
CARD = FromClient(
    CHAT,
    "card",
    AskCard,
    Card,
    {"channel": "ada", "username": "bob"},
    {
        "ok": True,
        "username": "bob",
        "role": "viewer",
        "follows_since_ms": 1_790_000_000_000,
        "joined_at_ms": 1_780_000_000_000,
        "lines": 3,
        "restriction": {"kind": "timeout", "until_ms": 1_800_000_600_000, "reason": "Spam."},
    },
)
REPORT = FromClient(
    CHAT,
    "report",
    Report,
    Done,
    {"channel": "ada", "way": "instant", "latency_ms": 380, "stalls": 0},
    _DONE,
)
WATCH = FromClient(
    STUDIO,
    "watch",
    Watch,
    Watched,
    {"channel": "ada"},
    {"ok": True, "health": _HEALTH, "history": [_HEALTH], "activity": [_ACTIVITY]},
)
HELLO = FromClient(
    OVERLAY,
    "hello",
    Hello,
    Greeting,
    {"after": 40},
    {
        "ok": True,
        "channel": "ada",
        "name": "Ada",
        "sequence": 41,
        "reset": False,
        "events": [_LINE],
        "emotes": [_EMOTE],
    },
)

EVENTS = FromServer(CHAT, "events", NewEvents, {"channel": "ada", "events": [_LINE]})
YOU = FromServer(CHAT, "you", NewYou, {"channel": "ada", "you": _YOU})
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
ACTIVITY = FromServer(STUDIO, "activity", NewActivity, {"channel": "ada", "item": _ACTIVITY})
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

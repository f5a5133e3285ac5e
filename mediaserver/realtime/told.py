"""What clients get: acknowledgements and payloads of the events that messages.py declares.

Shapes of chat come from mediaserver/chat, which owns them.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mediaserver.media.health import Health


class Told(BaseModel):
    """What a client gets."""

    model_config = ConfigDict(frozen=True)


# in /chat ---------------------------------------------------------------------------------------


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


class Tip(Told):
    """A contribution in the chat; `data.tip` of its line, whose kind is `notice`."""

    id: str
    kind: Literal["tip", "donation", "transfer"]
    amount_minor: int
    currency: str
    amount: str = Field(description="For people, such as $12.50.")
    name: str
    tier: int = Field(description="0 to 4, by amount.")
    top_until_ms: int = Field(description="Until when its line stays on top of the chat.")


class KeptLine(Told):
    """A contribution on top of the chat."""

    line_id: str
    text: str
    tip: Tip


class Goal(Told):
    """What a channel collects for."""

    title: str
    target_minor: int
    raised_minor: int
    currency: str
    target: str
    raised: str
    percent: int
    ends_at_ms: int | None


class Tipper(Told):
    """One of those who gave most."""

    name: str
    amount: str | None = Field(description="null where the streamer shows no amounts.")


class Board(Told):
    """What the board on the overlay shows."""

    period: Literal["stream", "month", "all"]
    tippers: tuple[Tipper, ...]


class Support(Told):
    """A channel's goal and its biggest tippers."""

    goal: Goal | None
    tippers: tuple[Tipper, ...] | None = Field(
        description="This month's, on the channel's page; null where it has none."
    )
    board: Board | None = Field(description="For overlays; null for viewers.")


class NewSupport(Told):
    """The goal or the biggest tippers have changed; at most twice a second."""

    channel: str
    support: Support


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
    kept: tuple[KeptLine, ...] = Field(description="Contributions on top of the chat.")


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


class Link(Told):
    """A page of somebody's own, as they name it."""

    name: str
    url: str


class Card(Done):
    """Somebody in a channel, with what their profile says."""

    username: str
    avatar_url: str | None
    about: str
    links: tuple[Link, ...]
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


class Inbox(Told):
    """For one person, on any page: one more notice stands under their bell."""

    id: str
    title: str
    url: str = Field(description="The page of this site that it leads to.")


class Closing(Told):
    """The server ends the connection; come back in a moment."""

    reason: Literal["restart"]


# in /studio -------------------------------------------------------------------------------------


AlertState = Literal["none", "held", "waiting", "shown", "skipped", "denied"]


class Given(Told):
    """A contribution, for those who run the channel."""

    id: str
    kind: Literal["tip", "donation", "transfer"]
    amount: str
    name: str
    message: str
    alert: AlertState


class Activity(Told):
    """Something that happened round a stream."""

    id: str
    at_ms: int
    kind: Literal[
        "live", "ended", "interrupted", "resumed", "follow", "moderation", "chat-notice", "tip"
    ]
    text: str
    username: str | None
    given: Given | None = Field(None, description="What was given, with the kind `tip`.")


class NewAlertState(Told):
    """What becomes of a contribution's alert has changed."""

    channel: str
    id: str
    alert: AlertState


class Overlays(Told):
    """How many overlays show the channel's alerts right now."""

    channel: str
    open: int


class Watched(Done):
    """Where things stand."""

    health: Health | None
    history: tuple[Health, ...] = Field(description="The last 30 minutes, oldest first.")
    activity: tuple[Activity, ...] = Field(description="The last 200, oldest first.")
    overlays: int = Field(description="How many show the channel's alerts.")


class NewHealth(Told):
    """The latest measurement."""

    channel: str
    health: Health


class NewActivity(Told):
    """One more entry."""

    channel: str
    item: Activity


# in /overlay ------------------------------------------------------------------------------------


class AlertLook(Told):
    """How an alert looks and sounds."""

    id: str
    amount_minor_min: int
    template: str = Field(description="With {name}, {amount}, {message} and {goal}.")
    picture: Literal["star", "heart", "gift", "spark", "none", "own"]
    picture_url: str | None
    sound: Literal["chime", "bell", "coins", "fanfare", "none"]
    volume: int
    duration_ms: int
    animation: Literal["rise", "fade", "none"]
    layout: Literal["above", "beside", "text"]
    size_px: int
    colour: str
    name_colour: str


class Alert(Told):
    """A contribution as an overlay shows it. The id of a test begins with `test_`."""

    id: str
    turn: int = Field(description="Counts replays.")
    kind: Literal["tip", "donation", "transfer"]
    name: str
    amount_minor: int
    currency: str
    amount: str
    message: str
    goal: str
    line_id: str | None = Field(description="Its line; once that is removed, show no message.")
    gap_ms: int = Field(description="The pause before the next one.")
    look: AlertLook


class NewAlert(Told):
    """Show it, after those that came before."""

    channel: str
    alert: Alert


class Skip(Told):
    """Don't show it any longer."""

    channel: str
    id: str | None = Field(description="null: whatever shows right now.")


class Greeting(Done):
    """The channel and its latest lines, or what else the overlay shows."""

    channel: str
    name: str
    sequence: int
    reset: bool
    events: tuple[ChatEvent, ...]
    emotes: tuple[Emote, ...]
    alerts: tuple[Alert, ...] = Field(description="Those that wait, oldest first.")
    more: bool = Field(description="More wait: say hello again once these are shown.")
    support: Support | None

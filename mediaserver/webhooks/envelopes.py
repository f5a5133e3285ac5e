"""What a webhook is told: the kinds of events, and the JSON of each as pydantic models.

The models are the published contract: the API document shows them (routes/api/openapi.py), and
docs/webhooks.md explains them. A field may be added to them; none changes its meaning or goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

_ID = "evt_0123456789abcdefghjk"
_MOMENT = "2030-01-31T20:00:00.000Z"


class EventType(StrEnum):
    """What may be told."""

    STREAM_ONLINE = "stream.online"
    STREAM_OFFLINE = "stream.offline"
    CHANNEL_UPDATED = "channel.updated"
    CHANNEL_FOLLOW = "channel.follow"
    TIP_RECEIVED = "tip.received"
    DONATION_RECEIVED = "donation.received"
    CHAT_MESSAGE = "chat.message"
    CHAT_MODERATED = "chat.moderated"
    USER_CREATED = "user.created"
    USER_DELETED = "user.deleted"
    USER_BANNED = "user.banned"
    REPORT_CREATED = "report.created"
    TEST = "webhook.test"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Data(_Part):
    """What is particular to one kind of event."""


class ChannelRef(_Part):
    """The channel that it happened in."""

    slug: str = Field(examples=["alice"])
    name: str = Field(examples=["Alice"])
    url: str = Field(
        description="The channel's page.", examples=["https://live.example.org/@alice"]
    )


class PersonRef(_Part):
    """Somebody with an account."""

    id: str = Field(examples=["usr_0123456789abcdefghjk"])
    username: str = Field(examples=["bob"])


class StreamOnline(Data):
    """The stream can be watched from now on."""

    stream_id: str = Field(
        description="The same in `stream.offline`.", examples=["brc_0123456789abcdefghjk"]
    )
    title: str = Field(examples=["Painting by the lake"])
    category: str | None = Field(examples=["Art"])
    tags: list[str] = Field(examples=[["watercolour"]])
    started_at: datetime = Field(examples=[_MOMENT])


class StreamOffline(Data):
    """The stream is over. One that nobody could watch yet is not told."""

    stream_id: str = Field(examples=["brc_0123456789abcdefghjk"])
    reason: str = Field(description="A sentence.", examples=["The encoder has ended the stream."])
    ended_at: datetime = Field(examples=[_MOMENT])


class ChannelUpdated(Data):
    """What the channel is about, as it is now."""

    title: str = Field(examples=["Painting by the lake"])
    description: str = Field(examples=["Landscapes, every Friday."])
    category: str | None = Field(examples=["Art"])
    tags: list[str] = Field(examples=[["watercolour"]])
    age_restricted: bool = Field(examples=[False])


class ChannelFollow(Data):
    """Somebody follows the channel from now on."""

    user: PersonRef
    followers: int = Field(description="How many there are now.", examples=[42])


class Gift(Data):
    """Money for the channel."""

    contribution_id: str = Field(examples=["ctb_0123456789abcdefghjk"])
    user: PersonRef | None = Field(
        description="Null: they have no account, or want no name there.",
    )
    name: str = Field(description="What everybody may see.", examples=["bob"])
    message: str = Field(description="Their words, or empty.", examples=["For more paint"])
    is_held: bool = Field(
        description="It waits for somebody to approve it: don't show it.", examples=[False]
    )
    amount_minor: int = Field(
        description="What was given, in minor units of the currency.", examples=[1250]
    )
    commission_minor: int = Field(description="What the site keeps of it.", examples=[275])
    currency: str = Field(examples=["USD"])
    amount: str = Field(description="For people.", examples=["$12.50"])


class TipReceived(Gift):
    """A tip from somebody's wallet has come."""


class DonationReceived(Gift):
    """A donation has come."""

    is_transfer: bool = Field(
        description="From bank to bank, confirmed by the streamer: the site never held it.",
        examples=[False],
    )


class ChatMessage(Data):
    """A line of the chat. Ten at once are told, then one each second; `skipped` counts others."""

    message_id: str = Field(examples=["msg_0123456789abcdefghjk"])
    user: PersonRef
    role: str = Field(description="viewer, moderator, owner or admin.", examples=["viewer"])
    text: str = Field(examples=["Hello"])
    skipped: int = Field(
        description="Lines since the last one told that were too many to tell.", examples=[0]
    )


class ChatModerated(Data):
    """A moderator did something."""

    action: str = Field(description="Such as timeout, ban or remove.", examples=["timeout"])
    moderator: str | None = Field(description="A user name.", examples=["carol"])
    target: str | None = Field(description="Whom it concerned, if anybody.", examples=["bob"])
    detail: str = Field(examples=["10 min"])


class UserCreated(Data):
    """Somebody has made an account."""

    user: PersonRef


class UserDeleted(Data):
    """An account and all that was its own is gone."""

    user: PersonRef


class UserBanned(Data):
    """Somebody may do nothing any more, until then or for ever."""

    user: PersonRef
    reason: str = Field(examples=["spam"])
    until: datetime | None = Field(description="Null: for ever.", examples=[_MOMENT])


class ReportCreated(Data):
    """Somebody has reported something; who, stays on the site."""

    report_id: str = Field(examples=["rep_0123456789abcdefghjk"])
    kind: str = Field(description="stream, channel, chat_line or user.", examples=["stream"])
    target: str = Field(description="What is reported, as people call it.", examples=["Alice"])
    reason: str = Field(examples=["spam"])
    url: str = Field(
        description="Where an admin decides on it.",
        examples=["https://live.example.org/admin/reports/rep_0123456789abcdefghjk"],
    )


class Test(Data):
    """Somebody pressed the button to see whether this arrives."""

    message: str = Field(examples=["It works."])


D = TypeVar("D", bound=Data)


class Envelope(_Part, Generic[D]):
    """What is sent. `channel` is null when it concerns the site as a whole."""

    id: str = Field(
        description="Stays the same when it is sent again: keep it to tell what you have seen.",
        examples=[_ID],
    )
    type: EventType = Field(examples=["stream.online"])
    created_at: datetime = Field(description="When it happened, in UTC.", examples=[_MOMENT])
    channel: ChannelRef | None
    data: D


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event: what it is called, what it says, and who may have it."""

    label: str
    explanation: str
    envelope: type[Envelope[Any]]
    is_of_site: bool = False


KINDS: dict[EventType, Kind] = {
    EventType.STREAM_ONLINE: Kind(
        "Stream starts",
        "The stream can be watched. For “we are live” posts.",
        Envelope[StreamOnline],
    ),
    EventType.STREAM_OFFLINE: Kind(
        "Stream ends", "The stream is over, with the reason.", Envelope[StreamOffline]
    ),
    EventType.CHANNEL_UPDATED: Kind(
        "Channel changes", "Title, category, tags or description are new.", Envelope[ChannelUpdated]
    ),
    EventType.CHANNEL_FOLLOW: Kind(
        "New follower", "Somebody follows the channel.", Envelope[ChannelFollow]
    ),
    EventType.TIP_RECEIVED: Kind("Tip", "Somebody has tipped the channel.", Envelope[TipReceived]),
    EventType.DONATION_RECEIVED: Kind(
        "Donation", "A donation has come, or a transfer is confirmed.", Envelope[DonationReceived]
    ),
    EventType.CHAT_MESSAGE: Kind(
        "Chat message",
        "Each line of the chat: ten at once, then one each second; what is more is left out.",
        Envelope[ChatMessage],
    ),
    EventType.CHAT_MODERATED: Kind(
        "Moderation",
        "A moderator removed a message, timed somebody out, changed the rules …",
        Envelope[ChatModerated],
    ),
    EventType.USER_CREATED: Kind(
        "New account", "Somebody has made an account.", Envelope[UserCreated], is_of_site=True
    ),
    EventType.USER_DELETED: Kind(
        "Account deleted", "Somebody is gone for good.", Envelope[UserDeleted], is_of_site=True
    ),
    EventType.USER_BANNED: Kind(
        "Ban", "Somebody was banned, and until when.", Envelope[UserBanned], is_of_site=True
    ),
    EventType.REPORT_CREATED: Kind(
        "Report", "Somebody has reported something.", Envelope[ReportCreated], is_of_site=True
    ),
    EventType.TEST: Kind(
        "Test", "Sent only by the button “Send a test”.", Envelope[Test], is_of_site=True
    ),
}
"""Every kind, in the order in which people read them."""


def choices(*, of_site: bool) -> dict[EventType, Kind]:
    """What a webhook may ask for: of a channel, or of the whole site. The test comes unasked."""
    return {
        event: kind
        for event, kind in KINDS.items()
        if event is not EventType.TEST and (of_site or not kind.is_of_site)
    }


def moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def render(
    event_id: str, event: EventType, at_ms: int, channel: ChannelRef | None, data: Data
) -> str:
    """The JSON that is sent, byte for byte the same each time."""
    return (
        KINDS[event]
        .envelope(id=event_id, type=event, created_at=moment(at_ms), channel=channel, data=data)
        .model_dump_json()
    )

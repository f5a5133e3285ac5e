"""What pages and the API tell about a live stream, read from the engine's registry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mediaserver.channels.channels import Channel
from mediaserver.channels.information import FLAGS
from mediaserver.media.audience import ViewerReport
from mediaserver.media.dvr import DVR_PLAYLIST
from mediaserver.media.health import Health


class LiveStatus(Protocol):
    """The engine's `BroadcastStatus`, as far as it is shown."""

    @property
    def broadcast_id(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def session(self) -> str: ...
    @property
    def is_public(self) -> bool: ...
    @property
    def state(self) -> str: ...
    @property
    def started_at_ms(self) -> int: ...
    @property
    def viewers(self) -> int: ...
    @property
    def has_instant_room(self) -> bool: ...
    @property
    def video_codec(self) -> str | None: ...
    @property
    def audio_codec(self) -> str | None: ...
    @property
    def width(self) -> int | None: ...
    @property
    def height(self) -> int | None: ...
    @property
    def dvr_window_s(self) -> int: ...
    @property
    def is_full(self) -> bool: ...
    @property
    def warning(self) -> str | None: ...


class LiveStreams(Protocol):
    """The engine's `Broadcasts`."""

    def status(self, channel: str) -> LiveStatus | None: ...

    def all(self) -> Sequence[LiveStatus]: ...

    def start(self, channel: str) -> bool: ...

    def stop(self, channel: str, reason: str) -> bool: ...

    def withdraw(self, channel: str, reason: str) -> bool: ...


class StreamHealth(Protocol):
    """The engine's `HealthWatch`."""

    def current(self, channel: str) -> Health | None: ...

    def history(self, channel: str) -> list[Health]: ...

    def report(self, channel: str, viewer: str, report: ViewerReport) -> None: ...


def is_watchable(status: LiveStatus) -> bool:
    """Whether there is a picture to show on a card."""
    return status.is_public and status.state in ("live", "reconnecting")


@dataclass(frozen=True, slots=True)
class LiveView:
    """A live stream on its page. While it is held, only its owner gets one: the playlist is that
    of the secret session, and there is no poster."""

    state: str
    playlist_url: str
    instant_url: str | None
    poster_url: str | None
    title: str
    started_at_ms: int
    viewers: int
    video_codec: str | None
    audio_codec: str | None
    width: int | None
    height: int | None
    warning: str | None
    broadcast_id: str
    dvr_url: str | None
    dvr_window_s: int
    full: bool
    category: str | None
    category_slug: str | None
    tags: tuple[str, ...]
    brand_promotion: bool
    recorded_content: bool
    age_restricted: bool
    not_general: bool
    not_general_reason: str
    back_soon_url: str | None


@dataclass(frozen=True, slots=True)
class Card:
    """A live stream in a list. One behind a gate shows no picture."""

    slug: str
    channel_name: str
    is_verified: bool
    title: str
    thumbnail_url: str | None
    started_at_ms: int
    viewers: int
    state: str
    category: str | None
    category_slug: str | None
    tags: tuple[str, ...]
    brand_promotion: bool
    recorded_content: bool
    age_restricted: bool
    not_general: bool


def live_view(
    channel: Channel, live: LiveStreams, *, for_owner: bool, ticket: str = ""
) -> LiveView | None:
    """None while the channel is offline, as it is to others while its stream is held. The warning
    is for its owner only. `ticket`: of the gate, for who can't carry it in a cookie."""
    status = live.status(channel.slug)
    if status is None or not (status.is_public or for_owner):
        return None
    folder = f"/live/{channel.slug}"
    if not status.is_public:
        folder += f"/{status.session}"
    tail = f"?gate={ticket}" if ticket else ""
    return LiveView(
        state=str(status.state),
        playlist_url=f"{folder}/index.m3u8{tail}",
        instant_url=f"{folder}/instant{tail}" if status.has_instant_room else None,
        poster_url=f"/live/{channel.slug}/thumbnail.jpg{tail}" if status.is_public else None,
        title=channel.title or channel.name,
        started_at_ms=status.started_at_ms,
        viewers=status.viewers,
        video_codec=status.video_codec,
        audio_codec=status.audio_codec,
        width=status.width,
        height=status.height,
        warning=status.warning if for_owner else None,
        broadcast_id=status.broadcast_id,
        dvr_url=f"{folder}/{status.session}/{DVR_PLAYLIST}{tail}" if status.dvr_window_s else None,
        dvr_window_s=status.dvr_window_s,
        full=status.is_full,
        not_general_reason=channel.not_general_reason,
        back_soon_url=back_soon_url(channel),
        **_about(channel),
    )


def back_soon_url(channel: Channel) -> str | None:
    """The picture to show while the encoder is away."""
    return None if channel.back_soon is None else f"/back-soon/{channel.back_soon}.webp"


def _about(channel: Channel) -> dict[str, Any]:
    """What a card and a page tell of a stream besides its title."""
    return {
        "category": channel.category,
        "category_slug": channel.category_slug,
        "tags": channel.tags,
        **{name: getattr(channel, name) for name in FLAGS},
    }


def watchable(live: LiveStreams) -> list[LiveStatus]:
    """Streams with a picture, most watched first."""
    return sorted(
        filter(is_watchable, live.all()),
        key=lambda status: (-status.viewers, status.started_at_ms, status.channel),
    )


def cards(statuses: Iterable[LiveStatus], channels: Iterable[Channel]) -> list[Card]:
    """In the order of `statuses`; a stream whose channel is not among `channels` is left out."""
    by_slug = {channel.slug: channel for channel in channels}
    return [
        Card(
            slug=channel.slug,
            channel_name=channel.name,
            is_verified=channel.is_verified,
            title=channel.title or channel.name,
            thumbnail_url=None
            if channel.age_restricted or channel.not_general
            else f"/live/{channel.slug}/thumbnail.jpg",
            started_at_ms=status.started_at_ms,
            viewers=status.viewers,
            state=str(status.state),
            **_about(channel),
        )
        for status in statuses
        if (channel := by_slug.get(status.channel)) is not None
    ]

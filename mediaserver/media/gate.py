"""Who may publish: the question the ingest asks, answered by whoever knows keys and channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """What an encoder said of itself. `stream_key` is a secret: never log it."""

    app: str
    stream_key: str
    peer_address: str
    encoder: str


@dataclass(frozen=True, slots=True)
class PublishGrant:
    """The channel that the stream key opens. `channel` is its slug, the name in URLs. Unless it
    `starts_automatically`, the stream is held back until `Broadcasts.start`."""

    channel_id: str
    channel: str
    stream_key_id: str
    starts_automatically: bool = True


class PublishRefused(Exception):
    """Refuses a publisher; `description` is shown by the encoder, so it speaks to its user."""

    def __init__(self, description: str, code: str = "NetStream.Publish.Unauthorized") -> None:
        super().__init__(description)
        self.description = description
        self.code = code


class PublishGate(Protocol):
    """Decides on each publish request."""

    async def authorise(self, request: PublishRequest) -> PublishGrant:
        """Return the grant, or raise `PublishRefused`. Must answer within a second."""
        ...

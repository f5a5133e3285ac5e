"""What the engine reports of a live stream, through kernel/events.py.

    Started → WentLive → (Interrupted → Resumed)* → Ended

A broadcast whose encoder never sends a playable picture ends without having gone live; so does one
that is held and never started. What happens to a held one is nobody's business but its streamer's:
it is reported as Started, and as Ended.
"""

from __future__ import annotations

from dataclasses import dataclass

SERVER_STOPS = "The server stops."
"""Why a broadcast ended that the server's own end took off air."""


@dataclass(frozen=True, slots=True)
class BroadcastStarted:
    """An encoder was accepted. `broadcast_id` names this live session until it ends."""

    broadcast_id: str
    channel_id: str
    channel: str
    stream_key_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class BroadcastWentLive:
    """The first playlist can be served, to the public."""

    broadcast_id: str
    channel_id: str
    channel: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class BroadcastInterrupted:
    """The encoder is gone or silent; the grace period runs."""

    broadcast_id: str
    channel_id: str
    channel: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class BroadcastResumed:
    """The encoder is back and the same playlist goes on."""

    broadcast_id: str
    channel_id: str
    channel: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class BroadcastEnded:
    """Over. `reason` is a sentence for the streamer; `went_live` says if anybody could watch."""

    broadcast_id: str
    channel_id: str
    channel: str
    at_ms: int
    reason: str
    went_live: bool

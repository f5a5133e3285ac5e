"""Decides who may publish: the engine's `PublishGate`, answered from stream keys.

Every refusal is a sentence that an OBS user can act on; OBS shows it as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.channels import channels, stream_keys, streams
from mediaserver.channels.stream_keys import FoundKey
from mediaserver.kernel import limits
from mediaserver.kernel.addresses import network_of
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import RateLimited, Unavailable
from mediaserver.kernel.events import Events
from mediaserver.media.gate import PublishGrant, PublishRefused, PublishRequest

APP = "live"
"""The last part of rtmp://HOST:1935/live."""

_FAILURES = Rule("publish-address", limits.GATE_FAILURES_BURST, limits.GATE_FAILURES_INTERVAL_MS)


@dataclass(frozen=True, slots=True)
class PublishGranted:
    """A key was accepted: its encoder may start the channel's stream, or come back to it."""

    channel: str
    stream_key_id: str


class StreamKeyGate:
    """A `PublishGate`. Only failures are counted: a right key is never slowed down by wrong ones
    unless they came from the same address.
    """

    def __init__(self, db: Database, throttles: Throttles, events: Events, clock: Clock) -> None:
        self._db = db
        self._throttles = throttles
        self._events = events
        self._clock = clock

    async def authorise(self, request: PublishRequest) -> PublishGrant:
        bucket = (_FAILURES, _FAILURES.key(network_of(request.peer_address)))
        try:
            await self._throttles.check(bucket)
            if request.app.strip("/") != APP:
                raise PublishRefused(
                    f"Wrong server address: it must end in /{APP}.",
                    "NetConnection.Connect.InvalidApp",
                )
            key = request.stream_key.strip()
            if not key:
                raise PublishRefused("No stream key. Copy it from the studio page.")
            if not stream_keys.has_shape(key):
                raise PublishRefused(
                    "This is not a stream key. Copy the whole key from the studio page: "
                    "it begins with live_."
                )
            found, starts_automatically = await self._db.read(_find, key, self._clock.wall_ms())
            if found is None:
                raise PublishRefused("This stream key is unknown. Make a new one in the studio.")
            if found.is_revoked:
                raise PublishRefused("This stream key was revoked. Make a new one in the studio.")
            if found.is_owner_banned:
                raise PublishRefused("This account is banned. Log in to the site to see why.")
        except PublishRefused:
            await self._count(bucket)
            raise
        except RateLimited as limited:
            raise PublishRefused(
                f"Too many wrong stream keys. Try again in {limited.retry_after_s} s.",
            ) from limited
        except Unavailable as error:
            raise PublishRefused(
                "The server is busy. Try again in a moment.", "NetStream.Publish.Failed"
            ) from error
        self._events.publish(PublishGranted(found.slug, found.id))
        return PublishGrant(found.channel_id, found.slug, found.id, starts_automatically)

    async def _count(self, bucket: tuple[Rule, str]) -> None:
        try:
            await self._throttles.charge(bucket)
        except (RateLimited, Unavailable):
            return  # refused either way


def _find(tx: Transaction, key: str, now_ms: int) -> tuple[FoundKey | None, bool]:
    """The key, and whether what it opens is public at once."""
    found = stream_keys.find(tx, key)
    if found is None:
        return None, False
    return found, (
        channels.get_by_id(tx, found.channel_id).starts_automatically
        or streams.start_is_asked(tx, found.channel_id)
        or streams.was_cut_off(tx, found.channel_id, now_ms)
    )

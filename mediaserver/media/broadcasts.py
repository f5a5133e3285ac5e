"""The live publishes of this process: accepts publishers, watches clocks, finds by channel."""

from __future__ import annotations

import asyncio

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MediaConfig, RtmpConfig
from mediaserver.kernel.events import Events
from mediaserver.kernel.metrics import Metrics
from mediaserver.media.admission import Admission
from mediaserver.media.broadcast import Broadcast, BroadcastState, BroadcastStatus, Publisher
from mediaserver.media.dvr import Dvr
from mediaserver.media.events import BroadcastStarted
from mediaserver.media.gate import PublishGrant, PublishRefused
from mediaserver.media.instant import InstantRoom
from mediaserver.media.origin import Origin

_CHECK_INTERVAL_S = 0.5


class Broadcasts:
    """`run` must be running for time-outs to happen."""

    def __init__(
        self,
        media: MediaConfig,
        rtmp: RtmpConfig,
        origin: Origin,
        clock: Clock,
        events: Events,
        metrics: Metrics,
        dvr: Dvr | None = None,
    ) -> None:
        self._media = media
        self._dvr = dvr
        self._rtmp = rtmp
        self._origin = origin
        self._clock = clock
        self._events = events
        self._metrics = metrics

        self._room = InstantRoom(media)
        self.admission = Admission(media, origin)
        self._current: dict[str, Broadcast] = {}
        self._ended: list[Broadcast] = []

    def open(self, grant: PublishGrant, publisher: Publisher) -> Broadcast:
        """A broadcast for an accepted publisher: a new one, or the channel's own in its grace.

        A second publisher is refused while the first one sends, and takes over from one that has
        fallen silent. Raises `PublishRefused`.
        """
        broadcast = self._current.get(grant.channel)
        if broadcast is None or broadcast.is_over():
            return self._begin(grant, publisher)
        if broadcast.publisher is not None:
            if not broadcast.is_silent:
                raise PublishRefused(
                    "This channel is live already. Stop the other encoder first.",
                    "NetStream.Publish.BadName",
                )
            silent = broadcast.publisher
            broadcast.detach(silent)
            silent.disconnect("Another encoder took over, as this one had fallen silent.")
            if broadcast.is_over():
                return self._begin(grant, publisher)
        broadcast.attach(publisher)
        return broadcast

    def _begin(self, grant: PublishGrant, publisher: Publisher) -> Broadcast:
        if sum(one.state is not BroadcastState.ENDED for one in self._current.values()) >= (
            self._media.streams_max
        ):
            raise PublishRefused(
                "The server is full: too many streams are live.", "NetStream.Publish.Failed"
            )
        if (before := self._current.pop(grant.channel, None)) is not None:
            self._keep_ended(before)
        broadcast = Broadcast(
            grant,
            self._media,
            self._clock,
            self._events,
            self._metrics,
            self._room,
            self._dvr,
        )
        self._current[grant.channel] = broadcast
        self._origin.add(grant.channel, broadcast.stream, is_public=broadcast.is_public)
        broadcast.attach(publisher)
        self._events.publish(
            BroadcastStarted(
                broadcast.id,
                grant.channel_id,
                grant.channel,
                grant.stream_key_id,
                broadcast.started_at_ms,
            )
        )
        return broadcast

    def _keep_ended(self, broadcast: Broadcast) -> None:
        self._ended.append(broadcast)
        channel = broadcast.grant.channel
        kept = [one for one in self._ended if one.grant.channel == channel]
        for one in kept[: -limits.ENDED_STREAMS_PER_CHANNEL_MAX]:
            self._forget(one)

    def _forget(self, broadcast: Broadcast) -> None:
        self._ended.remove(broadcast)
        self._origin.remove(broadcast.grant.channel, broadcast.stream)

    def status(self, channel: str) -> BroadcastStatus | None:
        """None while the channel is offline; an ended stream is told for about a minute."""
        broadcast = self._current.get(channel)
        return self._status(broadcast) if broadcast is not None else None

    def current(self) -> list[Broadcast]:
        """Of each channel the newest, also for a while after its end."""
        return list(self._current.values())

    @property
    def viewers(self) -> int:
        """Of all streams."""
        return sum(stream.viewers for stream in self._origin.all())

    def all(self) -> list[BroadcastStatus]:
        return [self._status(broadcast) for broadcast in self._current.values()]

    def _status(self, broadcast: Broadcast) -> BroadcastStatus:
        return broadcast.status(is_full=self.admission.refuses(broadcast.stream))

    def start(self, channel: str) -> bool:
        """Open a channel's held stream to the public. False if there is none, or its encoder is
        away."""
        broadcast = self._current.get(channel)
        if broadcast is None or not broadcast.start():
            return False
        self._origin.show(channel, broadcast.stream)
        return True

    def stop(self, channel: str, reason: str) -> bool:
        """End a channel's stream and tell its encoder why. False if there is none."""
        broadcast = self._current.get(channel)
        if broadcast is None or broadcast.state is BroadcastState.ENDED:
            return False
        broadcast.end(reason)
        return True

    def withdraw(self, channel: str, reason: str) -> bool:
        """`stop`, and nothing that the channel has shown can be fetched any more."""
        was_live = self.stop(channel, reason)
        if (newest := self._current.pop(channel, None)) is not None:
            self._origin.remove(channel, newest.stream)
        for earlier in [one for one in self._ended if one.grant.channel == channel]:
            self._forget(earlier)
        return was_live

    async def run(self) -> None:
        """Watch time-outs until cancelled."""
        while True:
            await asyncio.sleep(_CHECK_INTERVAL_S)
            self.check()

    def check(self) -> None:
        """One look at every broadcast's clock, and at the gauges."""
        now_ms = self._clock.monotonic_ms()
        for broadcast in list(self._current.values()):
            if broadcast.state is not BroadcastState.ENDED:
                broadcast.check()
                if broadcast.exceeds(self._rtmp.bitrate_max_kbps * 1000):
                    broadcast.end(
                        f"The bitrate is above this server's limit of "
                        f"{self._rtmp.bitrate_max_kbps} kb/s."
                    )
            elif now_ms - broadcast.ended_at_ms > limits.ENDED_KEEP_S * 1000:
                del self._current[broadcast.grant.channel]
                self._origin.remove(broadcast.grant.channel, broadcast.stream)
        for broadcast in list(self._ended):
            if now_ms - broadcast.ended_at_ms > limits.ENDED_KEEP_S * 1000:
                self._forget(broadcast)
        self._measure()

    def _measure(self) -> None:
        for state in BroadcastState:
            count = sum(one.state is state for one in self._current.values())
            self._metrics.broadcasts.labels(state.value).set(count)
        streams = self._origin.all()
        self._metrics.viewers.set(self.viewers)
        self._metrics.instant_viewers.set(self._room.viewers)
        self._metrics.waiters.set(sum(stream.waiters for stream in streams))
        self._metrics.window_bytes.set(sum(stream.byte_count for stream in streams))

    def end_all(self, reason: str) -> None:
        """The server stops."""
        for broadcast in self._current.values():
            broadcast.end(reason)

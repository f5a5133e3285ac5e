"""Prometheus metrics of this process. Every metric of the site is declared here, with its unit.

Handed to whoever counts; `/metrics` renders it. No labels that grow with users or channels.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector


class Metrics:
    """One registry, so that two servers in one process (as in tests) don't share figures."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        ProcessCollector(registry=registry)

        self.rtmp_connections = Gauge(
            "mediaserver_rtmp_connections", "Open encoder connections", registry=registry
        )
        self.rtmp_refused = Counter(
            "mediaserver_rtmp_refused",
            "Encoder connections refused or ended by an error",
            ["why"],
            registry=registry,
        )
        self.rtmp_bytes = Counter(
            "mediaserver_rtmp_received_bytes", "Bytes read from encoders", registry=registry
        )
        self.broadcasts = Gauge(
            "mediaserver_broadcasts", "Streams by state", ["state"], registry=registry
        )
        self.viewers = Gauge("mediaserver_viewers", "Viewers of live streams", registry=registry)
        self.waiters = Gauge(
            "mediaserver_hls_waiters", "Requests that wait for a part", registry=registry
        )
        self.window_bytes = Gauge(
            "mediaserver_hls_window_bytes", "Media of live streams in memory", registry=registry
        )
        self.parts = Counter("mediaserver_parts", "Parts made", registry=registry)
        self.parts_late = Counter(
            "mediaserver_parts_late",
            "Parts that came more than two part targets after the one before",
            registry=registry,
        )
        self.part_seconds = Histogram(
            "mediaserver_part_mux_seconds",
            "Time to mux one part",
            buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05),
            registry=registry,
        )
        self.epochs = Counter(
            "mediaserver_epochs",
            "Runs of continuous media: starts, returns, codec changes, jumps",
            registry=registry,
        )
        self.hls_requests = Counter(
            "mediaserver_hls_requests", "HLS requests answered", ["kind"], registry=registry
        )
        self.hls_bytes = Counter(
            "mediaserver_hls_sent_bytes", "Bytes of HLS answers", registry=registry
        )
        self.hls_slow_viewers = Counter(
            "mediaserver_hls_slow_viewers",
            "Connections cut as they took too long to read",
            registry=registry,
        )
        self.instant_viewers = Gauge(
            "mediaserver_instant_viewers", "Viewers with instant playback", registry=registry
        )
        self.instant_bytes = Counter(
            "mediaserver_instant_sent_bytes", "Bytes of instant playback", registry=registry
        )
        self.instant_skips = Counter(
            "mediaserver_instant_skips",
            "Times that a slow viewer was left behind until a keyframe",
            registry=registry,
        )
        self.dvr_bytes = Gauge(
            "mediaserver_dvr_bytes", "Media on disk to rewind in", registry=registry
        )
        self.dvr_stopped = Counter(
            "mediaserver_dvr_stopped",
            "Streams that lost their past as the disk gave out",
            registry=registry,
        )
        self.thumbnails = Counter(
            "mediaserver_thumbnails", "Thumbnails by outcome", ["outcome"], registry=registry
        )

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self._registry)


class RealtimeMetrics:
    """What is counted of Socket.IO; the engine's `Metrics` may live elsewhere."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry

        self.sockets = Gauge(
            "mediaserver_realtime_sockets", "Open Socket.IO connections", registry=registry
        )
        self.refused = Counter(
            "mediaserver_realtime_refused",
            "Socket.IO connections refused for their number",
            ["why"],
            registry=registry,
        )
        self.dropped = Counter(
            "mediaserver_realtime_dropped",
            "Socket.IO connections that the server cut: too slow, too much, or nonsense",
            registry=registry,
        )
        self.events = Counter(
            "mediaserver_realtime_events", "Events that clients sent", ["event"], registry=registry
        )
        self.sent = Counter(
            "mediaserver_realtime_sent", "Packets sent to members of rooms", registry=registry
        )
        self.lost = Counter(
            "mediaserver_realtime_lost",
            "Broadcasts that found the outbox full; clients ask again for what they miss",
            registry=registry,
        )

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self._registry)

"""The media engine as the rest of the site sees it. A test hands in another one."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import Config
from mediaserver.kernel.errors import Unavailable
from mediaserver.kernel.events import Events
from mediaserver.kernel.metrics import Metrics
from mediaserver.media.engine import Engine
from mediaserver.media.gate import PublishGate
from mediaserver.routes.hls import hls_routes
from mediaserver.routes.instant import close_viewers, instant_routes
from mediaserver.routes.live_view import LiveStreams, StreamHealth


@dataclass(frozen=True, slots=True)
class MediaPath:
    """`thumbnail` gives the newest picture of a channel's live stream, as a JPEG."""

    broadcasts: LiveStreams
    rtmp_port: int
    routes: Sequence[web.RouteDef]
    render_metrics: Callable[[], bytes]
    health: StreamHealth
    thumbnail: Callable[[str], bytes | None] = lambda _: None
    close_viewers: Callable[[], None] = lambda: None
    """Ends the connections that would otherwise stay open while the web server stops."""

    def count_viewers(self, channel: str) -> int:
        status = self.broadcasts.status(channel)
        return status.viewers if status is not None and status.is_public else 0

    def count_all_viewers(self) -> int:
        return sum(status.viewers for status in self.broadcasts.all() if status.is_public)


OpenMedia = Callable[
    [Config, PublishGate, Events, Clock, ssl.SSLContext | None],
    AbstractAsyncContextManager[MediaPath],
]


@asynccontextmanager
async def open_media(
    config: Config,
    gate: PublishGate,
    events: Events,
    clock: Clock,
    tls: ssl.SSLContext | None,
) -> AsyncIterator[MediaPath]:
    """Start the media engine. Raises `Unavailable` when its port is taken."""
    metrics = Metrics()
    engine = Engine(config, gate, events, clock, metrics, tls=tls)
    try:
        await engine.__aenter__()
    except OSError as error:
        raise Unavailable(
            f"Encoders can't connect to {config.rtmp.host} port {config.rtmp.port}: "
            f"{error.strerror or error}. Set another port in config.toml or with --rtmp-port."
        ) from error
    admission = engine.broadcasts.admission
    try:
        yield MediaPath(
            engine.broadcasts,
            engine.rtmp_port,
            [
                *instant_routes(engine.origin, admission, clock),
                *hls_routes(
                    engine.origin, admission, engine.thumbnails, metrics, engine.health.report
                ),
            ],
            metrics.render,
            engine.health,
            engine.thumbnails.jpeg,
            lambda: close_viewers(engine.origin.all()),
        )
    finally:
        await engine.__aexit__(None, None, None)


class LateRegistry:
    """The engine's registry for those who are there before it: they must miss no event of it."""

    def __init__(self) -> None:
        self.registry: LiveStreams | None = None

    def status(self, channel: str) -> Any:
        return None if self.registry is None else self.registry.status(channel)

    def start(self, channel: str) -> bool:
        return self.registry is not None and self.registry.start(channel)

    def stop(self, channel: str, reason: str) -> bool:
        return self.registry is not None and self.registry.stop(channel, reason)

    def withdraw(self, channel: str, reason: str) -> bool:
        return self.registry is not None and self.registry.withdraw(channel, reason)

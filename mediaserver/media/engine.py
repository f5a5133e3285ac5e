"""The whole media path as one thing to start and stop: RTMP in, LL-HLS and thumbnails out."""

from __future__ import annotations

import ssl
from contextlib import AsyncExitStack
from types import TracebackType

from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import Config
from mediaserver.kernel.events import Events
from mediaserver.kernel.metrics import Metrics
from mediaserver.kernel.tasks import Tasks
from mediaserver.media.broadcasts import Broadcasts
from mediaserver.media.dvr import Dvr, Folder
from mediaserver.media.events import SERVER_STOPS
from mediaserver.media.gate import PublishGate
from mediaserver.media.health import HealthWatch
from mediaserver.media.origin import Origin
from mediaserver.media.rtmp.ingest import Ingest
from mediaserver.media.thumbnails import Thumbnails


class Engine:
    """`rtmp_port` and `rtmps_port` are known once it is entered. Raises `OSError` for a port that
    is taken."""

    def __init__(
        self,
        config: Config,
        gate: PublishGate,
        events: Events,
        clock: Clock,
        metrics: Metrics,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.origin = Origin()
        self.dvr = Dvr(config.media, Folder(config.storage.path / "dvr"), clock, metrics)
        self.broadcasts = Broadcasts(
            config.media, config.rtmp, self.origin, clock, events, metrics, self.dvr
        )
        self.health = HealthWatch(self.broadcasts, clock, events)
        self.thumbnails = Thumbnails(self.origin, config.media, metrics)
        self._ingest = Ingest(config.rtmp, tls, gate, self.broadcasts, clock, metrics)

        self._stack = AsyncExitStack()

    @property
    def rtmp_port(self) -> int:
        return self._ingest.port

    @property
    def rtmps_port(self) -> int | None:
        return self._ingest.tls_port

    async def __aenter__(self) -> Engine:
        async with AsyncExitStack() as stack:
            tasks = Tasks("engine")
            stack.push_async_callback(self.dvr.aclose)
            stack.push_async_callback(tasks.aclose)
            stack.push_async_callback(self._ingest.aclose)
            stack.callback(self.broadcasts.end_all, SERVER_STOPS)  # first: encoders hear why
            tasks.start(self.broadcasts.run(), "broadcasts")
            tasks.start(self.dvr.run(), "dvr")
            tasks.start(self.health.run(), "health")
            tasks.start(self.thumbnails.run(), "thumbnails")
            await self._ingest.start()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

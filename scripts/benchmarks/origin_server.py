"""`python -m benchmarks.origin_server JSON`: the HLS routes over an origin filled by hand, so that
a load test measures delivery alone.

Options: `part_bytes`; `folder`, where its playlist and a part are left as plain files. Says
{"http", "playlist", "part", "next_msn"}. `GET /bench/publish` adds one part a moment later, and
`GET /bench/state` tells {"waiters", "published"}: how many wait, and when each part was published,
on the machine's monotonic clock, just before the waiters are woken.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import uvloop
from aiohttp import web

from mediaserver.kernel.clock import SystemClock
from mediaserver.kernel.config import MediaConfig
from mediaserver.kernel.metrics import Metrics
from mediaserver.media.admission import Admission
from mediaserver.media.live_stream import LiveStream, PlaylistRequest
from mediaserver.media.origin import Origin
from mediaserver.media.parts import PRESETS, Epoch, Part, Timing
from mediaserver.media.thumbnails import Thumbnails
from mediaserver.routes.hls import hls_routes

_CHANNEL, _SESSION = "bench", "session"
_TIMESCALE = 90_000
_PART_TICKS = _TIMESCALE // 2
_PARTS_PER_SEGMENT = 4
_SEGMENTS = 20
_PUBLISH_DELAY_S = 0.05


class Stream:
    """A stream of equal parts, 0.5 s each, four a segment."""

    def __init__(self, part_bytes: int) -> None:
        self.live = LiveStream(_SESSION, PRESETS["low"], 40, SystemClock())
        self.published: list[float] = []
        self._data = os.urandom(part_bytes)
        self._count = 0
        timing = Timing(part_target_ms=517, target_duration_s=6)
        epoch = Epoch(0, None, None, _TIMESCALE, timing, 30.0, ())
        self.live.begin_epoch(epoch, os.urandom(1200), (1280, 720))
        for _ in range(_SEGMENTS * _PARTS_PER_SEGMENT + 1):
            self.publish()
        self.published.clear()

    @property
    def next(self) -> tuple[int, int]:
        """Media sequence number and index of the part to come."""
        return 1 + self._count // _PARTS_PER_SEGMENT, self._count % _PARTS_PER_SEGMENT

    def publish(self) -> None:
        msn, index = self.next
        start = self._count * _PART_TICKS
        wall_ms = 1_700_000_000_000 + self._count * 500
        part = Part(0, msn, index, start, _PART_TICKS, wall_ms, index == 0, (), ())
        self.live.append(part, self._data)
        self._count += 1
        if index == _PARTS_PER_SEGMENT - 1:
            self.live.end_segment()
        self.published.append(time.monotonic())
        self.live.publish()


async def main() -> None:
    options = json.loads(sys.argv[1])
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    origin, metrics = Origin(), Metrics()
    stream = Stream(options["part_bytes"])
    origin.add(_CHANNEL, stream.live)

    async def publish(request: web.Request) -> web.Response:
        loop.call_later(_PUBLISH_DELAY_S, stream.publish)
        return web.Response()

    async def state(request: web.Request) -> web.Response:
        return web.json_response(
            {
                "waiters": stream.live.waiters,
                "published": stream.published,
                "next": stream.next,
            }
        )

    app = web.Application()
    admission = Admission(MediaConfig(), origin)
    app.add_routes(
        hls_routes(origin, admission, Thumbnails(origin, MediaConfig(), metrics), metrics)
    )
    app.router.add_get("/bench/publish", publish)
    app.router.add_get("/bench/state", state)
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=75.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()

    part_name = f"{_SEGMENTS}.1.m4s"
    rendered = await stream.live.playlist(PlaylistRequest())
    folder = Path(options["folder"])
    (folder / "media.m3u8").write_bytes(rendered.plain)
    (folder / "media.m3u8.gz").write_bytes(rendered.gzipped)
    (folder / part_name).write_bytes(b"".join(await stream.live.media(part_name)))
    base = f"/live/{_CHANNEL}/{_SESSION}"
    ready = {"http": runner.addresses[0][1], "base": base, "part": part_name}
    print(json.dumps(ready), flush=True)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(main())

"""`python -m benchmarks.engine_server JSON`: the media engine and its HLS routes behind an open
gate, without the rest of the site. Every stream key is the name of a channel.

Options: `preset`; `page`, a folder that is served below /page/. Says {"rtmp", "http"}: ports.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import uvloop
from aiohttp import web

from mediaserver.kernel.clock import SystemClock
from mediaserver.kernel.config import Config, MediaConfig, RtmpConfig
from mediaserver.kernel.events import Events
from mediaserver.kernel.log import set_up_logging
from mediaserver.kernel.metrics import Metrics
from mediaserver.media.engine import Engine
from mediaserver.media.gate import PublishGrant, PublishRequest
from mediaserver.routes.hls import hls_routes


class OpenGate:
    """Lets everybody publish."""

    async def authorise(self, request: PublishRequest) -> PublishGrant:
        return PublishGrant(f"ch_{request.stream_key}", request.stream_key, "key")


async def main() -> None:
    options = json.loads(sys.argv[1])
    set_up_logging("warning", "text")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = Config(
        rtmp=RtmpConfig(host="127.0.0.1", port=0, bitrate_max_kbps=200_000),
        media=MediaConfig(preset=options.get("preset", "low"), streams_max=64),
    )
    metrics = Metrics()
    async with Engine(config, OpenGate(), Events(), SystemClock(), metrics) as engine:
        app = web.Application()
        admission = engine.broadcasts.admission
        app.add_routes(hls_routes(engine.origin, admission, engine.thumbnails, metrics))
        if "page" in options:
            app.router.add_static("/page", Path(options["page"]))
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=75.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
        await site.start()
        http_port = runner.addresses[0][1]
        print(json.dumps({"rtmp": engine.rtmp_port, "http": http_port}), flush=True)
        await stop.wait()
        await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(main())

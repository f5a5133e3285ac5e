"""A right LL-HLS origin in miniature over hand-made parts, with one fault at a time on request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from tests.unit.instruments.model import ModelStream
from tests.unit.instruments.parts import made_stream

PLAYLIST, MEDIA = "application/vnd.apple.mpegurl", "video/mp4"
PARTS_PER_SEGMENT = 4
HOLD_S = 1.0


class MiniOrigin:
    """Plays the 12 made parts, `laps` times as an epoch of its own each, one part per step."""

    def __init__(self, fault: str, laps: int) -> None:
        self.fault = fault
        self.laps = laps
        self.port = 0
        self.model = ModelStream()
        self.bytes: dict[str, bytes] = {}
        self.news = asyncio.Condition()
        self.requests: list[str] = []

    async def run(self) -> None:
        made = made_stream()
        for lap in range(self.laps):
            if lap:
                self.model.restart()
            self.bytes[f"s/init{lap}.mp4"] = made.init
            for number, part in enumerate(made.parts):
                await self.step(number, part.data, part.independent)
        async with self.news:
            self.model.end()
            self.news.notify_all()

    async def step(self, number: int, data: bytes, independent: bool) -> None:
        await asyncio.sleep(0.005)
        async with self.news:
            msn, index = self.edge()
            self.model.part(independent=independent)
            self.bytes[self.model.part_uri(msn, index)] = data
            if (number + 1) % PARTS_PER_SEGMENT == 0:
                self.bytes[f"s/{msn}.m4s"] = b"".join(
                    self.bytes[self.model.part_uri(msn, at)] for at in range(index + 1)
                )
                self.model.close()
            self.news.notify_all()

    def edge(self) -> tuple[int, int]:
        segments = self.model.segments
        if segments and not segments[-1].closed:
            return segments[-1].msn, len(segments[-1].parts)
        return self.model.next_msn, 0

    async def multivariant(self, request: web.Request) -> web.Response:
        async with self.news:
            await self.news.wait_for(lambda: bool(self.model.segments))
        text = (
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-STREAM-INF:"
            'BANDWIDTH=900000,CODECS="avc1.42c00d,mp4a.40.2",RESOLUTION=320x180,'
            "FRAME-RATE=30.000\nplay.m3u8\n"
        )
        return web.Response(body=text.encode(), content_type=PLAYLIST)

    async def playlist(self, request: web.Request) -> web.Response:
        self.requests.append(request.query_string)
        if "_HLS_msn" in request.query and self.fault != "spin":
            wanted = (int(request.query["_HLS_msn"]), int(request.query.get("_HLS_part", "0")))
            async with self.news:
                try:
                    async with asyncio.timeout(HOLD_S):
                        await self.news.wait_for(lambda: self.edge() > wanted or self.model.ended)
                except TimeoutError:
                    pass
        kind = "text/plain" if self.fault == "type" else PLAYLIST
        return web.Response(body=self.model.text().encode(), content_type=kind)

    async def media(self, request: web.Request) -> web.StreamResponse:
        name = request.path.lstrip("/")
        msn, index = self.edge()
        if name == self.model.part_uri(msn, index):
            async with self.news:
                await self.news.wait_for(lambda: name in self.bytes or self.model.ended)
            if self.fault == "hint":
                return web.Response(body=b"something else", content_type=MEDIA)
        data = self.bytes.get(name)
        if data is None or (self.fault == "lost" and name == "s/2.1.m4s"):
            return web.Response(status=404)
        if self.fault == "segment" and name == "s/2.m4s":
            data = data[:-1] + b"?"
        if self.fault == "removed" and self.model.segments[0].msn > 1 and name == "s/1.m4s":
            return web.Response(status=404)
        if self.fault == "chunked" and name == "s/2.1.m4s":
            response = web.StreamResponse(headers={"Content-Type": MEDIA})
            response.enable_chunked_encoding()
            await response.prepare(request)
            await response.write(data)
            return response
        if self.fault == "swapped" and name == "s/2.1.m4s":
            data = self.bytes["s/1.1.m4s"]
        return web.Response(body=data, content_type=MEDIA)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/index.m3u8"


@asynccontextmanager
async def mini_origin(fault: str = "", *, laps: int = 3) -> AsyncIterator[MiniOrigin]:
    origin = MiniOrigin(fault, laps)
    app = web.Application()
    app.router.add_get("/index.m3u8", origin.multivariant)
    app.router.add_get("/play.m3u8", origin.playlist)
    app.router.add_get("/s/{name}", origin.media)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    origin.port = runner.addresses[0][1]
    task = asyncio.create_task(origin.run())
    try:
        yield origin
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await runner.cleanup()

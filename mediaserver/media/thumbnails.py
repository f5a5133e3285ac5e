"""A fresh JPEG of every live stream, decoded in a limited child process.

The child is the one place where untrusted bitstreams meet FFmpeg's decoders. It gets an init
segment and one part with a keyframe on its standard input, and answers with a JPEG; a wrong or
late answer kills it, and the next picture starts a new one.
"""

from __future__ import annotations

import asyncio
import struct
import sys

import structlog

from mediaserver.kernel import limits
from mediaserver.kernel.config import MediaConfig
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.metrics import Metrics
from mediaserver.media.live_stream import LiveStream
from mediaserver.media.origin import Origin

_log = structlog.get_logger(__name__)

LENGTH = struct.Struct(">I")
"""Before each message in both directions. A zero-length answer: it could not be decoded."""


class Thumbnails:
    """Newest thumbnail by channel, made anew again and again while the stream lives."""

    def __init__(self, origin: Origin, media: MediaConfig, metrics: Metrics) -> None:
        self._origin = origin
        self._media = media
        self._metrics = metrics

        self._jpegs: dict[str, tuple[LiveStream, bytes, int]] = {}
        self._decoder = _Decoder()

    def jpeg(self, channel: str) -> bytes | None:
        """640 pixels wide, or None while there is none (audio only, not yet, or withdrawn)."""
        made = self._jpegs.get(channel)
        return made[1] if made is not None and channel in self._origin.channels() else None

    async def run(self) -> None:
        """Make thumbnails until cancelled. New streams get theirs within a second."""
        turn = 0
        try:
            while True:
                await asyncio.sleep(1)
                turn += 1
                channels = self._origin.channels()
                for gone in [channel for channel in self._jpegs if channel not in channels]:
                    del self._jpegs[gone]
                for channel in channels:
                    await self._refresh(channel, turn)
        finally:
            await self._decoder.aclose()

    async def _refresh(self, channel: str, turn: int) -> None:
        try:
            stream = self._origin.current(channel)
        except NotFound:
            return
        made = self._jpegs.get(channel)
        if (
            made is not None
            and made[0] is stream
            and turn - made[2] < self._media.thumbnail_interval_s
        ):
            return
        if stream.ended or (source := stream.newest_independent()) is None or not stream.has_video:
            return
        jpeg = await self._decoder.jpeg(b"".join(source))
        self._metrics.thumbnails.labels("made" if jpeg else "failed").inc()
        if jpeg:
            self._jpegs[channel] = (stream, jpeg, turn)
        elif made is not None:
            self._jpegs[channel] = (made[0], made[1], turn)


class _Decoder:
    """The child process, started when needed."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def jpeg(self, mp4: bytes) -> bytes | None:
        """The first picture of `mp4`, or None when it could not be had."""
        try:
            async with asyncio.timeout(limits.THUMBNAIL_TIMEOUT_S):
                if self._process is None or self._process.returncode is not None:
                    self._process = await self._start()
                return await self._ask(self._process, mp4)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            _log.warning("thumbnail decoder failed", error=str(error) or type(error).__name__)
            await self.aclose()
            return None
        except asyncio.CancelledError:
            await self.aclose()  # its answer would be taken for the next request's
            raise

    @staticmethod
    async def _start() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "mediaserver.media.thumbnail_decoder",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )

    @staticmethod
    async def _ask(process: asyncio.subprocess.Process, mp4: bytes) -> bytes | None:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(LENGTH.pack(len(mp4)) + mp4)
        await process.stdin.drain()
        (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
        if length > limits.THUMBNAIL_BYTES_MAX:
            raise ValueError("thumbnail is too large")
        return await process.stdout.readexactly(length) if length else None

    async def aclose(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

"""Publishers as async context managers: PyAV in a child process, Debian's `ffmpeg`, the raw client.

Each publishes at real pace to a URL until the block ends. Children are ended by their own pid:
SIGTERM, then SIGKILL after a while; their standard error is kept for assertions.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.rtmp.clips import clip, looped
from tests.rtmp.flv import FlvTag
from tests.rtmp.wire import PublishUrl, RtmpClient, open_publisher

ROOT = Path(__file__).resolve().parents[2]
STOP_DEADLINE_S = 5.0
STDERR_BYTES_MAX = 256 * 1024


class PublisherProcess:
    """A publisher in a child process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._stderr = bytearray()
        self._task = asyncio.create_task(self._collect(), name="publisher-stderr")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stderr(self) -> str:
        return self._stderr.decode(errors="replace")

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    async def wait(self, deadline_s: float) -> int:
        """Wait for its own end; TimeoutError after the deadline. stderr is complete then."""
        async with asyncio.timeout(deadline_s):
            code = await self._process.wait()
            await self._task
            return code

    async def stop(self) -> None:
        """As the stop button: SIGTERM; SIGKILL when it does not obey."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """As a crash or a power cut: SIGKILL."""
        await self._end(signal.SIGKILL)

    async def _end(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            try:
                async with asyncio.timeout(STOP_DEADLINE_S):
                    await self._process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()
        await self._task

    async def _collect(self) -> None:
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(4096):
            if len(self._stderr) < STDERR_BYTES_MAX:
                self._stderr += data


@asynccontextmanager
async def _process(arguments: Sequence[str]) -> AsyncIterator[PublisherProcess]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=environment,
    )
    publisher = PublisherProcess(process)
    try:
        yield publisher
    finally:
        await publisher.stop()


@asynccontextmanager
async def pyav_publisher(
    url: str,
    *,
    seconds: float = 120,
    gop_s: float = 2,
    bframes: int = 0,
    fps: int = 30,
    size: str = "640x360",
    video: str | None = "libx264",
    audio: str | None = "aac",
    pix_fmt: str = "yuv420p",
    bitrate_kbps: int = 600,
) -> AsyncIterator[PublisherProcess]:
    """PyAV in a child process. `video` and `audio` name encoders, None leaves the track out."""
    arguments = [sys.executable, "-m", "tests.rtmp.pyav_publisher", url]
    arguments += ["--seconds", str(seconds), "--gop", str(gop_s), "--bframes", str(bframes)]
    arguments += ["--fps", str(fps), "--size", size, "--pix-fmt", pix_fmt]
    arguments += ["--video", video or "none", "--audio", audio or "none"]
    arguments += ["--bitrate-kbps", str(bitrate_kbps)]
    async with _process(arguments) as publisher:
        yield publisher


def ffmpeg_path() -> str | None:
    """Debian's `ffmpeg`, when the machine has it."""
    return shutil.which("ffmpeg")


def ffprobe_path() -> str | None:
    return shutil.which("ffprobe")


@asynccontextmanager
async def ffmpeg_publisher(
    url: str,
    *,
    seconds: float = 120,
    gop_s: float = 2,
    bframes: int = 2,
    fps: int = 30,
    size: str = "640x360",
    video: bool = True,
    audio: bool = True,
) -> AsyncIterator[PublisherProcess]:
    """The `ffmpeg` command with libx264 and its own AAC encoder."""
    program = ffmpeg_path()
    assert program is not None, "ffmpeg is not installed"
    arguments = [program, "-hide_banner", "-nostdin", "-nostats", "-loglevel", "warning"]
    if video:
        arguments += ["-re", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={fps}"]
    if audio:
        arguments += ["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
    if video:
        gop = str(round(gop_s * fps))
        arguments += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
        arguments += ["-g", gop, "-keyint_min", gop, "-sc_threshold", "0", "-bf", str(bframes)]
        arguments += ["-b:v", "600k", "-threads", "1"]
    if audio:
        arguments += ["-c:a", "aac", "-b:a", "96k", "-ac", "2"]
    arguments += ["-t", str(seconds), "-f", "flv", url]
    async with _process(arguments) as publisher:
        yield publisher


class WirePublisher:
    """A raw client that sends tags at real pace in the background. Costs almost no CPU."""

    def __init__(self, client: RtmpClient, name: str, tags: Iterable[FlvTag]) -> None:
        self.client = client
        self._name = name
        self._task = asyncio.create_task(client.send_tags(tags), name="wire-publisher")

    @property
    def running(self) -> bool:
        """False once the tags came to their end or the server closed."""
        return not self._task.done() and not self.client.closed

    async def stop(self) -> None:
        """As the stop button."""
        await self._cancel()
        await self.client.stop(self._name)
        await self.client.close()

    async def drop(self) -> None:
        """As a power cut: the socket is reset in the middle of everything."""
        await self._cancel()
        await self.client.close(abort=True)

    async def pause(self) -> None:
        """Silence: the connection stays, nothing is sent any more."""
        await self._cancel()

    async def _cancel(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def wire_publisher(
    url: str, tags: Iterable[FlvTag] | None = None, *, source: str | None = None
) -> AsyncIterator[WirePublisher]:
    """Publish `tags` (by default an endless 2 s-GOP clip with sound) until the block ends."""
    client = await open_publisher(url, source=source)
    publisher = WirePublisher(
        client, PublishUrl.parse(url).name, looped(clip()) if tags is None else tags
    )
    try:
        yield publisher
    finally:
        await publisher.stop()

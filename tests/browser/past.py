"""A made-up recording for the gallery: the past of a stream, dated as if it began a while ago.

Its segments are encoded once; the playlist is written anew for each request, so that the window
slides as that of a real server does, and tests can shorten it under a player's feet.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SEGMENT_S = 2
LENGTH_S = 400


@dataclass(slots=True)
class Past:
    """Segment N holds the two seconds from `begun_ms` + 2 N s on."""

    folder: Path
    begun_ms: int
    window_s: float
    gone: bool = False

    def begin(self, ago_s: float, window_s: float) -> None:
        """The stream began so long ago, and so much of it is kept."""
        self.begun_ms = time.time_ns() // 1_000_000 - round(ago_s * 1000)
        self.window_s, self.gone = window_s, False

    def kept(self) -> range:
        """Numbers of the segments that can be fetched."""
        age_s = time.time() - self.begun_ms / 1000
        last = int(age_s // SEGMENT_S)
        first = max(0, last - int(self.window_s // SEGMENT_S))
        return range(first, min(last, LENGTH_S // SEGMENT_S))

    def playlist(self) -> str:
        kept = self.kept()
        lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-TARGETDURATION:2"]
        lines += [f"#EXT-X-MEDIA-SEQUENCE:{kept.start + 1}", '#EXT-X-MAP:URI="init.mp4"']
        for number in kept:
            moment = datetime.fromtimestamp(self.begun_ms / 1000 + number * SEGMENT_S, UTC)
            shown = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            lines += [f"#EXT-X-PROGRAM-DATE-TIME:{shown}", "#EXTINF:2.000,", f"{number}.m4s"]
        return "\n".join(lines) + "\n"

    def file(self, name: str) -> bytes | None:
        """What a request for `name` gets; None is 404."""
        if self.gone:
            return None
        if name == "dvr.m3u8":
            return self.playlist().encode()
        number = name.removesuffix(".m4s")
        if name != "init.mp4" and not (number.isdigit() and int(number) in self.kept()):
            return None
        return (self.folder / name).read_bytes()


@asynccontextmanager
async def encoded_past(folder: Path) -> AsyncIterator[Past]:
    """All segments, as fast as they can be made."""
    ffmpeg = shutil.which("ffmpeg")
    assert ffmpeg is not None
    process = await asyncio.create_subprocess_exec(
        *(ffmpeg, "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=s=160x90:r=10"),
        *("-f", "lavfi", "-i", "sine=f=330", "-t", str(LENGTH_S), "-c:v", "libx264"),
        *("-preset", "ultrafast", "-g", "20", "-keyint_min", "20", "-sc_threshold", "0"),
        *("-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "hls", "-hls_time", str(SEGMENT_S)),
        *("-hls_list_size", "0", "-hls_segment_type", "fmp4"),
        *("-hls_fmp4_init_filename", "init.mp4", "-hls_segment_filename", str(folder / "%d.m4s")),
        str(folder / "all.m3u8"),
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        assert await asyncio.wait_for(process.wait(), 120) == 0
        yield Past(folder, 0, 0)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

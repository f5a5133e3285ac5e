"""What several functional tests do with a stream: watch it, keep one running, hand it to ffmpeg."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from tests.functional.site import Channel, Site, until
from tests.hls.client import LiveHlsClient, Playback, with_query
from tests.rtmp.publishers import WirePublisher, ffmpeg_path, ffprobe_path, wire_publisher

READY_DEADLINE_S = 40.0
_numbers = itertools.count(1)


@asynccontextmanager
async def viewer(channel: Channel, **options: bool) -> AsyncIterator[LiveHlsClient]:
    """A client on a channel, once there is something to play."""
    async with LiveHlsClient(channel.playlist_url, **options) as client:
        await client.wait_ready(READY_DEADLINE_S)
        yield client


class HealthyStream:
    """A publisher and a viewer beside everything else. `check` proves that neither noticed."""

    def __init__(self, channel: Channel, publisher: WirePublisher, client: LiveHlsClient) -> None:
        self.channel = channel
        self._publisher = publisher
        self._client = client
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(
            client.play(until=lambda so_far: self._stop.is_set(), deadline_s=1800),
            name="healthy-viewer",
        )

    @property
    def playback(self) -> Playback:
        return self._client.playback

    @property
    def newest_segment_path(self) -> str:
        """Path of the newest whole segment."""
        playlist, url = self._client.checker.playlist, self._client.media_url
        assert playlist is not None
        assert url is not None
        uri = playlist.full[-1].uri
        assert uri is not None
        return urlsplit(urljoin(url, uri)).path

    @property
    def next_question(self) -> str:
        """A blocking reload for the part after the next one."""
        playlist, url = self._client.checker.playlist, self._client.media_url
        assert playlist is not None
        assert url is not None
        msn, part = playlist.position
        return with_query(url, {"_HLS_msn": msn, "_HLS_part": part + 1})

    async def check(self, parts: int = 2) -> None:
        """`parts` more parts arrive, nothing broke so far, it is still the first epoch."""
        goal = len(self.playback.objects) + parts
        await until(
            lambda: len(self.playback.objects) >= goal or self._task.done(),
            f"{parts} more parts of the healthy stream; {self.playback.describe()}",
            deadline_s=30,
        )
        if self._task.done():
            await self._task
            raise AssertionError(f"the healthy stream ended: {self.playback.describe()}")
        assert self._publisher.running, self._publisher.client.statuses
        assert len(self.playback.epochs) == 1, self.playback.describe()
        violations = [
            *self.playback.violations,
            *self._client.checker.violations,
            *self.playback.epochs[0].checker.violations,
        ]
        assert not violations, violations[:10]

    async def aclose(self) -> None:
        self._stop.set()
        playback = await self._task
        playback.assert_clean()


@asynccontextmanager
async def healthy_stream(site: Site) -> AsyncIterator[HealthyStream]:
    """A real-pace stream on a channel of its own, with a viewer that judges it."""
    channel = await site.new_channel()
    async with (
        wire_publisher(channel.publish_url) as publisher,
        viewer(channel) as client,
    ):
        healthy = HealthyStream(channel, publisher, client)
        await healthy.check()
        yield healthy
        await healthy.aclose()


async def run(*arguments: str, deadline_s: float = 60) -> tuple[int, str, str]:
    """A command: exit code, standard output, standard error. Killed by its pid at the deadline."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(deadline_s):
            out, error = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode(), error.decode()


async def probe(playback: Playback, folder: Path) -> list[dict[str, int]]:
    """Each epoch as a file through ffprobe and ffmpeg, which must find nothing to say.

    Returns packets per codec type and epoch. Without these programs there is nothing to return.
    """
    counts: list[dict[str, int]] = []
    ffmpeg, ffprobe = ffmpeg_path(), ffprobe_path()
    if ffmpeg is None or ffprobe is None:
        return counts
    for epoch in playback.epochs:
        file = folder / f"epoch-{next(_numbers)}.mp4"
        await asyncio.to_thread(file.write_bytes, epoch.joined)
        entries = "stream=codec_type,nb_read_packets"
        code, out, error = await run(
            *(ffprobe, "-v", "warning", "-count_packets", "-show_entries", entries),
            *("-of", "csv=p=0", str(file)),
        )
        assert (code, error) == (0, ""), error
        counts.append(
            {kind: int(count) for kind, count in (line.split(",") for line in out.split())}
        )
        code, _, error = await run(
            *(ffmpeg, "-nostdin", "-v", "warning", "-i", str(file), "-f", "null", "-")
        )
        assert (code, error) == (0, ""), error
        video, audio = epoch.checker.init.video, epoch.checker.init.audio
        for track, kind in ((video, "video"), (audio, "audio")):
            if track is not None:
                samples = sum(
                    len(run_.samples)
                    for item in epoch.objects
                    for fragment in item.fragments
                    for run_ in fragment.tracks
                    if run_.track_id == track.track_id
                )
                assert counts[-1].get(kind) == samples, (kind, counts[-1], samples)
    return counts

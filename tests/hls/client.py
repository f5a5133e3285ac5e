"""LL-HLS client for tests: plays a live stream as a strict player would, and judges all it gets.

It loads the multivariant playlist, follows its first variant by blocking reload, downloads every
init segment once and every part exactly once as it is listed, and feeds the checkers. Optionally it
also downloads whole segments, hinted parts before they are listed, and removed objects. It is
bounded by an explicit deadline, never sleeps without a reason and never measures speed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import aiohttp

from tests.hls.boxes import Malformed, read_init
from tests.hls.checker import MediaPlaylistChecker, Removed
from tests.hls.media import EpochChecker, MediaObject
from tests.hls.multivariant import Multivariant, compare, read_multivariant
from tests.hls.playlist import OURS, MediaPlaylist, Segment, Violation

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
MEDIA_TYPE = "video/mp4"
REQUEST_TIMEOUT_S = 20.0
READY_POLL_S = 0.1
REMOVED_FETCHES_MAX = 200


class DeadlinePassed(AssertionError):
    """What was waited for did not come in time; the message says how far playback got."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]
    took_s: float

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(slots=True)
class Epoch:
    """Media between two discontinuities, as downloaded."""

    map_uri: str
    init_bytes: bytes
    checker: EpochChecker
    first_msn: int

    @property
    def objects(self) -> list[MediaObject]:
        return self.checker.objects

    @property
    def duration_s(self) -> float:
        return float(sum(item.declared for item in self.objects))

    @property
    def joined(self) -> bytes:
        """Init and all parts in order: a file that a demuxer reads."""
        return self.init_bytes + b"".join(item.data for item in self.objects)


@dataclass(slots=True)
class Playback:
    """Everything one `play` gathered."""

    violations: list[Violation] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    multivariant: Multivariant | None = None
    snapshots: int = 0
    held_unchanged: int = 0
    segments_compared: int = 0
    hints_fetched: int = 0
    removed_fetched: int = 0
    ended: bool = False
    gone: bool = False

    @property
    def media_s(self) -> float:
        return sum(epoch.duration_s for epoch in self.epochs)

    @property
    def objects(self) -> list[MediaObject]:
        return [item for epoch in self.epochs for item in epoch.objects]

    def describe(self) -> str:
        """One line for assertion messages."""
        return (
            f"{self.media_s:.1f} s of media in {len(self.objects)} objects, {len(self.epochs)}"
            f" epochs, {self.snapshots} playlists, ended={self.ended}, gone={self.gone}"
        )

    def assert_clean(self) -> None:
        shown = "\n  ".join(str(violation) for violation in self.violations[:25])
        assert not self.violations, (
            f"{len(self.violations)} violations ({self.describe()}):\n  {shown}"
        )


class LiveHlsClient:
    """Plays `url`, the address of a multivariant playlist. An async context manager.

    `low_latency=False` expects plain segments. `long_gop` allows segments without a keyframe.
    """

    def __init__(
        self,
        url: str,
        *,
        low_latency: bool = True,
        long_gop: bool = False,
        fetch_segments: bool = False,
        fetch_hints: bool = False,
        fetch_removed: bool = False,
        audio_reach_frames: int = 1,
    ) -> None:
        self._url = url
        self._low_latency = low_latency
        self._long_gop = long_gop
        self._fetch_segments = fetch_segments
        self._fetch_hints = fetch_hints
        self._fetch_removed = fetch_removed
        self._audio_reach_frames = audio_reach_frames

        self.playback = Playback()
        self.checker = MediaPlaylistChecker(low_latency=low_latency, long_gop=long_gop)
        self.media_url: str | None = None
        self._session: aiohttp.ClientSession | None = None
        self._inits: dict[str, bytes] = {}
        self._fetched: set[tuple[int, int]] = set()
        self._compared: set[int] = set()
        self._parts: dict[int, list[bytes]] = {}
        self._started = False
        self._epoch_number: int | None = None
        self._hint_tasks: dict[str, asyncio.Task[Answer]] = {}
        self._removed_seen = 0

    async def __aenter__(self) -> LiveHlsClient:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S), auto_decompress=True
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        tasks = list(self._hint_tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert self._session is not None
        await self._session.close()

    # requests ---------------------------------------------------------------------------------

    async def get(self, url: str) -> Answer:
        """One GET, body read to its end. `url` may be relative to the multivariant playlist."""
        assert self._session is not None, "use the client in `async with`"
        loop = asyncio.get_running_loop()
        started = loop.time()
        async with self._session.get(urljoin(self._url, url)) as response:
            body = await response.read()
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, body, headers, loop.time() - started)

    async def wait_ready(self, deadline_s: float) -> None:
        """Poll until the multivariant playlist is there and lists something playable."""
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        status = 0
        while loop.time() < end:
            answer = await self.get(self._url)
            status = answer.status
            if status == 200:
                return
            await asyncio.sleep(READY_POLL_S)
        raise DeadlinePassed(f"{self._url} answered {status} for {deadline_s} s")

    # playback ---------------------------------------------------------------------------------

    async def play(
        self,
        *,
        media_s: float | None = None,
        until: Callable[[Playback], bool] | None = None,
        deadline_s: float,
    ) -> Playback:
        """Follow the stream until `media_s` were downloaded, `until` holds, or it ended or is gone.

        Raises `DeadlinePassed` after `deadline_s`. May be called again to play on.
        """
        try:
            async with asyncio.timeout(deadline_s):
                await self._play(media_s, until)
        except TimeoutError:
            self._collect()
            shown = "; ".join(str(violation) for violation in self.playback.violations[:5])
            raise DeadlinePassed(
                f"after {deadline_s} s: {self.playback.describe()}; {shown or 'no violation'}"
            ) from None
        self._collect()
        return self.playback

    async def _play(self, media_s: float | None, until: Callable[[Playback], bool] | None) -> None:
        playback = self.playback
        if self.media_url is None:
            await self._load_multivariant()
        asked: tuple[int, int | None] | None = None
        while True:
            playlist = await self._reload(asked)
            if playlist is None:
                playback.gone = True
                return
            await self._download(playlist)
            if self._fetch_removed:
                await self._download_removed()
            if playlist.ended:
                playback.ended = True
                return
            if media_s is not None and playback.media_s >= media_s:
                return
            if until is not None and until(playback):
                return
            asked = await self._next_question(playlist)

    async def _load_multivariant(self) -> None:
        answer = await self.get(self._url)
        assert answer.status == 200, f"{self._url} answered {answer.status}"
        self._expect_type(answer, PLAYLIST_TYPE, self._url)
        multivariant, violations = read_multivariant(answer.text, long_gop=self._long_gop)
        self.playback.violations.extend(violations)
        self.playback.multivariant = multivariant
        assert multivariant.variants, f"{self._url} lists no variant"
        self.checker.declares_independent_segments = multivariant.independent_segments
        self.media_url = urljoin(self._url, multivariant.variants[0].uri)

    async def _reload(self, asked: tuple[int, int | None] | None) -> MediaPlaylist | None:
        """One request for the media playlist. None when the stream is gone."""
        assert self.media_url is not None
        url = self.media_url
        if asked is not None:
            msn, part = asked
            query = {"_HLS_msn": msn} | ({"_HLS_part": part} if part is not None else {})
            url = with_query(url, query)
        answer = await self.get(url)
        if answer.status in {404, 410, 503} and self._started:
            return None
        if answer.status != 200:
            self._bad(OURS, f"{url} answered {answer.status}")
            return None
        self._expect_type(answer, PLAYLIST_TYPE, url)
        before = self.checker.playlist
        self.checker.feed(
            answer.text, asyncio.get_running_loop().time(), asked=asked, held_s=answer.took_s
        )
        self.playback.snapshots += 1
        playlist = self.checker.playlist
        assert playlist is not None
        if before is not None and before.position == playlist.position:
            self.playback.held_unchanged += 1
        return playlist

    async def _next_question(self, playlist: MediaPlaylist) -> tuple[int, int | None] | None:
        control = playlist.server_control or {}
        if control.get("CAN-BLOCK-RELOAD") == "YES":
            msn, part = playlist.position
            return (msn, part) if self._low_latency else (msn, None)
        await asyncio.sleep((playlist.target_duration or 2) / 2)  # RFC 8216 §6.3.4
        return None

    # downloads --------------------------------------------------------------------------------

    async def _download(self, playlist: MediaPlaylist) -> None:
        if self._fetch_hints:
            self._start_hints(playlist)
        for segment in playlist.segments:
            if self._low_latency:
                await self._download_parts(segment)
            elif segment.uri is not None and (segment.msn, -1) not in self._fetched:
                await self._download_whole(segment)
            if self._fetch_segments and self._low_latency:
                await self._compare_segment(segment)

    async def _epoch(self, segment: Segment) -> Epoch | None:
        """The epoch that the segment belongs to, begun when it is the first of it."""
        if self._epoch_number == segment.discontinuity_number:
            return self.playback.epochs[-1]
        if segment.map_uri is None:
            return None
        init_bytes = self._inits.get(segment.map_uri)
        if init_bytes is None:
            answer = await self.get(self._absolute(segment.map_uri))
            if answer.status != 200:
                self._bad(13, f"init {segment.map_uri} answered {answer.status}")
                return None
            self._expect_type(answer, MEDIA_TYPE, segment.map_uri)
            init_bytes = self._inits[segment.map_uri] = answer.body
        try:
            init = read_init(init_bytes)
        except Malformed as error:
            self._bad(13, f"init {segment.map_uri}: {error}")
            return None
        self._epoch_number = segment.discontinuity_number
        checker = EpochChecker(init, audio_reach_frames=self._audio_reach_frames)
        epoch = Epoch(segment.map_uri, init_bytes, checker, segment.msn)
        self.playback.epochs.append(epoch)
        return epoch

    async def _download_parts(self, segment: Segment) -> None:
        for index, part in enumerate(segment.parts):
            if (segment.msn, index) in self._fetched:
                continue
            epoch = await self._epoch(segment)
            if epoch is None:
                continue
            self._fetched.add((segment.msn, index))
            self._started = True
            body = await self._fetch_part(part.uri, gap=part.gap)
            if body is None:
                epoch.checker.missing()
                continue
            self._parts.setdefault(segment.msn, []).append(body)
            epoch.checker.feed(
                msn=segment.msn,
                index=index,
                uri=part.uri,
                declared=part.duration,
                independent=part.independent,
                data=body,
            )

    async def _fetch_part(self, uri: str, *, gap: bool) -> bytes | None:
        answer = await self.get(self._absolute(uri))
        if gap:
            return None
        if answer.status != 200:
            self._bad(27, f"listed part {uri} answered {answer.status}")
            return None
        self._expect_type(answer, MEDIA_TYPE, uri)
        if answer.headers.get("transfer-encoding") == "chunked":
            self._bad(20, f"part {uri} is sent chunked: its length is not known when listed")
        if "content-encoding" in answer.headers:
            self._bad(20, f"part {uri} is sent with {answer.headers['content-encoding']}")
        hinted = self._hint_tasks.pop(uri, None)
        if hinted is not None:
            early = await hinted
            self.playback.hints_fetched += 1
            if early.status != 200:
                self._bad(26, f"the hinted part {uri} answered {early.status}, later it was listed")
            elif early.body != answer.body:
                self._bad(26, f"the hinted part {uri} was not what was listed later")
        return answer.body

    async def _download_whole(self, segment: Segment) -> None:
        """A segment of a playlist without parts: the unit of the media checks is the segment."""
        assert segment.uri is not None
        assert segment.duration is not None
        epoch = await self._epoch(segment)
        if epoch is None:
            return
        self._fetched.add((segment.msn, -1))
        self._started = True
        answer = await self.get(self._absolute(segment.uri))
        if answer.status != 200:
            self._bad(9, f"listed segment {segment.uri} answered {answer.status}")
            epoch.checker.missing()
            return
        self._expect_type(answer, MEDIA_TYPE, segment.uri)
        item = epoch.checker.feed(
            msn=segment.msn,
            index=None,
            uri=segment.uri,
            declared=segment.duration,
            independent=None,
            data=answer.body,
        )
        track_id = epoch.checker.leading_track_id
        samples = [
            s for f in item.fragments for t in f.tracks if t.track_id == track_id for s in t.samples
        ]
        if samples and not samples[0].sync and not self._long_gop:
            self._bad(24, f"segment {segment.uri} does not start with a keyframe")

    async def _compare_segment(self, segment: Segment) -> None:
        """Rule 19: the parts of a segment concatenate to exactly its bytes."""
        if segment.uri is None or segment.msn in self._compared:
            return
        self._compared.add(segment.msn)
        parts = self._parts.pop(segment.msn, None)
        if parts is None:
            return  # it was complete before playback started
        answer = await self.get(self._absolute(segment.uri))
        if answer.status != 200:
            self._bad(9, f"listed segment {segment.uri} answered {answer.status}")
            return
        self._expect_type(answer, MEDIA_TYPE, segment.uri)
        self.playback.segments_compared += 1
        joined = b"".join(parts)
        if answer.body != joined and not (
            self.playback.segments_compared == 1 and answer.body.endswith(joined)
        ):
            self._bad(
                19,
                f"segment {segment.uri} has {len(answer.body)} bytes, its {len(parts)} parts"
                f" have {len(joined)} or differ",
            )

    def _start_hints(self, playlist: MediaPlaylist) -> None:
        """Ask for the hinted part now; the answer is compared when the part is listed."""
        for uri in playlist.part_hints:
            if uri not in self._hint_tasks:
                self._hint_tasks[uri] = asyncio.create_task(self.get(self._absolute(uri)))
        stale = [uri for uri in self._hint_tasks if uri not in playlist.part_hints]
        listed = {part.uri for segment in playlist.segments for part in segment.parts}
        for uri in stale:
            if uri not in listed:  # the hint came to nothing
                self._hint_tasks.pop(uri).cancel()

    async def _download_removed(self) -> None:
        """Rule 9: what left the playlist stays fetchable for a while. Asked once, right away."""
        removed: list[Removed] = self.checker.removed[self._removed_seen :]
        self._removed_seen = len(self.checker.removed)
        for item in removed:
            if self.playback.removed_fetched >= REMOVED_FETCHES_MAX:
                return
            self.playback.removed_fetched += 1
            answer = await self.get(self._absolute(item.uri))
            if answer.status != 200:
                self._bad(9, f"{item.uri} answered {answer.status} as soon as it was removed")

    # verdicts ---------------------------------------------------------------------------------

    def _absolute(self, uri: str) -> str:
        assert self.media_url is not None
        return urljoin(self.media_url, uri)

    def _bad(self, rule: int, message: str) -> None:
        self.playback.violations.append(Violation(rule, message))

    def _expect_type(self, answer: Answer, expected: str, uri: str) -> None:
        if answer.content_type != expected:
            self._bad(46, f"{uri} is sent as {answer.content_type!r}, not {expected!r}")

    def _collect(self) -> None:
        """Bring the verdicts of all checkers together, each once."""
        playback = self.playback
        found = [*playback.violations, *self.checker.violations]
        for epoch in playback.epochs:
            found.extend(epoch.checker.violations)
        if playback.epochs and playback.multivariant is not None:
            first = playback.epochs[0].checker
            found.extend(
                compare(
                    playback.multivariant.variants[0],
                    first.init,
                    measured_frame_rate=first.frame_rate(),
                )
            )
        playback.violations = list(dict.fromkeys(found))


def with_query(url: str, query: Mapping[str, object]) -> str:
    """`url` with the query parameters added."""
    parts = urlsplit(url)
    pairs = [*parse_qsl(parts.query), *((name, str(value)) for name, value in query.items())]
    return urlunsplit(parts._replace(query=urlencode(pairs)))

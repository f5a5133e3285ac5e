"""HLS over HTTP: parse, ask media/origin.py, answer.

Playlists are revalidated each time; media, whose names are never used again, may be kept for an
hour (rule 43 of docs/playlist-rules.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from prometheus_client import Counter

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, NotFound, Unavailable
from mediaserver.kernel.metrics import Metrics
from mediaserver.media.admission import Admission, Full
from mediaserver.media.audience import ViewerReport, Way
from mediaserver.media.dvr import DVR_PLAYLIST
from mediaserver.media.live_stream import (
    MEDIA_PLAYLIST,
    MULTIVARIANT_PLAYLIST,
    LiveStream,
    PlaylistRequest,
)
from mediaserver.media.origin import Origin
from mediaserver.media.playlist import Rendered
from mediaserver.media.thumbnails import Thumbnails
from mediaserver.routes.cmcd import cmcd_of
from mediaserver.routes.errors import json_answer, problem_of
from mediaserver.routes.static import accepts_gzip
from mediaserver.routes.viewers import viewer_of

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
_MEDIA_TYPE = "video/mp4"
_OPEN = {"Access-Control-Allow-Origin": "*", "Timing-Allow-Origin": "*"}
_FOREVER = {**_OPEN, hdrs.CACHE_CONTROL: "public, max-age=3600, immutable"}
_NO_CACHE = {**_OPEN, hdrs.CACHE_CONTROL: "no-cache"}
_PRIVATE = {**_OPEN, hdrs.CACHE_CONTROL: "private, max-age=3600", hdrs.VARY: "Cookie"}
_A_SECOND = {**_OPEN, hdrs.CACHE_CONTROL: "public, max-age=1"}


GATED: web.RequestKey[bool] = web.RequestKey("GATED")
"""Set on requests that had to show a ticket: their answers are for one viewer."""

TakeReport = Callable[[str, str, ViewerReport], None]
"""Given a channel's slug, a stable key of the viewer, and what their player says."""


def hls_routes(
    origin: Origin,
    admission: Admission,
    thumbnails: Thumbnails,
    metrics: Metrics,
    take_report: TakeReport = lambda *_: None,
) -> list[web.RouteDef]:
    """`/live/{channel}/…`, as ARCHITECTURE.md lays it out."""
    hls = _Hls(origin, admission, thumbnails, metrics, take_report)
    return [
        web.get("/live/{channel}/" + MULTIVARIANT_PLAYLIST, hls.multivariant),
        web.get("/live/{channel}/thumbnail.jpg", hls.thumbnail),
        web.get("/live/{channel}/{session}/" + MULTIVARIANT_PLAYLIST, hls.session_multivariant),
        web.get("/live/{channel}/{session}/" + MEDIA_PLAYLIST, hls.playlist),
        web.get("/live/{channel}/{session}/" + DVR_PLAYLIST, hls.dvr_playlist),
        web.get("/live/{channel}/{session}/{name}", hls.media),
    ]


class _Hls:
    def __init__(
        self,
        origin: Origin,
        admission: Admission,
        thumbnails: Thumbnails,
        metrics: Metrics,
        take_report: TakeReport,
    ) -> None:
        self._origin = origin
        self._take_report = take_report
        self._admission = admission
        self._thumbnails = thumbnails
        self._bytes = metrics.hls_bytes
        self._playlists = metrics.hls_requests.labels("playlist")
        self._media = metrics.hls_requests.labels("media")
        self._slow = metrics.hls_slow_viewers

    async def multivariant(self, request: web.Request) -> web.StreamResponse:
        try:
            stream = self._origin.current(request.match_info["channel"])
            body = stream.multivariant()
            self._admission.admit(stream, viewer_of(request))
        except NotFound as error:
            return _plain(404, error.message)
        except Full as error:
            return _full(error)
        return web.Response(body=body, content_type=PLAYLIST_TYPE, headers=_NO_CACHE)

    async def session_multivariant(self, request: web.Request) -> web.StreamResponse:
        """For who knows the session: a streamer's look at a stream that is held."""
        try:
            stream = self._origin.stream(
                request.match_info["channel"], request.match_info["session"]
            )
            body = stream.multivariant(in_session=True)
        except NotFound as error:
            return _plain(404, error.message)
        return web.Response(body=body, content_type=PLAYLIST_TYPE, headers=_NO_CACHE)

    async def playlist(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        try:
            stream = self._origin.stream(
                request.match_info["channel"], request.match_info["session"]
            )
            directives = PlaylistRequest.parse(
                query.get("_HLS_msn"), query.get("_HLS_part"), query.get("_HLS_skip")
            )
            self._let_in(request, stream, "hls")
            rendered = await stream.playlist(directives)
        except Full as error:
            return _full(error)
        except Invalid as error:
            return _plain(400, error.message)
        except NotFound as error:
            return _plain(404, error.message)
        except Unavailable as error:
            return _plain(503, error.message)
        self._playlists.inc()
        return self._send_playlist(request, stream, rendered, _NO_CACHE)

    async def dvr_playlist(self, request: web.Request) -> web.StreamResponse:
        """The past of the stream. It changes with each segment, so a proxy may share it."""
        try:
            stream = self._origin.stream(
                request.match_info["channel"], request.match_info["session"]
            )
            if stream.recording is None:
                raise NotFound("This stream can't be rewound")
            skip = PlaylistRequest.parse(None, None, request.query.get("_HLS_skip")).skip
            rendered = stream.recording.playlist(skip=skip)
            self._let_in(request, stream, "dvr")
        except NotFound as error:
            return _plain(404, error.message)
        except Full as error:
            return _full(error)
        self._playlists.inc()
        return self._send_playlist(request, stream, rendered, _A_SECOND)

    def _let_in(self, request: web.Request, stream: LiveStream, way: Way) -> None:
        """Count a viewer. Raises `Full`."""
        viewer = viewer_of(request)
        if viewer is not None:
            self._admission.admit(stream, viewer)
            stream.seen(viewer)
            self._listen(request, viewer, way)

    def _listen(self, request: web.Request, viewer: str | None, way: Way) -> None:
        """Take what a player says of itself, if it does."""
        said = cmcd_of(request, way)
        if said is not None and viewer is not None:
            session, report = said
            self._take_report(request.match_info["channel"], session or viewer, report)

    def _count_sent(self, stream: LiveStream, byte_count: int) -> None:
        self._bytes.inc(byte_count)
        stream.bytes_sent += byte_count

    def _send_playlist(
        self,
        request: web.Request,
        stream: LiveStream,
        rendered: Rendered,
        base: Mapping[str, str],
    ) -> web.Response:
        headers = dict(base)
        headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
        body = rendered.plain
        if accepts_gzip(request):
            headers[hdrs.CONTENT_ENCODING] = "gzip"
            body = rendered.gzipped
        self._count_sent(stream, len(body))
        return web.Response(body=body, content_type=PLAYLIST_TYPE, headers=headers)

    async def media(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        try:
            stream = self._origin.stream(
                request.match_info["channel"], request.match_info["session"]
            )
            self._listen(request, viewer_of(request), "hls")
            try:
                pieces = await stream.media(name)
            except NotFound:
                recorded = stream.recorded(name)
                if isinstance(recorded, Path):
                    self._media.inc()
                    return _SegmentFile(recorded, partial(self._count_sent, stream), self._slow)
                pieces = [recorded]
        except NotFound as error:
            return _plain(404, error.message)
        except Unavailable as error:
            return _plain(503, error.message)
        self._media.inc()
        response = web.StreamResponse(headers=_PRIVATE if request.get(GATED) else _FOREVER)
        response.content_type = _MEDIA_TYPE
        response.content_length = sum(len(piece) for piece in pieces)
        try:
            # All viewers are sent the same shared bytes; one that hardly reads must not keep them.
            async with asyncio.timeout(limits.HLS_SEND_TIMEOUT_S):
                await response.prepare(request)
                if request.method == hdrs.METH_HEAD:
                    return response
                self._count_sent(stream, response.content_length)
                for piece in pieces:
                    await response.write(piece)
                await response.write_eof()
        except ConnectionResetError:
            pass  # players drop requests all the time: on a seek, a reload, a closed tab
        except TimeoutError:
            self._slow.inc()
            if request.transport is not None:
                request.transport.abort()
        return response

    async def thumbnail(self, request: web.Request) -> web.StreamResponse:
        jpeg = self._thumbnails.jpeg(request.match_info["channel"])
        if jpeg is None:
            return _plain(404, "No thumbnail yet")
        headers = {**_OPEN, hdrs.CACHE_CONTROL: "public, max-age=5"}
        return web.Response(body=jpeg, content_type="image/jpeg", headers=headers)


class _SegmentFile(web.FileResponse):
    """A recorded segment, whole or a range, sent by the kernel and never held in memory."""

    def __init__(self, path: Path, count_sent: Callable[[int], None], slow: Counter) -> None:
        super().__init__(path, headers={**_FOREVER, hdrs.CONTENT_TYPE: _MEDIA_TYPE})
        self._count_sent = count_sent
        self._slow = slow

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        try:
            async with asyncio.timeout(limits.HLS_SEND_TIMEOUT_S):
                writer = await super().prepare(request)
        except TimeoutError:
            self._slow.inc()
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("The viewer took too long to read") from None
        self._count_sent(self.content_length or 0)
        return writer


def _full(error: Full) -> web.Response:
    answer = json_answer(problem_of(error))
    answer.headers.update(_NO_CACHE)
    return answer


def _plain(status: int, message: str) -> web.Response:
    return web.Response(status=status, text=message + "\n", headers=_NO_CACHE)

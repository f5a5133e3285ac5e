"""HLS over HTTP: parse, ask media/origin.py, answer.

Playlists are revalidated each time; media, whose names are never used again, may be kept for an
hour (rule 43 of docs/playlist-rules.md).
"""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, NotFound, Unavailable
from mediaserver.kernel.metrics import Metrics
from mediaserver.media.origin import (
    MEDIA_PLAYLIST,
    MULTIVARIANT_PLAYLIST,
    Origin,
    PlaylistRequest,
    Rendered,
)
from mediaserver.media.thumbnails import Thumbnails
from mediaserver.routes.static import accepts_gzip
from mediaserver.routes.viewers import viewer_of

_PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
_MEDIA_TYPE = "video/mp4"
_OPEN = {"Access-Control-Allow-Origin": "*", "Timing-Allow-Origin": "*"}
_FOREVER = {**_OPEN, hdrs.CACHE_CONTROL: "public, max-age=3600, immutable"}
_NO_CACHE = {**_OPEN, hdrs.CACHE_CONTROL: "no-cache"}


def hls_routes(origin: Origin, thumbnails: Thumbnails, metrics: Metrics) -> list[web.RouteDef]:
    """`/live/{channel}/…`, as ARCHITECTURE.md lays it out."""
    hls = _Hls(origin, thumbnails, metrics)
    return [
        web.get("/live/{channel}/" + MULTIVARIANT_PLAYLIST, hls.multivariant),
        web.get("/live/{channel}/thumbnail.jpg", hls.thumbnail),
        web.get("/live/{channel}/{session}/" + MULTIVARIANT_PLAYLIST, hls.session_multivariant),
        web.get("/live/{channel}/{session}/" + MEDIA_PLAYLIST, hls.playlist),
        web.get("/live/{channel}/{session}/{name}", hls.media),
    ]


class _Hls:
    def __init__(self, origin: Origin, thumbnails: Thumbnails, metrics: Metrics) -> None:
        self._origin = origin
        self._thumbnails = thumbnails
        self._bytes = metrics.hls_bytes
        self._playlists = metrics.hls_requests.labels("playlist")
        self._media = metrics.hls_requests.labels("media")
        self._slow = metrics.hls_slow_viewers

    async def multivariant(self, request: web.Request) -> web.StreamResponse:
        try:
            body = self._origin.current(request.match_info["channel"]).multivariant()
        except NotFound as error:
            return _plain(404, error.message)
        return web.Response(body=body, content_type=_PLAYLIST_TYPE, headers=_NO_CACHE)

    async def session_multivariant(self, request: web.Request) -> web.StreamResponse:
        """For who knows the session: a streamer's look at a stream that is held."""
        try:
            stream = self._origin.stream(
                request.match_info["channel"], request.match_info["session"]
            )
            body = stream.multivariant(in_session=True)
        except NotFound as error:
            return _plain(404, error.message)
        return web.Response(body=body, content_type=_PLAYLIST_TYPE, headers=_NO_CACHE)

    async def playlist(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        try:
            stream = self._origin.stream(
                request.match_info["channel"], request.match_info["session"]
            )
            directives = PlaylistRequest.parse(
                query.get("_HLS_msn"), query.get("_HLS_part"), query.get("_HLS_skip")
            )
            viewer = viewer_of(request)
            if viewer is not None:
                stream.seen(viewer)
            rendered = await stream.playlist(directives)
        except Invalid as error:
            return _plain(400, error.message)
        except NotFound as error:
            return _plain(404, error.message)
        except Unavailable as error:
            return _plain(503, error.message)
        self._playlists.inc()
        return self._send_playlist(request, rendered)

    def _send_playlist(self, request: web.Request, rendered: Rendered) -> web.Response:
        headers = dict(_NO_CACHE)
        headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
        body = rendered.plain
        if accepts_gzip(request):
            headers[hdrs.CONTENT_ENCODING] = "gzip"
            body = rendered.gzipped
        self._bytes.inc(len(body))
        return web.Response(body=body, content_type=_PLAYLIST_TYPE, headers=headers)

    async def media(self, request: web.Request) -> web.StreamResponse:
        try:
            stream = self._origin.stream(
                request.match_info["channel"], request.match_info["session"]
            )
            pieces = await stream.media(request.match_info["name"])
        except NotFound as error:
            return _plain(404, error.message)
        except Unavailable as error:
            return _plain(503, error.message)
        self._media.inc()
        response = web.StreamResponse(headers=_FOREVER)
        response.content_type = _MEDIA_TYPE
        response.content_length = sum(len(piece) for piece in pieces)
        try:
            # All viewers are sent the same shared bytes; one that hardly reads must not keep them.
            async with asyncio.timeout(limits.HLS_SEND_TIMEOUT_S):
                await response.prepare(request)
                if request.method == hdrs.METH_HEAD:
                    return response
                self._bytes.inc(response.content_length)
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


def _plain(status: int, message: str) -> web.Response:
    return web.Response(status=status, text=message + "\n", headers=_NO_CACHE)

"""The web server under the application, with its own answer to what is no HTTP.

aiohttp answers a broken request with its version and with what it choked on, and writes a traceback
for each. Ours says neither and leaves one line. Made by server/listening.py; everything that is
HTTP goes to the application as ever.
"""

from __future__ import annotations

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

_log = structlog.get_logger(__name__)


class HttpRunner(web.AppRunner):
    """An `AppRunner` whose connections are ours. Leans on the names of two internals of aiohttp."""

    __slots__ = ()

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, request_factory=made.request_factory, **made._kwargs)


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= 500:  # a bug: with its traceback
            response = super().handle_error(request, status, exc, message)
        else:
            _log.info("broken request refused", address=request.remote, status=status)
            if request.writer.output_size > 0:
                raise ConnectionError("the answer has begun already")
            response = web.Response(status=status, text="That is no request for a website.\n")
            response.force_close()
        response.headers["Server"] = "mediaserver"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

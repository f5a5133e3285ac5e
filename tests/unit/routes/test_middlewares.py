"""What the error middleware does with errors that are nobody's fault."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from aiohttp.typedefs import Handler
from structlog.testing import capture_logs

from mediaserver.kernel.errors import NotFound, RateLimited
from mediaserver.routes.middlewares import errors


def _raising(error: Exception) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise error

    return handler


@pytest.mark.parametrize("error", [ConnectionResetError(), BrokenPipeError()])
async def test_a_visitor_who_left_is_not_logged(error: Exception) -> None:
    request = make_mocked_request("GET", "/live/x/y/part1.m4s")
    assert isinstance(request.transport, Mock)
    request.transport.is_closing.return_value = True
    with capture_logs() as logs:
        assert not (await errors(request, _raising(error))).prepared
    assert logs == []


async def test_a_connection_that_fails_elsewhere_is_logged() -> None:
    request = make_mocked_request("GET", "/api/x")
    assert isinstance(request.transport, Mock)
    request.transport.is_closing.return_value = False
    with capture_logs() as logs:
        response = await errors(request, _raising(ConnectionRefusedError()))
    assert (response.status, len(logs)) == (500, 1)


async def test_a_broken_body_is_a_bad_request() -> None:
    with capture_logs() as logs:
        response = await errors(
            make_mocked_request("POST", "/api/v1/auth/login"), _raising(web.RequestPayloadError())
        )
    assert (response.status, logs) == (400, [])


async def test_expected_errors_are_not_logged() -> None:
    with capture_logs() as logs:
        for error, status in ((NotFound("x"), 404), (RateLimited("x", retry_after_s=7), 429)):
            response = await errors(make_mocked_request("GET", "/api/x"), _raising(error))
            assert response.status == status
    assert response.headers["Retry-After"] == "7"
    assert logs == []


async def test_bugs_are_logged_once() -> None:
    with capture_logs() as logs:
        response = await errors(make_mocked_request("GET", "/api/x"), _raising(KeyError("x")))
    assert response.status == 500
    assert len(logs) == 1


async def test_tokens_of_overlays_and_docks_stay_out_of_the_log() -> None:
    for path in ("/overlay/ovl_secret/chat", "/dock/dock_secret"):
        with capture_logs() as logs:
            await errors(make_mocked_request("GET", path), _raising(RuntimeError()))
        assert logs
        assert "secret" not in str([one["path"] for one in logs])

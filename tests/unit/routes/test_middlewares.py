"""What the error middleware does with errors that are nobody's fault."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from aiohttp.typedefs import Handler
from structlog.testing import capture_logs

from mediaserver.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthorized,
)
from mediaserver.routes.keys import CALLER_ID
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
        for error, status in ((NotFound("x"), 404), (Invalid("x"), 422), (Conflict("x"), 409)):
            response = await errors(make_mocked_request("GET", "/api/x"), _raising(error))
            assert response.status == status
    assert logs == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Forbidden("x"), 403),
        (RateLimited("x", retry_after_s=7), 429),
        (TooLarge("x"), 413),
        (web.HTTPMisdirectedRequest(), 421),
        (Unauthorized("x", code="invalid_token"), 401),
    ],
)
async def test_refusals_are_logged_with_who_was_refused(error: Exception, status: int) -> None:
    request = make_mocked_request("POST", "/api/x?secret=y", headers={"Cookie": "sid=secret"})
    request[CALLER_ID] = "usr_1"
    with capture_logs() as logs:
        response = await errors(request, _raising(error))
    assert response.status == status
    assert response.headers.get("Retry-After") == ("7" if status == 429 else None)
    (line,) = logs
    assert (line["event"], line["log_level"], line["user"]) == ("refused", "info", "usr_1")
    assert (line["status"], line["method"], line["path"]) == (status, "POST", "/api/x")
    assert "secret" not in str(line)


async def test_who_is_not_logged_in_yet_is_no_refusal() -> None:
    with capture_logs() as logs:
        await errors(make_mocked_request("GET", "/api/x"), _raising(Unauthorized("x")))
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

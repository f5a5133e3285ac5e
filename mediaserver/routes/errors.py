"""Errors as answers: JSON under /api, a page everywhere else. The one place with status codes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from mediaserver.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    MediaserverError,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from mediaserver.routes.page import page


class BadJson(Invalid):
    """A body that is no JSON at all."""

    code = "bad_json"


STATUS: Mapping[type[MediaserverError], int] = {
    BadJson: 400,
    Invalid: 422,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    RateLimited: 429,
    Unavailable: 503,
}

_TITLES = {
    400: "That request can't be read",
    401: "Log in first",
    403: "Not allowed",
    404: "Not found",
    405: "That doesn't work here",
    408: "That took too long",
    409: "That contradicts something",
    413: "Too large",
    415: "Wrong kind of content",
    421: "Wrong address",
    422: "Something is not right",
    429: "Too many attempts",
    503: "Not right now",
}

_MESSAGES = {
    404: "There is nothing at this address.",
    405: "This address doesn't take that kind of request.",
    408: "The request came in too slowly.",
    413: "That is more than this site takes at once.",
    415: "This address takes another content type.",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """An error on its way out."""

    status: int
    code: str
    message: str
    field: str | None = None
    details: list[dict[str, Any]] | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


class BadInput(Invalid):
    """A body that doesn't fit its model; `details` has one entry for each problem."""

    def __init__(self, message: str, field: str | None, details: list[dict[str, Any]]) -> None:
        super().__init__(message, field=field)
        self.details = details


def problem_of(error: Exception) -> Problem:
    """What the world may know about `error`."""
    if isinstance(error, MediaserverError):
        status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
        headers = {}
        if isinstance(error, RateLimited):
            headers["Retry-After"] = str(error.retry_after_s)
        elif isinstance(error, Unavailable):
            headers["Retry-After"] = "5"
        elif isinstance(error, Unauthorized):
            headers["WWW-Authenticate"] = "Bearer"
        return Problem(
            status,
            error.code,
            error.message,
            getattr(error, "field", None),
            getattr(error, "details", None),
            headers,
        )
    if isinstance(error, web.HTTPException):
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        code = error.reason.lower().replace(" ", "_").replace("'", "")
        message = _MESSAGES.get(error.status, f"{error.reason}.")
        return Problem(error.status, code, message, headers=headers)
    return Problem(
        500, "internal", "Something went wrong on the server. It has been written to its log."
    )


def json_answer(problem: Problem) -> web.Response:
    body: dict[str, Any] = {"code": problem.code, "message": problem.message}
    if problem.field is not None:
        body["field"] = problem.field
    if problem.details is not None:
        body["details"] = problem.details
    return web.json_response(
        {"error": body},
        status=problem.status,
        headers={"Cache-Control": "no-store", **problem.headers},
    )


def page_answer(request: web.Request, problem: Problem) -> web.Response:
    action = (
        {"href": "/login", "label": "Log in"}
        if problem.status == 401
        else {"href": "/", "label": "Go to the home page"}
    )
    response = page(
        request,
        "error.html",
        {
            "status": problem.status,
            "title": _TITLES.get(problem.status, "Something went wrong"),
            "message": problem.message,
            "action": action,
        },
        status=problem.status,
    )
    response.headers.update(problem.headers)
    return response

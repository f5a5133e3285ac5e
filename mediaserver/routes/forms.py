"""Forms of our pages: reading one, and showing it again with what is wrong in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Invalid, RateLimited, Unauthorized, Unavailable
from mediaserver.routes.errors import problem_of
from mediaserver.routes.page import page, read_body

FORM_TYPE = "application/x-www-form-urlencoded"


async def read_form(request: web.Request) -> dict[str, str]:
    """The fields of an urlencoded form; the first one counts where a name is repeated."""
    fields: dict[str, str] = {}
    for name, value in await read_pairs(request):
        fields.setdefault(name, value)
    return fields


async def read_pairs(request: web.Request) -> list[tuple[str, str]]:
    """The same with every repetition, as it was sent."""
    if request.content_type != FORM_TYPE:
        raise web.HTTPUnsupportedMediaType
    try:
        return parse_qsl(
            (await read_body(request)).decode(),
            keep_blank_values=True,
            max_num_fields=limits.FORM_FIELDS_MAX,
            errors="strict",
        )
    except ValueError as error:  # UnicodeDecodeError is one
        raise Invalid("The form can't be read.") from error


FormError = Invalid | Conflict | RateLimited | Unavailable | Unauthorized
"""What is shown in the form itself rather than on a page of its own."""

FORM_ERRORS = (Invalid, Conflict, RateLimited, Unavailable, Unauthorized)


def form_errors(error: FormError) -> dict[str, str]:
    """Field → sentence; "" for what concerns the form as a whole."""
    field = error.field if isinstance(error, Invalid | Conflict) else None
    return {field or "": error.message}


def form_status(error: FormError) -> int:
    """A password or code that is wrong is wrong in the form: it is no question of logging in."""
    return 422 if isinstance(error, Unauthorized) else problem_of(error).status


def form_again(
    request: web.Request,
    template: str,
    form: Mapping[str, str],
    shown: Iterable[str],
    error: FormError,
    more: Mapping[str, object],
) -> web.Response:
    """The form with the fields `shown` as they were typed, and what is wrong with it."""
    problem = problem_of(error)
    response = page(
        request,
        template,
        {
            "form": {name: form.get(name, "") for name in shown},
            "errors": form_errors(error),
            **more,
        },
        status=form_status(error),
    )
    if "Retry-After" in problem.headers:
        response.headers["Retry-After"] = problem.headers["Retry-After"]
    return response

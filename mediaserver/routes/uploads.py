"""Forms that carry a file: multipart/form-data (RFC 7578), bounded in every direction.

The route must be among those that may take more than a small body (routes/app.py), and the request
must announce its length, as browsers do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, TooLarge

_TEXT_BYTES_MAX = limits.FORM_FIELD_BYTES_MAX
_UNREADABLE = "The form can't be read."


@dataclass(frozen=True, slots=True)
class Upload:
    """What a form brought: its texts, and the one file that was asked for (empty: none chosen)."""

    fields: dict[str, str]
    file: bytes


async def read_upload(request: web.Request, file_field: str, bytes_max: int) -> Upload:
    """The form with its file in `file_field`. Raises `Invalid` or `TooLarge`."""
    if request.content_type != "multipart/form-data":
        raise web.HTTPUnsupportedMediaType
    if request.content_length is None:
        raise web.HTTPLengthRequired
    try:
        async with asyncio.timeout(limits.UPLOAD_TIMEOUT_S):
            return await _read(request, file_field, bytes_max)
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    except (ValueError, RuntimeError, BadHttpMessage) as error:
        raise Invalid(_UNREADABLE) from error


async def read_uploads(
    request: web.Request,
    file_field: str,
    bytes_max: int,
    fields: dict[str, str],
    take: Callable[[bytes], Awaitable[None]],
) -> None:
    """A form with several files in `file_field`: each is handed to `take` before the next is read,
    so one at a time is in memory. The texts go into `fields`, those before a wrong file too.

    Raises `Invalid`, `TooLarge`, or what `take` raises.
    """
    if request.content_type != "multipart/form-data":
        raise web.HTTPUnsupportedMediaType
    if request.content_length is None:
        raise web.HTTPLengthRequired
    try:
        async with asyncio.timeout(limits.DOCUMENTS_UPLOAD_TIMEOUT_S):
            async for name, data in _parts(request, file_field, bytes_max):
                if name != file_field:
                    fields.setdefault(name, data.decode())
                elif data:
                    await take(data)
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    except (ValueError, RuntimeError, BadHttpMessage) as error:
        raise Invalid(_UNREADABLE) from error


async def _read(request: web.Request, file_field: str, bytes_max: int) -> Upload:
    fields: dict[str, str] = {}
    file = b""
    async for name, data in _parts(request, file_field, bytes_max):
        if name == file_field:
            file = data
        else:
            fields.setdefault(name, data.decode())
    return Upload(fields, file)


async def _parts(
    request: web.Request, file_field: str, bytes_max: int
) -> AsyncIterator[tuple[str, bytes]]:
    """Name and content of each part, as they come."""
    reader = await request.multipart()
    for _ in range(limits.FORM_FIELDS_MAX):
        part = await reader.next()
        if part is None:
            return
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise Invalid(_UNREADABLE)
        is_file = part.name == file_field
        yield part.name, await _read_part(part, bytes_max if is_file else _TEXT_BYTES_MAX)
    raise Invalid("The form has too many fields.")


async def _read_part(part: BodyPartReader, bytes_max: int) -> bytes:
    found = bytearray()
    while chunk := await part.read_chunk():
        found += chunk
        if len(found) > bytes_max:
            raise TooLarge(f"Use at most {bytes_max // limits.KIB} KB.")
    return bytes(found)

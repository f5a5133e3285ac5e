"""Forms with a file: what browsers send, and everything else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import Handler

from mediaserver.kernel import limits
from mediaserver.routes.errors import json_answer, problem_of
from mediaserver.routes.uploads import read_upload

BYTES_MAX = 100 * limits.KIB
BOUNDARY = "xyz"
TYPE = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


async def _handler(request: web.Request) -> web.StreamResponse:
    upload = await read_upload(request, "picture", BYTES_MAX)
    return web.json_response({"fields": upload.fields, "size": len(upload.file)})


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Exception as error:
        return json_answer(problem_of(error))


@pytest.fixture
async def client() -> AsyncIterator[TestClient[web.Request, web.Application]]:
    app = web.Application(middlewares=[_errors])
    app.add_routes([web.post("/", _handler)])
    async with TestClient(TestServer(app)) as client:
        yield client


Client = TestClient[web.Request, web.Application]


def _form(file: bytes, **fields: str) -> aiohttp.MultipartWriter:
    with aiohttp.MultipartWriter("form-data") as writer:
        for name, value in fields.items():
            writer.append(value).set_content_disposition("form-data", name=name)
        part = writer.append(file, {"Content-Type": "image/png"})
        part.set_content_disposition("form-data", name="picture", filename="a.png")
    return writer


def _part(name: str, value: bytes = b"") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    return head.encode() + value + b"\r\n"


async def test_a_form_with_a_picture(client: Client) -> None:
    response = await client.post("/", data=_form(b"\x89PNG" * 100, code="wave", note="ਪੰਜਾਬੀ"))
    assert response.status == 200
    assert await response.json() == {"fields": {"code": "wave", "note": "ਪੰਜਾਬੀ"}, "size": 400}
    response = await client.post("/", data=_form(b"x" * BYTES_MAX))
    assert (await response.json())["size"] == BYTES_MAX
    response = await client.post("/", data=_form(b""))
    assert (await response.json())["size"] == 0, "none chosen"


async def test_the_first_of_a_name_counts_but_the_last_file(client: Client) -> None:
    body = (
        _part("code", b"a")
        + _part("code", b"b")
        + _part("picture", b"1")
        + f"--{BOUNDARY}--\r\n".encode()
    )
    response = await client.post("/", data=body, headers=TYPE)
    assert await response.json() == {"fields": {"code": "a"}, "size": 1}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"no boundary at all", 422),
        (_part("code", b"a"), 422),
        (_part("code", b"\xff\xfe"), 422),
        (_part("code", b"x" * (limits.FORM_FIELD_BYTES_MAX + 1)), 413),
        (b"".join(_part(f"f{n}") for n in range(limits.FORM_FIELDS_MAX + 1)), 422),
        (_part("picture", b"x" * (BYTES_MAX + 1)), 413),
        (f"--{BOUNDARY}\r\nX: {'y' * 20_000}\r\n\r\n".encode(), 422),
        (f"--{BOUNDARY}\r\n".encode() + b"X: y\r\n" * 500 + b"\r\n", 422),
        (f"--{BOUNDARY}\r\nContent-Type: text/plain\r\n\r\nx\r\n".encode(), 422),
        (f"--{BOUNDARY}\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n--q--".encode(), 422),
        (f"--{BOUNDARY}\r\nContent-Type: multipart/mixed\r\n\r\n".encode(), 422),
    ],
)
async def test_wrong_forms(client: Client, body: bytes, status: int) -> None:
    response = await client.post("/", data=body, headers=TYPE)
    assert response.status == status
    assert (await response.json())["error"]["message"]


async def test_other_bodies(client: Client) -> None:
    assert (await client.post("/", data={"code": "wave"})).status == 415
    no_boundary = {"Content-Type": "multipart/form-data"}
    assert (await client.post("/", data=b"x", headers=no_boundary)).status == 422
    long = {"Content-Type": f"multipart/form-data; boundary={'b' * 100}"}
    assert (await client.post("/", data=b"x", headers=long)).status == 422

    async def chunks() -> AsyncIterator[bytes]:
        yield _part("code", b"a")

    assert (await client.post("/", data=chunks(), headers=TYPE)).status == 411

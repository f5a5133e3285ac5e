"""The picture while the encoder is away: made anew, told to players, gone when it is removed."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from tests.functional.platform_site import FakeStatus, Person, Site, running_site

PATH = "/channels/alice-tv/back-soon"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


@pytest.fixture
async def alice(site: Site) -> Person:
    person = await site.member("alice")
    await person.make_channel("alice-tv")
    return person


def _picture(kind: str = "JPEG", size: tuple[int, int] = (2000, 1500)) -> bytes:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    Image.new("RGB", size, (200, 80, 40)).save(file, kind, exif=exif)
    return file.getvalue()


def _claims_size(width: int, height: int) -> bytes:
    """A PNG that says it is so large."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


async def _put(person: Person, data: bytes, kind: str = "image/jpeg") -> tuple[int, dict[str, str]]:
    headers = {"Content-Type": kind}
    status, answer = await person.api("PUT", PATH, data=io.BytesIO(data), headers=headers)
    return status, answer


async def test_a_picture_from_upload_to_removal(site: Site, alice: Person, tmp_path: Path) -> None:
    site.media.broadcasts.statuses.append(FakeStatus("alice-tv"))
    visitor = site.person()
    live = "/channels/alice-tv/live"
    assert (await visitor.api("GET", live))[1]["back_soon_url"] is None
    status, answer = await _put(alice, _picture())
    assert status == 200, answer
    first = answer["url"]
    assert (await visitor.api("GET", live))[1]["back_soon_url"] == first
    async with visitor.http.get(f"{str(site.base).rstrip('/')}{first}") as response:
        assert response.content_type == "image/webp"
        assert "immutable" in response.headers["Cache-Control"]
        data = await response.read()
    assert b"where I live" not in data
    with Image.open(io.BytesIO(data)) as made:
        assert (made.format, made.size) == ("WEBP", (960, 720))
    status, answer = await _put(alice, _picture("PNG", (64, 36)), "image/png")
    second = answer["url"]
    assert second != first
    assert (await visitor.get(first))[0] == 404, "the old one is gone"
    folder = tmp_path / "storage" / "images" / "back-soon"
    assert [file.name for file in folder.iterdir()] == [second.rpartition("/")[2]]
    assert (await alice.api("DELETE", PATH))[0] == 204
    assert (await alice.api("DELETE", PATH))[0] == 404
    assert (await visitor.get(second))[0] == 404
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 422),
        (b"GIF89a" + b"\0" * 100, 422),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", 422),
        (b"%PDF-1.7", 422),
        (_picture()[:500], 422),
        (_claims_size(50_000, 50_000), 422),
        (_claims_size(0, 0), 422),
    ],
)
async def test_what_is_no_picture(site: Site, alice: Person, data: bytes, status: int) -> None:
    answered, answer = await _put(alice, data)
    assert answered == status, answer
    assert (await alice.api("GET", "/channels/alice-tv"))[0] == 200


async def test_who_may(site: Site, alice: Person) -> None:
    bob = await site.member("bob")
    assert (await _put(bob, _picture("PNG", (8, 8)), "image/png"))[0] == 403
    assert (await _put(site.person(), b"x"))[0] == 401
    assert (await bob.api("DELETE", PATH))[0] == 403
    for image_id in ("bks_nothing", "..%2F..%2Fmediaserver", "%00", "x" * 3000):
        assert (await bob.get(f"/back-soon/{image_id}.webp"))[0] == 404


async def test_one_that_is_too_large(site: Site, alice: Person) -> None:
    status, _ = await _put(alice, b"\xff\xd8\xff" + b"\0" * (9 * 1024 * 1024))
    assert status == 413

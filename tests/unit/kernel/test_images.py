"""Uploaded pictures: what is taken, what is refused before decoding, what comes out."""

from __future__ import annotations

import asyncio
import io
import random
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from mediaserver.kernel import images as images_module
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, NotFound, TooLarge, Unavailable
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.image_encoder import ANSWER, encode
from mediaserver.kernel.image_header import ImageHeader, read_header
from mediaserver.kernel.images import ImageFolder, Images, ImageShape
from tests import pictures

SHAPE = ImageShape(112, 112, bytes_max=64 * 1024, upload_bytes_max=1024 * 1024, frames_max=60)


def _webp(lossless: bool, frames: int = 1) -> bytes:
    out = io.BytesIO()
    image = Image.new("RGB", (300, 200), "teal")
    others = [Image.new("RGB", (300, 200), (place, 0, 0)) for place in range(1, frames)]
    image.save(out, "WEBP", lossless=lossless, save_all=frames > 1, append_images=others)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (pictures.png(300, 200), ImageHeader("PNG", 300, 200)),
        (pictures.gif(2, 300, 200), ImageHeader("GIF", 300, 200)),
        (_webp(lossless=False), ImageHeader("WEBP", 300, 200)),
        (_webp(lossless=True), ImageHeader("WEBP", 300, 200)),
        (_webp(lossless=True, frames=3), ImageHeader("WEBP", 300, 200)),
        (pictures.jpeg(300, 200), ImageHeader("JPEG", 300, 200)),
        (b"", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"<html><script>alert(1)</script>", None),
        (b"%PDF-1.7", None),
        (b"RIFF\0\0\0\0WEBPVP9 ", None),
    ],
)
def test_headers(data: bytes, header: ImageHeader | None) -> None:
    assert read_header(data) == header
    for length in range(min(len(data), 64)):
        read_header(data[:length])  # cut short it is None or right, never an error


def test_headers_of_anything() -> None:
    chance = random.Random(1)
    for start in (
        b"",
        b"\x89PNG\r\n\x1a\n....IHDR",
        b"GIF89a",
        b"RIFF....WEBPVP8X",
        b"\xff\xd8\xff",
    ):
        for _ in range(300):
            read_header(start + chance.randbytes(chance.randrange(60)))


async def test_a_still_picture() -> None:
    made = await Images().encode(pictures.png(400, 100), SHAPE)
    assert (made.width, made.height, made.is_animated) == (112, 28, False)
    with Image.open(io.BytesIO(made.webp)) as image:
        assert (image.format, image.size) == ("WEBP", (112, 28))
    small = await Images().encode(pictures.png(20, 10), SHAPE)
    assert (small.width, small.height) == (20, 10), "enlarged"


async def test_an_animation_stays_one() -> None:
    made = await Images().encode(pictures.gif(12), SHAPE)
    assert made.is_animated is True
    with Image.open(io.BytesIO(made.webp)) as image:
        assert image.n_frames == 12
    still = await Images().encode(pictures.gif(12), replace(SHAPE, frames_max=1))
    assert still.is_animated is False


def test_a_long_animation_is_thinned_and_keeps_its_length() -> None:
    answer = encode(pictures.gif(150), "GIF", (112, 112), 256 * 1024, 60)
    _, _, frames = ANSWER.unpack_from(answer)
    assert frames == 50
    with Image.open(io.BytesIO(answer[ANSWER.size :])) as image:
        length_ms = 0
        for place in range(image.n_frames):
            image.seek(place)
            image.load()
            length_ms += image.info["duration"]
    assert length_ms == 150 * 50


def test_what_does_not_fit_gets_coarser_and_then_refused() -> None:
    chance = random.Random(1)
    noise = Image.frombytes("RGB", (112, 112), chance.randbytes(112 * 112 * 3))
    out = io.BytesIO()
    noise.save(out, "PNG")
    fine = len(encode(out.getvalue(), "PNG", (112, 112), 64 * 1024, 1))
    bytes_max = fine * 2 // 3
    coarse = len(encode(out.getvalue(), "PNG", (112, 112), bytes_max, 1))
    assert coarse - ANSWER.size <= bytes_max
    with pytest.raises(ValueError):
        encode(out.getvalue(), "PNG", (112, 112), 200, 1)


async def test_a_phone_picture_stands_upright_and_says_nothing_else() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010E] = "at home, 52.5 N 13.4 E"
    out = io.BytesIO()
    Image.new("RGB", (200, 100), "navy").save(out, "JPEG", exif=exif)
    made = await Images().encode(out.getvalue(), replace(SHAPE, kinds=("JPEG",), frames_max=1))
    assert (made.width, made.height) == (56, 112)
    assert b"at home" not in made.webp
    assert b"EXIF" not in made.webp


async def test_a_bomb_is_refused_from_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_process(*arguments: object, **options: object) -> None:
        raise AssertionError("a process was started for it")

    monkeypatch.setattr(images_module.asyncio, "create_subprocess_exec", no_process)
    for data in (
        pictures.png_bomb(),
        pictures.png_bomb(50_000, 1),
        pictures.png_bomb(8_000, 8_000),
        pictures.png_bomb(0, 10),
        b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + bytes(20),
        b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0" + b"\0" * 4 + b"\xff" * 6,
        pictures.jpeg(64, 64),
        b"<svg/>",
        b"",
    ):
        with pytest.raises(Invalid) as caught:
            await Images().encode(data, SHAPE)
        assert caught.value.field == "picture"
    with pytest.raises(TooLarge):
        await Images().encode(bytes(SHAPE.upload_bytes_max + 1), SHAPE)


async def test_what_lies_in_its_header_ends_in_the_child() -> None:
    png = bytearray(pictures.png(64, 64))
    broken = bytes(png[:60]) + b"\0" * 40
    gif = bytearray(pictures.gif(3))
    gif[6:10] = struct.pack("<HH", 1, 1)  # frames larger than their screen
    for data in (broken, pictures.png_bomb(5_000, 5_000)[:-20], b"GIF89a\x10\0\x10\0"):
        with pytest.raises(Invalid):
            await Images().encode(data, SHAPE)
    text = zlib.compress(bytes(100_000_000), 9)
    chunk = b"zTXt" + b"a\0\0" + text
    bomb = (
        bytes(png[:33])
        + struct.pack(">I", len(chunk) - 4)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + bytes(png[33:])
    )
    with pytest.raises(Invalid):
        await Images().encode(bomb, SHAPE)
    made = await Images().encode(bytes(gif), SHAPE)
    assert max(made.width, made.height) <= 112


async def test_a_child_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "IMAGE_TIMEOUT_S", 0.0)
    with pytest.raises(Invalid):
        await Images().encode(pictures.png(), SHAPE)


async def test_only_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "IMAGE_WAITING_MAX", 2)
    images = Images()
    results = await asyncio.gather(
        *(images.encode(pictures.png(), SHAPE) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(result, Unavailable) for result in results) == 2


async def test_files_that_nothing_refers_to_go_the_second_time(tmp_path: Path) -> None:
    folder = ImageFolder(tmp_path / "images", "emo")
    await folder.remove_orphans(set())
    kept, gone, new = new_id("emo"), new_id("emo"), new_id("emo")
    await folder.put(kept, b"webp")
    await folder.put(gone, b"webp")
    await folder.remove_orphans({kept})
    assert folder.path(gone).is_file(), "its row may be about to be written"
    await folder.put(new, b"webp")
    await folder.remove_orphans({kept})
    with pytest.raises(NotFound):
        folder.path(gone)
    assert folder.path(new).is_file()
    await folder.remove_orphans({kept, new})
    await folder.remove_orphans({kept, new})
    assert folder.path(new).is_file()


async def test_files(tmp_path: Path) -> None:
    folder = ImageFolder(tmp_path / "images", "emo")
    kept, gone = new_id("emo"), new_id("emo")
    for image_id in (kept, gone):
        await folder.put(image_id, b"webp")
        assert folder.path(image_id).read_bytes() == b"webp"
    (tmp_path / "images" / f"{new_id('emo')}.new").write_bytes(b"half")
    await folder.remove_others({kept})
    assert [path.name for path in (tmp_path / "images").iterdir()] == [f"{kept}.webp"]
    await folder.remove(kept)
    await folder.remove(kept)
    for wrong in (kept, gone, "../site", "emo_../../../../etc/pass", "", "\0", "emo_" + "a" * 5000):
        with pytest.raises(NotFound):
            folder.path(wrong)
    (tmp_path / "images").rmdir()
    (tmp_path / "images").write_text("a file in its place")
    with pytest.raises(Unavailable):
        await folder.put(kept, b"webp")

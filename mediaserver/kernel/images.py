"""Pictures that people upload, made anew as WebP in a limited child process, and kept as files.

What comes out has the wanted size and no more than pixels: no metadata, no second meaning. Nothing
that was uploaded is ever stored or served. Used by every feature that takes pictures.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, NotFound, TooLarge, Unavailable
from mediaserver.kernel.files import write_whole
from mediaserver.kernel.ids import is_id
from mediaserver.kernel.image_encoder import ANSWER, UNREADABLE
from mediaserver.kernel.image_header import Kind, read_header

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ImageShape:
    """What a picture is made into: it fits the box, is never enlarged, keeps its proportions.

    `frames_max` 1: animations become their first frame. A field's name is for its errors.
    """

    width_max: int
    height_max: int
    bytes_max: int
    upload_bytes_max: int
    frames_max: int = 1
    kinds: tuple[Kind, ...] = ("PNG", "WEBP", "GIF")
    field: str = "picture"


@dataclass(frozen=True, slots=True)
class Picture:
    """A WebP and what it shows."""

    webp: bytes
    width: int
    height: int
    is_animated: bool


class Images:
    """Makes pictures, one at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0

    async def encode(self, data: bytes, shape: ImageShape) -> Picture:
        """Raises `TooLarge`, `Invalid` (no picture, too many pixels) or `Unavailable` (busy)."""
        if len(data) > shape.upload_bytes_max:
            raise TooLarge(f"The picture may have {shape.upload_bytes_max // limits.KIB} KiB.")
        header = read_header(data)
        if header is None or header.kind not in shape.kinds:
            names = " or ".join(shape.kinds).replace(" or ", ", ", len(shape.kinds) - 2)
            raise Invalid(f"Use a picture in {names}.", field=shape.field)
        if not (header.width and header.height):
            raise Invalid("The picture is empty.", field=shape.field)
        if (
            max(header.width, header.height) > limits.IMAGE_SIDE_MAX
            or header.width * header.height > limits.IMAGE_PIXELS_MAX
        ):
            raise Invalid("The picture has too many pixels.", field=shape.field)
        if self._waiting >= limits.IMAGE_WAITING_MAX:
            raise Unavailable("Too many pictures at once. Try again in a moment.")
        self._waiting += 1
        try:
            async with self._turn:
                return await _encode(data, header.kind, shape)
        finally:
            self._waiting -= 1


async def _encode(data: bytes, kind: Kind, shape: ImageShape) -> Picture:
    arguments = (shape.width_max, shape.height_max, shape.bytes_max, shape.frames_max)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "mediaserver.kernel.image_encoder", kind, *map(str, arguments)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(limits.IMAGE_TIMEOUT_S):
            answer, _ = await process.communicate(data)
    except TimeoutError:
        answer = b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0 or not ANSWER.size < len(answer) <= ANSWER.size + shape.bytes_max:
        if process.returncode not in (0, UNREADABLE):
            _log.warning("a picture was too much for its process", status=process.returncode)
        raise Invalid("The picture can't be read.", field=shape.field)
    width, height, frames = ANSWER.unpack_from(answer)
    return Picture(answer[ANSWER.size :], width, height, frames > 1)


class ImageFolder:
    """Made pictures as files `{id}.webp`, or with another `suffix`, in one folder; their ids begin
    with `prefix`.
    """

    def __init__(self, path: Path, prefix: str, suffix: str = ".webp") -> None:
        self._path = path
        self._prefix = prefix
        self._suffix = suffix

        self._orphans: set[str] = set()

    def path(self, image_id: str) -> Path:
        """Where the picture is. Raises `NotFound`."""
        path = self._file(image_id)
        if not path.is_file():
            raise NotFound("There is no such picture.")
        return path

    async def put(self, image_id: str, picture: bytes) -> None:
        """Whole or not at all. Raises `Unavailable` when the disk doesn't take it."""
        try:
            await asyncio.to_thread(write_whole, self._file(image_id), picture)
        except OSError as error:
            raise Unavailable(f"The picture can't be kept: {error.strerror}.") from error

    async def read(self, image_id: str) -> bytes:
        """Raises `NotFound`."""
        try:
            return await asyncio.to_thread(self._file(image_id).read_bytes)
        except OSError as error:
            raise NotFound("There is no such picture.") from error

    async def remove(self, image_id: str) -> None:
        """Nothing happens when it isn't there."""
        path = self._file(image_id)
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def remove_others(self, image_ids: set[str]) -> None:
        """At start: remove what a crash left behind, pictures that nothing refers to."""
        self._orphans = set()
        await asyncio.to_thread(self._remove, await asyncio.to_thread(self._names) - image_ids)

    async def remove_orphans(self, image_ids: set[str]) -> None:
        """Again and again: remove pictures that nothing refers to, and didn't the last time either,
        so that one which is just being put stays.
        """
        orphans = await asyncio.to_thread(self._names) - image_ids
        await asyncio.to_thread(self._remove, orphans & self._orphans)
        self._orphans = orphans

    def _names(self) -> set[str]:
        if not self._path.is_dir():
            return set()
        return {one.stem for one in self._path.iterdir() if one.suffix in (self._suffix, ".new")}

    def _remove(self, names: set[str]) -> None:
        for name in names:
            for suffix in (self._suffix, ".new"):
                (self._path / f"{name}{suffix}").unlink(missing_ok=True)

    def _file(self, image_id: str) -> Path:
        if not is_id(image_id, self._prefix):
            raise NotFound("There is no such picture.")
        return self._path / f"{image_id}{self._suffix}"

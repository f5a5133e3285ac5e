"""Static files: from memory, with a content hash in the URL and gzip made once.

Serves only regular files below its folder. A file changed on disk is read again, so that editing a
checkout needs no restart.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.kernel.errors import NotFound

_TEXT_TYPES = (
    "text/",
    "application/javascript",
    "application/json",
    "image/svg+xml",
    "application/manifest+json",
)

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""Fixed here, because mimetypes asks the machine, and machines differ."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file as it is sent. `stamp` tells whether the disk still agrees."""

    stamp: tuple[int, int]
    media_type: str
    body: bytes
    body_gzip: bytes | None
    version: str


class StaticFiles:
    """The files of one folder."""

    def __init__(self, folder: Path, prefix: str = "/static/") -> None:
        self._folder = folder.resolve()
        self._prefix = prefix

        self._files: dict[str, StaticFile] = {}

    def url(self, name: str) -> str:
        """The URL of `name` with its content hash; without one if there is no such file."""
        try:
            version = self._load(name).version
        except NotFound:
            return self._prefix + quote(name)
        return f"{self._prefix}{quote(name)}?v={version}"

    async def answer(self, request: web.Request, name: str) -> web.Response:
        """Raises `NotFound` for anything that is not a file below the folder."""
        static_file = self._files.get(name)
        if static_file is None or static_file.stamp != _stamp(self._path(name)):
            static_file = await asyncio.to_thread(self._load, name)
        headers = {
            "Content-Type": static_file.media_type,
            "ETag": f'"{static_file.version}"',
            "Vary": "Accept-Encoding",
            "Cache-Control": f"public, max-age={limits.STATIC_MAX_AGE_S}, immutable"
            if request.query.get("v") == static_file.version
            else "no-cache",
        }
        if any(tag.value in (static_file.version, "*") for tag in request.if_none_match or ()):
            del headers["Content-Type"]
            return web.Response(status=304, headers=headers)
        body = static_file.body
        if static_file.body_gzip is not None and accepts_gzip(request):
            headers["Content-Encoding"] = "gzip"
            body = static_file.body_gzip
        return web.Response(body=body, headers=headers)

    def _path(self, name: str) -> Path:
        parts = name.split("/")
        if any(part in ("", ".", "..") or part.startswith(".") for part in parts) or any(
            char in name for char in "\\\0:"
        ):
            raise NotFound("There is no such file.")
        path = self._folder.joinpath(*parts)
        try:
            resolved = path.resolve(strict=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise NotFound("There is no such file.") from error
        if not resolved.is_relative_to(self._folder) or not resolved.is_file():
            raise NotFound("There is no such file.")
        return resolved

    def _load(self, name: str) -> StaticFile:
        path = self._path(name)
        stamp = _stamp(path)
        known = self._files.get(name)
        if known is not None and known.stamp == stamp:
            return known
        if stamp[1] > limits.STATIC_FILE_BYTES_MAX:
            raise NotFound("That file is too large to be served.")
        body = path.read_bytes()
        media_type = _MEDIA_TYPES.get(path.suffix) or (
            mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        )
        loaded = StaticFile(
            stamp=stamp,
            media_type=media_type,
            body=body,
            body_gzip=_compressed(body, media_type),
            version=hashlib.sha256(body).hexdigest()[:16],
        )
        if len(self._files) >= limits.STATIC_FILES_MAX:
            self._files.pop(next(iter(self._files)))
        self._files[name] = loaded
        return loaded


def accepts_gzip(request: web.Request) -> bool:
    for part in request.headers.get("Accept-Encoding", "").split(","):
        coding, _, quality = part.partition(";")
        if coding.strip().lower() in ("gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _compressed(body: bytes, media_type: str) -> bytes | None:
    if len(body) < limits.GZIP_BYTES_MIN or not media_type.startswith(_TEXT_TYPES):
        return None
    compressed = gzip.compress(body, 9, mtime=0)
    return compressed if len(compressed) < len(body) else None

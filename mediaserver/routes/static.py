"""Static files: from memory, gzip made once, under URLs that change with what they hold.

`/static/~HASH/js/watch.js`, where HASH stands for the whole folder, may be kept for good, and what
the module imports by `./player.js` inherits the prefix. Without it a file is asked for anew each
time. Serves only regular files below its folder, and bundles of them. A file changed on disk is
read again, so that editing a checkout needs no restart.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
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
    ".svg": "image/svg+xml; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""Fixed here, because mimetypes asks the machine, and machines differ."""


BUNDLES: Mapping[str, tuple[str, ...]] = {
    "css/site.css": tuple(
        f"css/{name}.css" for name in ("tokens", "base", "layout", "components", "pages")
    ),
}
"""Files that every page needs, sent as one: far away each request costs a round trip."""

_Stamp = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file as it is sent. `stamp` tells whether the disk still agrees."""

    stamp: _Stamp
    media_type: str
    body: bytes
    body_gzip: bytes | None
    version: str


class StaticFiles:
    """The files of one folder, and `bundles` of them: name → the files that follow each other."""

    def __init__(
        self,
        folder: Path,
        prefix: str = "/static/",
        bundles: Mapping[str, tuple[str, ...]] = BUNDLES,
    ) -> None:
        self._folder = folder.resolve()
        self._prefix = prefix
        self._bundles = bundles

        self._files: dict[str, StaticFile] = {}
        self._digests: dict[Path, str] = {}
        self._version = ""
        self._read_folder()

    def url(self, name: str) -> str:
        """The URL of `name` that may be kept for good; a plain one if there is no such file."""
        try:
            self._load(name)
        except NotFound:
            return self._prefix + quote(name)
        return f"{self._prefix}~{self._version}/{quote(name)}"

    async def answer(self, request: web.Request, name: str) -> web.Response:
        """Raises `NotFound` for anything that is not a file below the folder."""
        version = None
        if name.startswith("~"):
            version, _, name = name[1:].partition("/")
        static_file = self._files.get(name)
        if static_file is None or static_file.stamp != _stamp(self._paths(name)):
            static_file = await asyncio.to_thread(self._load, name)
        is_kept = version == self._version or request.query.get("v") == static_file.version
        headers = {
            "Content-Type": static_file.media_type,
            "ETag": f'"{static_file.version}"',
            "Vary": "Accept-Encoding",
            "Cache-Control": f"public, max-age={limits.STATIC_MAX_AGE_S}, immutable"
            if is_kept
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

    def _read_folder(self) -> None:
        """By contents, not by time: every machine that serves this release makes the same URLs."""
        self._digests = {
            path: _digest(path.read_bytes())
            for path in sorted(self._folder.rglob("*"))
            if path.is_file() and path.stat().st_size <= limits.STATIC_FILE_BYTES_MAX
        }
        text = "".join(
            f"{path.relative_to(self._folder)} {digest}\n" for path, digest in self._digests.items()
        )
        self._version = _digest(text.encode())

    def _paths(self, name: str) -> list[Path]:
        return [self._path(part) for part in self._bundles.get(name, (name,))]

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
        paths = self._paths(name)
        stamp = _stamp(paths)
        known = self._files.get(name)
        if known is not None and known.stamp == stamp:
            return known
        if sum(size for _, size in stamp) > limits.STATIC_FILE_BYTES_MAX:
            raise NotFound("That file is too large to be served.")
        bodies = [path.read_bytes() for path in paths]
        if [_digest(body) for body in bodies] != [self._digests.get(path) for path in paths]:
            self._read_folder()  # changed since: everything gets new URLs
        body = b"".join(bodies)
        media_type = _MEDIA_TYPES.get(Path(name).suffix) or (
            mimetypes.guess_type(name)[0] or "application/octet-stream"
        )
        loaded = StaticFile(
            stamp=stamp,
            media_type=media_type,
            body=body,
            body_gzip=_compressed(body, media_type),
            version=_digest(body),
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


def _stamp(paths: list[Path]) -> _Stamp:
    return tuple((status.st_mtime_ns, status.st_size) for status in map(Path.stat, paths))


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]


def _compressed(body: bytes, media_type: str) -> bytes | None:
    if len(body) < limits.GZIP_BYTES_MIN or not media_type.startswith(_TEXT_TYPES):
        return None
    compressed = gzip.compress(body, 9, mtime=0)
    return compressed if len(compressed) < len(body) else None

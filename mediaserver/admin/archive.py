"""The file format of a backup: one plain tar archive that any tar program opens, checked strictly.

It holds `database/…`, `storage/…` and last `manifest.json` with the size and SHA-256 of every other
file. Written front to back, so a backup that was cut off has no manifest; read by a parser that
takes plain files alone, byte for byte as they are written here: no links, no devices, no paths that
lead out, nothing that unpacks to more than it takes. Used by backups.py and restore.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import TypeAdapter

from mediaserver.admin.long_work import Stop
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, Unavailable

FORMAT = 1
MANIFEST = "manifest.json"
SQLITE_FILE = "database/mediaserver.db"
POSTGRESQL_FILE = "database/postgresql.dump"

_BLOCK = 512
_END = bytes(2 * _BLOCK)
_USTAR_BYTES_MAX = 8**11
_WRONG_PART = re.compile(r"|\.\.?|.*[\x00-\x1f\x7f\\:].*", re.DOTALL)


class Damaged(Invalid):
    """A file that is no whole backup; the message says in which way."""

    code = "damaged_backup"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the manifest says of one file."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. `findings`: what was wrong in the database as it was copied."""

    format: int
    mediaserver: str
    database: Literal["sqlite", "postgresql"]
    schema: str
    created_at_ms: int
    findings: tuple[str, ...]
    files: dict[str, FileFacts]

    @property
    def byte_count(self) -> int:
        return sum(facts.size for facts in self.files.values())


_MANIFEST = TypeAdapter(Manifest)


class Writer:
    """Writes a backup into `file`, which is then flushed to disk by whoever opened it."""

    def __init__(self, file: BinaryIO, created_at_ms: int, stop: Stop) -> None:
        self._file = file
        self._created_at_ms = created_at_ms
        self._stop = stop

        self._files: dict[str, FileFacts] = {}

    def add(self, name: str, path: Path) -> None:
        """Copy one file. Raises `OSError`, or `Unavailable` when it changes meanwhile."""
        with path.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            self._file.write(_header(name, size, self._created_at_ms))
            hashed, left = hashlib.sha256(), size
            while left and (chunk := source.read(min(left, limits.BACKUP_CHUNK_BYTES))):
                self._stop()
                hashed.update(chunk)
                self._file.write(chunk)
                left -= len(chunk)
        if left:
            raise Unavailable(f"{path.name} changed while it was copied.")
        self._pad(size)
        self._files[name] = FileFacts(size, hashed.hexdigest())

    def close(
        self,
        *,
        mediaserver: str,
        database: Literal["sqlite", "postgresql"],
        schema: str,
        findings: tuple[str, ...],
    ) -> Manifest:
        """Write the manifest and the end."""
        manifest = Manifest(
            FORMAT, mediaserver, database, schema, self._created_at_ms, findings, self._files
        )
        body = asdict(manifest)
        text = json.dumps({**body, "sha256": _digest(body)}, indent=1).encode()
        if len(text) > limits.BACKUP_MANIFEST_BYTES_MAX:
            raise Unavailable("The site has too many files for one backup.")
        self._file.write(_header(MANIFEST, len(text), self._created_at_ms) + text)
        self._pad(len(text))
        self._file.write(_END)
        return manifest

    def _pad(self, size: int) -> None:
        self._file.write(bytes(-size % _BLOCK))


class Archive:
    """A backup that is read. Making one reads the manifest; `check` reads all the rest."""

    def __init__(self, file: BinaryIO) -> None:
        """Raises `Damaged`."""
        self._file = file

        self._offsets: dict[str, int] = {}
        self.manifest = self._read_manifest()

    def check(self, stop: Stop) -> None:
        """Compare every byte with the manifest. Raises `Damaged`."""
        for name in self.manifest.files:
            for _ in self._chunks(name, stop):
                pass

    def unpack(self, name: str, path: Path, stop: Stop) -> None:
        """Write one file, readable for its owner alone. Raises `Damaged` or `OSError`."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            for chunk in self._chunks(name, stop):
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())

    def _chunks(self, name: str, stop: Stop) -> Iterator[bytes]:
        facts = self.manifest.files[name]
        self._file.seek(self._offsets[name])
        hashed, left = hashlib.sha256(), facts.size
        while left:
            stop()
            chunk = self._read(min(left, limits.BACKUP_CHUNK_BYTES))
            hashed.update(chunk)
            left -= len(chunk)
            yield chunk
        if hashed.hexdigest() != facts.sha256:
            raise Damaged(f"{name} is not what was saved.")

    def _read_manifest(self) -> Manifest:
        sizes = self._read_headers()
        if not sizes or list(sizes)[-1] != MANIFEST:
            raise Damaged("It has no manifest at its end.")
        size = sizes.pop(MANIFEST)
        if size > limits.BACKUP_MANIFEST_BYTES_MAX:
            raise Damaged("Its manifest is too large.")
        self._file.seek(self._offsets[MANIFEST])
        manifest = _parse(self._read(size))
        if sizes.keys() != manifest.files.keys():
            name = min(sizes.keys() ^ manifest.files.keys())
            raise Damaged(f"{name} is {'not in its manifest' if name in sizes else 'missing'}.")
        for name, facts in manifest.files.items():
            if facts.size != sizes[name]:
                raise Damaged(f"{name} has another size than its manifest says.")
        return manifest

    def _read_headers(self) -> dict[str, int]:
        """Name → size of every file, in the order of the archive."""
        end = self._file.seek(0, os.SEEK_END)
        sizes: dict[str, int] = {}
        position = 0
        while True:
            self._file.seek(position)
            block = self._read(_BLOCK)
            if block == bytes(_BLOCK):
                break
            info = _parse_header(block)
            if info.name in sizes:
                raise Damaged(f"{info.name} is in it twice.")
            if len(sizes) >= limits.BACKUP_FILES_MAX:
                raise Damaged("It has too many files.")
            sizes[info.name] = info.size
            self._offsets[info.name] = position + _BLOCK
            position += _BLOCK + info.size
            padding = -info.size % _BLOCK
            if position + padding > end:
                raise Damaged("Its end is missing.")
            self._file.seek(position)
            if self._file.read(padding) != bytes(padding):
                raise Damaged(f"Something stands behind {info.name}.")
            position += padding
        self._file.seek(position)
        if self._file.read(len(_END) + 1) != _END:
            raise Damaged("Its end is not as it was written.")
        return sizes

    def _read(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) != size:
            raise Damaged("Its end is missing.")
        return data


def _header(name: str, size: int, created_at_ms: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, created_at_ms // 1000
    try:
        if size < _USTAR_BYTES_MAX:
            header = info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")
        else:
            header = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")
    except ValueError as error:
        raise Unavailable(f"The name of {name} is too long for a backup.") from error
    if len(header) != _BLOCK:
        raise Unavailable(f"The name of {name} is too long for a backup.")
    return header


def _parse_header(block: bytes) -> tarfile.TarInfo:
    """A header exactly as `_header` writes it, with a name that stays where it belongs."""
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError) as error:
        raise Damaged("It is no backup, or a part of it is broken.") from error
    if info.type != tarfile.REGTYPE:
        raise Damaged(f"{info.name!r} is a link, a device or a folder; a backup has files alone.")
    if not is_safe(info.name):
        raise Damaged(f"{info.name!r} is no name that a backup has.")
    try:
        is_ours = _header(info.name, info.size, int(info.mtime) * 1000) == block
    except (Unavailable, OverflowError):
        is_ours = False
    if not is_ours:
        raise Damaged(f"The header of {info.name} is not as it was written.")
    return info


def is_safe(name: str) -> bool:
    """Whether a file of this name belongs into a backup, and can't lead out of its folder."""
    if name == MANIFEST:
        return True
    first, *rest = name.split("/")
    return (
        first in ("storage", "database")
        and bool(rest)
        and not any(_WRONG_PART.fullmatch(part) for part in rest)
    )


def _parse(text: bytes) -> Manifest:
    try:
        body = json.loads(text)
        digest = body.pop("sha256")
        if body["format"] != FORMAT:
            raise Damaged(f"It has format {body['format']!r}; this version reads format {FORMAT}.")
        is_whole = digest == _digest(body)
        manifest = _MANIFEST.validate_python(body)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Damaged("Its manifest can't be read.") from error
    if not is_whole:
        raise Damaged("Its manifest is not as it was written.")
    return manifest


def _digest(body: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()

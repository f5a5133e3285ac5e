"""What takes room on the disk: files of the storage folder, added up by what they are for.

Measured in a thread, as there may be many files, and remembered for a minute. Called by the admin
desk. Never opens a file.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import func, select

from mediaserver.admin.database_copy import files_of
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction

_KINDS = (
    ("database", "Database", "Accounts, channels, chat: everything that is not a file."),
    ("images", "Pictures", "Avatars, emotes and the pictures of breaks."),
    ("dvr", "Rewinding", "The last part of live streams. It goes when they end."),
    ("documents", "Documents", "What streamers sent to be verified."),
    ("evidence", "Evidence", "What was kept with reports."),
    ("backups", "Backups", "Copies of the site."),
    ("logs", "Logs", "What the site wrote down."),
    ("other", "Other files", "Everything else in the storage folder."),
)
_FOLDERS = frozenset(name for name, _, _ in _KINDS) - {"database", "other"}


@dataclass(frozen=True, slots=True)
class Use:
    """What one kind of file takes. `byte_count` may miss files that changed meanwhile."""

    kind: str
    label: str
    description: str
    byte_count: int
    files: int


@dataclass(frozen=True, slots=True)
class StorageUse:
    """All kinds, with the room on the disk that the folder is on."""

    path: str
    uses: tuple[Use, ...]
    free_bytes: int
    total_bytes: int
    measured_at_ms: int

    @property
    def byte_count(self) -> int:
        return sum(use.byte_count for use in self.uses)


class StorageMeter:
    """Measures, at most once a minute. `database`: the file of SQLite, None for PostgreSQL."""

    def __init__(self, db: Database, clock: Clock, folder: Path, database: Path | None) -> None:
        self._db = db
        self._clock = clock
        self._folder = folder
        self._database = database

        self._measured: StorageUse | None = None
        self._measured_at_ms = 0
        self._lock = asyncio.Lock()

    async def use(self) -> StorageUse:
        """Raises `OSError` when the folder can't be read at all."""
        async with self._lock:
            now_ms = self._clock.monotonic_ms()
            if (
                self._measured is None
                or now_ms - self._measured_at_ms >= limits.STORAGE_MEASURED_MS
            ):
                found = await asyncio.to_thread(
                    measure, self._folder, self._database, self._clock.wall_ms()
                )
                if self._database is None:
                    found = _with_database(found, await self._db.read(_database_bytes))
                self._measured, self._measured_at_ms = found, now_ms
            return self._measured


def measure(folder: Path, database: Path | None, now_ms: int) -> StorageUse:
    """Add up the files below `folder`. Takes as long as the disk does."""
    of_database = files_of(database) if database is not None else frozenset()
    bytes_of = dict.fromkeys((name for name, _, _ in _KINDS), 0)
    count_of = dict.fromkeys(bytes_of, 0)
    for path, found in _files(folder.resolve()):
        kind = "database" if path in of_database else _kind(path.relative_to(folder.resolve()))
        bytes_of[kind] += found.st_size
        count_of[kind] += 1
    disk = shutil.disk_usage(folder)
    return StorageUse(
        str(folder.absolute()),
        tuple(
            Use(name, label, description, bytes_of[name], count_of[name])
            for name, label, description in _KINDS
        ),
        disk.free,
        disk.total,
        now_ms,
    )


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Regular files; links are not followed, and what vanishes meanwhile is passed over."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                yield path, path.lstat()
            except OSError:
                continue


def _kind(path: Path) -> str:
    first = path.parts[0]
    return first if len(path.parts) > 1 and first in _FOLDERS else "other"


def _with_database(use: StorageUse, byte_count: int) -> StorageUse:
    """A database server keeps its files elsewhere, and tells their size itself."""
    first, *others = use.uses
    return replace(use, uses=(replace(first, byte_count=byte_count), *others))


def _database_bytes(tx: Transaction) -> int:
    size = func.pg_database_size(func.current_database())
    return int(tx.execute(select(size)).scalar_one())

"""Makes one backup: a single file that is whole or not there.

Everything is written under a name that begins with a dot, read back and compared, and only then
gets its own name. What a killed process left behind, the next one removes. Blocks, so it runs in a
thread. Called by backups.py, for the site and for the command line alike.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import make_url

import mediaserver
from mediaserver.admin.archive import (
    POSTGRESQL_FILE,
    SQLITE_FILE,
    Archive,
    Manifest,
    Writer,
)
from mediaserver.admin.database_copy import (
    Examined,
    copy_sqlite,
    dump_postgresql,
    examine_sqlite,
    files_of,
    sqlite_file,
)
from mediaserver.admin.long_work import Stop
from mediaserver.kernel import limits
from mediaserver.kernel.db.lock import DatabaseInUse, FileLock
from mediaserver.kernel.errors import Conflict, Unavailable

_NAME = re.compile(r"mediaserver-(\d{8}-\d{6})(?:-faulty)?\.tar")
_TIME = "%Y%m%d-%H%M%S"
_UNFINISHED = re.compile(r"\.mediaserver-\d{8}-\d{6}\.(db|db-journal|part|pass)")

NOT_KEPT = frozenset({"backups", "control", "dvr", "tmp"})
"""Folders of the storage that no backup holds: what can be made again, or is gone anyway."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is backed up. `alone`: no running site has the SQLite database open. `examined`: what
    was found in PostgreSQL, which is not read from its dump.
    """

    storage: Path
    database_url: str
    alone: bool
    examined: Examined | None = None


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup in the folder. `is_faulty`: something was wrong in the database that it holds."""

    name: str
    byte_count: int
    created_at_ms: int
    is_faulty: bool


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was just made and read back."""

    path: Path
    byte_count: int
    manifest: Manifest


def list_backups(folder: Path) -> list[Backup]:
    """The whole backups in a folder, newest first; by their names, nothing is opened."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        if (created_at_ms := _created_at_ms(path.name)) is not None and path.is_file():
            is_faulty = path.stem.endswith("-faulty")
            found.append(Backup(path.name, path.stat().st_size, created_at_ms, is_faulty))
    return sorted(found, key=lambda one: one.name, reverse=True)


def is_name(name: str) -> bool:
    """Whether a backup could be called so; never a path."""
    return _created_at_ms(name) is not None


def _created_at_ms(name: str) -> int | None:
    """When the backup of this name was made; None when it is no name of one."""
    if (match := _NAME.fullmatch(name)) is None:
        return None
    try:
        created = datetime.strptime(match[1], _TIME).replace(tzinfo=UTC)
    except ValueError:  # a day that there isn't
        return None
    return int(created.timestamp()) * 1000


def make_backup(
    source: Source,
    folder: Path,
    keep: int,
    now_ms: int,
    step: Callable[[str], None],
    stop: Stop,
) -> Made:
    """Make a backup in `folder`, where it and the newest `keep - 1` others of its kind stay:
    faulty ones never push out what came before something broke. `step` is told what is being done.

    Raises `Conflict` (another one is being made), `Unavailable` (the disk doesn't take it, the
    database is damaged), or what `stop` raises; no half file is left then.
    """
    stem = f"mediaserver-{datetime.fromtimestamp(now_ms / 1000, UTC).strftime(_TIME)}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone_in(folder):
            _clear(folder)
            if any(one.name.startswith(stem) for one in list_backups(folder)):
                raise Conflict("There is a backup of this very second.")
            try:
                made = _make(source, folder, stem, now_ms, step, stop)
            finally:
                _clear(folder)
            _rotate(made, keep, now_ms)
    except OSError as error:
        reason = error.strerror or error
        raise Unavailable(f"The backup can't be written to {folder}: {reason}.") from error
    return made


def _make(
    source: Source, folder: Path, stem: str, now_ms: int, step: Callable[[str], None], stop: Stop
) -> Made:
    database = sqlite_file(source.database_url)
    _check_room(folder, database, (path for _, path in _files(source, folder)))
    copy, part = folder / f".{stem}.db", folder / f".{stem}.part"
    step("Copying the database")
    if database is not None:
        copy_sqlite(database, copy, stop, alone=source.alone)
        step("Checking the copy of the database")
        examined = examine_sqlite(copy, stop)
    else:
        assert source.examined is not None
        dump_postgresql(make_url(source.database_url), copy, stop)
        examined = source.examined
    step("Copying pictures and documents")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        writer = Writer(file, now_ms, stop)
        writer.add(SQLITE_FILE if database is not None else POSTGRESQL_FILE, copy)
        copy.unlink()
        for kept_name, path in _files(source, folder):  # after the database that refers to them
            try:
                writer.add(kept_name, path)
            except FileNotFoundError:  # deleted meanwhile
                continue
        manifest = writer.close(
            mediaserver=mediaserver.__version__,
            database="sqlite" if database is not None else "postgresql",
            schema=examined.schema,
            findings=examined.findings,
        )
        file.flush()
        os.fsync(file.fileno())
    step("Checking the backup")
    with part.open("rb") as file:
        Archive(file).check(stop)
    path = folder / f"{stem}{'-faulty' if manifest.findings else ''}.tar"
    part.rename(path)
    sync_folder(folder)
    return Made(path, path.stat().st_size, manifest)


def _rotate(made: Made, keep: int, now_ms: int) -> None:
    """What was just made stays, and what has a date beyond now, as nobody knows how old it is."""
    others = [
        one
        for one in list_backups(made.path.parent)
        if one.is_faulty == bool(made.manifest.findings)
        and one.name != made.path.name
        and one.created_at_ms <= now_ms
    ]
    for old in others[keep - 1 :]:
        (made.path.parent / old.name).unlink()


def sync_folder(folder: Path) -> None:
    """Have the names in a folder survive a power cut."""
    if os.name == "nt":  # folders can't be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire()
    except DatabaseInUse as error:
        raise Conflict("Another backup is being made right now.", code="backup_running") from error
    try:
        yield
    finally:
        lock.release()


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _files(source: Source, folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file of the storage that is kept, with its name in the backup; the database, wherever
    it is in there, is copied apart.

    A folder right in the storage may be a link to another disk; further down links aren't followed.
    """
    database = sqlite_file(source.database_url)
    passed_over = files_of(database) if database is not None else frozenset()
    for top in sorted(source.storage.iterdir()):
        if top.name in NOT_KEPT or top.resolve() == folder.resolve():
            continue
        if top.is_file():
            if top.resolve() not in passed_over:
                yield f"storage/{top.name}", top
        elif top.is_dir():
            for path in sorted(top.resolve().rglob("*")):
                if path in passed_over or path.suffix == ".new":
                    continue
                if path.is_file() and not path.is_symlink():
                    inner = path.relative_to(top.resolve()).as_posix()
                    yield f"storage/{top.name}/{inner}", path


def _check_room(folder: Path, database: Path | None, files: Iterable[Path]) -> None:
    """The copy of the database stands beside the archive that it goes into."""
    needed = limits.BACKUP_SPARE_BYTES
    if database is not None:
        if not database.is_file():
            raise Unavailable(f"There is no site to back up: {database} is missing.")
        log = database.with_name(database.name + "-wal")
        needed += 2 * sum(path.stat().st_size for path in (database, log) if path.exists())
    for path in files:
        try:
            needed += path.stat().st_size
        except FileNotFoundError:
            continue
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Unavailable(
            f"The backup needs {_mib(needed)} MB in {folder}, and {_mib(free)} MB are free."
        )


def _mib(count: int) -> int:
    return -(-count // limits.MIB)

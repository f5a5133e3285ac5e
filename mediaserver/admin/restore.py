"""Puts a backup in the place of the storage folder, or refuses and leaves everything as it is.

Nothing is touched before every byte of the backup was compared with its manifest. Then all of it is
unpacked beside the storage, the database in it is read from end to end, and only then the two
folders change places; the old one is kept. Called by the command line.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from mediaserver.admin import long_work
from mediaserver.admin.archive import POSTGRESQL_FILE, SQLITE_FILE, Archive, Damaged, Manifest
from mediaserver.admin.backup_file import sync_folder
from mediaserver.admin.database_copy import (
    BrokenDatabase,
    examine_sqlite,
    load_postgresql,
    sqlite_file,
)
from mediaserver.admin.long_work import Stop
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import Config
from mediaserver.kernel.db.lock import DatabaseInUse, FileLock
from mediaserver.kernel.db.migrate import SchemaTooNew, head
from mediaserver.kernel.errors import Conflict, Invalid, Unavailable

_EXCHANGE = 2
"""RENAME_EXCHANGE of Linux: two folders change places in one step."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What is in force now. `kept`: where the old storage is; None when there was none."""

    storage: Path
    manifest: Manifest
    kept: Path | None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the backup goes. `database`: its SQLite file, relative to the storage."""

    storage: Path
    new: Path
    database: Path | None


async def restore(config: Config, clock: Clock, file: Path, *, force: bool) -> Restored:
    """Put `file` in the place of the storage; with `force` also where a site is already.

    Raises `Invalid` (damaged, of another kind), `Conflict` (there is a site, or it runs),
    `SchemaTooNew`, or `Unavailable` (no room, not writable). Nothing has changed then, nor when it
    is cancelled; only an empty database of PostgreSQL may be filled already.
    """
    if sqlite_file(config.database_url) is None:
        await _check_empty(config.database_url)
    now_ms = clock.wall_ms()
    return await long_work.run(lambda stop: _restore(config, now_ms, file, force, stop))


def _restore(config: Config, now_ms: int, file: Path, force: bool, stop: Stop) -> Restored:
    place = _place(config)
    try:
        with ExitStack() as stack:
            archive = Archive(stack.enter_context(file.open("rb")))
            _check_fit(archive.manifest, place)
            archive.check(stop)
            _hold(stack, place, force)
            _check_room(place, archive.manifest)
            stack.callback(shutil.rmtree, place.new, ignore_errors=True)
            shutil.rmtree(place.new, ignore_errors=True)
            _unpack(archive, place, stop)
            _fill_database(config, archive.manifest, place, stop)
            kept = _swap(place, now_ms)
            return Restored(place.storage, archive.manifest, kept)
    except FileNotFoundError as error:
        raise Invalid(f"There is no file {error.filename}.", field="file") from error
    except OSError as error:
        raise Unavailable(f"Nothing was restored: {error.strerror or error}.") from error
    except Damaged as error:
        raise Damaged(f"{file.name} can't be restored. {error.message}") from error


def _place(config: Config) -> _Place:
    storage = config.storage.path.resolve()
    if storage.is_mount():
        raise Conflict(
            f"{storage} is a disk of its own, which can't change places with a new folder. "
            f"Restore into a folder on it: --storage {storage / 'site'}, and set storage.path to "
            "that."
        )
    database = sqlite_file(config.database_url)
    inside = None
    if database is not None:
        if not database.resolve().is_relative_to(storage):
            raise Conflict(
                f"database.url names {database}, which is not in {storage}. Empty that setting, so "
                "that the backup can be restored as one folder."
            )
        inside = database.resolve().relative_to(storage)
    return _Place(storage, storage.with_name(f".{storage.name}.restore"), inside)


def _check_fit(manifest: Manifest, place: _Place) -> None:
    if manifest.schema > head():
        raise SchemaTooNew(
            f"This backup has schema {manifest.schema}, this version of mediaserver knows up to "
            f"{head()}. Restore it with mediaserver {manifest.mediaserver} or newer."
        )
    expected = SQLITE_FILE if manifest.database == "sqlite" else POSTGRESQL_FILE
    databases = [name for name in manifest.files if name.startswith("database/")]
    if databases != [expected]:
        raise Damaged("It doesn't hold one database.")
    if (place.database is None) != (manifest.database == "postgresql"):
        there = "PostgreSQL" if manifest.database == "postgresql" else "SQLite"
        raise Invalid(
            f"This backup is of a site with {there}; set database.url accordingly.", field="file"
        )


def _hold(stack: ExitStack, place: _Place, force: bool) -> None:
    """Keep any site from starting on the storage, and refuse when there is one."""
    if place.database is None or not place.storage.is_dir():
        return
    database = place.storage / place.database
    database.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(database.with_name(database.name + ".lock"))
    try:
        lock.acquire()
    except DatabaseInUse as error:
        raise Conflict(f"The site runs on {place.storage}. Stop it first.") from error
    stack.callback(lock.release)
    if database.exists() and not force:
        raise Conflict(
            f"There is a site in {place.storage}. Add --force to put the backup in its place; the "
            "old one is kept beside it."
        )


def _check_room(place: _Place, manifest: Manifest) -> None:
    place.storage.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place.storage.parent).free
    needed = manifest.byte_count + limits.BACKUP_SPARE_BYTES
    if free < needed:
        raise Unavailable(
            f"The backup needs {needed // limits.MIB} MB beside {place.storage}, and "
            f"{free // limits.MIB} MB are free."
        )


def _unpack(archive: Archive, place: _Place, stop: Stop) -> None:
    place.new.mkdir(mode=0o700)
    for name in archive.manifest.files:
        kind, _, inner = name.partition("/")
        if kind == "database":
            target = place.new / (place.database or Path(inner))
        else:
            target = place.new / inner
        archive.unpack(name, target, stop)
    for folder in {path.parent for path in place.new.rglob("*")} | {place.new}:
        sync_folder(folder)


def _fill_database(config: Config, manifest: Manifest, place: _Place, stop: Stop) -> None:
    if place.database is None:
        dump = place.new / Path(POSTGRESQL_FILE).name
        load_postgresql(make_url(config.database_url), dump, stop)
        dump.unlink()
        return
    try:
        examined = examine_sqlite(place.new / place.database, stop)
    except BrokenDatabase as error:
        raise Damaged(error.message) from error
    if examined.schema != manifest.schema:
        raise Damaged(f"Its database has schema {examined.schema}, unlike its manifest.")


def _swap(place: _Place, now_ms: int) -> Path | None:
    """The new folder takes the name of the old one, which stays under another.

    Both change places in one step, so whenever this process is killed, the old one is whole: under
    its own name, or under one that no later restore deletes.
    """
    if not place.storage.exists():
        place.new.rename(place.storage)
        sync_folder(place.storage.parent)
        return None
    moment = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%d-%H%M%S")
    kept = place.storage.with_name(f"{place.storage.name}.before-restore-{moment}")
    if kept.exists():
        raise Conflict(f"{kept} exists already. Move it away first.")
    place.new.rename(kept)
    if not _exchange(kept, place.storage):
        kept.rename(place.new)
        place.storage.rename(kept)
        try:
            place.new.rename(place.storage)
        except OSError:
            kept.rename(place.storage)
            raise
    backups = kept / "backups"
    with suppress(OSError):  # it is done by now; at worst the backups stay in the old one
        if backups.is_dir() and not (place.storage / "backups").exists():
            backups.rename(place.storage / "backups")
        sync_folder(place.storage.parent)
    return kept


def _exchange(one: Path, other: Path) -> bool:
    """Have two folders change places; False where the system can't or won't."""
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    at_cwd = -100
    done: int = rename(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), _EXCHANGE)
    return done == 0


async def _check_empty(database_url: str) -> None:
    """PostgreSQL is restored into a database of its own, so that the old one stays."""
    engine = create_async_engine(database_url)
    try:
        async with engine.connect() as connection:
            tables = await connection.run_sync(lambda sql: inspect(sql).get_table_names())
    except (OSError, DBAPIError) as error:
        raise Unavailable("PostgreSQL doesn't answer. Does it run?") from error
    finally:
        await engine.dispose()
    if tables:
        raise Conflict(
            "The PostgreSQL database is not empty. Make a new one (createdb), name it in "
            "database.url and restore again; the old one stays as it is."
        )

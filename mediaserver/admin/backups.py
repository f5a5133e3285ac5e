"""Backups: made by the site itself when one is due, by an admin, or by the command line.

The folder is the truth: there is no table. What a failure was is kept in a site value, and admins
are told of it. Pages, the API and the running site's control socket call `Backups`; the command
line calls `back_up_stopped_site`.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog
from sqlalchemy.engine import make_url

from mediaserver.admin import long_work
from mediaserver.admin.backup_file import (
    Backup,
    Made,
    Source,
    is_name,
    list_backups,
    make_backup,
)
from mediaserver.admin.database_copy import examine_postgresql, sqlite_file
from mediaserver.admin.long_work import GivenUp
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import Config
from mediaserver.kernel.db import Database, Transaction, values
from mediaserver.kernel.db.lock import FileLock
from mediaserver.kernel.errors import Conflict, MediaserverError, NotFound, Unavailable
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.tasks import Tasks
from mediaserver.notifications.notices import tell_admins

_log = structlog.get_logger(__name__)

_FAILURE = "backup_failure"
_SINCE = "backup_since"
PAGE = "/admin/backups"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the last try made no backup, or what is wrong in the one it made."""

    at_ms: int
    reason: str
    told_at_ms: int


@dataclass(frozen=True, slots=True)
class Running:
    """A backup that is being made, and how far it is."""

    since_ms: int
    step: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What an admin sees. `due_at_ms`: when the site makes the next one; None for never."""

    backups: list[Backup]
    running: Running | None
    failure: Failure | None
    due_at_ms: int | None
    folder: Path
    free_bytes: int


class Backups:
    """The backups of a running site. One is made at a time."""

    def __init__(self, db: Database, clock: Clock, config: Config, letterhead: Letterhead) -> None:
        self._db = db
        self._clock = clock
        self._config = config
        self._letterhead = letterhead

        self._tasks = Tasks("backups", close_timeout_s=limits.BACKUP_STOP_TIMEOUT_S)
        self._running: Running | None = None
        self._stopping = threading.Event()

    async def aclose(self) -> None:
        """Give up what is being made; nothing of it stays."""
        self._stopping.set()
        await self._tasks.aclose()

    async def standing(self) -> Standing:
        running = self._running  # first: what is done by now is in the list
        backups = await self._list()
        failure, since_ms = await self._db.read(_notes)
        return Standing(
            backups,
            running,
            failure,
            self._due_at_ms(backups, failure, since_ms),
            self._config.backup_folder,
            await asyncio.to_thread(_free_bytes, self._config.backup_folder),
        )

    async def begin(self, actor: Actor) -> None:
        """Begin to make one; `standing` tells how it goes. Raises `Conflict`."""
        self._claim()
        try:
            await self._db.write(self._record, actor, "backup.make", "a new one")
        except BaseException:
            self._running = None
            raise
        self._tasks.start(self._make_quietly(), "make")

    async def make(self, to: Path | None, keep: int | None) -> Made:
        """Make one now, in the folder `to` if given, and wait for it.

        Raises `Conflict` or `Unavailable`; a failure is kept and told to the admins.
        """
        self._claim()
        try:
            return await self._make(to, keep)
        finally:
            self._running = None

    async def look(self) -> None:
        """Make a backup if one is due. A failed one is tried again an hour later."""
        failure, since_ms = await self._db.read(_notes)
        now_ms = self._clock.wall_ms()
        if since_ms is None or since_ms > now_ms:
            await self._db.write(values.put, _SINCE, "", now_ms)
            return
        due_at_ms = self._due_at_ms(await self._list(), failure, since_ms)
        if due_at_ms is None or due_at_ms > now_ms or self._running:
            return
        self._claim()
        self._tasks.start(self._make_quietly(), "make")

    async def file(self, actor: Actor, name: str) -> Path:
        """Where a backup is, for `actor` to download. Raises `NotFound`."""
        path = await asyncio.to_thread(self._find, name)
        await self._db.write(self._record, actor, "backup.download", name)
        return path

    async def delete(self, actor: Actor, name: str) -> None:
        """Raises `NotFound`, or `Unavailable` when the disk refuses."""
        path = await asyncio.to_thread(self._find, name)
        await self._db.write(self._record, actor, "backup.delete", name)
        try:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        except OSError as error:
            raise Unavailable(f"The backup can't be deleted: {error.strerror}.") from error

    def _find(self, name: str) -> Path:
        path = self._config.backup_folder / name
        if not is_name(name) or not path.is_file():
            raise NotFound("There is no such backup.")
        return path

    async def _list(self) -> list[Backup]:
        return await asyncio.to_thread(list_backups, self._config.backup_folder)

    def _due_at_ms(
        self, backups: list[Backup], failure: Failure | None, since_ms: int | None
    ) -> int | None:
        """Times beyond now are of a clock that was wrong, and count for nothing."""
        hours, now_ms = self._config.backup.every_hours, self._clock.wall_ms()
        if not hours or since_ms is None:
            return None
        known = [since_ms, *(one.created_at_ms for one in backups)]
        last_ms = max((at_ms for at_ms in known if at_ms <= now_ms), default=now_ms)
        due_at_ms = last_ms + hours * 3_600_000
        if failure is None or failure.at_ms > now_ms:
            return due_at_ms
        return max(due_at_ms, failure.at_ms + limits.BACKUP_RETRY_MS)

    def _claim(self) -> None:
        if self._running is not None:
            raise Conflict("A backup is being made right now.", code="backup_running")
        self._running = Running(self._clock.wall_ms(), "Starting")

    async def _make_quietly(self) -> None:
        try:
            with suppress(MediaserverError):  # admins were told, and the page shows it
                await self._make(None, None)
        finally:
            self._running = None

    async def _make(self, to: Path | None, keep: int | None) -> Made:
        config, began_ms = self._config, self._clock.wall_ms()

        def step(text: str) -> None:
            self._running = Running(began_ms, text)

        try:
            source = await _source(config, alone=False)
            folder, most = to or config.backup_folder, keep or config.backup.keep
            made = await asyncio.to_thread(
                make_backup, source, folder, most, began_ms, step, self._stop
            )
        except (Conflict, GivenUp):
            raise
        except MediaserverError as error:
            await self._keep_failure(error.message)
            raise
        except Exception as error:
            await self._keep_failure(f"Making a backup crashed: {error!r}.")
            raise
        if made.manifest.findings:
            await self._keep_failure(" ".join(made.manifest.findings))
        else:
            await self._db.write(_forget_failure)
        _log.info("backup made", path=str(made.path), bytes=made.byte_count)
        return made

    def _stop(self) -> None:
        if self._stopping.is_set():
            raise GivenUp("The site stops; the backup was given up.")

    async def _keep_failure(self, reason: str) -> None:
        _log.error("a backup needs attention", reason=reason)
        with suppress(Unavailable):  # the disk may be full for the database too
            await self._db.write(self._fail, reason, self._clock.wall_ms())

    def _fail(self, tx: Transaction, reason: str, now_ms: int) -> None:
        before, _ = _notes(tx)
        told_at_ms = before.told_at_ms if before is not None else 0
        if not 0 <= now_ms - told_at_ms < limits.BACKUP_TOLD_AGAIN_MS:
            told_at_ms = now_ms
            title = "Something is wrong with the backups"
            tell_admins(tx, self._letterhead, title, reason, PAGE, now_ms)
        kept = json.dumps(asdict(Failure(now_ms, reason, told_at_ms)))
        values.put(tx, _FAILURE, kept, now_ms)

    def _record(self, tx: Transaction, actor: Actor, action: str, name: str) -> None:
        target = Target("backup", name, name)
        audit.append(tx, actor, action, target, self._clock.wall_ms())


async def back_up_stopped_site(
    config: Config, clock: Clock, to: Path | None, keep: int | None
) -> Made:
    """Make a backup without a running site; cancelling it leaves nothing behind.

    Raises `DatabaseInUse` when one runs on this SQLite database: ask it instead.
    """
    database = sqlite_file(config.database_url)
    lock = None
    if database is not None:
        if not database.is_file():
            raise Unavailable(f"There is no site to back up: {database} is missing.")
        lock = FileLock(database.with_name(database.name + ".lock"))
        lock.acquire()
    try:
        source, now_ms = await _source(config, alone=True), clock.wall_ms()
        folder, most = to or config.backup_folder, keep or config.backup.keep
        return await long_work.run(
            lambda stop: make_backup(source, folder, most, now_ms, lambda _: None, stop)
        )
    finally:
        if lock is not None:
            lock.release()


async def _source(config: Config, *, alone: bool) -> Source:
    url = config.database_url
    examined = None
    if sqlite_file(url) is None:
        examined = await examine_postgresql(make_url(url))
    return Source(config.storage.path, url, alone, examined)


def _free_bytes(folder: Path) -> int:
    """On the disk where `folder` is, or will be."""
    existing = next(
        path for path in (folder.absolute(), *folder.absolute().parents) if path.exists()
    )
    return shutil.disk_usage(existing).free


def _notes(tx: Transaction) -> tuple[Failure | None, int | None]:
    """The last failure, and since when the site counts the hours."""
    stored, since_ms = values.get(tx, _FAILURE), values.updated_at_ms(tx, _SINCE)
    return (None if stored is None else Failure(**json.loads(stored))), since_ms


def _forget_failure(tx: Transaction) -> None:
    values.remove(tx, _FAILURE)

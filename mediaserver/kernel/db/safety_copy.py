"""A copy of a SQLite database before a new version changes it, for the way back.

Called by `Database` before it migrates, while nobody else has the file open.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import structlog

from mediaserver.kernel import limits
from mediaserver.kernel.db.migrate import head
from mediaserver.kernel.errors import Unavailable

_log = structlog.get_logger(__name__)

_NAME = re.compile(r"before-\d{4}\.db")


def keep_safety_copy(database: Path, folder: Path) -> Path | None:
    """Copy `database` into `folder` as before-NNNN.db, when a migration to schema NNNN is pending
    and there is something to lose; the newest few such copies stay. Blocks.

    Raises `Unavailable` when there is no room, or `OSError`.
    """
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        if not _is_older(connection):
            return None
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _check_room(connection, folder)
        copy, new = folder / f"before-{head()}.db", folder / f"before-{head()}.new"
        new.unlink(missing_ok=True)
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            connection.execute("VACUUM INTO ?", (str(new),))
            with new.open("rb+") as file:
                os.fsync(file.fileno())
        except (OSError, sqlite3.Error) as error:
            new.unlink(missing_ok=True)
            raise Unavailable(f"The copy before the upgrade can't be made: {error}.") from error
        new.replace(copy)
    copies = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    for old in copies[: -limits.SAFETY_COPIES_KEPT]:
        old.unlink()
    _log.info("the database as it was is kept", path=str(copy))
    return copy


def _is_older(connection: sqlite3.Connection) -> bool:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError:  # empty, or no database: what opens it says so
        return False
    return row is not None and row[0] < head()


def _check_room(connection: sqlite3.Connection, folder: Path) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    needed = pages * page_bytes + limits.BACKUP_SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Unavailable(
            f"Before the upgrade a copy of the database is kept in {folder}. It needs "
            f"{needed // limits.MIB} MB, and {free // limits.MIB} MB are free."
        )

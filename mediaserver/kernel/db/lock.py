"""One process for each SQLite file: an operating-system lock beside it, freed even by a crash."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mediaserver.kernel.errors import Unavailable


class DatabaseInUse(Unavailable):
    """Another process holds this database file."""

    code = "database_in_use"


class FileLock:
    """Holds `path` locked from `acquire()` to `release()`. The file stays; only the lock counts."""

    def __init__(self, path: Path) -> None:
        self._path = path

        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Lock at once or raise `DatabaseInUse`; never waits."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise DatabaseInUse(
                f"Another process uses this database ({self._path.with_suffix('')}). "
                "Only one may: stop the other one first."
            ) from error
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

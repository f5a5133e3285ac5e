"""The databases that data tests run on: a SQLite file, and a PostgreSQL server of the run's own."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import asyncpg

POSTGRESQL_BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin/postgres"), default=None)


class PostgresqlServer:
    """A server in a temporary folder that listens on a Unix socket in it, and nowhere else."""

    def __init__(self) -> None:
        assert POSTGRESQL_BINARIES is not None
        self._bin = POSTGRESQL_BINARIES.parent
        # Not below pytest's own folder: only its owner may enter that, and the server is another.
        self.folder = Path(tempfile.mkdtemp(prefix="msdb-"))
        self._as_user: list[str] = []
        self.user = getpass.getuser()
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            self._as_user = [
                "setpriv",
                f"--reuid={owner.pw_uid}",
                f"--regid={owner.pw_gid}",
                "--clear-groups",
            ]
            self.user = "postgres"
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def start(self) -> None:
        data = self.folder / "data"
        subprocess.run(
            [
                *self._as_user,
                str(self._bin / "initdb"),
                *("--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"),
                *("-U", self.user, "-D", str(data)),
            ],
            check=True,
            capture_output=True,
            cwd=self.folder,
            timeout=60,
        )
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *self._as_user,
                    *(str(self._bin / "postgres"), "-D", str(data), "-k", str(self.folder)),
                    *("-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off"),
                    *("-c", "shared_buffers=16MB", "-c", "max_connections=100"),
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        deadline = time.monotonic() + 30
        ready = [str(self._bin / "pg_isready"), "-q", "-h", str(self.folder)]
        while subprocess.run(ready, check=False).returncode != 0:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL does not start"
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def new_database(self) -> str:
        """Make an empty database; its SQLAlchemy URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        connection = await asyncpg.connect(
            host=str(self.folder), user=self.user, database="postgres"
        )
        try:
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()
        return f"postgresql+asyncpg://{self.user}@/{name}?host={self.folder}"

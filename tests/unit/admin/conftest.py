"""A storage folder with a real database and some files, as a stopped site leaves it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# It imports every module that owns a table.
import mediaserver.server  # noqa: F401
from mediaserver.admin.backups import Backups
from mediaserver.kernel import audit
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import Config
from mediaserver.kernel.db import Database, Transaction, values
from mediaserver.kernel.events import Events
from mediaserver.kernel.mail import Letterhead

KEPT = {
    "master.key": b"a secret\n",
    "images/avatars/avt_1.webp": b"a face" * 1000,
    "images/emotes/emo_1.webp": b"",
    "documents/doc_1.bin": b"\x00\xff" * 700,
}
NOT_KEPT = ("dvr/session/1.m4s", "control/control.sock.txt", "images/avatars/avt_2.new")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config.model_validate({"storage": {"path": tmp_path / "storage"}})


@pytest.fixture
async def storage(config: Config) -> Path:
    folder = config.storage.path
    for name, content in KEPT.items():
        write(folder / name, content)
    for name in NOT_KEPT:
        write(folder / name, b"not worth keeping")
    async with Database(config.database_url, Events()) as db:
        await db.write(fill)
    return folder


def fill(tx: Transaction) -> None:
    values.put(tx, "colour", "green", 1)
    target = audit.Target("site", "site", "the site")
    for at_ms in range(3):
        audit.append(tx, audit.SITE, "site.paint", target, at_ms)


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, to compare."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


async def read_value(config: Config, key: str) -> str | None:
    async with Database(config.database_url, Events()) as db:
        return await db.read(values.get, key)


def environment(storage: Path) -> dict[str, str]:
    """For a Python of its own, which works on this storage."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "MEDIASERVER_STORAGE__PATH": str(storage),
    }


def backups_of(db: Database, clock: FakeClock, config: Config) -> Backups:
    return Backups(db, clock, config, Letterhead(lambda: "Site", lambda: "https://site.example"))


def until_only_the_lock(folder: Path) -> None:
    """Until a backup that was given up has left nothing else in its folder."""
    for _ in range(1000):
        if [path.name for path in folder.iterdir()] == [".lock"]:
            return
        os.sched_yield()
    raise AssertionError(list(folder.iterdir()))

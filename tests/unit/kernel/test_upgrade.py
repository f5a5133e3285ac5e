"""Upgrading: what earlier versions wrote is all there, and the database as it was is kept."""

from __future__ import annotations

import shutil
import sqlite3
from collections import namedtuple
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

# It imports every module that owns a table.
import mediaserver.server  # noqa: F401
from mediaserver.kernel import limits
from mediaserver.kernel.db import Database, safety_copy
from mediaserver.kernel.db import migrate as migrations
from mediaserver.kernel.db.migrate import head
from mediaserver.kernel.errors import Unavailable
from mediaserver.kernel.events import Events
from tests.unit.kernel.old_sites import ROWS, make_site_of, rows_up_to


def _rows(path: Path, table: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(f"SELECT * FROM {table}")]


def _schema(path: Path) -> str:
    (row,) = _rows(path, "alembic_version")
    return str(row["version_num"])


async def _open(path: Path) -> None:
    async with Database(f"sqlite+aiosqlite:///{path}", Events()):
        pass


@pytest.mark.parametrize("version", ROWS)
async def test_everything_is_there_after_the_upgrade(tmp_path: Path, version: str) -> None:
    path = tmp_path / "mediaserver.db"
    make_site_of(version, path)
    assert _schema(path) == version
    await _open(path)
    assert _schema(path) == head()
    for table, row in rows_up_to(version):
        found = [one for one in _rows(path, table) if {key: one[key] for key in row} == row]
        assert len(found) == 1, (table, row)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    # What it was before stands beside it, as it was.
    copy = tmp_path / "backups" / f"before-{head()}.db"
    assert _schema(copy) == version
    assert copy.stat().st_mode & 0o777 == 0o600
    for table, row in rows_up_to(version):
        assert any({key: one[key] for key in row} == row for one in _rows(copy, table))


async def test_a_stream_of_the_first_version_keeps_its_time(tmp_path: Path) -> None:
    """0003 splits the moment at which a stream was made from that at which it began."""
    path = tmp_path / "mediaserver.db"
    make_site_of("0001", path)
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "INSERT INTO stream (id, channel_id, title, started_at_ms, ended_at_ms, end_reason) "
            "VALUES ('str_9', 'chn_1', 'The first', 100, 200, 'stopped')"
        )
        database.commit()
    await _open(path)
    (stream,) = _rows(path, "stream")
    assert (stream["created_at_ms"], stream["started_at_ms"]) == (100, 100)
    assert (stream["ended_at_ms"], stream["title"]) == (200, "The first")


async def test_names_of_the_first_version_are_compared_too(tmp_path: Path) -> None:
    """0006 adds what names look like."""
    path = tmp_path / "mediaserver.db"
    make_site_of("0001", path)
    await _open(path)
    looks = {row["username"]: row["name_skeleton"] for row in _rows(path, "user_account")}
    assert looks == {"alice": "allce", "bob": "bob"}


async def test_money_comes_to_a_site_that_had_none(tmp_path: Path) -> None:
    """0012 to 0019: nobody has any, and whom an admin made premium stays so."""
    path = tmp_path / "mediaserver.db"
    make_site_of("0011", path)
    await _open(path)
    people = {row["username"]: row for row in _rows(path, "user_account")}
    assert [(one["is_premium"], one["is_member"]) for one in people.values()] == [
        (int(name == "dora"), 0) for name in people
    ]
    for table in ("ledger_account", "ledger_entry", "contribution", "payment", "plan"):
        assert _rows(path, table) == []
    with closing(sqlite3.connect(path)) as database:
        index = "SELECT sql FROM sqlite_master WHERE name = 'ix_user_account_premium'"
        ((sql,),) = database.execute(index).fetchall()
    assert "is_member = 1" in sql


async def test_no_copy_without_something_to_lose_or_to_do(tmp_path: Path) -> None:
    await _open(tmp_path / "mediaserver.db")
    await _open(tmp_path / "mediaserver.db")
    assert not (tmp_path / "backups").exists()


async def test_the_newest_copies_stay(tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    for name in ("before-0002.db", "before-0005.db", "before-0004.db", "mine.db"):
        (folder / name).write_bytes(b"")
    make_site_of("0005", tmp_path / "mediaserver.db")
    await _open(tmp_path / "mediaserver.db")
    assert sorted(path.name for path in folder.iterdir()) == [
        "before-0005.db",
        f"before-{head()}.db",
        "mine.db",
    ]


async def test_what_stands_in_the_log_alone_is_in_the_copy(tmp_path: Path) -> None:
    """A site that was killed left its last writes in the write-ahead log."""
    path = tmp_path / "mediaserver.db"
    make_site_of("0006", path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("UPDATE channel SET title = 'The last words'")
        database.commit()
        for name in ("mediaserver.db", "mediaserver.db-wal"):
            shutil.copy(tmp_path / name, tmp_path / f"killed-{name}")
    killed = tmp_path / "killed-mediaserver.db"
    assert (tmp_path / "killed-mediaserver.db-wal").stat().st_size > 0
    await _open(killed)
    for database_file in (killed, tmp_path / "backups" / f"before-{head()}.db"):
        assert _rows(database_file, "channel")[0]["title"] == "The last words"


async def test_no_room_for_the_copy_means_no_upgrade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(safety_copy.shutil, "disk_usage", lambda _: usage(1, 1, limits.MIB))
    path = tmp_path / "mediaserver.db"
    make_site_of("0004", path)
    with pytest.raises(Unavailable, match="MB are free"):
        await _open(path)
    assert _schema(path) == "0004"
    monkeypatch.undo()
    await _open(path)
    assert _schema(path) == head()


async def test_a_migration_that_fails_leaves_everything_and_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mediaserver.db"
    make_site_of("0006", path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE notice (id TEXT)")  # in the way of 0007
        database.commit()
    with pytest.raises(Unavailable):
        await _open(path)
    assert _schema(path) == "0006"
    assert _schema(tmp_path / "backups" / f"before-{head()}.db") == "0006"
    assert rows_up_to("0006")
    assert _rows(path, "follow") == [
        {"user_id": "usr_bob", "channel_id": "chn_1", "followed_at_ms": 9}
    ]


def test_every_version_that_was_in_use_is_tried() -> None:
    known = sorted(path.name[:4] for path in (migrations.MIGRATIONS / "versions").glob("0*.py"))
    assert list(ROWS) == known[: len(ROWS)]

"""What takes room is added up by kind, and not measured again for a minute."""

from __future__ import annotations

from pathlib import Path

from mediaserver.admin.database_copy import sqlite_file
from mediaserver.admin.storage_use import StorageMeter, measure
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database


def _put(folder: Path, name: str, size: int) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


def test_files_are_added_up_by_kind(tmp_path: Path) -> None:
    _put(tmp_path, "mediaserver.db", 10)
    _put(tmp_path, "mediaserver.db-wal", 5)
    _put(tmp_path, "master.key", 1)
    _put(tmp_path, "images/avatars/a.webp", 100)
    _put(tmp_path, "images/emotes/b.webp", 200)
    _put(tmp_path, "dvr/x/1.m4s", 1_000)
    _put(tmp_path, "something/else", 7)
    (tmp_path / "dvr" / "link").symlink_to("/dev/zero")
    database = tmp_path / "mediaserver.db"
    found = measure(tmp_path, database, 5)
    used = {use.kind: (use.byte_count, use.files) for use in found.uses if use.files}
    assert used["database"] == (15, 2)
    assert used["images"] == (300, 2)
    assert used["other"] == (8, 2)
    assert used["dvr"][0] < 1_100, "links are not followed"
    _put(tmp_path, "backups/one.tar", 3)
    assert measure(tmp_path, database, 5).byte_count == found.byte_count + 3


def test_the_database_is_where_the_settings_say(tmp_path: Path) -> None:
    _put(tmp_path, "db/site.db", 10)
    _put(tmp_path, "db/site.db-wal", 5)
    _put(tmp_path, "mediaserver.db", 1)
    found = measure(tmp_path, tmp_path / "db" / "site.db", 5)
    used = {use.kind: use.byte_count for use in found.uses if use.files}
    assert used == {"database": 15, "other": 1}


async def test_it_is_remembered_for_a_minute(
    db: Database, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    _put(folder, "images/a.webp", 10)
    meter = StorageMeter(db, clock, folder, sqlite_file(database_url))
    before = await meter.use()
    _put(folder, "images/b.webp", 10)
    clock.advance(59_000)
    assert await meter.use() is before
    clock.advance(1_000)
    after = await meter.use()
    images = {use.kind: use.byte_count for use in after.uses}["images"]
    assert images == 20
    assert after.uses[0].byte_count > 0 or db.is_sqlite

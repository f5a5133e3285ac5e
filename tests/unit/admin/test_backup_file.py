"""One backup: what is in it, that it is whole or not there, and rotation."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from mediaserver.admin import archive, backup_file
from mediaserver.admin.archive import Archive
from mediaserver.admin.backup_file import list_backups
from mediaserver.admin.backups import back_up_stopped_site
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import Config
from mediaserver.kernel.db import Database, values
from mediaserver.kernel.db.lock import DatabaseInUse
from mediaserver.kernel.db.migrate import head
from mediaserver.kernel.errors import Conflict, Unavailable
from mediaserver.kernel.events import Events
from tests.unit.admin.conftest import (
    KEPT,
    NOT_KEPT,
    backups_of,
    contents,
    environment,
    read_value,
    write,
)


async def test_a_backup_holds_everything_worth_keeping(
    storage: Path, config: Config, clock: FakeClock
) -> None:
    made = await back_up_stopped_site(config, clock, None, None)
    assert made.path == storage / "backups" / "mediaserver-20231114-221320.tar"
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert made.manifest.schema == head()
    assert made.manifest.findings == ()
    with tarfile.open(made.path) as tar:  # any tar program can open it
        names = tar.getnames()
        for name, content in KEPT.items():
            member = tar.extractfile(f"storage/{name}")
            assert member is not None
            assert member.read() == content
    assert set(names) == {
        "database/mediaserver.db",
        "manifest.json",
        *(f"storage/{name}" for name in KEPT),
    }
    assert not set(names) & {f"storage/{name}" for name in NOT_KEPT}
    assert sorted(path.name for path in made.path.parent.iterdir()) == [".lock", made.path.name]


async def test_a_running_site_is_backed_up_as_it_is_at_one_moment(
    storage: Path, config: Config, clock: FakeClock
) -> None:
    async with Database(config.database_url, Events()) as db:
        await db.write(values.put, "colour", "blue", 2)  # in the log, not yet in the file
        with pytest.raises(DatabaseInUse):
            await back_up_stopped_site(config, clock, None, None)
        made = await backups_of(db, clock, config).make(None, None)
        await db.write(values.put, "colour", "red", 3)
    with made.path.open("rb") as file:
        Archive(file).unpack(archive.SQLITE_FILE, storage / "copy.db", lambda: None)
    copy = sqlite3.connect(storage / "copy.db")
    assert copy.execute("SELECT value FROM site_value WHERE key = 'colour'").fetchone() == ("blue",)
    copy.close()


async def test_only_the_newest_are_kept(storage: Path, config: Config, clock: FakeClock) -> None:
    (storage / "backups").mkdir()
    others = ("my own notes.tar", "mediaserver-99999999-999999.tar", ".mediaserver-settings")
    for name in others:
        (storage / "backups" / name).write_text("stays")
    for _ in range(4):
        clock.advance(1000)
        await back_up_stopped_site(config, clock, None, 2)
    names = [one.name for one in list_backups(storage / "backups")]
    assert names == ["mediaserver-20231114-221324.tar", "mediaserver-20231114-221323.tar"]
    assert all((storage / "backups" / name).exists() for name in others)


async def test_the_one_just_made_stays_whatever_the_others_are_called(
    storage: Path, config: Config, clock: FakeClock
) -> None:
    (storage / "backups").mkdir()
    for year in (2030, 2031):
        (storage / "backups" / f"mediaserver-{year}0101-000000.tar").write_text("a wrong clock")
    made = await back_up_stopped_site(config, clock, None, 1)
    assert made.path.exists()
    clock.advance(1000)
    made = await back_up_stopped_site(config, clock, None, 1)
    assert [one.name for one in list_backups(storage / "backups")] == [
        "mediaserver-20310101-000000.tar",
        "mediaserver-20300101-000000.tar",
        made.path.name,
    ]


async def test_into_another_folder(
    storage: Path, config: Config, clock: FakeClock, tmp_path: Path
) -> None:
    made = await back_up_stopped_site(config, clock, tmp_path / "disk" / "new", 1)
    assert made.path.parent == tmp_path / "disk" / "new"
    assert not (storage / "backups").exists()


async def test_a_folder_for_backups_inside_the_storage_is_not_backed_up(
    storage: Path, config: Config, clock: FakeClock
) -> None:
    await back_up_stopped_site(config, clock, storage / "safe", 5)
    clock.advance(1000)
    made = await back_up_stopped_site(config, clock, storage / "safe", 5)
    assert not [name for name in made.manifest.files if "safe" in name]


async def test_a_file_that_is_deleted_meanwhile_is_left_out(
    storage: Path, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = storage / "images" / "avatars" / "avt_1.webp"

    def copy_and_delete(*arguments: object, **more: object) -> None:
        backup_file_copy(*arguments, **more)
        gone.unlink()

    backup_file_copy = backup_file.copy_sqlite
    monkeypatch.setattr(backup_file, "copy_sqlite", copy_and_delete)
    made = await back_up_stopped_site(config, clock, None, None)
    assert "storage/images/avatars/avt_1.webp" not in made.manifest.files
    assert "storage/images/emotes/emo_1.webp" in made.manifest.files


async def test_a_file_that_comes_before_the_database_is_copied_is_in(
    storage: Path, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add_and_copy(*arguments: object, **more: object) -> None:
        write(storage / "images" / "avatars" / "avt_3.webp", b"uploaded just now")
        backup_file_copy(*arguments, **more)

    backup_file_copy = backup_file.copy_sqlite
    monkeypatch.setattr(backup_file, "copy_sqlite", add_and_copy)
    made = await back_up_stopped_site(config, clock, None, None)
    assert "storage/images/avatars/avt_3.webp" in made.manifest.files


async def test_no_site_no_backup(config: Config, clock: FakeClock) -> None:
    with pytest.raises(Unavailable, match="no site"):
        await back_up_stopped_site(config, clock, None, None)
    assert not config.storage.path.exists()


async def test_no_room_is_noticed_before(
    storage: Path, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(storage)._replace(free=limits.BACKUP_SPARE_BYTES + 1000)
    monkeypatch.setattr(backup_file.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(Unavailable, match="MB are free"):
        await back_up_stopped_site(config, clock, None, None)
    assert list_backups(storage / "backups") == []


@pytest.mark.parametrize("allowed", [0, 100, 5000, 100_000])
async def test_a_disk_that_fills_up_leaves_no_half_file(
    storage: Path,
    config: Config,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    allowed: int,
) -> None:
    class FullDisk(archive.Writer):
        def __init__(self, file: object, *more: object) -> None:
            super().__init__(_Full(file, allowed), *more)  # type: ignore[arg-type]

    before = contents(storage)
    monkeypatch.setattr(backup_file, "Writer", FullDisk)
    async with Database(config.database_url, Events()) as db:
        with pytest.raises(Unavailable, match="No space left"):
            await backups_of(db, clock, config).make(None, None)
        await db.write(values.put, "colour", "blue", 2)  # the site goes on
    assert [path.name for path in (storage / "backups").iterdir()] == [".lock"]
    assert before.keys() - {"mediaserver.db"} <= contents(storage).keys()


class _Full:
    """A file on a disk that takes so many bytes and no more."""

    def __init__(self, file: object, allowed: int) -> None:
        self._file = file
        self._left = allowed

    def write(self, data: bytes) -> int:
        self._left -= len(data)
        if self._left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._file.write(data)  # type: ignore[attr-defined, no-any-return]


LIMITED = """\
import asyncio, resource, sys
from mediaserver.kernel.clock import SystemClock
from mediaserver.kernel.config import load_config
from mediaserver.kernel.errors import Unavailable
from mediaserver.admin.backups import back_up_stopped_site
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
try:
    asyncio.run(back_up_stopped_site(load_config(None), SystemClock(), None, None))
except Unavailable as error:
    print(error.message)
"""


@pytest.mark.parametrize("bytes_max", [0, 100_000, 520_000])
async def test_a_copy_of_the_database_that_the_system_refuses(
    storage: Path, bytes_max: int
) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", LIMITED, str(bytes_max)],
        capture_output=True,
        text=True,
        env=environment(storage),
        timeout=60,
        check=False,
    )
    assert "can't be written" in done.stdout, done.stderr
    assert [path.name for path in (storage / "backups").iterdir()] == [".lock"]


KILLED = """\
import asyncio, os, signal, sys
from mediaserver.admin import archive
from mediaserver.kernel.clock import SystemClock
from mediaserver.kernel.config import load_config
from mediaserver.admin.backups import back_up_stopped_site
class Killed(archive.Writer):
    def add(self, name, path):
        super().add(name, path)
        self._file.flush()
        if name.endswith(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
from mediaserver.admin import backup_file
backup_file.Writer = Killed
asyncio.run(back_up_stopped_site(load_config(None), SystemClock(), None, None))
"""


@pytest.mark.parametrize("after", ["mediaserver.db", "doc_1.bin", "master.key"])
async def test_what_a_killed_process_leaves_is_no_backup_and_goes_with_the_next(
    storage: Path, config: Config, clock: FakeClock, after: str
) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", KILLED, after],
        env=environment(storage),
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    left = [path.name for path in (storage / "backups").iterdir()]
    assert any(name.endswith(".part") for name in left)
    assert list_backups(storage / "backups") == []
    made = await back_up_stopped_site(config, clock, None, None)
    assert sorted(path.name for path in (storage / "backups").iterdir()) == [
        ".lock",
        made.path.name,
    ]
    assert await read_value(config, "colour") == "green"


async def test_a_damaged_database_is_not_backed_up_and_nothing_old_goes(
    storage: Path, config: Config, clock: FakeClock
) -> None:
    await back_up_stopped_site(config, clock, None, None)
    clock.advance(1000)
    data = bytearray((storage / "mediaserver.db").read_bytes())
    for page in range(2, len(data) // 4096, 3):
        data[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
    (storage / "mediaserver.db").write_bytes(data)
    with pytest.raises(Unavailable, match="database"):
        await back_up_stopped_site(config, clock, None, 1)
    assert len(list_backups(storage / "backups")) == 1


async def test_a_broken_audit_log_is_found_and_whole_backups_stay(
    storage: Path, config: Config, clock: FakeClock
) -> None:
    await back_up_stopped_site(config, clock, None, None)
    clock.advance(1000)
    database = sqlite3.connect(storage / "mediaserver.db")
    database.execute("DROP TRIGGER audit_entry_no_update")
    database.execute("UPDATE audit_entry SET actor = 'somebody else' WHERE sequence = 2")
    database.commit()
    database.close()
    whole = list_backups(storage / "backups")[0].name
    for _ in range(3):
        made = await back_up_stopped_site(config, clock, None, 1)
        clock.advance(1000)
    (finding,) = made.manifest.findings
    assert "entry 2" in finding
    assert made.path.name.endswith("-faulty.tar")
    left = [(one.name, one.is_faulty) for one in list_backups(storage / "backups")]
    assert left == [(made.path.name, True), (whole, False)], "the whole one before them stays"


async def test_two_at_once(storage: Path, config: Config, clock: FakeClock) -> None:
    results = await asyncio.gather(
        *(back_up_stopped_site(config, clock, storage / "x", None) for _ in range(2)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, DatabaseInUse) for one in results) == 1
    async with Database(config.database_url, Events()) as db:
        backups = backups_of(db, clock, config)
        clock.advance(1000)
        results = await asyncio.gather(
            *(backups.make(None, None) for _ in range(2)), return_exceptions=True
        )
    assert sum(isinstance(one, Conflict) for one in results) == 1
    assert len(list_backups(storage / "backups")) == 1


async def test_one_that_is_cancelled_on_the_command_line_is_given_up(
    storage: Path, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def copy(*arguments: object, **more: object) -> None:
        loop.call_soon_threadsafe(began.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(20)
        arguments[2]()  # type: ignore[operator]

    monkeypatch.setattr(backup_file, "copy_sqlite", copy)
    making = asyncio.create_task(back_up_stopped_site(config, clock, None, None))
    await began.wait()
    making.cancel()
    await asyncio.wait({making}, timeout=0)
    with pytest.raises(DatabaseInUse):  # the thread still reads it
        await back_up_stopped_site(config, clock, None, None)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert [path.name for path in (storage / "backups").iterdir()] == [".lock"]


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_postgresql_is_dumped(
    db: Database, database_url: str, storage: Path, config: Config, clock: FakeClock
) -> None:
    config.database.url = database_url
    await db.write(values.put, "colour", "green", 1)
    made = await backups_of(db, clock, config).make(None, None)
    assert made.manifest.database == "postgresql"
    assert made.manifest.schema == head()
    assert archive.POSTGRESQL_FILE in made.manifest.files
    assert "storage/master.key" in made.manifest.files


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_without_pg_dump_it_says_what_to_do(
    db: Database,
    database_url: str,
    storage: Path,
    config: Config,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config.database.url = database_url
    monkeypatch.setenv("PATH", str(storage))
    with pytest.raises(Unavailable, match="postgresql-client"):
        await backups_of(db, clock, config).make(None, None)

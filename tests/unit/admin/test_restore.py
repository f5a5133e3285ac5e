"""Restoring: a good backup comes back whole; a bad one is refused and nothing changes."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import random
import signal
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mediaserver.admin import restore as restoring
from mediaserver.admin.archive import Archive, Damaged
from mediaserver.admin.backups import Backups, back_up_stopped_site
from mediaserver.admin.restore import restore
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import Config
from mediaserver.kernel.db import Database, values
from mediaserver.kernel.db.migrate import SchemaTooNew, head
from mediaserver.kernel.errors import Conflict, Invalid, MediaserverError, Unavailable
from mediaserver.kernel.events import Events
from mediaserver.kernel.mail import Letterhead
from tests.unit.admin.conftest import KEPT, contents, environment, fill, read_value, write

BLOCK = 512


@pytest.fixture
async def backup(storage: Path, config: Config, clock: FakeClock, tmp_path: Path) -> Path:
    return (await back_up_stopped_site(config, clock, tmp_path / "disk", None)).path


@pytest.fixture
def elsewhere(tmp_path: Path) -> Config:
    """The settings of a machine that has nothing yet."""
    return Config.model_validate({"storage": {"path": tmp_path / "other" / "storage"}})


async def test_onto_a_new_machine(backup: Path, elsewhere: Config, clock: FakeClock) -> None:
    done = await restore(elsewhere, clock, backup, force=False)
    assert done.kept is None
    storage = elsewhere.storage.path
    found = contents(storage)
    assert found.keys() == {"mediaserver.db", *KEPT}
    assert {name: found[name] for name in KEPT} == KEPT
    assert storage.stat().st_mode & 0o777 == 0o700
    assert (storage / "master.key").stat().st_mode & 0o777 == 0o600
    assert await read_value(elsewhere, "colour") == "green"


async def test_in_the_place_of_a_site(
    backup: Path, storage: Path, config: Config, clock: FakeClock
) -> None:
    async with Database(config.database_url, Events()) as db:
        await db.write(values.put, "colour", "red", 2)
    write(storage / "images" / "avatars" / "avt_9.webp", b"newer than the backup")
    write(storage / "backups" / "mediaserver-20230101-000000.tar", b"an older one")
    before = contents(storage)
    with pytest.raises(Conflict, match="--force"):
        await restore(config, clock, backup, force=False)
    assert contents(storage) == before
    done = await restore(config, clock, backup, force=True)
    assert done.kept == storage.with_name("storage.before-restore-20231114-221320")
    assert await read_value(config, "colour") == "green"
    assert not (storage / "images" / "avatars" / "avt_9.webp").exists()
    assert (storage / "backups" / "mediaserver-20230101-000000.tar").exists(), "they stay in use"
    kept = contents(done.kept)
    assert kept.pop("images/avatars/avt_9.webp") == b"newer than the backup"
    assert kept["mediaserver.db"] == before["mediaserver.db"]


async def test_without_the_system_call_that_swaps(
    backup: Path,
    storage: Path,
    config: Config,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(restoring, "_exchange", lambda one, other: False)
    done = await restore(config, clock, backup, force=True)
    assert done.kept is not None
    assert (done.kept / "mediaserver.db").exists()
    assert await read_value(config, "colour") == "green"


async def test_backups_that_can_not_be_moved_stay_in_the_old_one(
    backup: Path,
    storage: Path,
    config: Config,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def rename(self: Path, target: Path) -> Path:
        if self.name == "backups":
            raise OSError(18, "Invalid cross-device link")
        return real(self, target)

    write(storage / "backups" / "mediaserver-20230101-000000.tar", b"an older one")
    real = Path.rename
    monkeypatch.setattr(Path, "rename", rename)
    done = await restore(config, clock, backup, force=True)
    assert done.kept is not None
    assert (done.kept / "backups" / "mediaserver-20230101-000000.tar").exists()
    assert await read_value(config, "colour") == "green"


KILLED = """\
import asyncio, os, signal, sys
from pathlib import Path
from mediaserver.admin import restore
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import load_config
exchange = restore._exchange
def killed(one, other):
    if sys.argv[2] == "after":
        assert exchange(one, other)
    os.kill(os.getpid(), signal.SIGKILL)
restore._exchange = killed
asyncio.run(restore.restore(load_config(None), FakeClock(1), Path(sys.argv[1]), force=True))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="one step on Linux alone")
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_killed_while_the_folders_change_places_no_site_is_lost(
    backup: Path, storage: Path, config: Config, clock: FakeClock, moment: str
) -> None:
    write(storage / "images" / "avatars" / "avt_9.webp", b"newer than the backup")
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", KILLED, str(backup), moment],
        env=environment(storage),
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    is_new = not (storage / "images" / "avatars" / "avt_9.webp").exists()
    assert is_new == (moment == "after")
    await restore(config, clock, backup, force=True)  # clears what a killed one left
    kept = [path for path in storage.parent.rglob("avt_9.webp") if "before-restore" in str(path)]
    assert [path.read_bytes() for path in kept] == [b"newer than the backup"]
    assert (kept[0].parents[2] / "mediaserver.db").exists()


async def test_an_older_backup_is_brought_up_to_date_at_the_next_start(
    tmp_path: Path, elsewhere: Config, clock: FakeClock
) -> None:
    old = Config.model_validate({"storage": {"path": tmp_path / "old"}})
    old.storage.path.mkdir()
    from tests.unit.kernel.old_sites import make_site_of

    make_site_of("0006", old.storage.path / "mediaserver.db")
    made = await back_up_stopped_site(old, clock, None, None)
    assert made.manifest.schema == "0006"
    await restore(elsewhere, clock, made.path, force=False)
    async with Database(elsewhere.database_url, Events()):
        pass
    database = sqlite3.connect(elsewhere.storage.path / "mediaserver.db")
    assert database.execute("SELECT version_num FROM alembic_version").fetchone() == (head(),)
    assert database.execute("SELECT count(*) FROM user_account").fetchone() != (0,)
    database.close()


async def test_a_database_in_a_folder_of_its_own(
    config: Config, storage: Path, clock: FakeClock, tmp_path: Path
) -> None:
    config.database.url = f"sqlite+aiosqlite:///{storage / 'db' / 'site.db'}"
    (storage / "db").mkdir()
    async with Database(config.database_url, Events()) as db:
        await db.write(fill)
        backups = Backups(db, clock, config, Letterhead(lambda: "", lambda: ""))
        made = await backups.make(tmp_path / "disk", None)  # with its log and its lock beside it
    await restore(config, clock, made.path, force=True)
    assert await read_value(config, "colour") == "green"


async def test_a_running_site_is_left_alone(
    backup: Path, storage: Path, config: Config, clock: FakeClock
) -> None:
    async with Database(config.database_url, Events()) as db:
        for force in (False, True):
            with pytest.raises(Conflict, match="Stop it first"):
                await restore(config, clock, backup, force=force)
        assert await db.read(values.get, "colour") == "green"
    assert not list(storage.parent.glob("*before*"))


async def test_no_room(
    backup: Path, elsewhere: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = restoring.shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(restoring.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(Unavailable, match="MB are free"):
        await restore(elsewhere, clock, backup, force=False)
    assert list(elsewhere.storage.path.parent.iterdir()) == []


async def test_what_a_killed_restore_left_is_no_obstacle(
    backup: Path, elsewhere: Config, clock: FakeClock
) -> None:
    write(elsewhere.storage.path.with_name(".storage.restore") / "mediaserver.db", b"half")
    await restore(elsewhere, clock, backup, force=False)
    assert await read_value(elsewhere, "colour") == "green"
    assert [path.name for path in elsewhere.storage.path.parent.iterdir()] == ["storage"]


async def test_a_database_outside_of_the_storage_is_not_guessed_at(
    backup: Path, elsewhere: Config, clock: FakeClock, tmp_path: Path
) -> None:
    elsewhere.database.url = f"sqlite+aiosqlite:///{tmp_path / 'far' / 'site.db'}"
    with pytest.raises(Conflict, match=r"database\.url"):
        await restore(elsewhere, clock, backup, force=True)


async def test_a_backup_of_the_other_kind_of_database(
    backup: Path, elsewhere: Config, clock: FakeClock
) -> None:
    rewrite(backup, manifest={"database": "postgresql"})
    with pytest.raises(Damaged, match="one database"):
        await restore(elsewhere, clock, backup, force=False)


# Bad backups --------------------------------------------------------------------------------------


Change = Callable[[Path], None]


def rewrite(
    path: Path,
    *,
    manifest: dict[str, Any] | None = None,
    without: str = "",
    more: list[tuple[tarfile.TarInfo, bytes]] | None = None,
    declared: bool = True,
    content: dict[str, bytes] | None = None,
) -> None:
    """Make the archive anew with one thing wrong and all checksums right."""
    with tarfile.open(path) as tar:
        members = [(info, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]
    *files, (_, text) = members
    body = json.loads(text)
    files = [(info, (content or {}).get(info.name, data)) for info, data in files]
    files = [(info, data) for info, data in files if info.name != without]
    files += more or []
    if declared:
        body["files"] = {
            info.name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for info, data in files
        }
    body |= manifest or {}
    del body["sha256"]
    body["sha256"] = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    write_archive(path, [*files, (named("manifest.json"), json.dumps(body).encode())])


def write_archive(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    out = io.BytesIO()
    for info, data in members:
        if info.type == tarfile.REGTYPE:
            info.size = len(data)
        out.write(info.tobuf(tarfile.GNU_FORMAT if len(info.name) > 255 else tarfile.USTAR_FORMAT))
        out.write(data + bytes(-len(data) % BLOCK))
    path.write_bytes(out.getvalue() + bytes(2 * BLOCK))


def named(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o600
    return info


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Change:
    data = b"x" if kind == tarfile.REGTYPE else b""
    return lambda path: rewrite(path, more=[(named(name, kind, link), data)])


def _cut(share: float) -> Change:
    return lambda path: path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def _flip(position: int) -> Change:
    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[position] ^= 1
        path.write_bytes(data)

    return change


def _grow(path: Path) -> None:
    """A file that claims to be far larger than the archive."""
    data = bytearray(path.read_bytes())
    info = tarfile.TarInfo.frombuf(data[:BLOCK], "utf-8", "strict")
    info.size = 7_000_000_000
    data[:BLOCK] = info.tobuf(tarfile.USTAR_FORMAT)
    path.write_bytes(data)


def _sparse(path: Path) -> None:
    _member("storage/hole", tarfile.GNUTYPE_SPARSE)(path)


def _wrong_sizes(path: Path) -> None:
    with tarfile.open(path) as tar:
        text = tar.extractfile("manifest.json").read()  # type: ignore[union-attr]
    files = json.loads(text)["files"]
    files["storage/master.key"]["size"] = 10**15
    rewrite(path, manifest={"files": files}, declared=False)


def _undeclared(path: Path) -> None:
    rewrite(path, more=[(named("storage/extra"), b"x")], declared=False)


def _not_a_database(path: Path) -> None:
    rewrite(path, content={"database/mediaserver.db": b"SQLite format 3\0" + b"no" * 3000})


def _broken_database(path: Path) -> None:
    with tarfile.open(path) as tar:
        data = bytearray(tar.extractfile("database/mediaserver.db").read())  # type: ignore[union-attr]
    for page in range(2, len(data) // 4096, 3):
        data[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
    rewrite(path, content={"database/mediaserver.db": bytes(data)})


BAD: dict[str, tuple[Change, str]] = {
    "empty": (_cut(0), "end is missing"),
    "cut in a header": (_cut(0.0003), "end is missing"),
    "cut in the middle": (_cut(0.5), "end is missing"),
    "cut near the end": (_cut(0.999), "end"),
    "not an archive": (lambda path: path.write_bytes(b"hello " * 500), "no backup"),
    "a byte flipped in a header": (_flip(3), "no backup"),
    "a byte flipped in the database": (_flip(100_000), "not what was saved"),
    "a byte flipped behind the end": (_flip(-10), "end is not as"),
    "a file missing": (
        lambda path: rewrite(path, without="storage/master.key", declared=False),
        "master.key is missing",
    ),
    "a file too many": (_undeclared, "not in its manifest"),
    "no database": (lambda path: rewrite(path, without="database/mediaserver.db"), "one database"),
    "two databases": (_member("database/other.db"), "one database"),
    "the same name twice": (_member("storage/master.key"), "twice"),
    "a way out": (_member("storage/../../evil"), "no name"),
    "a way out at the front": (_member("../evil"), "no name"),
    "a way out in the database": (_member("database/../evil"), "no name"),
    "an absolute name": (_member("/etc/evil"), "no name"),
    "an absolute name inside": (_member("storage//etc/evil"), "no name"),
    "a backslash": (_member("storage/..\\evil"), "no name"),
    "a control character": (_member("storage/a\nb"), "no name"),
    "another folder": (_member("home/evil"), "no name"),
    "a symbolic link": (_member("storage/link", tarfile.SYMTYPE, "/etc/passwd"), "link"),
    "a hard link": (_member("storage/link", tarfile.LNKTYPE, "/etc/passwd"), "link"),
    "a device": (_member("storage/null", tarfile.CHRTYPE), "device"),
    "a block device": (_member("storage/sda", tarfile.BLKTYPE), "device"),
    "a pipe": (_member("storage/pipe", tarfile.FIFOTYPE), "device"),
    "a folder": (_member("storage/folder", tarfile.DIRTYPE), "folder"),
    "holes": (_sparse, "link"),
    "a name that is too long": (_member("storage/" + "a" * 300), "link"),
    "a file larger than the archive": (_grow, "end is missing"),
    "sizes that the manifest makes up": (_wrong_sizes, "another size"),
    "another format": (lambda path: rewrite(path, manifest={"format": 2}), "format 2"),
    "no format": (lambda path: rewrite(path, manifest={"format": None}), "format None"),
    "facts of a wrong type": (
        lambda path: rewrite(path, manifest={"created_at_ms": "x"}),
        "manifest can't be read",
    ),
    "a text that is no manifest": (
        lambda path: write_archive(path, [(named("manifest.json"), b"[1, 2")]),
        "manifest can't be read",
    ),
    "a manifest that is nested too deeply": (
        lambda path: write_archive(path, [(named("manifest.json"), b"[" * 100_000)]),
        "manifest can't be read",
    ),
    "a list as a manifest": (
        lambda path: write_archive(path, [(named("manifest.json"), b"[]")]),
        "manifest can't be read",
    ),
    "no database inside": (_not_a_database, "database is damaged"),
    "a broken database inside": (_broken_database, "database"),
    "another schema inside": (
        lambda path: rewrite(path, manifest={"schema": "0001"}),
        "unlike its manifest",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_backup_changes_nothing(
    backup: Path, storage: Path, config: Config, clock: FakeClock, name: str
) -> None:
    change, reason = BAD[name]
    change(backup)
    before, around = contents(storage), sorted(storage.parent.rglob("*"))
    with pytest.raises(Damaged, match=reason) as caught:
        await restore(config, clock, backup, force=True)
    assert caught.value.message.startswith(backup.name), "it says which file"
    assert contents(storage) == before
    assert sorted(storage.parent.rglob("*")) == around


async def test_a_newer_schema(
    backup: Path, storage: Path, config: Config, clock: FakeClock
) -> None:
    rewrite(backup, manifest={"schema": "9999", "mediaserver": "99.0"})
    before = contents(storage)
    with pytest.raises(SchemaTooNew, match=r"9999.*99\.0"):
        await restore(config, clock, backup, force=True)
    assert contents(storage) == before


async def test_a_file_that_is_not_there(
    config: Config, storage: Path, clock: FakeClock, tmp_path: Path
) -> None:
    with pytest.raises(Invalid, match=r"nothing\.tar"):
        await restore(config, clock, tmp_path / "nothing.tar", force=True)
    with pytest.raises(MediaserverError):
        await restore(config, clock, tmp_path, force=True)


async def test_a_disk_that_fills_up(
    backup: Path,
    storage: Path,
    config: Config,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unpack(self: Archive, name: str, path: Path, stop: object) -> None:
        if name.startswith("storage/images"):
            raise OSError(28, "No space left on device")
        real(self, name, path, stop)  # type: ignore[arg-type]

    real = Archive.unpack
    monkeypatch.setattr(Archive, "unpack", unpack)
    before = contents(storage)
    with pytest.raises(Unavailable, match="No space left"):
        await restore(config, clock, backup, force=True)
    assert contents(storage) == before
    assert sorted(path.name for path in storage.parent.iterdir()) == ["disk", "storage"]


async def test_one_that_is_cancelled_leaves_everything_as_it_was(
    backup: Path,
    storage: Path,
    config: Config,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def unpack(self: Archive, name: str, path: Path, stop: Callable[[], None]) -> None:
        loop.call_soon_threadsafe(began.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(20)
        real(self, name, path, stop)

    real = Archive.unpack
    monkeypatch.setattr(Archive, "unpack", unpack)
    before = contents(storage)
    restoring_it = asyncio.create_task(restore(config, clock, backup, force=True))
    await began.wait()
    restoring_it.cancel()
    await asyncio.wait({restoring_it}, timeout=0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await restoring_it
    assert contents(storage) == before
    assert sorted(path.name for path in storage.parent.iterdir()) == ["disk", "storage"]


def test_no_single_flipped_bit_goes_unseen(tmp_path: Path, backup: Path) -> None:
    """Everywhere: headers, contents, padding, manifest, end."""
    whole = backup.read_bytes()
    chance = random.Random(7)
    headers = [chance.randrange(BLOCK) for _ in range(60)]
    end = [len(whole) - 1 - chance.randrange(4000) for _ in range(120)]
    for position in {*headers, *end, *(chance.randrange(len(whole)) for _ in range(120))}:
        data = bytearray(whole)
        data[position] ^= 1 << chance.randrange(8)
        with pytest.raises(Damaged):
            Archive(io.BytesIO(data)).check(lambda: None)


@pytest.mark.postgres
async def test_postgresql_comes_back_into_an_empty_database(
    tmp_path: Path, clock: FakeClock, storage: Path, postgresql: Any
) -> None:
    def site(url: str) -> Config:
        return Config.model_validate({"storage": {"path": storage}, "database": {"url": url}})

    for leftover in storage.glob("mediaserver.db*"):
        leftover.unlink()
    old, new = site(await postgresql.new_database()), site(await postgresql.new_database())
    async with Database(old.database_url, Events()) as db:
        await db.write(fill)
    made = await back_up_stopped_site(old, clock, tmp_path / "disk", None)
    with pytest.raises(Conflict, match="not empty"):
        await restore(old, clock, made.path, force=True)
    done = await restore(new, clock, made.path, force=True)
    assert done.kept is not None
    assert contents(storage).keys() == KEPT.keys()
    assert await read_value(new, "colour") == "green"
    sqlite = Config.model_validate({"storage": {"path": tmp_path / "s"}})
    with pytest.raises(Invalid, match="PostgreSQL"):
        await restore(sqlite, clock, made.path, force=True)

"""Backups that the running site makes: when, and how failures are told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from mediaserver.accounts.users import User
from mediaserver.admin import backup_file
from mediaserver.admin.backups import Backups
from mediaserver.kernel import audit
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import Config
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, NotFound, Unavailable
from mediaserver.kernel.events import Events
from mediaserver.notifications.notices import notice
from tests.unit.admin.conftest import backups_of, until_only_the_lock, write

HOUR_MS = 3_600_000


async def test_a_backup_is_made_when_one_is_due(
    storage: Path, config: Config, clock: FakeClock
) -> None:
    async with Database(config.database_url, Events()) as db:
        backups = backups_of(db, clock, config)

        async def look_after(hours: float) -> int:
            clock.advance(int(hours * HOUR_MS))
            await backups.look()
            await _made(backups)
            return len((await backups.standing()).backups)

        assert await look_after(0) == 0, "a new site has a day"
        assert await look_after(23.9) == 0
        assert await look_after(0.1) == 1
        assert (await backups.standing()).due_at_ms == clock.wall_ms() + 24 * HOUR_MS
        assert await look_after(23.9) == 1
        assert await look_after(80) == 2, "once, also when the site was off for days"
        config.backup.every_hours = 0
        assert await look_after(1000) == 2
        assert (await backups.standing()).due_at_ms is None


async def test_times_beyond_now_keep_no_backup_from_being_made(
    storage: Path, config: Config, clock: FakeClock
) -> None:
    """As after a start with a wrong clock: a failure, a backup, the beginning of the first day."""
    (storage / "backups").write_text("in the way")
    async with Database(config.database_url, Events()) as db:
        backups = backups_of(db, clock, config)
        clock.advance(1000 * HOUR_MS)
        await backups.look()
        with pytest.raises(Unavailable):
            await backups.make(None, None)
        (storage / "backups").unlink()
        write(storage / "backups" / "mediaserver-20990101-000000.tar", b"made in 2099")
        clock.set_wall(-1000 * HOUR_MS)
        await backups.look()
        assert (await backups.standing()).due_at_ms == clock.wall_ms() + 24 * HOUR_MS
        clock.advance(24 * HOUR_MS)
        await backups.look()
        await _made(backups)
        assert len((await backups.standing()).backups) == 2


async def test_a_crash_is_kept_as_a_failure(
    storage: Path, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("mediaserver.admin.backups.make_backup", crash)
    async with Database(config.database_url, Events()) as db:
        backups = backups_of(db, clock, config)
        with pytest.raises(ValueError, match="a bug"):
            await backups.make(None, None)
        failure = (await backups.standing()).failure
    assert failure is not None
    assert "a bug" in failure.reason


async def test_a_failure_is_kept_told_once_a_day_and_forgotten(
    database_url: str, storage: Path, db: Database, clock: FakeClock, config: Config, admin: User
) -> None:
    config.backup.folder = str(storage / "file")
    (storage / "file").write_text("in the way")
    backups = backups_of(db, clock, config)
    for _ in range(3):
        with pytest.raises(Unavailable, match="can't be written"):
            await backups.make(None, None)
        clock.advance(HOUR_MS)
    failure = (await backups.standing()).failure
    assert failure is not None
    assert "can't be written" in failure.reason
    assert await db.read(_notices) == ["Something is wrong with the backups"]
    clock.advance(24 * HOUR_MS)
    with pytest.raises(Unavailable):
        await backups.make(None, None)
    assert len(await db.read(_notices)) == 2
    (storage / "file").unlink()
    await backups.make(None, None)
    assert (await backups.standing()).failure is None


async def test_a_failed_one_is_tried_again_an_hour_later(
    storage: Path, config: Config, clock: FakeClock
) -> None:
    (storage / "backups").write_text("in the way")
    async with Database(config.database_url, Events()) as db:
        backups = backups_of(db, clock, config)
        await backups.look()
        clock.advance(24 * HOUR_MS)
        await backups.look()
        await _made(backups)
        (storage / "backups").unlink()
        clock.advance(HOUR_MS // 2)
        await backups.look()
        await _made(backups)
        assert (await backups.standing()).backups == []
        clock.advance(HOUR_MS // 2)
        await backups.look()
        await _made(backups)
        assert len((await backups.standing()).backups) == 1


async def test_what_admins_do_is_in_the_audit_log(
    storage: Path, config: Config, clock: FakeClock
) -> None:
    actor = Actor("usr_1", "root", "192.0.2.1")
    async with Database(config.database_url, Events()) as db:
        backups = backups_of(db, clock, config)
        await backups.begin(actor)
        with pytest.raises(Conflict):
            await backups.begin(actor)
        await _made(backups)
        (backup,) = (await backups.standing()).backups
        assert (await backups.file(actor, backup.name)).stat().st_size == backup.byte_count
        await backups.delete(actor, backup.name)
        for wrong in (backup.name, "../mediaserver.db", "", "..", ".lock", "/etc/passwd"):
            with pytest.raises(NotFound):
                await backups.file(actor, wrong)
            with pytest.raises(NotFound):
                await backups.delete(actor, wrong)
        entries = await db.read(audit.page, action="backup.")
        actions = [(entry.action, entry.target) for entry in entries]
        assert actions == [
            ("backup.delete", backup.name),
            ("backup.download", backup.name),
            ("backup.make", "a new one"),
        ]


async def test_a_site_that_stops_gives_up_its_backup(
    storage: Path, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def copy(*arguments: object, **more: object) -> None:
        loop.call_soon_threadsafe(began.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(20)
        arguments[2]()  # type: ignore[operator]

    monkeypatch.setattr(backup_file, "copy_sqlite", copy)
    async with Database(config.database_url, Events()) as db:
        backups = backups_of(db, clock, config)
        await backups.begin(audit.SITE)
        await began.wait()
        standing = await backups.standing()
        assert standing.running is not None
        assert standing.running.step == "Copying the database"
        closing = asyncio.create_task(backups.aclose())
        await asyncio.sleep(0)
        go_on.set()
        await closing
        await asyncio.to_thread(until_only_the_lock, storage / "backups")


async def _made(backups: Backups) -> None:
    async with asyncio.timeout(20):
        while (await backups.standing()).running is not None:
            await asyncio.sleep(0.01)


def _notices(tx: object) -> list[str]:
    return list(tx.execute(select(notice.c.title)).scalars())  # type: ignore[attr-defined]

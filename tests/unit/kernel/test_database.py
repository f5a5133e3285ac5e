"""The door to the database: transactions, events after commit, one process, migrations."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

# It imports every module that owns a table, which fills the metadata.
import mediaserver.server  # noqa: F401
from mediaserver.accounts.users import user_account
from mediaserver.kernel import limits
from mediaserver.kernel.db import Database, Transaction, values
from mediaserver.kernel.db import migrate as migrations
from mediaserver.kernel.db.lock import DatabaseInUse
from mediaserver.kernel.db.migrate import SchemaTooNew
from mediaserver.kernel.db.schema import metadata
from mediaserver.kernel.errors import Conflict, Invalid, Unavailable
from mediaserver.kernel.events import Events
from tests.databases import PostgresqlServer


async def test_write_commits_and_read_sees_it(db: Database) -> None:
    await db.write(values.put, "colour", "green", 1)
    await db.write(values.put, "colour", "blue", 2)
    assert await db.read(values.get, "colour") == "blue"


async def test_error_rolls_back_and_is_raised(db: Database) -> None:
    def fail(tx: Transaction) -> None:
        values.put(tx, "colour", "green", 1)
        raise Conflict("no")

    with pytest.raises(Conflict):
        await db.write(fail)
    assert await db.read(values.get, "colour") is None


async def test_events_come_after_the_commit_and_only_then(db: Database, events: Events) -> None:
    seen: list[str] = []
    events.subscribe(str, seen.append)

    def post(tx: Transaction, is_failing: bool) -> None:
        tx.emit("posted")
        assert seen == []
        if is_failing:
            raise Conflict("no")

    with pytest.raises(Conflict):
        await db.write(post, True)
    assert seen == []
    await db.write(post, False)
    assert seen == ["posted"]


async def test_a_failing_handler_in_a_transaction_leaves_nothing_behind(
    db: Database, events: Events
) -> None:
    seen: list[object] = []

    def fail(tx: Transaction, event: str) -> None:
        values.put(tx, "handler", event, 1)
        tx.emit(7)
        tx.execute(text("SELECT nothing FROM nowhere"))

    def post(tx: Transaction) -> None:
        values.put(tx, "colour", "green", 1)
        tx.emit("posted")

    events.join(str, fail)
    events.join(str, lambda tx, event: values.put(tx, "other", event, 1))
    events.subscribe(str, seen.append)
    events.subscribe(int, seen.append)
    await db.write(post)
    assert seen == ["posted"]
    assert await db.read(values.get, "colour") == "green"
    assert await db.read(values.get, "other") == "posted"
    assert await db.read(values.get, "handler") is None


async def test_a_full_disk_is_no_success(tmp_path: Path) -> None:
    """SQLite rolls everything back then, not just what the handler did."""
    events = Events()

    def fill(tx: Transaction, event: str) -> None:
        pages = tx.execute(text("PRAGMA page_count")).scalar_one()
        tx.execute(text(f"PRAGMA max_page_count = {pages}"))
        values.put(tx, "big", "x" * 1_000_000, 1)

    def post(tx: Transaction) -> None:
        values.put(tx, "colour", "green", 1)
        tx.emit("posted")

    events.join(str, fill)
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'site.db'}", events) as database:
        with pytest.raises(Unavailable):
            await database.write(post)


@pytest.mark.postgres
async def test_a_reader_on_postgresql_sees_one_moment(postgresql: PostgresqlServer) -> None:
    """Also in its second statement, when somebody has written meanwhile."""

    def level(tx: Transaction) -> str:
        return str(tx.execute(text("SHOW transaction_isolation")).scalar_one())

    async with Database(await postgresql.new_database(), Events()) as database:
        assert await database.read(level) == "repeatable read"
        assert await database.write(level) == "read committed"


async def test_reading_cannot_write(db: Database) -> None:
    with pytest.raises(Exception, match=r"read-?only|doesn't answer"):
        await db.read(values.put, "colour", "green", 1)
    assert await db.read(values.get, "colour") is None


async def test_writers_take_turns(db: Database) -> None:
    await db.write(values.put, "count", "0", 0)

    def increment(tx: Transaction) -> None:
        # Locks the row on PostgreSQL; on SQLite the transaction is alone anyway.
        row = select(values.site_value).where(values.site_value.c.key == "count")
        count = int(tx.execute(row.with_for_update()).one().value)
        values.put(tx, "count", str(count + 1), 0)

    await asyncio.gather(*(db.write(increment) for _ in range(50)))
    assert await db.read(values.get, "count") == "50"


async def test_a_caller_that_gives_up_leaves_no_half_transaction(db: Database) -> None:
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(tx: Transaction) -> None:
        values.put(tx, "first", "1", 0)
        loop.call_soon(started.set)
        for _ in range(20):
            tx.execute(text("SELECT 1"))
        values.put(tx, "second", "1", 0)

    caller = asyncio.create_task(db.write(slow))
    await started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await db.write(values.put, "third", "1", 0)  # the connection is whole and free
    for key in ("first", "second", "third"):
        async with asyncio.timeout(5):
            while await db.read(values.get, key) is None:
                await asyncio.sleep(0.01)


async def test_too_many_waiting_callers_are_sent_away(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DATABASE_WAITING_MAX", 3)
    results = await asyncio.gather(
        *(db.write(values.put, f"key{n}", "1", 0) for n in range(6)), return_exceptions=True
    )
    assert [isinstance(result, Unavailable) for result in results] == [False] * 3 + [True] * 3


async def test_constraints_are_in_the_database_too(db: Database) -> None:
    row = {
        "id": "usr_1",
        "username": "Alice",
        "email": "a@example.org",
        "password_hash": "x",
        "is_admin": 0,
        "created_at_ms": 1,
    }
    for wrong in (
        {"username": "Alice"},
        {"username": "al"},
        {"username": "alice", "email": "A@example.org"},
        {"username": "alice", "is_admin": 2},
    ):
        with pytest.raises(IntegrityError):
            await db.write(lambda tx, w=wrong: tx.execute(user_account.insert(), {**row, **w}))
    await db.write(lambda tx: tx.execute(user_account.insert(), {**row, "username": "alice"}))


async def test_unknown_foreign_keys_are_refused(db: Database) -> None:
    from mediaserver.accounts.sessions import session

    values_ = {
        "id": "ses_1",
        "user_id": "usr_nobody",
        "token_digest": "0" * 64,
        "address": "",
        "user_agent": "",
        "created_at_ms": 1,
        "seen_at_ms": 1,
        "expires_at_ms": 2,
    }
    with pytest.raises(IntegrityError):
        await db.write(lambda tx: tx.execute(session.insert(), values_))


async def test_migrations_make_what_the_modules_declare(db: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def differences(tx: Transaction) -> list[object]:
        context = MigrationContext.configure(tx._connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    assert await db.read(differences) == []


_CHECK = re.compile(
    r"CONSTRAINT\s+\w+\s+CHECK\s+\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|\bSTRICT\b"
)
"""One named check with its brackets, wherever in the line it stands."""


async def test_declared_and_migrated_checks_agree(tmp_path: Path) -> None:
    """Alembic's comparison leaves CHECKs out, so the tables' SQL is compared on SQLite."""
    from sqlalchemy import create_engine

    def checks(path: Path) -> dict[str, set[str]]:
        connection = sqlite3.connect(path)
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        found = {
            name: {" ".join(found.split()) for found in _CHECK.findall(sql)}
            for name, sql in rows
            if name != "alembic_version"
        }
        connection.close()
        return found

    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'migrated.db'}", Events()):
        pass
    engine = create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    metadata.create_all(engine)
    engine.dispose()
    declared = checks(tmp_path / "declared.db")
    assert declared == checks(tmp_path / "migrated.db")
    assert all("STRICT" in found for found in declared.values())
    assert sum(len(found) for found in declared.values()) > 2 * len(declared)


async def test_opening_again_finds_the_schema_at_head(database_url: str) -> None:
    async with Database(database_url, Events()) as db:
        await db.write(values.put, "colour", "green", 1)
    code = "import asyncio, sys; from mediaserver.kernel.db import Database; "
    code += "from mediaserver.kernel.events import Events\n"
    code += "async def main():\n async with Database(sys.argv[1], Events()): pass\n"
    code += "asyncio.run(main()); assert 'alembic' not in sys.modules"
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "error", "-c", code, database_url],
        capture_output=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert done.returncode == 0, done.stderr.decode()
    async with Database(database_url, Events()) as db:
        assert await db.read(values.get, "colour") == "green"


async def test_a_newer_schema_is_refused(database_url: str) -> None:
    async with Database(database_url, Events()) as db:
        await db.write(
            lambda tx: tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        )
    with pytest.raises(SchemaTooNew, match="9999"):
        async with Database(database_url, Events()):
            pass


@pytest.mark.postgres
async def test_two_processes_at_once_migrate_once(postgresql: PostgresqlServer) -> None:
    url = await postgresql.new_database()
    one, two = Database(url, Events()), Database(url, Events())
    await asyncio.gather(one.__aenter__(), two.__aenter__())
    await one.write(values.put, "colour", "green", 1)
    assert await two.read(values.get, "colour") == "green"
    await asyncio.gather(one.aclose(), two.aclose())


@pytest.mark.postgres
async def test_a_deadlock_is_tried_again(postgresql: PostgresqlServer) -> None:
    """Two transactions that lock two rows in opposite order: PostgreSQL ends one of them."""
    async with Database(await postgresql.new_database(), Events()) as db:
        await db.write(values.put, "a", "0", 0)
        await db.write(values.put, "b", "0", 0)
        runs = []

        def both(tx: Transaction, first: str, second: str) -> None:
            runs.append(first)
            values.put(tx, first, "1", 0)
            tx.execute(text("SELECT pg_sleep(1)"))
            values.put(tx, second, "1", 0)

        await asyncio.gather(db.write(both, "a", "b"), db.write(both, "b", "a"))
        assert len(runs) == 3


def test_revisions_are_numbered_and_in_a_line() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(migrations.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [migrations.head()]
    for script in scripts.walk_revisions():
        assert Path(script.path).name.startswith(f"{script.revision}_")


async def test_a_second_process_is_told(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'site.db'}"
    async with Database(url, Events()):
        with pytest.raises(DatabaseInUse, match=r"site\.db"):
            async with Database(url, Events()):
                pass
    async with Database(url, Events()):
        pass


async def test_sqlite_is_set_up_for_safety(tmp_path: Path) -> None:
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'site.db'}", Events()) as db:

        def pragma(tx: Transaction, name: str) -> object:
            return tx.execute(text(f"PRAGMA {name}")).scalar()

        assert await db.write(pragma, "journal_mode") == "wal"
        assert await db.write(pragma, "synchronous") == 2
        assert await db.write(pragma, "foreign_keys") == 1
        assert await db.read(pragma, "query_only") == 1
    assert (tmp_path / "site.db").stat().st_mode & 0o077 == 0
    assert not (tmp_path / "site.db-wal").exists()  # folded in at a clean close


async def test_a_path_with_odd_characters(tmp_path: Path) -> None:
    folder = tmp_path / "a b%20ü?#'"
    folder.mkdir()
    from sqlalchemy.engine import URL

    url = URL.create("sqlite+aiosqlite", database=str(folder / "x.db"))
    async with Database(url.render_as_string(), Events()) as db:
        await db.write(values.put, "colour", "green", 1)
        assert await db.read(values.get, "colour") == "green"
    assert sorted(path.name for path in folder.iterdir()) == ["x.db", "x.db.lock"]


async def test_closed_means_closed(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'site.db'}", Events())
    async with database:
        pass
    with pytest.raises(Unavailable):
        await database.read(values.get, "colour")


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://x/y", "sqlite:///x.db", "sqlite+aiosqlite://", "postgresql://"]
)
def test_wrong_urls_are_named(url: str) -> None:
    with pytest.raises(Invalid, match=r"database\.url"):
        Database(url, Events())


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        async with Database(f"postgresql+asyncpg://x@/y?host={tmp_path}", Events()):
            pass


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "site.db").write_bytes(b"this is not a database, it is a text" * 100)
    with pytest.raises(Exception, match=r"not a database|doesn't answer"):
        async with Database(f"sqlite+aiosqlite:///{tmp_path / 'site.db'}", Events()):
            pass

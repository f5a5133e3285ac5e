"""A whole copy of the database as one file, and what is wrong in such a copy.

SQLite is copied by VACUUM INTO, which sees one moment of a database in use; PostgreSQL by its own
pg_dump. What is no coroutine here blocks, so it is called from a thread. Used by backup_file.py,
backups.py, restore.py and doctor.py.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, event, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from mediaserver.admin.long_work import Stop
from mediaserver.kernel import audit, limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.migrate import current, head
from mediaserver.kernel.errors import Unavailable
from mediaserver.money.ledger_check import Check
from mediaserver.money.ledger_rules import SOLVENCY

_ENDINGS = ("", "-wal", "-shm", "-journal", ".lock")


class BrokenDatabase(Unavailable):
    """A database that SQLite itself can't trust any more."""

    code = "broken_database"


@dataclass(frozen=True, slots=True)
class Examined:
    """A database that can be read: its schema, and sentences about what is wrong in it.

    `orphans`: rows that refer to nothing; `audit`: how its audit log was changed; `books`: what
    doesn't add up in its ledger.
    """

    schema: str
    orphans: tuple[str, ...]
    audit: tuple[str, ...]
    books: tuple[str, ...]

    @property
    def findings(self) -> tuple[str, ...]:
        return self.orphans + self.audit + self.books


def sqlite_file(database_url: str) -> Path | None:
    """The file of a SQLite database; None for PostgreSQL."""
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        return None
    assert url.database
    return Path(url.database).absolute()


def files_of(database: Path) -> frozenset[Path]:
    """A SQLite database with what SQLite and our lock keep beside it, as resolved paths."""
    path = database.resolve()
    return frozenset(path.with_name(path.name + end) for end in _ENDINGS)


def copy_sqlite(source: Path, target: Path, stop: Stop, *, alone: bool) -> None:
    """Write `source` as it is at this moment into the new file `target`.

    `alone`: nobody else has it open. Raises `OSError`, `BrokenDatabase`, or what `stop` raises.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with (
            closing(_connect(source, "rw" if alone else "ro")) as connection,
            _stopping(connection, stop),
        ):
            connection.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.DatabaseError as error:
        stop()
        if "full" in str(error) or "I/O" in str(error):
            raise OSError(f"The copy can't be written: {error}.") from error
        raise BrokenDatabase(f"The database can't be copied: {error}.") from error
    with target.open("rb+") as file:
        os.fsync(file.fileno())


def examine_sqlite(path: Path, stop: Stop, *, quick: bool = False) -> Examined:
    """Read a database from end to end. Raises `BrokenDatabase`.

    `quick` leaves out whether indexes and rows agree.
    """
    try:
        with closing(_connect(path, "ro")) as connection, _stopping(connection, stop):
            check = "quick_check" if quick else "integrity_check"
            wrong = [row[0] for row in connection.execute(f"PRAGMA {check}")]
            if wrong != ["ok"]:
                raise BrokenDatabase(f"The database is damaged: {wrong[0]}.")
            orphans = connection.execute("PRAGMA foreign_key_check").fetchmany(
                limits.BACKUP_FINDINGS_MAX
            )
    except sqlite3.DatabaseError as error:
        stop()
        raise BrokenDatabase(f"The database is damaged: {error}.") from error
    with sqlite_connection(path) as sql:
        schema, broken, books = _schema(sql), broken_audit(sql), broken_books(sql, stop)
    sentences = [f"A row of {row[0]} refers to a {row[2]} that isn't there." for row in orphans]
    return Examined(schema, tuple(dict.fromkeys(sentences)), broken, books)


@contextmanager
def sqlite_connection(path: Path) -> Iterator[Connection]:
    """A database as it is at one moment, to read with the tables that our modules declare."""
    engine = create_engine("sqlite://", creator=lambda: _connect(path, "ro"))
    # Python's driver begins nothing to read: a site that runs would change between two looks.
    event.listen(engine, "begin", lambda opened: opened.exec_driver_sql("BEGIN"))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def broken_audit(connection: Connection) -> tuple[str, ...]:
    """What is wrong with the audit log, if anything; a schema before it has none."""
    if not inspect(connection).has_table(audit.audit_entry.name):
        return ()
    broken = audit.verify(Transaction(connection))
    if broken is None:
        return ()
    return (f"The audit log is not as it was written: entry {broken.sequence} is {broken.reason}.",)


def broken_books(connection: Connection, stop: Stop = lambda: None) -> tuple[str, ...]:
    """What is wrong with the ledger, if anything; a schema of another version isn't looked at. That
    a site owes more than it has is no fault of its database.
    """
    if current(connection) != head():
        return ()
    tx, check = Transaction(connection), Check()
    while not check.step(tx):
        stop()
    faults = [one.text for one in check.findings if one.rule != SOLVENCY]
    return tuple(faults[: limits.BACKUP_FINDINGS_MAX])


async def examine_postgresql(url: URL) -> Examined:
    """The same of a PostgreSQL database, which checks its own pages. Raises `Unavailable`."""
    engine = postgresql_reader(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(
                lambda sql: Examined(_schema(sql), (), broken_audit(sql), broken_books(sql))
            )
    except (OSError, DBAPIError) as error:
        raise Unavailable("PostgreSQL doesn't answer. Does it run?") from error
    finally:
        await engine.dispose()


def postgresql_reader(url: URL) -> AsyncEngine:
    """Reads a database as it is at one moment."""
    return create_async_engine(
        url, isolation_level="REPEATABLE READ", execution_options={"postgresql_readonly": True}
    )


def dump_postgresql(url: URL, target: Path, stop: Stop) -> None:
    """Have pg_dump write `target`. Raises `Unavailable`, or what `stop` raises."""
    program = _program("pg_dump")
    _run_client(
        [program, "--format=custom", "--no-owner", "--no-privileges", f"--file={target}"],
        url,
        target.with_suffix(".pass"),
        stop,
    )
    target.chmod(0o600)


def load_postgresql(url: URL, source: Path, stop: Stop) -> None:
    """Fill an empty database from a dump, all or nothing. Raises `Unavailable`."""
    program = _program("pg_restore")
    options = ["--single-transaction", "--no-owner", "--no-privileges"]
    _run_client([program, *options, str(source)], url, source.with_suffix(".pass"), stop)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Unavailable(
            f"The data is in PostgreSQL, and {name} is not installed here. Install PostgreSQL's "
            "client programs (Debian and Ubuntu: apt install postgresql-client)."
        )
    return found


def _run_client(command: list[str], url: URL, password_file: Path, stop: Stop) -> None:
    """Run one of PostgreSQL's programs; the password reaches it by a file, so that no list of
    processes shows it.
    """
    fields = {
        "host": url.host or url.query.get("host"),
        "port": url.port,
        "user": url.username,
        "dbname": url.database,
    }
    descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            password = (url.password or "").replace("\\", "\\\\").replace(":", "\\:")
            file.write(f"*:*:*:*:{password}\n")
        fields["passfile"] = str(password_file)
        connection = " ".join(
            f"{key}={_quoted(str(value))}" for key, value in fields.items() if value is not None
        )
        process = subprocess.Popen(  # noqa: S603  # our own arguments, no shell
            [*command, f"--dbname={connection}", "--no-password"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        with process:
            complaint = _wait(process, stop)
    finally:
        password_file.unlink(missing_ok=True)
    if process.returncode != 0:
        lines = complaint.strip().splitlines() or ["no reason given"]
        raise Unavailable(f"{Path(command[0]).name} failed: {lines[0][:300]}")


def _wait(process: subprocess.Popen[bytes], stop: Stop) -> str:
    while True:
        try:
            _, complaint = process.communicate(timeout=1)
        except subprocess.TimeoutExpired:
            try:
                stop()
            except BaseException:
                process.kill()
                raise
        else:
            return complaint.decode(errors="replace")


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute(f"PRAGMA busy_timeout={limits.DATABASE_BUSY_TIMEOUT_MS}")
    return connection


@contextmanager
def _stopping(connection: sqlite3.Connection, stop: Stop) -> Iterator[None]:
    """Let `stop` interrupt what runs on `connection`."""

    def is_unwanted() -> bool:
        try:
            stop()
        except Exception:
            return True  # SQLite then ends the statement with an error
        return False

    connection.set_progress_handler(is_unwanted, limits.BACKUP_STOP_OPCODES)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def _schema(connection: Connection) -> str:
    schema = current(connection)
    if schema is None:
        raise BrokenDatabase("This is no database of the site: it names no schema.")
    return schema

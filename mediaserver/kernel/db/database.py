"""`Database`: runs transactions, which are plain functions `def f(tx: Transaction, …)`.

A transaction can't be left half-way: it runs in a task of its own that the caller's cancellation
doesn't reach, and nothing of ours can interleave, because inside it there is no `await`.

SQLite: exactly one read-write connection (BEGIN IMMEDIATE, WAL, synchronous=FULL), because versions
below 3.51.3 can corrupt the log when two connections write; readers are opened read-only.
PostgreSQL: one bounded pool; read transactions are declared read-only.

Features hold the SQL; this module holds none but pragmas. It is opened by the package server.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar
from urllib.parse import quote

import structlog
from sqlalchemy import Connection, CursorResult, Executable, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from mediaserver.kernel import limits
from mediaserver.kernel.db.lock import FileLock
from mediaserver.kernel.db.migrate import migrate
from mediaserver.kernel.db.safety_copy import keep_safety_copy
from mediaserver.kernel.errors import Invalid, Unavailable
from mediaserver.kernel.events import Events
from mediaserver.kernel.tasks import Tasks

_log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_POSTGRESQL_RETRY = {"40001", "40P01"}
"""serialization_failure and deadlock_detected: the transaction did nothing and may run again."""


class Transaction:
    """One open transaction. Lives as long as the function that it is handed to."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

        self.events: list[object] = []

    @property
    def dialect(self) -> str:
        """ "sqlite" or "postgresql"."""
        return self._connection.dialect.name

    def execute(
        self, statement: Executable, parameters: dict[str, Any] | list[dict[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Run one statement. A broken constraint raises SQLAlchemy's `IntegrityError`."""
        result = self._connection.execute(statement, parameters)
        assert isinstance(result, CursorResult)
        return result

    def emit(self, event: object) -> None:
        """Publish `event` once the transaction is committed; never if it isn't."""
        self.events.append(event)


class Database:
    """An async context manager; entering locks, opens and migrates the database."""

    def __init__(self, url: str, events: Events) -> None:
        self._events = events

        self._url = _parse(url)
        self._lock: FileLock | None = None
        self._writer: AsyncEngine | None = None
        self._reader: AsyncEngine | None = None
        self._tasks = Tasks("database", close_timeout_s=limits.DATABASE_CLOSE_TIMEOUT_S)
        self._running: set[asyncio.Task[Any]] = set()

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    async def __aenter__(self) -> Self:
        """Raises `DatabaseInUse`, `SchemaTooNew` or `Unavailable` (not there, not writable)."""
        try:
            self._writer, self._reader = (
                self._open_sqlite() if self.is_sqlite else self._open_postgresql()
            )
            if self.is_sqlite:
                path = self._path()
                await asyncio.to_thread(keep_safety_copy, path, path.parent / "backups")
            await self._transact(self._writer, lambda tx: migrate(tx._connection))
        except OSError as error:
            await self.aclose()
            raise Unavailable(f"The database can't be opened: {error}") from error
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let running transactions end, then close every connection and free the lock."""
        if self._running:
            await asyncio.wait(self._running, timeout=limits.DATABASE_CLOSE_TIMEOUT_S)
        await self._tasks.aclose()
        # Readers first: the writer is then the last connection and folds the log into the file.
        if self._reader is not None and self.is_sqlite:
            await self._reader.dispose()
        if self._writer is not None:
            await self._writer.dispose()
        self._reader = self._writer = None
        if self._lock is not None:
            self._lock.release()

    async def write(
        self, fn: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `fn(tx, …)` in a transaction, commit, publish what it emitted, return its result.

        What `fn` raises rolls everything back and is raised here.
        """
        return await self._run(self._writer, lambda tx: fn(tx, *args, **kwargs), _name(fn))

    async def read(
        self, fn: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `fn(tx, …)` on one consistent view of the data; writing in it is an error."""
        return await self._run(self._reader, lambda tx: fn(tx, *args, **kwargs), _name(fn))

    async def _run(
        self, engine: AsyncEngine | None, fn: Callable[[Transaction], T], name: str
    ) -> T:
        if engine is None:
            raise Unavailable("The database is closed.")
        if len(self._running) >= limits.DATABASE_WAITING_MAX:
            raise Unavailable("The site is too busy right now. Try again in a moment.")
        task = self._tasks.start(_outcome(self._transact(engine, fn)), name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            async with asyncio.timeout(limits.DATABASE_TRANSACTION_TIMEOUT_S):
                result, error = await asyncio.shield(task)
        except TimeoutError as timeout:
            _log.error("transaction takes too long", transaction=name)
            raise Unavailable("The site is too busy right now. Try again in a moment.") from timeout
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]  # the task set is untyped

    async def _transact(self, engine: AsyncEngine, fn: Callable[[Transaction], T]) -> T:
        for attempt in range(1, limits.DATABASE_ATTEMPTS_MAX + 1):
            try:
                async with engine.begin() as connection:
                    tx, result = await connection.run_sync(_call, fn, self._events)
            except PoolTimeout as error:
                raise Unavailable("The site is too busy right now. Try again soon.") from error
            except IntegrityError:
                raise
            except (OperationalError, InterfaceError, DBAPIError) as error:
                if _may_run_again(error) and attempt < limits.DATABASE_ATTEMPTS_MAX:
                    continue
                if isinstance(error, OperationalError | InterfaceError):
                    _log.exception("database failed")
                    raise Unavailable("The database doesn't answer. Try again soon.") from error
                raise
            for emitted in tx.events:
                self._events.publish(emitted)
            return result
        raise AssertionError("the last attempt returns or raises")

    def _path(self) -> Path:
        """The file of a SQLite database."""
        assert self._url.database
        return Path(self._url.database).absolute()

    def _open_sqlite(self) -> tuple[AsyncEngine, AsyncEngine]:
        path = self._path()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = FileLock(path.with_name(path.name + ".lock"))
        self._lock.acquire()
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # private from its first byte
        writer = _sqlite_engine(path, "rw", 1)
        _on_connect(
            writer,
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            "PRAGMA foreign_keys=ON",
            "PRAGMA trusted_schema=OFF",
            f"PRAGMA busy_timeout={limits.DATABASE_BUSY_TIMEOUT_MS}",
        )
        _on_begin(writer, "BEGIN IMMEDIATE")
        reader = _sqlite_engine(path, "ro", limits.DATABASE_READERS_MAX)
        _on_connect(
            reader,
            "PRAGMA query_only=ON",
            "PRAGMA trusted_schema=OFF",
            f"PRAGMA busy_timeout={limits.DATABASE_BUSY_TIMEOUT_MS}",
        )
        _on_begin(reader, "BEGIN")
        return writer, reader

    def _open_postgresql(self) -> tuple[AsyncEngine, AsyncEngine]:
        writer = create_async_engine(
            self._url,
            pool_size=limits.DATABASE_CONNECTIONS_MAX,
            max_overflow=0,
            pool_timeout=limits.DATABASE_ACQUIRE_TIMEOUT_S,
            pool_pre_ping=True,
            connect_args={
                "timeout": limits.DATABASE_ACQUIRE_TIMEOUT_S,
                "command_timeout": limits.DATABASE_TRANSACTION_TIMEOUT_S,
                "server_settings": {
                    "application_name": "mediaserver",
                    "lock_timeout": str(limits.DATABASE_BUSY_TIMEOUT_MS),
                    "idle_in_transaction_session_timeout": str(
                        int(limits.DATABASE_TRANSACTION_TIMEOUT_S * 1000)
                    ),
                },
            },
        )
        # Otherwise each statement of a reader would see what was committed just before it.
        return writer, writer.execution_options(
            postgresql_readonly=True, isolation_level="REPEATABLE READ"
        )


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        raise Invalid("database.url is not a database URL", field="database.url") from error
    if parsed.drivername not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
        raise Invalid(
            "database.url must begin with sqlite+aiosqlite:// or postgresql+asyncpg://",
            field="database.url",
        )
    if parsed.drivername == "sqlite+aiosqlite" and parsed.database in (None, "", ":memory:"):
        raise Invalid("database.url must name a file", field="database.url")
    return parsed


def _sqlite_engine(path: Path, mode: str, connections: int) -> AsyncEngine:
    return create_async_engine(
        URL.create(
            "sqlite+aiosqlite",
            database=f"file:{quote(str(path))}",
            query={"mode": mode, "uri": "true"},
        ),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=limits.DATABASE_ACQUIRE_TIMEOUT_S,
        # Python's driver must not begin transactions by itself: ours begin as we say below.
        connect_args={"isolation_level": None},
    )


def _on_connect(engine: AsyncEngine, *pragmas: str) -> None:
    def configure(dbapi_connection: Any, record: object) -> None:
        cursor = dbapi_connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    event.listen(engine.sync_engine, "connect", configure)


def _on_begin(engine: AsyncEngine, statement: str) -> None:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    event.listen(engine.sync_engine, "begin", begin)


def _call(
    connection: Connection, fn: Callable[[Transaction], T], events: Events
) -> tuple[Transaction, T]:
    tx = Transaction(connection)
    result = fn(tx)
    for emitted in tx.events:  # it grows while handlers emit
        for handler in events.joined(emitted):
            _join(connection, tx, handler, emitted)
    return tx, result


def _join(
    connection: Connection,
    tx: Transaction,
    handler: Callable[[Transaction, Any], None],
    emitted: object,
) -> None:
    """One that fails leaves nothing behind, and what it wanted to join stands all the same.

    Raises what the database raises that would spoil the whole transaction.
    """
    known = len(tx.events)
    try:
        with connection.begin_nested():
            handler(tx, emitted)
    except Exception as error:
        if _is_spoilt(connection, error):
            raise
        del tx.events[known:]
        _log.exception("handler in a transaction failed", event_type=type(emitted).__name__)


def _is_spoilt(connection: Connection, error: Exception) -> bool:
    """Whether more is lost than one savepoint: in a deadlock, without a connection, or on a full
    disk, when SQLite rolls everything back by itself and a commit would look like success.
    """
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        return not driver.in_transaction
    return isinstance(error, DBAPIError) and (error.connection_invalidated or _may_run_again(error))


async def _outcome(coroutine: Any) -> tuple[Any, Exception | None]:
    """The result or the error as a value: an expected error is no crash of the task."""
    try:
        return await coroutine, None
    except Exception as error:
        return None, error


def _may_run_again(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in _POSTGRESQL_RETRY


def _name(fn: Callable[..., Any]) -> str:
    while isinstance(fn, partial):
        fn = fn.func
    return str(getattr(fn, "__qualname__", type(fn).__name__))

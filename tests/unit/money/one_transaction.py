"""Plain functions of money for tests that aren't coroutines: each step is a savepoint of one large
transaction, which is rolled back at the end, so the next test finds the database as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.events import Events

P = ParamSpec("P")
T = TypeVar("T")


class Stage:
    """A migrated database and an event loop of its own. Call `close` at the end."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(_migrate(url))
        arguments = {"isolation_level": None} if url.startswith("sqlite") else {}
        self._engine = create_async_engine(url, poolclass=NullPool, connect_args=arguments)
        if url.startswith("sqlite"):
            event.listen(self._engine.sync_engine, "begin", _begin)

    def open(self) -> OneTransaction:
        """Begin a transaction; end it by `roll_back`."""
        return OneTransaction(self.loop, self.loop.run_until_complete(self._engine.connect()))

    def close(self) -> None:
        self.loop.run_until_complete(self._engine.dispose())
        self.loop.close()


class OneTransaction:
    """Runs steps in it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: AsyncConnection) -> None:
        self._loop = loop
        self._connection = connection

    def run(
        self, fn: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `fn(tx, …)`; nothing of it stays when it raises."""
        return self._loop.run_until_complete(self._run(lambda tx: fn(tx, *args, **kwargs)))

    async def _run(self, fn: Callable[[Transaction], T]) -> T:
        async with self._connection.begin_nested():
            return await self._connection.run_sync(lambda sql: fn(Transaction(sql)))

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait for a method of a service whose database is this one."""
        return self._loop.run_until_complete(coroutine)

    async def read(
        self, fn: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `Database.read`."""
        return await self._run(lambda tx: fn(tx, *args, **kwargs))

    write = read

    def roll_back(self) -> None:
        self._loop.run_until_complete(self._connection.close())


async def _migrate(url: str) -> None:
    async with Database(url, Events()):
        pass


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")

"""Writes to the database what events report.

Events arrive on the event loop and must not wait, so they go through one queue to one task: rows
change in the order in which things happened, and a database that is down for a while loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

import structlog

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Unavailable
from mediaserver.kernel.tasks import Tasks

_log = structlog.get_logger(__name__)

T = TypeVar("T")


class EventWriter(Generic[T]):
    """An async context manager; leaving writes what is still queued."""

    def __init__(self, name: str, write: Callable[[T], Awaitable[None]], waiting_max: int) -> None:
        """`write` is called with one item after the other, and again with the same one after
        `Unavailable`; what else it raises is logged, and that item is given up.

        A database that doesn't answer may have committed already: to write an item twice must be
        as good as once, so ids are made before it is put here.
        """
        self._name = name
        self._write = write

        self._tasks = Tasks(name)
        self._queue: asyncio.Queue[T | None] = asyncio.Queue(waiting_max)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = self._tasks.start(self._run(), "writer")
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None and not self._task.done():
            self._put(None)
            await asyncio.wait([self._task], timeout=limits.DATABASE_CLOSE_TIMEOUT_S)
        await self._tasks.aclose()

    def put(self, item: T) -> None:
        """Have it written; lost, with a line in the log, when too much is waiting already."""
        self._put(item)

    @property
    def waiting(self) -> int:
        """How many items are queued."""
        return self._queue.qsize()

    async def flushed(self) -> None:
        """Wait until everything put so far is written."""
        await self._queue.join()

    def _put(self, item: T | None) -> None:
        try:
            self._queue.put_nowait(item)
        except asyncio.QueueFull:
            _log.error("event lost: the database is too slow", writer=self._name, item=str(item))

    async def _run(self) -> None:
        while (item := await self._queue.get()) is not None:
            try:
                await self._write_one(item)
            except Exception:
                _log.exception("event not written", writer=self._name, item=str(item))
            self._queue.task_done()

    async def _write_one(self, item: T) -> None:
        delay_s = limits.STREAM_WRITE_RETRY_S
        while True:
            try:
                await self._write(item)
                return
            except Unavailable:
                await asyncio.sleep(delay_s)
                delay_s = min(limits.STREAM_WRITE_RETRY_S_MAX, delay_s * 2)

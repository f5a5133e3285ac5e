"""One look at the database for all who ask for the same thing at once, as after a restart.

Who asks gets an answer that was read after they asked, never one that was already under way: a
client that has entered a room must not be handed what the room was before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar, cast

from mediaserver.kernel.tasks import Tasks

T = TypeVar("T")


class SharedReads:
    """At most one read of each key is under way and one waits for it."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

        self._running: dict[Hashable, asyncio.Task[Any]] = {}
        self._waiting: dict[Hashable, asyncio.Task[Any]] = {}

    async def read(self, key: Hashable, look: Callable[[], Awaitable[T]]) -> T:
        """What `look` answers, or raises, to everybody who waited for it."""
        task = self._waiting.get(key)
        if task is None:
            task = self._tasks.start(self._look(key, look), "read")
            self._waiting[key] = task
        kind, value = await asyncio.shield(task)
        if kind == "error":
            raise value
        return cast(T, value)

    async def _look(self, key: Hashable, look: Callable[[], Awaitable[T]]) -> tuple[str, Any]:
        before = self._running.get(key)
        if before is not None:
            await asyncio.wait([before])
        this = self._running[key] = self._waiting.pop(key)
        try:
            return "value", await look()
        except Exception as error:  # for all who wait, and not for the log of tasks
            return "error", error
        finally:
            if self._running.get(key) is this:
                del self._running[key]

"""The one place that starts background tasks, so that a crash is logged once with its owner."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

_log = structlog.get_logger(__name__)


class Tasks:
    """A set of named background tasks that ends as a whole.

    `aclose()` cancels what still runs and waits for it, at most `close_timeout_s`.
    """

    def __init__(self, owner: str, *, close_timeout_s: float = 10.0) -> None:
        self._owner = owner
        self._close_timeout_s = close_timeout_s

        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._running)

    def start(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run `coroutine` until it ends or the set is closed."""
        assert not self._closed, f"{self._owner}: task {name} started after close"
        task = asyncio.create_task(coroutine, name=f"{self._owner}.{name}")
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("task crashed", task=task.get_name(), exc_info=error)

    async def aclose(self) -> None:
        self._closed = True
        running = [task for task in self._running if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        if running:
            _, late = await asyncio.wait(running, timeout=self._close_timeout_s)
            for task in late:
                _log.error("task did not end in time", task=task.get_name())

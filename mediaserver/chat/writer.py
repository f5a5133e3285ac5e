"""The writer: gathers lines for a moment and writes them in one transaction.

The first line after a pause is written at once; what comes while the database works, or within
the batch time after it, goes together. Nothing is lost silently: whoever waits for a line is told
what became of it, also when the database is down or the site stops.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import structlog
from sqlalchemy.exc import IntegrityError

from mediaserver.chat.lines import NewLine, Outcome, Said
from mediaserver.kernel import limits
from mediaserver.kernel.errors import MediaserverError, RateLimited, Unavailable
from mediaserver.kernel.tasks import Tasks

_log = structlog.get_logger(__name__)

_Waiting = tuple[NewLine, asyncio.Future[Outcome]]


class LineWriter:
    """One task that hands batches of lines to `write`, in the order in which they came."""

    def __init__(
        self,
        write: Callable[[Sequence[NewLine]], Awaitable[list[Outcome]]],
        *,
        batch_ms: int = limits.CHAT_BATCH_MS,
    ) -> None:
        self._write = write
        self._batch_s = batch_ms / 1000

        self._queue: asyncio.Queue[_Waiting | None] = asyncio.Queue(limits.CHAT_WAITING_MAX)
        self._of_user: Counter[str] = Counter()
        self._closing = asyncio.Event()
        self._tasks = Tasks("chat")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = self._tasks.start(self._run(), "writer")

    async def aclose(self) -> None:
        """Write what is queued, at most `CHAT_STOP_TIMEOUT_S`; what is left is answered."""
        self._closing.set()
        if self._task is not None and not self._task.done():
            try:
                async with asyncio.timeout(limits.CHAT_STOP_TIMEOUT_S):
                    await self._queue.put(None)
                    await asyncio.wait([self._task])
            except TimeoutError:
                _log.warning("the database takes too long to write the chat")
        await self._tasks.aclose()
        left = 0
        while not self._queue.empty():
            if (waiting := self._queue.get_nowait()) is not None and not waiting[1].done():
                waiting[1].set_result(Unavailable("The site is stopping. Send it again."))
                left += 1
        if left:
            _log.error("lines of chat were not written", count=left)

    async def write(self, line: NewLine) -> Said:
        """Wait until the line is in the log. Raises why it isn't."""
        if self._closing.is_set() or self._task is None or self._task.done():
            raise Unavailable("The site is stopping. Send it again in a moment.")
        if self._of_user[line.user.id] >= limits.CHAT_WAITING_PER_USER_MAX:
            raise RateLimited("Wait until your last messages are sent.", retry_after_s=1)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((line, future))
        except asyncio.QueueFull:
            raise Unavailable("The chat is too busy right now. Try again in a moment.") from None
        self._of_user[line.user.id] += 1
        try:
            outcome = await asyncio.shield(future)
        finally:
            self._of_user[line.user.id] -= 1
            if self._of_user[line.user.id] <= 0:
                del self._of_user[line.user.id]
        if isinstance(outcome, MediaserverError):
            raise outcome
        return outcome

    async def _run(self) -> None:
        is_last = False
        while not is_last:
            batch: list[_Waiting] = []
            waiting = await self._queue.get()
            while waiting is not None:
                batch.append(waiting)
                if len(batch) == limits.CHAT_BATCH_LINES_MAX or self._queue.empty():
                    break
                waiting = self._queue.get_nowait()
            is_last = waiting is None
            if batch:
                await self._commit(batch)
                await self._pause()

    async def _commit(self, batch: list[_Waiting]) -> None:
        outcomes: list[Outcome] = [Unavailable("The site is stopping. Send it again.")] * len(batch)
        try:
            outcomes = await self._outcomes([line for line, _ in batch])
        finally:
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if not future.done():
                    future.set_result(outcome)

    async def _pause(self) -> None:
        if self._closing.is_set() or not self._batch_s:
            return
        try:
            async with asyncio.timeout(self._batch_s):
                await self._closing.wait()
        except TimeoutError:
            pass

    async def _outcomes(self, lines: Sequence[NewLine]) -> list[Outcome]:
        try:
            return await self._write(lines)
        except MediaserverError as error:
            return [error] * len(lines)
        except IntegrityError as error:
            # A channel or an account went away meanwhile: only its lines are to blame.
            if len(lines) > 1:
                return [(await self._outcomes([line]))[0] for line in lines]
            _log.error("a line of chat was refused by the database", error=str(error.orig))
        except Exception:
            _log.exception("lines of chat were not written", count=len(lines))
        return [Unavailable("That couldn't be written. Try again.") for _ in lines]

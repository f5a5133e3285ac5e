"""Long work in a thread: it ends, is given up, or was done before it heard of it."""

from __future__ import annotations

import asyncio

import pytest

from mediaserver.admin import long_work
from mediaserver.admin.long_work import Stop


async def test_work_that_is_not_cancelled() -> None:
    def work(stop: Stop) -> str:
        stop()
        return "done"

    assert await long_work.run(work) == "done"


@pytest.mark.parametrize("hears_of_it", [True, False])
async def test_work_that_is_cancelled(*, hears_of_it: bool) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work(stop: Stop) -> str:
        loop.call_soon_threadsafe(began.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(20)
        if hears_of_it:
            stop()
        return "done"

    running = asyncio.create_task(long_work.run(work))
    await began.wait()
    running.cancel()
    await asyncio.wait({running}, timeout=0)
    assert not running.done(), "it waits for the thread"
    go_on.set()
    if hears_of_it:
        with pytest.raises(asyncio.CancelledError):
            await running
    else:
        assert await running == "done"

"""Background tasks: named, logged once when they crash, ended as a whole."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from mediaserver.kernel.tasks import Tasks


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_a_task_runs_to_its_end_and_is_forgotten() -> None:
    tasks = Tasks("kitchen")
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    task = tasks.start(work(), "cook")
    assert task.get_name() == "kitchen.cook"
    assert len(tasks) == 1
    await done.wait()
    await task
    await asyncio.sleep(0)
    assert len(tasks) == 0


async def test_a_crash_is_logged_once_with_its_owner() -> None:
    tasks = Tasks("kitchen")

    async def crash() -> None:
        raise RuntimeError("bug")

    other = tasks.start(for_ever(), "wait")
    with capture_logs() as captured:
        tasks.start(crash(), "burn")
        while len(tasks) > 1:
            await asyncio.sleep(0)
        await tasks.aclose()
    assert [(line["log_level"], line["event"], line["task"]) for line in captured] == [
        ("error", "task crashed", "kitchen.burn")
    ]
    assert isinstance(captured[0]["exc_info"], RuntimeError)
    assert other.cancelled()


async def test_closing_cancels_and_waits() -> None:
    tasks = Tasks("kitchen")
    cleaned: list[str] = []

    async def work() -> None:
        try:
            await for_ever()
        finally:
            await asyncio.sleep(0)
            cleaned.append("up")

    tasks.start(work(), "one")
    tasks.start(work(), "two")
    await asyncio.sleep(0)
    with capture_logs() as captured:
        await tasks.aclose()
        await tasks.aclose()
    assert cleaned == ["up", "up"]
    assert len(tasks) == 0
    assert captured == []


async def test_a_task_may_close_its_own_set() -> None:
    tasks = Tasks("kitchen")
    tasks.start(for_ever(), "other")
    await tasks.start(tasks.aclose(), "last")
    await asyncio.sleep(0)
    assert len(tasks) == 0


async def test_nothing_starts_after_close() -> None:
    tasks = Tasks("kitchen")
    await tasks.aclose()
    coroutine = for_ever()
    with pytest.raises(AssertionError, match=r"^kitchen: task late started after close$"):
        tasks.start(coroutine, "late")
    coroutine.close()


async def test_a_task_that_does_not_end_is_named_and_left() -> None:
    tasks = Tasks("kitchen", close_timeout_s=0.001)
    release = asyncio.Event()

    async def stubborn() -> None:
        try:
            await for_ever()
        except asyncio.CancelledError:
            await release.wait()

    task = tasks.start(stubborn(), "stubborn")
    await asyncio.sleep(0)
    with capture_logs() as captured:
        await tasks.aclose()
    assert [(line["event"], line["task"]) for line in captured] == [
        ("task did not end in time", "kitchen.stubborn")
    ]
    release.set()
    await task

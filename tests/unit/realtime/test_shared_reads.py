from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.tasks import Tasks
from mediaserver.realtime.shared_reads import SharedReads


@pytest.fixture
async def reads() -> AsyncIterator[SharedReads]:
    tasks = Tasks("test")
    yield SharedReads(tasks)
    await tasks.aclose()


async def test_nobody_gets_what_was_read_before_they_asked(reads: SharedReads) -> None:
    value, looks = 0, 0
    gate = asyncio.Event()

    async def look() -> int:
        nonlocal looks
        looks += 1
        seen = value
        await gate.wait()
        return seen

    first = asyncio.ensure_future(reads.read("key", look))
    while looks == 0:
        await asyncio.sleep(0)
    value = 1
    later = [asyncio.ensure_future(reads.read("key", look)) for _ in range(100)]
    await asyncio.sleep(0)
    gate.set()
    assert await first == 0
    assert set(await asyncio.gather(*later)) == {1}
    assert looks == 2


async def test_an_error_is_for_all_who_wait_and_for_nobody_after(reads: SharedReads) -> None:
    async def fail() -> int:
        raise NotFound("There is no such channel.")

    async def work() -> int:
        return 5

    for answer in await asyncio.gather(
        *(reads.read("key", fail) for _ in range(3)), return_exceptions=True
    ):
        assert isinstance(answer, NotFound)
    assert await reads.read("key", work) == 5


async def test_who_gives_up_takes_nothing_from_the_others(reads: SharedReads) -> None:
    gate = asyncio.Event()

    async def look() -> int:
        await gate.wait()
        return 7

    first = asyncio.ensure_future(reads.read("key", look))
    second = asyncio.ensure_future(reads.read("key", look))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    gate.set()
    assert await second == 7

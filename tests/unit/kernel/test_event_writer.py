"""What events report reaches the database: in order, once, also when it was down."""

from __future__ import annotations

import asyncio

import pytest

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Unavailable
from mediaserver.kernel.event_writer import EventWriter


class Table:
    """Where items are written; `errors` are raised first, one each time."""

    def __init__(self, *errors: Exception) -> None:
        self.rows: list[int] = []
        self._errors = list(errors)

    async def write(self, item: int) -> None:
        await asyncio.sleep(0)
        if self._errors:
            raise self._errors.pop(0)
        self.rows.append(item)


async def test_in_order_and_all_before_it_leaves() -> None:
    table = Table()
    async with EventWriter[int]("test", table.write, 100) as writer:
        for number in range(20):
            writer.put(number)
    assert table.rows == list(range(20))


async def test_what_comes_before_it_starts_is_written_too() -> None:
    table = Table()
    writer = EventWriter[int]("test", table.write, 100)
    writer.put(1)
    async with writer:
        await writer.flushed()
        assert table.rows == [1]


async def test_a_database_that_is_down_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STREAM_WRITE_RETRY_S", 0.0)
    table = Table(Unavailable("down"), Unavailable("still down"))
    async with EventWriter[int]("test", table.write, 100) as writer:
        writer.put(1)
        writer.put(2)
        await writer.flushed()
    assert table.rows == [1, 2]


async def test_one_that_fails_keeps_no_other_from_its_turn() -> None:
    table = Table(ValueError("a bug"))
    async with EventWriter[int]("test", table.write, 100) as writer:
        writer.put(1)
        writer.put(2)
        await writer.flushed()
    assert table.rows == [2]


async def test_more_than_fits_is_dropped() -> None:
    table = Table()
    writer = EventWriter[int]("test", table.write, 2)
    for number in range(5):
        writer.put(number)
    async with writer:
        await writer.flushed()
    assert table.rows == [0, 1]

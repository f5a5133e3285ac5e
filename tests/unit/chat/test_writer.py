"""The writer: batches, bounds, a database that is down, a stop; nothing is lost silently."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import Mock

import pytest
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.chat.chat import Chat
from mediaserver.chat.lines import NewLine, Outcome, Said
from mediaserver.chat.writer import LineWriter
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Forbidden, RateLimited, Unavailable
from tests.unit.chat.conftest import open_chat

USER = User("usr_1", "bob", "bob@example.org", False, 0)
CHANNEL = Mock(spec=Channel, id="chn_1", slug="alice-tv")


def _line(text: str, user: str = "usr_1") -> NewLine:
    return NewLine(replace(USER, id=user), CHANNEL, text, None, text)


class FakeLog:
    """Writes batches, each when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.error: Exception | None = None

    async def write(self, lines: Sequence[NewLine]) -> list[Outcome]:
        self.batches.append([line.text for line in lines])
        await self.may_write.wait()
        if self.error is not None:
            raise self.error
        return [Said(place, line.text) for place, line in enumerate(lines)]


async def _settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_comes_while_one_is_written_goes_together() -> None:
    log = FakeLog()
    writer = LineWriter(log.write, batch_ms=0)
    writer.start()
    log.may_write.clear()
    tasks = [asyncio.create_task(writer.write(_line("first")))]
    await _settle()
    tasks += [asyncio.create_task(writer.write(_line(f"{n}", f"usr_{n}"))) for n in range(4)]
    await _settle()
    log.may_write.set()
    said = await asyncio.gather(*tasks)
    assert [one.id for one in said] == ["first", "0", "1", "2", "3"]
    assert log.batches == [["first"], ["0", "1", "2", "3"]]
    await writer.aclose()


async def test_a_batch_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHAT_BATCH_LINES_MAX", 3)
    log = FakeLog()
    writer = LineWriter(log.write, batch_ms=0)
    writer.start()
    await asyncio.gather(*(writer.write(_line(f"{n}", f"usr_{n}")) for n in range(7)))
    assert max(map(len, log.batches)) == 3
    assert [text for batch in log.batches for text in batch] == [f"{n}" for n in range(7)]
    await writer.aclose()


async def test_a_full_queue_and_an_impatient_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHAT_WAITING_MAX", 8)
    log = FakeLog()
    writer = LineWriter(log.write, batch_ms=0)
    log.may_write.clear()
    writer.start()
    tasks = [asyncio.create_task(writer.write(_line("first", "usr_0")))]
    await _settle()
    per_user = limits.CHAT_WAITING_PER_USER_MAX
    tasks += [asyncio.create_task(writer.write(_line(f"a{n}", "usr_a"))) for n in range(per_user)]
    await _settle()
    with pytest.raises(RateLimited):
        await writer.write(_line("one too many", "usr_a"))
    tasks += [
        asyncio.create_task(writer.write(_line(f"b{n}", f"usr_b{n}"))) for n in range(8 - per_user)
    ]
    await _settle()
    with pytest.raises(Unavailable, match="too busy"):
        await writer.write(_line("full", "usr_c"))
    log.may_write.set()
    await asyncio.gather(*tasks)
    await writer.write(_line("room again", "usr_a"))
    await writer.aclose()


async def test_a_database_that_is_down_is_told_to_everybody() -> None:
    log = FakeLog()
    writer = LineWriter(log.write, batch_ms=0)
    writer.start()
    log.error = Unavailable("The database doesn't answer.")
    results = await asyncio.gather(
        *(writer.write(_line(f"{n}", f"usr_{n}")) for n in range(3)), return_exceptions=True
    )
    assert [str(result) for result in results] == ["The database doesn't answer."] * 3
    log.error = None
    assert (await writer.write(_line("later"))).id == "later"
    with capture_logs() as logs:
        log.error = ValueError("a bug")
        with pytest.raises(Unavailable):
            await writer.write(_line("unlucky"))
        log.error = None
    assert [line["log_level"] for line in logs] == ["error"]
    assert (await writer.write(_line("still running"))).id == "still running"
    await writer.aclose()


async def test_one_line_that_the_database_refuses_keeps_no_other() -> None:
    async def write(lines: Sequence[NewLine]) -> list[Outcome]:
        if any(line.text == "bad" for line in lines):
            raise IntegrityError("INSERT", {}, Exception("foreign key"))
        return [Said(1, line.text) for line in lines]

    writer = LineWriter(write, batch_ms=0)
    writer.start()
    results = await asyncio.gather(
        *(writer.write(_line(text, text)) for text in ("good", "bad", "fine")),
        return_exceptions=True,
    )
    assert isinstance(results[1], Unavailable)
    assert [getattr(result, "id", None) for result in results] == ["good", None, "fine"]
    await writer.aclose()


async def test_stopping_writes_what_is_queued() -> None:
    log = FakeLog()
    writer = LineWriter(log.write, batch_ms=60_000)
    writer.start()
    assert (await writer.write(_line("first"))).id == "first"
    tasks = [asyncio.create_task(writer.write(_line(f"{n}", f"usr_{n}"))) for n in range(3)]
    await _settle()
    assert len(log.batches) == 1, "they wait for the next batch"
    await writer.aclose()
    assert [one.id for one in await asyncio.gather(*tasks)] == ["0", "1", "2"]
    with pytest.raises(Unavailable):
        await writer.write(_line("late"))


async def test_stopping_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHAT_STOP_TIMEOUT_S", 0.01)
    log = FakeLog()
    writer = LineWriter(log.write, batch_ms=0)
    log.may_write.clear()
    writer.start()
    tasks = [asyncio.create_task(writer.write(_line("stuck")))]
    await _settle()
    tasks.append(asyncio.create_task(writer.write(_line("behind"))))
    await _settle()
    with capture_logs() as logs:
        await writer.aclose()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, Unavailable) for result in results)
    assert logs[-1]["count"] == 1


async def test_who_gives_up_waiting_has_still_said_it(
    chat: Chat, channel: Channel, bob: User
) -> None:
    task = asyncio.create_task(chat.say(bob, channel, "hello", nonce="once"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    said = await chat.say(bob, channel, "hello", nonce="once")
    assert [event.id for event in await chat.history(channel)] == [said.id]


async def test_a_ban_that_overtakes_a_waiting_line_holds(
    db: Database, clock: FakeClock, channel: Channel, alice: User, bob: User
) -> None:
    from mediaserver.chat.actions import Ban

    async with open_chat(db, clock) as chat:
        await chat._turn.acquire()  # both wait for the same turn, the ban first
        ban = asyncio.create_task(chat.act(alice, channel, Ban("bob")))
        await _settle()
        line = asyncio.create_task(chat.say(bob, channel, "too late", nonce="1"))
        await _settle()
        chat._turn.release()
        await ban
        with pytest.raises(Forbidden):
            await line


async def test_a_database_that_goes_away(
    db: Database, clock: FakeClock, channel: Channel, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_chat(db, clock) as chat:
        await chat.say(bob, channel, "before", nonce="1")

        def fail(tx: Transaction, *arguments: object) -> None:
            raise Unavailable("The database doesn't answer. Try again soon.")

        with monkeypatch.context() as patch:
            patch.setattr("mediaserver.chat.lines.write", fail)
            with pytest.raises(Unavailable, match="database"):
                await chat.say(bob, channel, "lost?", nonce="2")
        await chat.say(bob, channel, "lost?", nonce="2")
        assert [event.sequence for event in await chat.history(channel)] == [1, 2]

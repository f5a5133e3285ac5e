"""Snapshots: what they spare, and that nobody is ever shown an old one."""

from __future__ import annotations

import pytest

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.chat import log
from mediaserver.chat.actions import Pin, Remove, SetRules
from mediaserver.chat.chat import Chat
from mediaserver.chat.snapshots import Snapshot, Snapshots
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.moderation.rules import NO_RULES
from tests.unit.chat.conftest import Say


async def test_a_crowd_reads_the_lines_once(
    chat: Chat, channel: Channel, alice: User, bob: User, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    history = log.history

    def counted(*arguments: object, **options: object) -> object:
        reads.append(arguments)
        return history(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(log, "history", counted)
    said = await say(bob, "hello")
    first = await chat.join(channel, None)
    assert await chat.join(channel, None) == first
    assert (await chat.join(channel, bob)).you.username == "bob"
    assert len(reads) == 1
    await chat.act(alice, channel, Pin(said.id or ""))
    assert (await chat.join(channel, None)).pinned is not None
    await chat.act(alice, channel, Remove(said.id or ""))
    joined = await chat.join(channel, None)
    assert joined.pinned is None
    assert joined.events[0].removed is True
    await chat.act(alice, channel, SetRules({"slow_s": 5}))
    joined = await chat.join(channel, None)
    assert (joined.rules.slow_s, joined.you.slow_s) == (5, 5)
    assert (await chat.join(channel, None, joined.sequence)).events == ()


def test_they_are_few_and_young(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHAT_SNAPSHOTS_MAX", 2)
    snapshots = Snapshots(clock)
    one = Snapshot(1, None, None, NO_RULES, ())
    for channel in ("a", "b", "a", "c"):
        snapshots.put(channel, one)
    assert [snapshots.get(channel) for channel in "abc"] == [one, None, one]
    clock.advance(limits.CHAT_SNAPSHOT_MS - 1)
    snapshots.put("a", one)  # the same again doesn't make it younger
    clock.advance(1)
    assert snapshots.get("a") is None
    snapshots.put("a", one)
    assert snapshots.get("a") == one
    snapshots.clear()
    assert snapshots.get("a") is None

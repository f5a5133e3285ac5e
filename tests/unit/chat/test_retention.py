"""Old chat goes, what is pinned and what is recent stays, and numbers go on."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.chat import actions
from mediaserver.chat.chat import Chat
from mediaserver.chat.log import chat_event
from mediaserver.chat.retention import Retention
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import ChatConfig
from mediaserver.kernel.db import Database
from mediaserver.moderation.actions_log import moderation_action

_DAY_MS = 24 * 3600 * 1000


async def _texts(db: Database) -> list[str]:
    query = select(chat_event.c.text).where(chat_event.c.kind == "message").order_by("sequence")
    return list(await db.read(lambda tx: tx.execute(query).scalars().all()))


async def test_old_chat_goes(
    db: Database, clock: FakeClock, chat: Chat, channel: Channel, alice: User
) -> None:
    await chat.say(alice, channel, "forgotten", nonce="1")
    pinned = await chat.say(alice, channel, "pinned", nonce="2")
    assert pinned.id is not None
    await chat.act(alice, channel, actions.Pin(pinned.id))
    await chat.act(alice, channel, actions.Announce("hello", "good"))
    clock.advance(10 * _DAY_MS)
    await chat.say(alice, channel, "recent", nonce="3")
    config = ChatConfig(keep_days=0)
    cleaner = Retention(db, clock, config)
    await cleaner.delete_old()
    assert await _texts(db) == ["forgotten", "pinned", "recent"], "0 keeps everything"
    config.keep_days = 10
    await cleaner.delete_old()
    assert len(await _texts(db)) == 3, "not a moment before its time"
    clock.advance(1)
    await cleaner.delete_old()
    assert await _texts(db) == ["pinned", "recent"]
    joined = await chat.join(channel, alice)
    assert joined.pinned is not None
    said = await chat.say(alice, channel, "next", nonce="4")
    assert said.sequence == joined.sequence + 1
    count = select(func.count()).select_from(moderation_action)
    assert await db.read(lambda tx: tx.execute(count).scalar_one()) == 1, "the newest is counted on"


async def test_much_of_it_goes_in_turns(
    db: Database,
    clock: FakeClock,
    chat: Chat,
    channel: Channel,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "CHAT_DELETED_AT_ONCE", 2)
    monkeypatch.setattr(limits, "CHAT_DELETE_TURNS_MAX", 2)
    for number in range(5):
        await chat.say(alice, channel, f"line {number}", nonce=str(number))
        clock.advance(limits.CHAT_SLOW_S_MAX)
    clock.advance(2 * _DAY_MS)
    cleaner = Retention(db, clock, ChatConfig(keep_days=1))
    await cleaner.delete_old()
    assert await _texts(db) == ["line 4"]
    await cleaner.delete_old()
    assert await _texts(db) == []

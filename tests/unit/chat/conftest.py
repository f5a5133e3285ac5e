"""Fixtures for chat: alice's channel, people in it, and what was published."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count

import pytest

from mediaserver.accounts.users import User, Users
from mediaserver.channels.channels import Channel, Channels
from mediaserver.chat.chat import Chat
from mediaserver.chat.events import ChatEvent, ChatEvents, YouChanged
from mediaserver.chat.lines import Said
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.events import Events

Say = Callable[..., Awaitable[Said]]


@pytest.fixture(autouse=True)
def unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests say a lot at one moment of their clock."""
    monkeypatch.setattr(limits, "CHAT_LINES_BURST", 1_000)


@pytest.fixture
async def chat(db: Database, clock: FakeClock) -> AsyncIterator[Chat]:
    async with open_chat(db, clock) as running:
        yield running


def open_chat(db: Database, clock: FakeClock) -> Chat:
    """A chat that doesn't gather lines."""
    return Chat(db, clock, batch_ms=0)


@pytest.fixture
async def channel(db: Database, clock: FakeClock, alice: User) -> Channel:
    return await Channels(db, clock, AccountsConfig()).create(
        alice, "alice-tv", "Alice", title="Painting"
    )


@pytest.fixture
async def carol(users: Users) -> User:
    return await users.create("carol", "carol@example.org", "carol's secret", is_admin=False)


@pytest.fixture
def say(chat: Chat, channel: Channel) -> Say:
    """Say something, each time with a nonce of its own."""
    numbers = count(1)

    async def say(user: User, text: str, reply_to: str | None = None) -> Said:
        return await chat.say(
            user, channel, text, reply_to=reply_to, nonce=f"nonce-{next(numbers)}"
        )

    return say


@pytest.fixture
def published(events: Events) -> list[ChatEvent]:
    """Every event of every chat, as it was published."""
    seen: list[ChatEvent] = []
    events.subscribe(ChatEvents, lambda one: seen.extend(one.events))
    return seen


@pytest.fixture
def changed(events: Events) -> list[str]:
    """Ids of those who were told that something changed for them."""
    seen: list[str] = []
    events.subscribe(YouChanged, lambda one: seen.append(one.user_id))
    return seen

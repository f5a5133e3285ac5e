"""The demo's channels and chat beside those of real people."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from PIL import Image

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import Users
from mediaserver.channels.channels import Channels
from mediaserver.channels.follows import Follows
from mediaserver.channels.schedule import Schedule
from mediaserver.channels.stream_keys import StreamKeys
from mediaserver.chat.chat import Chat
from mediaserver.chat.emotes import Emotes
from mediaserver.chat.events import ChatEvent
from mediaserver.chat.line_text import checked_text
from mediaserver.demo import DEMO_CHANNELS, DEMO_VIEWERS, Demo
from mediaserver.demo import chat as demo_chat
from mediaserver.demo.pictures import draw_emotes
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.image_header import read_header
from mediaserver.kernel.images import Images

HOUR_MS = 3_600_000


@pytest.fixture
async def chat(db: Database, clock: FakeClock) -> AsyncIterator[Chat]:
    async with Chat(db, clock, batch_ms=0) as running:
        yield running


@pytest.fixture
def channels(db: Database, clock: FakeClock) -> Channels:
    return Channels(db, clock, AccountsConfig())


@pytest.fixture
async def demo(
    db: Database,
    clock: FakeClock,
    users: Users,
    channels: Channels,
    chat: Chat,
    throttles: Throttles,
    tmp_path: Path,
) -> Demo:
    emotes = Emotes(db, clock, chat, throttles, Images(), tmp_path / "emotes")
    schedule, follows = Schedule(db, clock), Follows(db, clock, throttles)
    stream_keys = StreamKeys(db, clock)
    return Demo(
        users, channels, stream_keys, schedule, follows, clock, chat, emotes, "127.0.0.1", 9
    )


async def test_an_address_that_somebody_has_is_left_alone(
    demo: Demo, users: Users, channels: Channels, db: Database, clock: FakeClock
) -> None:
    schedule, follows = Schedule(db, clock), Follows(db, clock, Throttles(db, clock))
    taken, free = DEMO_CHANNELS
    owner = await users.create("mira", "mira@example.org", "a quiet river bank", is_admin=False)
    await channels.create(owner, taken.slug, "Mira's aurora")
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):  # a second start changes nothing
            async with demo:
                assert (await channels.get(taken.slug)).owner == "mira"
                made = await channels.get(free.slug)
                assert (made.owner, made.category_slug) == ("demo", free.category)
                assert made.tags == free.tags
                (entry,) = await schedule.entries(made.id)
                assert (entry.title, entry.repeat) == (free.announced, "weekly")
                assert await follows.count(made.id) == len(DEMO_VIEWERS)
            clock.advance(HOUR_MS)
    mine = await channels.get(taken.slug)
    assert (mine.category, await follows.count(mine.id)) == (None, 0)
    assert await schedule.entries(mine.id) == []
    assert [line["slug"] for line in lines if "left out" in line["event"]] == [taken.slug] * 2


async def test_the_chat_is_furnished_once(
    demo: Demo, users: Users, channels: Channels, chat: Chat
) -> None:
    await users.create("demo_ana", "ana@example.org", "a real person", is_admin=False)

    async def furnished(slug: str) -> tuple[ChatEvent, ...]:
        async with asyncio.timeout(60):
            while True:
                joined = await chat.join(await channels.get(slug), None)
                if joined.pinned is not None:
                    assert {emote.code for emote in joined.emotes} == {"glow", "heart", "star"}
                    assert {emote.animated for emote in joined.emotes} == {True, False}
                    return joined.events
                await asyncio.sleep(0.05)

    async with demo:
        first = [await furnished(channel.slug) for channel in DEMO_CHANNELS]
    authors = {event.author.username for events in first for event in events if event.author}
    assert authors == {"demo", *DEMO_VIEWERS} - {"demo_ana"}
    async with demo:
        for channel, events in zip(DEMO_CHANNELS, first, strict=True):
            assert (await furnished(channel.slug))[: len(events)] == events


def test_what_they_say_can_be_said() -> None:
    assert set(demo_chat._CONVERSATIONS) == {channel.slug for channel in DEMO_CHANNELS}
    for conversation in demo_chat._CONVERSATIONS.values():
        for name, text in conversation:
            assert name in DEMO_VIEWERS
            assert checked_text(text) == text


def test_the_emotes_are_pictures() -> None:
    for code, picture in draw_emotes().items():
        header = read_header(picture)
        assert header is not None
        with Image.open(io.BytesIO(picture)) as image:
            image.load()
            assert (getattr(image, "n_frames", 1) > 1) is (code == "glow")

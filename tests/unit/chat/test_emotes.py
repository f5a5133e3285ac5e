"""Emotes: who may, how many, what the chat is told, and files that match the rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.chat.actions import SetRules
from mediaserver.chat.chat import Chat
from mediaserver.chat.emotes import Emotes
from mediaserver.chat.events import ChatEvent
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from mediaserver.kernel.images import Images
from tests import pictures
from tests.unit.chat.conftest import Say


@pytest.fixture
async def emotes(
    db: Database, clock: FakeClock, chat: Chat, throttles: Throttles, tmp_path: Path
) -> AsyncIterator[Emotes]:
    async with Emotes(db, clock, chat, throttles, Images(), tmp_path / "emotes") as running:
        yield running


async def test_a_channel_emote_from_upload_to_removal(
    chat: Chat,
    channel: Channel,
    emotes: Emotes,
    alice: User,
    bob: User,
    admin: User,
    say: Say,
    published: list[ChatEvent],
    tmp_path: Path,
) -> None:
    made = await emotes.put(alice, channel, "wave", pictures.png(20, 10))
    assert (published[-1].kind, published[-1].data["emotes"][0]["code"]) == ("emotes", "wave")
    assert (await chat.join(channel, None)).emotes == (made,)
    await emotes.put(admin, None, "wave", pictures.png(30, 30))
    await emotes.put(admin, None, "heart", pictures.png(30, 30))
    listed = (await chat.join(channel, None)).emotes
    assert [(one.code, one.channel) for one in listed] == [("heart", False), ("wave", True)]
    await chat.act(alice, channel, SetRules({"emote_only": True}))
    await say(bob, ":wave: :heart:")

    await emotes.remove(alice, channel, "wave")
    listed = (await chat.join(channel, None)).emotes
    assert [(one.code, one.channel) for one in listed] == [("heart", False), ("wave", False)]
    assert {one["channel"] for one in published[-1].data["emotes"]} == {False}
    names = {path.stem for path in (tmp_path / "emotes").iterdir()}
    assert names == {one.url.split("/")[-1].removesuffix(".webp") for one in listed}
    for code in ("wave", "nothing", "\0", ""):
        with pytest.raises(NotFound):
            await emotes.remove(alice, channel, code)


async def test_who_may(channel: Channel, emotes: Emotes, alice: User, bob: User) -> None:
    for actor, where in ((bob, channel), (bob, None), (alice, None)):
        with pytest.raises(Forbidden):
            await emotes.put(actor, where, "wave", pictures.png())
        with pytest.raises(Forbidden):
            await emotes.remove(actor, where, "wave")
    for code in ("w", "x" * 25, "Wave", "wa ve", "<b>", ":wave:", "wave\n", "\0\0", "émote"):
        with pytest.raises(Invalid) as caught:
            await emotes.put(alice, channel, code, pictures.png())
        assert caught.value.field == "code"


async def test_a_picture_outlives_a_caller_who_gave_up(
    chat: Chat,
    channel: Channel,
    emotes: Emotes,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = chat.write

    async def write_and_answer_too_late(*args: Any) -> None:
        await write(*args)
        raise Unavailable("The site is too busy right now.")

    monkeypatch.setattr(chat, "write", write_and_answer_too_late)
    with pytest.raises(Unavailable):
        await emotes.put(alice, channel, "wave", pictures.png())
    (made,) = await emotes.list_all(channel)
    assert emotes.file(made.url.split("/")[-1].removesuffix(".webp")).is_file()


async def test_the_limit_holds_at_once(
    channel: Channel,
    emotes: Emotes,
    alice: User,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "EMOTES_PER_CHANNEL_MAX", 2)
    results = await asyncio.gather(
        *(emotes.put(alice, channel, f"wave{n}", pictures.png(9, 9)) for n in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Conflict) for result in results) == 2
    assert len(await emotes.list_all(channel)) == 2
    assert len(list((tmp_path / "emotes").iterdir())) == 2, "a refused picture stays on disk"
    kept = (await emotes.list_all(channel))[0].code
    await emotes.put(alice, channel, kept, pictures.png(8, 8))

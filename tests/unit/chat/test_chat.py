"""The chat from join to line: order, history, resuming, replies, nonces, what is published."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.chat.actions import Ban, Clear, Pin, Remove, TimeOut, Unpin
from mediaserver.chat.chat import Chat
from mediaserver.chat.events import ChatEvent
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Forbidden, Invalid, Unauthorized
from tests.unit.chat.conftest import Say, open_chat


async def test_a_line_is_kept_and_published(
    chat: Chat,
    channel: Channel,
    alice: User,
    bob: User,
    say: Say,
    published: list[ChatEvent],
    clock: FakeClock,
) -> None:
    said = await say(bob, "  hi @alice :wave:  ")
    assert said.sequence == 1
    assert [event.as_json() for event in published] == [
        {
            "sequence": 1,
            "kind": "message",
            "id": said.id,
            "at_ms": clock.wall_ms(),
            "author": {"id": bob.id, "username": "bob", "role": "viewer"},
            "text": "hi @alice :wave:",
            "reply_to": None,
            "removed": False,
            "data": {},
        }
    ]
    joined = await chat.join(channel, alice)
    assert joined.sequence == 1
    assert joined.reset is True
    assert joined.events == tuple(published)
    assert joined.you.role == "owner"
    assert joined.you.can_write is True
    assert joined.pinned is None


async def test_an_empty_chat_and_a_visitor(chat: Chat, channel: Channel) -> None:
    joined = await chat.join(channel, None, 0)
    assert (joined.sequence, joined.events, joined.emotes) == (0, (), ())
    assert (joined.you.can_write, joined.you.code, joined.you.username) == (False, "sign_in", None)
    assert joined.commands == ()
    with pytest.raises(Unauthorized):
        await chat.say(None, channel, "hi", nonce="1")


async def test_lines_at_once_are_numbered_without_a_hole(
    chat: Chat, channel: Channel, bob: User, carol: User, published: list[ChatEvent]
) -> None:
    said = await asyncio.gather(
        *(
            chat.say(user, channel, f"{user.username} {n}", nonce=f"n{n}")
            for n in range(5)
            for user in (bob, carol)
        )
    )
    assert sorted(one.sequence or 0 for one in said) == list(range(1, 11))
    assert [event.sequence for event in published] == list(range(1, 11))
    history = await chat.history(channel)
    assert [event.id for event in history] == [event.id for event in published]


async def test_the_same_nonce_is_one_line(
    chat: Chat, channel: Channel, bob: User, carol: User, published: list[ChatEvent]
) -> None:
    first, second, other = await asyncio.gather(
        chat.say(bob, channel, "hi", nonce="same"),
        chat.say(bob, channel, "hi", nonce="same"),
        chat.say(carol, channel, "hi", nonce="same"),
    )
    assert first == second
    assert other.id != first.id
    assert await chat.say(bob, channel, "something else", nonce="same") == first
    assert len(published) == 2


async def test_resuming_by_sequence(
    chat: Chat, channel: Channel, bob: User, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(6):
        await say(bob, f"line {n}")
    joined = await chat.join(channel, bob, 4)
    assert joined.reset is False
    assert [event.sequence for event in joined.events] == [5, 6]
    assert (await chat.join(channel, bob, 6)).events == ()
    monkeypatch.setattr(limits, "CHAT_RESUME_EVENTS_MAX", 2)
    monkeypatch.setattr(limits, "CHAT_HISTORY_LINES", 3)
    for after in (3, 0, -1, 7, 2**70, None):
        joined = await chat.join(channel, bob, after)
        assert joined.reset is True, after
        assert [event.sequence for event in joined.events] == [4, 5, 6], after


async def test_history_pages_backwards(chat: Chat, channel: Channel, bob: User, say: Say) -> None:
    for n in range(6):
        await say(bob, f"line {n}")
    page = await chat.history(channel, None, 2)
    assert [event.sequence for event in page] == [5, 6]
    page = await chat.history(channel, 5, 3)
    assert [event.sequence for event in page] == [2, 3, 4]
    assert await chat.history(channel, 1) == ()
    assert await chat.history(channel, -(2**80)) == ()
    assert len(await chat.history(channel, 2**80, 10**9)) == 6


async def test_a_reply_quotes(
    chat: Chat, channel: Channel, alice: User, bob: User, say: Say, published: list[ChatEvent]
) -> None:
    first = await say(bob, "x" * 150)
    await say(alice, "indeed", first.id)
    quote = published[-1].reply_to
    assert quote is not None
    assert (quote.id, quote.username, quote.text) == (first.id, "bob", "x" * 100)
    await chat.act(alice, channel, Remove(first.id or ""))
    quote = (await chat.history(channel))[-1].reply_to
    assert quote is not None
    assert (quote.username, quote.text) == ("bob", "")
    for wrong in ("msg_00000000000000000000", "x", "\0", "' OR 1"):
        with pytest.raises(Invalid) as caught:
            await say(bob, "hi", wrong)
        assert caught.value.field == "reply_to"


async def test_a_removed_line_stays_as_removed(
    chat: Chat, channel: Channel, alice: User, bob: User, say: Say, published: list[ChatEvent]
) -> None:
    said = await say(bob, "something rude")
    acted = await chat.act(alice, channel, Remove(said.id or ""))
    assert acted.events == (published[-1],)
    assert published[-1].kind == "removed"
    assert published[-1].data == {"ids": [said.id], "username": None, "by": "alice"}
    (line,) = await chat.history(channel)
    assert (line.removed, line.text, line.id) == (True, "", said.id)
    again = await chat.act(alice, channel, Remove(said.id or ""))
    assert again.events == ()
    assert len(published) == 2


async def test_a_pin_survives_and_is_one(
    db: Database,
    clock: FakeClock,
    chat: Chat,
    channel: Channel,
    alice: User,
    bob: User,
    say: Say,
    published: list[ChatEvent],
) -> None:
    first, second = await say(bob, "first"), await say(bob, "second")
    await chat.act(alice, channel, Pin(first.id or ""))
    await chat.act(alice, channel, Pin(second.id or ""))
    assert published[-1].data["line"]["text"] == "second"
    assert (await chat.act(alice, channel, Pin(second.id or ""))).events == ()
    async with open_chat(db, clock) as restarted:
        pinned = (await restarted.join(channel, None)).pinned
        assert pinned is not None
        assert pinned.text == "second"
    await chat.act(alice, channel, Remove(second.id or ""))
    assert [event.kind for event in published][-2:] == ["removed", "unpinned"]
    assert (await chat.join(channel, None)).pinned is None
    assert (await chat.act(alice, channel, Unpin())).events == ()


async def test_clear(
    chat: Chat, channel: Channel, alice: User, bob: User, say: Say, published: list[ChatEvent]
) -> None:
    said = await say(bob, "one")
    await chat.act(alice, channel, Pin(said.id or ""))
    await chat.act(alice, channel, Clear())
    assert [event.kind for event in published] == ["message", "pinned", "unpinned", "cleared"]
    assert await chat.history(channel) == ()
    await say(bob, "two", said.id)
    joined = await chat.join(channel, bob, 0)
    assert [(event.kind, event.text, event.removed) for event in joined.events] == [
        ("message", "", True),
        ("pinned", "", False),
        ("unpinned", "", False),
        ("cleared", "", False),
        ("message", "two", False),
    ]
    quote = joined.events[-1].reply_to
    assert quote is not None
    assert quote.text == ""
    assert [event.text for event in await chat.history(channel)] == ["two"]


async def test_a_time_out_takes_lines_and_ends(
    chat: Chat,
    channel: Channel,
    alice: User,
    bob: User,
    say: Say,
    published: list[ChatEvent],
    changed: list[str],
    clock: FakeClock,
) -> None:
    ids = [(await say(bob, f"spam {n}")).id for n in range(3)]
    await chat.act(alice, channel, TimeOut("Bob", 60, "Calm down."))
    assert published[-1].data == {"ids": ids, "username": "bob", "by": "alice"}
    assert changed == [bob.id]
    with pytest.raises(Forbidden) as caught:
        await say(bob, "more")
    assert caught.value.code == "timed_out"
    you = (await chat.join(channel, bob)).you
    assert (you.can_write, you.code) == (False, "timed_out")
    assert you.until_ms == clock.wall_ms() + 60_000
    assert "Reason: Calm down." in (you.why_not or "")
    clock.advance(60_000)
    await say(bob, "sorry")


async def test_a_ban_holds_on_any_path_and_after_a_restart(
    db: Database, clock: FakeClock, chat: Chat, channel: Channel, alice: User, bob: User, say: Say
) -> None:
    said = await say(bob, "hello")
    await chat.act(alice, channel, Ban("bob"))
    clock.advance(10 * 365 * 24 * 3600 * 1000)
    async with open_chat(db, clock) as restarted:
        for text, reply_to in (("hi", None), ("hi", said.id), ("/mods", None), ("/help", None)):
            with pytest.raises(Forbidden) as caught:
                await restarted.say(bob, channel, text, reply_to=reply_to, nonce="other")
            assert caught.value.code == "banned"
        with pytest.raises(Forbidden):
            await restarted.act(bob, channel, Remove(said.id or ""))
        joined = await restarted.join(channel, bob)
        assert (joined.you.code, joined.you.until_ms) == ("banned", None)


async def test_a_forged_user_is_nobody(
    chat: Chat, channel: Channel, bob: User, published: list[ChatEvent]
) -> None:
    ghost = dataclasses.replace(bob, id="usr_00000000000000000000", is_admin=True)
    with pytest.raises(Unauthorized):
        await chat.say(ghost, channel, "boo", nonce="1")
    with pytest.raises(Unauthorized):
        await chat.act(ghost, channel, Clear())
    claimed = dataclasses.replace(bob, is_admin=True)
    with pytest.raises(Forbidden):
        await chat.act(claimed, channel, Clear())
    joined = await chat.join(channel, claimed)
    assert joined.you.role == "viewer"
    assert published == []

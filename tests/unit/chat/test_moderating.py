"""What moderators do: to whom, two of them at once, and the log of it."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.chat import actions
from mediaserver.chat.actions import (
    Action,
    AddModerator,
    Ban,
    Clear,
    Pin,
    Remove,
    RemoveModerator,
    SetRules,
    TimeOut,
    Unban,
    Unpin,
    Untimeout,
)
from mediaserver.chat.chat import Chat
from mediaserver.chat.events import ChatEvent
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.kernel.events import Events
from mediaserver.moderation.actions_log import Moderated
from mediaserver.moderation.desk import Desk
from tests.unit.chat.conftest import Say


@pytest.fixture
async def moderator(chat: Chat, channel: Channel, alice: User, carol: User) -> User:
    await chat.act(alice, channel, AddModerator("carol"))
    return carol


@pytest.fixture
def desk(db: Database, clock: FakeClock) -> Desk:
    return Desk(db, clock)


async def test_nobody_acts_upwards_or_sidewards(
    chat: Chat,
    channel: Channel,
    alice: User,
    bob: User,
    admin: User,
    moderator: User,
    say: Say,
    published: list[ChatEvent],
) -> None:
    await chat.act(alice, channel, AddModerator("bob"))
    lines = {user: (await say(user, "hi")).id or "" for user in (alice, bob, admin)}
    before = len(published)
    for target in (alice, bob, admin, moderator):
        for action in (
            TimeOut(target.username, 60),
            Ban(target.username),
            Untimeout(target.username),
            Unban(target.username),
        ):
            with pytest.raises(Forbidden):
                await chat.act(moderator, channel, action)
    for target in (alice, bob, admin):
        with pytest.raises(Forbidden):
            await chat.act(moderator, channel, Remove(lines[target]))
    for action in (AddModerator("bob"), RemoveModerator("bob")):
        with pytest.raises(Forbidden):
            await chat.act(moderator, channel, action)
    with pytest.raises(Forbidden):
        await chat.act(alice, channel, Ban("root"))
    assert len(published) == before
    await chat.act(admin, channel, TimeOut("alice", 60))
    with pytest.raises(Forbidden) as caught:
        await chat.act(alice, channel, Clear())
    assert caught.value.code == "timed_out"


async def test_viewers_and_strangers_do_nothing(
    chat: Chat, channel: Channel, bob: User, say: Say
) -> None:
    line = (await say(bob, "my own")).id or ""
    everything: list[Action] = [
        Remove(line),
        TimeOut("alice", 1),
        Untimeout("alice"),
        Ban("alice"),
        Unban("alice"),
        Clear(),
        Pin(line),
        Unpin(),
        actions.Announce("x"),
        SetRules({"slow_s": 1}),
        AddModerator("bob"),
        RemoveModerator("bob"),
        actions.AddWord("x"),
        actions.RemoveWord("x"),
    ]
    for action in everything:
        with pytest.raises(Forbidden):
            await chat.act(bob, channel, action)


async def test_a_moderator_removes_own_lines(
    chat: Chat, channel: Channel, moderator: User, say: Say
) -> None:
    line = await say(moderator, "typo")
    await chat.act(moderator, channel, Remove(line.id or ""))
    assert (await chat.history(channel))[0].removed is True


async def test_two_moderators_at_once(
    chat: Chat,
    channel: Channel,
    alice: User,
    bob: User,
    moderator: User,
    say: Say,
    published: list[ChatEvent],
    desk: Desk,
) -> None:
    line, other = await say(bob, "rude"), await say(bob, "ruder")
    await asyncio.gather(
        chat.act(alice, channel, Remove(line.id or "")),
        chat.act(moderator, channel, Remove(line.id or "")),
    )
    assert [event.kind for event in published].count("removed") == 1
    await asyncio.gather(
        chat.act(alice, channel, Pin(other.id or "")),
        chat.act(moderator, channel, Pin(other.id or "")),
    )
    assert [event.kind for event in published].count("pinned") == 1
    await asyncio.gather(
        chat.act(alice, channel, Ban("bob", "one")), chat.act(moderator, channel, Ban("bob", "two"))
    )
    log = await desk.log(alice, channel, before=None, limit=50)
    assert [entry.action for entry in log].count("ban") == 1
    assert len(await desk.restrictions(alice, channel)) == 1
    with pytest.raises(Conflict):
        await chat.act(moderator, channel, TimeOut("bob", 60))
    with pytest.raises(Conflict):
        await chat.act(moderator, channel, Untimeout("bob"))
    results = await asyncio.gather(
        chat.act(alice, channel, Unban("bob")), chat.act(moderator, channel, Unban("bob"))
    )
    assert sorted(result.notice for result in results) == [
        "bob can write again.",
        "bob can write already.",
    ]
    assert [event.sequence for event in published] == list(range(1, len(published) + 1))


async def test_a_ban_ends_being_a_moderator(
    chat: Chat, channel: Channel, alice: User, moderator: User, desk: Desk, changed: list[str]
) -> None:
    await chat.act(alice, channel, Ban("carol"))
    assert await desk.moderators(channel) == []
    assert changed == [moderator.id]
    await chat.act(alice, channel, AddModerator("carol"))
    you = (await chat.join(channel, moderator)).you
    assert (you.role, you.can_write) == ("moderator", True)


async def test_a_ban_takes_only_so_many_lines_and_only_theirs(
    chat: Chat,
    channel: Channel,
    alice: User,
    bob: User,
    carol: User,
    say: Say,
    published: list[ChatEvent],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = [(await say(bob, f"line {n}")).id for n in range(5)]
    await say(carol, "hi")
    monkeypatch.setattr(limits, "CHAT_REMOVED_LINES_MAX", 3)
    await chat.act(alice, channel, Pin(ids[4] or ""))
    await chat.act(alice, channel, Ban("bob"))
    assert [event.kind for event in published][-2:] == ["removed", "unpinned"]
    assert published[-2].data["ids"] == ids[2:]
    removed = [event.removed for event in await chat.history(channel)]
    assert removed == [False, False, True, True, True, False]


async def test_longer_and_shorter_time_outs(
    chat: Chat, channel: Channel, alice: User, bob: User, say: Say, clock: FakeClock
) -> None:
    await chat.act(alice, channel, TimeOut("bob", 600))
    await chat.act(alice, channel, TimeOut("bob", 10))
    clock.advance(10_000)
    await say(bob, "back")
    for seconds in (0, -1, limits.TIMEOUT_S_MAX + 1):
        with pytest.raises(Invalid):
            await chat.act(alice, channel, TimeOut("bob", seconds))
    with pytest.raises(Invalid):
        await chat.act(alice, channel, TimeOut("bob", 60, "x" * 201))
    for name in ("nobody", "", "\0", "bob' OR 1", "x" * 10_000):
        with pytest.raises(NotFound):
            await chat.act(alice, channel, Ban(name))


async def test_lines_of_other_channels_and_things_that_are_no_lines(
    chat: Chat, channel: Channel, alice: User, bob: User, say: Say, published: list[ChatEvent]
) -> None:
    await say(bob, "x")
    await chat.act(alice, channel, SetRules({"slow_s": 1}))
    for line_id in (published[-1].id, "msg_00000000000000000000", "", "\0", "%"):
        for action in (Remove(line_id), Pin(line_id)):
            with pytest.raises(NotFound):
                await chat.act(alice, channel, action)
    elsewhere = dataclasses.replace(channel, id="chn_00000000000000000000")
    with pytest.raises(NotFound):
        await chat.say(bob, elsewhere, "hi", nonce="forged")
    with pytest.raises(NotFound):
        await chat.act(alice, elsewhere, Clear())


async def test_commands_do_the_same(
    chat: Chat, channel: Channel, alice: User, bob: User, say: Say, published: list[ChatEvent]
) -> None:
    line = await say(bob, "hello")
    said = await say(alice, "/timeout bob 5m calm down")
    assert (said.id, said.sequence, said.notice) == (None, None, "bob can't write for 5 min.")
    assert (await say(alice, "/untimeout @Bob")).notice == "bob can write again."
    await say(alice, "/mod bob")
    assert (await say(alice, "/mods")).notice == "Moderators: bob."
    with pytest.raises(Conflict):
        await say(alice, "/pin", line.id)
    own = await say(bob, "pin me")
    await say(bob, "/pin")
    assert published[-1].data["id"] == own.id
    await say(bob, "/delete", own.id)
    assert [event.kind for event in published][-2:] == ["removed", "unpinned"]
    with pytest.raises(Conflict):
        await say(alice, "/pin")
    with pytest.raises(Forbidden):
        await say(bob, "/unmod bob")


async def test_the_log_keeps_what_was_removed(
    chat: Chat, channel: Channel, alice: User, bob: User, say: Say, desk: Desk, events: Events
) -> None:
    told: list[Moderated] = []
    events.subscribe(Moderated, told.append)
    line = await say(bob, "something rude")
    await chat.act(alice, channel, Remove(line.id or ""))
    await chat.act(alice, channel, SetRules({"slow_s": 5, "lockdown": True}))
    log = await desk.log(alice, channel, before=None, limit=50)
    assert [(one.action, one.actor, one.target, one.detail) for one in log] == [
        ("rules", "alice", None, "slow mode 5 s, lockdown on"),
        ("remove", "alice", "bob", "something rude"),
    ]
    assert [one.entry for one in told] == log[::-1]
    assert await desk.log(alice, channel, before=log[0].id, limit=50) == log[1:]
    assert await desk.log(alice, channel, before="\0", limit=50) == []
    for read in (
        desk.log(bob, channel, before=None, limit=1),
        desk.restrictions(bob, channel),
        desk.words(bob, channel),
    ):
        with pytest.raises(Forbidden):
            await read


async def test_cards(
    chat: Chat, channel: Channel, alice: User, bob: User, say: Say, clock: FakeClock
) -> None:
    await say(bob, "hi")
    await chat.act(alice, channel, TimeOut("bob", 60))
    card = await chat.card(channel, alice, "@Bob")
    assert (card.username, card.role, card.lines) == ("bob", "viewer", 1)
    assert card.restriction is not None
    assert card.joined_at_ms == bob.created_at_ms
    for viewer in (None, bob):
        card = await chat.card(channel, viewer, "bob")
        assert (card.lines, card.restriction) == (None, None)
    with pytest.raises(NotFound):
        await chat.card(channel, alice, "nobody")

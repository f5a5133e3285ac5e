"""Rules on lines: each alone, who stands above them, and clocks that jump."""

from __future__ import annotations

import asyncio

import pytest

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.channels.follows import Follows
from mediaserver.chat.actions import AddModerator, AddWord, Announce, RemoveWord, SetRules
from mediaserver.chat.chat import Chat
from mediaserver.chat.events import ChatEvent
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited
from tests.unit.chat.conftest import Say

DAY_MS = 24 * 3600 * 1000


async def _refused(say: Say, user: User, text: str) -> str:
    with pytest.raises(Forbidden) as caught:
        await say(user, text)
    return caught.value.code


async def test_slow_mode(
    chat: Chat, channel: Channel, alice: User, bob: User, say: Say, clock: FakeClock
) -> None:
    await chat.act(alice, channel, SetRules({"slow_s": 30}))
    await say(bob, "one")
    clock.advance(10_000)
    with pytest.raises(RateLimited) as caught:
        await say(bob, "two")
    assert caught.value.retry_after_s == 20
    you = (await chat.join(channel, bob)).you
    assert (you.can_write, you.slow_s) == (True, 30)
    assert you.next_at_ms == clock.wall_ms() + 20_000
    clock.advance(20_000)
    await say(bob, "two")
    for n in range(3):
        await say(alice, f"owner {n}")
    assert (await chat.join(channel, alice)).you.slow_s == 0


async def test_slow_mode_counts_lines_of_one_batch(
    chat: Chat, channel: Channel, alice: User, bob: User
) -> None:
    await chat.act(alice, channel, SetRules({"slow_s": 5}))
    results = await asyncio.gather(
        *(chat.say(bob, channel, f"line {n}", nonce=f"{n}") for n in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, RateLimited) for result in results) == 3
    assert len(await chat.history(channel)) == 1


async def test_slow_mode_stays_sane_when_the_clock_is_set(
    chat: Chat,
    channel: Channel,
    alice: User,
    bob: User,
    say: Say,
    clock: FakeClock,
    published: list[ChatEvent],
) -> None:
    await chat.act(alice, channel, SetRules({"slow_s": 30}))
    await say(bob, "before")
    clock.set_wall(-DAY_MS)  # set back by a day: nobody waits for a day
    await say(bob, "after")
    with pytest.raises(RateLimited) as caught:
        await say(bob, "at once")
    assert caught.value.retry_after_s == 30
    clock.set_wall(-2_000)  # a little behind, as another server's clock may be
    with pytest.raises(RateLimited) as caught:
        await say(bob, "at once")
    assert caught.value.retry_after_s == 30
    clock.set_wall(3 * DAY_MS)
    await say(bob, "forward")
    assert [event.sequence for event in published] == [1, 2, 3, 4]
    joined = await chat.join(channel, bob, 1)
    assert [event.text for event in joined.events] == ["before", "after", "forward"]


async def test_followers_only(
    db: Database,
    chat: Chat,
    channel: Channel,
    alice: User,
    bob: User,
    say: Say,
    clock: FakeClock,
) -> None:
    follows = Follows(db, clock, Throttles(db, clock))
    await chat.act(alice, channel, SetRules({"followers_min": 10}))
    assert await _refused(say, bob, "hi") == "followers_only"
    assert (await chat.join(channel, bob)).you.follows is False
    await follows.follow(bob, channel.slug)
    assert await _refused(say, bob, "hi") == "followers_only"
    you = (await chat.join(channel, bob)).you
    assert (you.code, you.follows) == ("followers_only", True)
    assert you.until_ms == clock.wall_ms() + 600_000
    clock.advance(600_000)
    await say(bob, "hi")
    await chat.act(alice, channel, SetRules({"followers_min": None}))
    await follows.unfollow(bob, channel.slug)
    await say(bob, "still here")


async def test_account_age(
    chat: Chat, channel: Channel, alice: User, bob: User, say: Say, clock: FakeClock
) -> None:
    await chat.act(alice, channel, SetRules({"account_age_min": 60}))
    assert await _refused(say, bob, "hi") == "account_age"
    clock.advance(3_600_000)
    await say(bob, "hi")


async def test_lockdown_and_who_stands_above(
    chat: Chat, channel: Channel, alice: User, bob: User, carol: User, admin: User, say: Say
) -> None:
    await chat.act(alice, channel, AddModerator("carol"))
    rules = {"lockdown": True, "emote_only": True, "unique": True, "links": "moderators"}
    await chat.act(alice, channel, SetRules(rules))
    await chat.act(alice, channel, AddWord("rude"))
    assert await _refused(say, bob, ":wave:") == "lockdown"
    for user in (alice, carol, admin):
        await say(user, "rude example.com")
        await say(user, "rude example.com")
    roles = [event.author.role for event in await chat.history(channel) if event.author]
    assert roles == ["owner"] * 2 + ["moderator"] * 2 + ["admin"] * 2


async def test_links(chat: Chat, channel: Channel, alice: User, bob: User, say: Say) -> None:
    await say(bob, "example.com")
    await chat.act(alice, channel, SetRules({"links": "moderators"}))
    assert await _refused(say, bob, "see example.com") == "links"
    await say(bob, "see there")


async def test_emote_only(chat: Chat, channel: Channel, alice: User, bob: User, say: Say) -> None:
    await chat.act(alice, channel, SetRules({"emote_only": True}))
    assert await _refused(say, bob, "hi") == "emote_only"
    assert await _refused(say, bob, ":unknown:") == "emote_only"
    await say(bob, "👋")


async def test_unique(
    chat: Chat, channel: Channel, alice: User, bob: User, carol: User, say: Say
) -> None:
    await say(bob, "First one here")
    await chat.act(alice, channel, SetRules({"unique": True}))
    assert await _refused(say, carol, "  first ONE, here!") == "unique"
    await say(carol, "!!!")
    assert await _refused(say, bob, "!!!") == "unique"
    results = await asyncio.gather(
        chat.say(bob, channel, "same", nonce="a"),
        chat.say(carol, channel, "SAME", nonce="b"),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Forbidden) for result in results) == 1


async def test_blocked_words(
    chat: Chat,
    channel: Channel,
    alice: User,
    bob: User,
    say: Say,
    published: list[ChatEvent],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (await chat.act(alice, channel, AddWord("Free Coins"))).events == ()
    assert (await chat.act(alice, channel, AddWord("free  c0ins!"))).notice.endswith("already.")
    assert await _refused(say, bob, "free coins") == "blocked_words"
    await chat.act(alice, channel, RemoveWord("FREE COINS"))
    with pytest.raises(NotFound):
        await chat.act(alice, channel, RemoveWord("FREE COINS"))
    await say(bob, "free coins")
    monkeypatch.setattr(limits, "BLOCKED_WORDS_MAX", 3)
    for n in range(3):
        await chat.act(alice, channel, AddWord(f"word{'x' * n}"))
    with pytest.raises(Conflict):
        await chat.act(alice, channel, AddWord("onemore"))
    for wrong in ("", "!!!", "x" * 61, "\0", "ﷺ" * 60):
        with pytest.raises(Invalid):
            await chat.act(alice, channel, AddWord(wrong))
    assert all(event.kind == "message" for event in published), "words are not public"


async def test_rules_are_told_once(
    chat: Chat, channel: Channel, alice: User, published: list[ChatEvent]
) -> None:
    await chat.act(alice, channel, SetRules({"slow_s": 10, "unique": True}))
    assert published[-1].kind == "rules"
    assert published[-1].data["by"] == "alice"
    assert published[-1].data["rules"]["slow_s"] == 10
    assert published[-1].data["rules"]["unique"] is True
    assert (await chat.act(alice, channel, SetRules({"slow_s": 10}))).events == ()
    for wrong in (
        {"slow_s": -1},
        {"slow_s": True},
        {"slow_s": None},
        {"nothing": 1},
        {"links": "x"},
        {"unique": 1},
        {"followers_min": 10**9},
        {"account_age_min": "1"},
    ):
        with pytest.raises(Invalid):
            await chat.act(alice, channel, SetRules(wrong))
    assert len(published) == 1


async def test_announcements(
    chat: Chat, channel: Channel, alice: User, bob: User, say: Say, published: list[ChatEvent]
) -> None:
    await chat.act(alice, channel, Announce("Starting <soon>", "good"))
    assert (published[-1].kind, published[-1].text) == ("announcement", "Starting <soon>")
    assert published[-1].data == {"colour": "good"}
    for _ in range(2):
        await chat.say(alice, channel, "/announce once", nonce="same")
    assert [event.text for event in published] == ["Starting <soon>", "once"]
    for wrong in (Announce(""), Announce("x" * 501), Announce("x", "pink"), Announce("a\nb")):
        with pytest.raises(Invalid):
            await chat.act(alice, channel, wrong)
    with pytest.raises(Forbidden):
        await chat.act(bob, channel, Announce("mine"))


async def test_one_user_is_paced_over_all_channels(
    chat: Chat,
    channel: Channel,
    alice: User,
    bob: User,
    say: Say,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "CHAT_LINES_BURST", 4)
    for n in range(limits.CHAT_LINES_BURST):
        await say(alice, f"line {n}")
    with pytest.raises(RateLimited):
        await say(alice, "one more")
    with pytest.raises(RateLimited):
        await chat.act(alice, channel, SetRules({"slow_s": 1}))
    await say(bob, "others can")
    clock.advance(limits.CHAT_LINES_INTERVAL_MS)
    await say(alice, "one more")
    with pytest.raises(RateLimited):
        await say(alice, "and another")


async def test_what_several_may_do_is_read_at_once(
    chat: Chat, channel: Channel, alice: User, bob: User
) -> None:
    await chat.act(alice, channel, SetRules({"lockdown": True}))
    together = await chat.yous(channel, [alice.id, bob.id, "usr_nobody"])
    assert together == {one.id: await chat.you(channel, one) for one in (alice, bob)}
    assert [together[one.id].can_write for one in (alice, bob)] == [True, False]

"""From what the site publishes to deliveries: each kind of event with its data."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy import text as sql

from mediaserver.accounts.personal_data import AccountDeleted
from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User, Users
from mediaserver.channels.channels import Channel, ChannelChanged, Channels
from mediaserver.channels.deletion import Deletion
from mediaserver.channels.follows import Followed, Follows
from mediaserver.chat.events import Author, ChatEvent, ChatEvents
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Unavailable
from mediaserver.kernel.events import Events
from mediaserver.kernel.mail import Letterhead
from mediaserver.media.events import BroadcastEnded, BroadcastWentLive
from mediaserver.moderation.actions_log import LoggedAction, Moderated
from mediaserver.trust.bans import Banned
from mediaserver.trust.reports import Reported
from mediaserver.webhooks import deliveries
from mediaserver.webhooks.deliveries import webhook_delivery
from mediaserver.webhooks.envelopes import KINDS, EventType, choices
from mediaserver.webhooks.feed import Feed
from mediaserver.webhooks.webhooks import Asker, Webhooks, WebhooksChanged, webhook
from tests.unit.webhooks.conftest import URL


@pytest.fixture
async def feed(
    db: Database, clock: FakeClock, events: Events, letterhead: Letterhead, channel: Channel
) -> AsyncIterator[Feed]:
    async with Feed(db, clock, events, letterhead) as running:
        yield running


async def _told(db: Database, feed: Feed) -> list[dict[str, Any]]:
    """Everything so far; each fits its published model."""
    await feed.flushed()
    bodies = select(webhook_delivery.c.body).order_by(
        webhook_delivery.c.created_at_ms, webhook_delivery.c.id
    )
    found = [
        json.loads(body) for body in (await db.read(lambda tx: tx.execute(bodies).scalars().all()))
    ]
    for one in found:
        KINDS[EventType(one["type"])].envelope.model_validate(one)
    return found


async def _happen(db: Database, event: object) -> None:
    """A transaction in which something happens."""
    await db.write(lambda tx: tx.emit(event))


async def _all_events(webhooks: Webhooks, owner: Asker, feed: Feed) -> None:
    await webhooks.create(owner, URL, [str(event) for event in choices(of_site=False)])
    await feed.flushed()


def _line(number: int, text: str = "Hello") -> ChatEvent:
    return ChatEvent(
        number, "message", f"msg_{number}", 5_000, Author("usr_2", "bob", "viewer"), text
    )


async def test_nobody_who_wants_to_know_costs_nothing(
    feed: Feed, events: Events, db: Database, channel: Channel
) -> None:
    events.publish(BroadcastWentLive("brc_1", channel.id, channel.slug, 1))
    assert feed._writer.waiting == 0
    assert await _told(db, feed) == []


async def test_what_was_committed_without_an_answer_is_told_once(
    feed: Feed,
    events: Events,
    db: Database,
    channel: Channel,
    webhooks: Webhooks,
    owner: Asker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await _all_events(webhooks, owner, feed)
    write, answers = db.write, [Unavailable("The database doesn't answer.")]

    async def write_and_hear_nothing(*args: Any) -> Any:
        result = await write(*args)
        if answers:
            raise answers.pop()
        return result

    monkeypatch.setattr(limits, "STREAM_WRITE_RETRY_S", 0.0)
    monkeypatch.setattr(db, "write", write_and_hear_nothing)
    events.publish(BroadcastWentLive("brc_1", channel.id, channel.slug, 1))
    assert len(await _told(db, feed)) == 1
    assert not answers


async def test_a_full_queue_loses_no_new_webhook(
    events: Events,
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    channel: Channel,
    webhooks: Webhooks,
    owner: Asker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "WEBHOOK_EVENTS_WAITING_MAX", 1)
    await webhooks.create(owner, URL, ["stream.online"])
    async with Feed(db, clock, events, letterhead) as feed:
        wanted = update(webhook).values(events='["channel.updated"]')
        await db.write(lambda tx: tx.execute(wanted))
        events.publish(BroadcastWentLive("brc_1", channel.id, channel.slug, 1))
        assert feed._writer.waiting == 1, "full"
        events.publish(WebhooksChanged(channel.id))
        await feed.flushed()
        await _happen(db, ChannelChanged(channel.id, channel.slug))
        (told,) = await _told(db, feed)
        assert told["type"] == "channel.updated"


async def test_a_stream_from_beginning_to_end(
    feed: Feed, events: Events, db: Database, channel: Channel, webhooks: Webhooks, owner: Asker,
    clock: FakeClock,
) -> None:  # fmt: skip
    await _all_events(webhooks, owner, feed)
    events.publish(BroadcastWentLive("brc_1", channel.id, channel.slug, 1_700_000_000_123))
    await feed.flushed()
    clock.advance(1)
    events.publish(BroadcastEnded("brc_1", channel.id, channel.slug, 2_000, "Over.", True))
    events.publish(BroadcastEnded("brc_2", channel.id, channel.slug, 3_000, "Never.", False))
    events.publish(BroadcastWentLive("brc_3", "chn_gone", "gone", 1))
    online, offline = await _told(db, feed)
    assert online["type"] == "stream.online"
    assert online["created_at"] == "2023-11-14T22:13:20.123000Z"
    assert online["data"] == {
        "stream_id": "brc_1",
        "title": "Painting",
        "category": None,
        "tags": [],
        "started_at": "2023-11-14T22:13:20.123000Z",
    }
    assert (offline["type"], offline["data"]["reason"]) == ("stream.offline", "Over.")


async def test_a_channel_that_is_deleted_while_live(
    feed: Feed,
    events: Events,
    db: Database,
    clock: FakeClock,
    channel: Channel,
    webhooks: Webhooks,
    desk: Asker,
    alice: User,
) -> None:
    await webhooks.create(desk, URL, ["stream.offline"])
    await feed.flushed()
    await Deletion(db, clock).delete(alice, channel.slug)
    events.publish(BroadcastEnded("brc_1", channel.id, channel.slug, 2_000, "Deleted.", True))
    (offline,) = await _told(db, feed)
    assert (offline["type"], offline["channel"]["slug"]) == ("stream.offline", channel.slug)


async def test_follows_and_changes(
    feed: Feed,
    db: Database,
    clock: FakeClock,
    webhooks: Webhooks,
    owner: Asker,
    bob: User,
    channel: Channel,
    throttles: Throttles,
) -> None:
    await _all_events(webhooks, owner, feed)
    await Follows(db, clock, throttles).follow(bob, channel.slug)
    await feed.flushed()
    clock.advance(1)
    await Channels(db, clock, AccountsConfig()).update(owner.user, channel.slug, title="Sculpting")
    followed, updated = await _told(db, feed)
    assert followed["data"] == {"user": {"id": bob.id, "username": "bob"}, "followers": 1}
    assert (updated["type"], updated["data"]["title"]) == ("channel.updated", "Sculpting")


async def test_what_happens_is_told_by_the_same_transaction(
    feed: Feed, db: Database, webhooks: Webhooks, owner: Asker, bob: User, channel: Channel
) -> None:
    """No crash comes between: what is rolled back isn't told, and what is committed is."""
    await _all_events(webhooks, owner, feed)

    def follow(tx: Transaction, fails: bool) -> None:
        tx.emit(Followed(channel.id, channel.slug, bob.id))
        if fails:
            raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        await db.write(follow, True)
    told = select(webhook_delivery.c.event)
    assert await db.read(lambda tx: tx.execute(told).all()) == []
    await db.write(follow, False)
    assert await db.read(lambda tx: tx.execute(told).scalars().all()) == ["channel.follow"]


async def test_a_webhook_that_can_not_be_told_holds_nobody_up(
    feed: Feed,
    db: Database,
    clock: FakeClock,
    webhooks: Webhooks,
    owner: Asker,
    bob: User,
    channel: Channel,
    throttles: Throttles,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await _all_events(webhooks, owner, feed)

    def broken(tx: Transaction, *_: object) -> int:
        tx.execute(sql("INSERT INTO webhook (id) VALUES ('half')"))
        return 0

    monkeypatch.setattr(deliveries, "announce", broken)
    following = Follows(db, clock, throttles)
    await following.follow(bob, channel.slug)
    assert await following.is_following(bob, channel.id)
    assert await _told(db, feed) == []


async def test_the_chat_is_told_within_bounds(
    feed: Feed,
    events: Events,
    db: Database,
    clock: FakeClock,
    webhooks: Webhooks,
    owner: Asker,
    channel: Channel,
) -> None:
    await _all_events(webhooks, owner, feed)
    lines = tuple(_line(number) for number in range(limits.WEBHOOK_CHAT_BURST + 5))
    events.publish(ChatEvents(channel.id, channel.slug, lines))
    await feed.flushed()
    clock.advance(1000)
    joined = ChatEvent(99, "cleared", "evt_99", 5_000, None, "", data={"by": "alice"})
    events.publish(ChatEvents(channel.id, channel.slug, (joined, _line(100, "Again"))))
    told = await _told(db, feed)
    assert len(told) == limits.WEBHOOK_CHAT_BURST + 1
    assert told[-1]["data"] == {
        "message_id": "msg_100",
        "user": {"id": "usr_2", "username": "bob"},
        "role": "viewer",
        "text": "Again",
        "skipped": 5,
    }


async def test_moderation(
    feed: Feed, events: Events, db: Database, webhooks: Webhooks, owner: Asker, channel: Channel
) -> None:
    await _all_events(webhooks, owner, feed)
    entry = LoggedAction("act_1", 7_000, "carol", "timeout", "bob", "10 min")
    await _happen(db, Moderated(channel.id, channel.slug, entry))
    (told,) = await _told(db, feed)
    assert told["data"] == {
        "action": "timeout",
        "moderator": "carol",
        "target": "bob",
        "detail": "10 min",
    }


async def test_the_whole_site(
    feed: Feed,
    events: Events,
    db: Database,
    clock: FakeClock,
    webhooks: Webhooks,
    desk: Asker,
    users: Users,
    channel: Channel,
) -> None:
    made, _ = await webhooks.create(
        desk,
        URL,
        ["user.created", "user.deleted", "stream.online", "user.banned", "report.created"],
    )
    await feed.flushed()
    dave = await users.create("dave", "dave@example.org", "correct horse", is_admin=False)
    await feed.flushed()
    clock.advance(1)
    await _happen(db, AccountDeleted(dave.id, "dave"))
    await feed.flushed()
    clock.advance(1)
    events.publish(BroadcastWentLive("brc_1", channel.id, channel.slug, 1))
    created, deleted, online = await _told(db, feed)
    assert (created["type"], created["channel"]) == ("user.created", None)
    assert created["data"] == deleted["data"] == {"user": {"id": dave.id, "username": "dave"}}
    assert online["channel"]["slug"] == channel.slug

    clock.advance(1)
    await _happen(db, Reported("rep_1", "channel", "Alice", channel.id, "spam"))
    await _happen(db, Banned(dave.id, {}))  # of somebody whose ban is lifted again already
    reported = (await _told(db, feed))[-1]
    assert (reported["type"], reported["channel"]["slug"]) == ("report.created", channel.slug)
    assert reported["data"] == {
        "report_id": "rep_1",
        "kind": "channel",
        "target": "Alice",
        "reason": "spam",
        "url": "https://live.example.org/admin/reports/rep_1",
    }

    await webhooks.change(desk, made.id, is_on=False)
    await feed.flushed()
    await _happen(db, AccountDeleted(dave.id, "dave"))
    assert len(await _told(db, feed)) == 4

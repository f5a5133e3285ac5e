"""Deliveries: signed, tried again with growing pauses, and when a webhook is turned off."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import func, select

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Unavailable,
)
from mediaserver.kernel.events import Events
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.outbound import Answer
from mediaserver.kernel.vault import Vault
from mediaserver.kernel.worker import Worker
from mediaserver.notifications.notices import Notices
from mediaserver.webhooks import deliveries, signature
from mediaserver.webhooks.deliveries import webhook_delivery
from mediaserver.webhooks.envelopes import ChannelFollow, EventType, PersonRef
from mediaserver.webhooks.sender import Sender
from mediaserver.webhooks.webhooks import Asker, Webhook, Webhooks
from tests.unit.webhooks.conftest import URL, OtherSite

ATTEMPTS = len(limits.WEBHOOK_PAUSES_MS) + 1
FOLLOW = ChannelFollow(user=PersonRef(id="usr_1", username="bob"), followers=2)


@pytest.fixture
async def secret_and_hook(webhooks: Webhooks, owner: Asker) -> tuple[str, Webhook]:
    made, secret = await webhooks.create(owner, URL, ["channel.follow"])
    return secret, made


@pytest.fixture
def hook(secret_and_hook: tuple[str, Webhook]) -> Webhook:
    return secret_and_hook[1]


async def _announce(
    db: Database, clock: FakeClock, letterhead: Letterhead, channel: Channel | None
) -> int:
    now_ms = clock.wall_ms()
    return await db.write(
        deliveries.announce,
        letterhead,
        deliveries.new_event_id(),
        EventType.CHANNEL_FOLLOW,
        channel,
        FOLLOW,
        now_ms,
        now_ms,
    )


async def _run_all(jobs: Worker, clock: FakeClock) -> None:
    """Every attempt, each when it is due."""
    for pause_ms in (*limits.WEBHOOK_PAUSES_MS, 0):
        await jobs.run_due()
        clock.advance(pause_ms)


async def test_an_event_is_sent_signed(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    channel: Channel,
    secret_and_hook: tuple[str, Webhook],
    jobs: Worker,
    sender: Sender,
    owner: Asker,
    other_site: OtherSite,
) -> None:
    secret, hook = secret_and_hook
    assert await _announce(db, clock, letterhead, channel) == 1
    assert await jobs.run_due() == 1
    url, body, headers = other_site.taken[0]
    assert url == URL
    sent = json.loads(body)
    assert sent == {
        "id": headers["webhook-id"],
        "type": "channel.follow",
        "created_at": "2023-11-14T22:13:20Z",
        "channel": {
            "slug": "alice-tv",
            "name": "Alice",
            "url": "https://live.example.org/@alice-tv",
        },
        "data": {"user": {"id": "usr_1", "username": "bob"}, "followers": 2},
    }
    assert headers["Content-Type"] == "application/json"
    signed = signature.headers([secret], sent["id"], clock.wall_ms() // 1000, body)
    assert signed.items() <= headers.items()

    (taken,) = await sender.page(owner, hook.id)
    assert (taken.state, taken.attempts, taken.status) == ("taken", 1, 204)
    assert taken.last_error is None
    assert await jobs.run_due() == 0


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (500, "The other site answered with status 500."),
        (404, "The other site answered with status 404."),
        (302, "The other site redirects (302), which isn't followed."),
        (Unavailable("No answer in time."), "No answer in time."),
        (Invalid("That address leads into a private network."), "That address leads into a pri"),
    ],
)
async def test_what_is_not_taken_is_tried_again(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    channel: Channel,
    hook: Webhook,
    jobs: Worker,
    sender: Sender,
    webhooks: Webhooks,
    owner: Asker,
    other_site: OtherSite,
    answer: int | Unavailable | Invalid,
    reason: str,
) -> None:
    other_site.answers = [answer, 200]
    await _announce(db, clock, letterhead, channel)
    await jobs.run_due()
    (waiting,) = await sender.page(owner, hook.id)
    assert (waiting.state, waiting.attempts) == ("waiting", 1)
    assert waiting.last_error is not None
    assert waiting.last_error.startswith(reason)
    assert waiting.next_at_ms == clock.wall_ms() + limits.WEBHOOK_PAUSES_MS[0]
    assert (await webhooks.get(owner, hook.id)).failing_since_ms == clock.wall_ms()

    assert await jobs.run_due() == 0, "not before its pause is over"
    clock.advance(limits.WEBHOOK_PAUSES_MS[0])
    await jobs.run_due()
    (taken,) = await sender.page(owner, hook.id)
    assert (taken.state, taken.attempts, taken.status) == ("taken", 2, 200)
    assert (await webhooks.get(owner, hook.id)).failing_since_ms is None
    first, second = other_site.taken
    assert first[1] == second[1]
    assert first[2]["webhook-id"] == second[2]["webhook-id"]
    assert first[2]["webhook-timestamp"] != second[2]["webhook-timestamp"]


async def test_one_that_fails_is_left_alone_for_a_while(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    channel: Channel,
    hook: Webhook,
    jobs: Worker,
    sender: Sender,
    webhooks: Webhooks,
    owner: Asker,
    other_site: OtherSite,
) -> None:
    """What else there is for it waits, so that it doesn't keep places from others."""
    other_site.answers = [503]
    await _announce(db, clock, letterhead, channel)
    await jobs.run_due()
    clock.advance(limits.WEBHOOK_REST_MS_MIN - 1)
    await _announce(db, clock, letterhead, channel)
    await jobs.run_due()
    assert len(other_site.taken) == 1
    newest, _ = await sender.page(owner, hook.id)
    rests_until_ms = (await webhooks.get(owner, hook.id)).rests_until_ms
    assert (newest.attempts, newest.next_at_ms) == (0, rests_until_ms)

    await sender.send_test(owner, hook.id)
    await jobs.run_due()
    assert len(other_site.taken) == 2, "by hand means now"
    clock.advance(2 * limits.WEBHOOK_REST_MS_MIN)
    other_site.answers = [204]
    await jobs.run_due()
    assert len(other_site.taken) == 5, "and then all of them"
    assert (await webhooks.get(owner, hook.id)).rests_until_ms is None


async def test_one_that_answers_slowly_is_left_alone_for_a_while(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    channel: Channel,
    hook: Webhook,
    jobs: Worker,
    other_site: OtherSite,
) -> None:
    other_site.takes_ms = limits.WEBHOOK_SLOW_MS + 1
    for _ in range(2):
        await _announce(db, clock, letterhead, channel)
        await jobs.run_due()
    assert len(other_site.taken) == 1
    clock.advance(other_site.takes_ms * limits.WEBHOOK_SLOW_RESTS)
    await jobs.run_due()
    assert len(other_site.taken) == 2


async def test_another_master_key_is_told_in_the_log(
    db: Database,
    clock: FakeClock,
    events: Events,
    letterhead: Letterhead,
    throttles: Throttles,
    channel: Channel,
    hook: Webhook,
    sender: Sender,
    owner: Asker,
    other_site: OtherSite,
) -> None:
    stranger = Sender(db, clock, Vault(b"x" * 32), other_site, throttles, letterhead)
    jobs = Worker(db, clock, events)
    jobs.register(deliveries.JOB, stranger.handle)
    await _announce(db, clock, letterhead, channel)
    await jobs.run_due()
    (waiting,) = await sender.page(owner, hook.id)
    assert (waiting.state, waiting.attempts) == ("waiting", 1)
    assert "key" in (waiting.last_error or "")
    assert other_site.taken == []


async def test_it_is_given_up_after_the_last_attempt(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    channel: Channel,
    hook: Webhook,
    jobs: Worker,
    sender: Sender,
    webhooks: Webhooks,
    owner: Asker,
    other_site: OtherSite,
) -> None:
    other_site.answers = [503]
    await _announce(db, clock, letterhead, channel)
    await _run_all(jobs, clock)
    (failed,) = await sender.page(owner, hook.id)
    assert (failed.state, failed.attempts) == ("failed", ATTEMPTS)
    assert len(other_site.taken) == ATTEMPTS
    assert (await webhooks.get(owner, hook.id)).is_on, "one failure is no reason yet"
    clock.advance(limits.WEBHOOK_PAUSES_MS[-1])
    await jobs.run_due()
    assert len(other_site.taken) == ATTEMPTS


async def test_one_that_fails_for_days_is_turned_off_and_its_owner_told(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    channel: Channel,
    hook: Webhook,
    jobs: Worker,
    sender: Sender,
    webhooks: Webhooks,
    owner: Asker,
    alice: User,
    other_site: OtherSite,
) -> None:
    other_site.answers = [503]
    await _announce(db, clock, letterhead, channel)
    await jobs.run_due()
    clock.advance(limits.WEBHOOK_FAILING_MS_MAX)
    await _announce(db, clock, letterhead, channel)
    await jobs.run_due()
    assert (await webhooks.get(owner, hook.id)).is_on, "that may be two hiccups"
    for _ in range(ATTEMPTS):
        clock.advance(limits.WEBHOOK_PAUSES_MS[-1])
        await jobs.run_due()
    off = await webhooks.get(owner, hook.id)
    assert (off.is_on, off.off_reason) == (False, "failing")
    page = await sender.page(owner, hook.id)
    assert [one.state for one in page] == ["failed", "failed"]
    (told,) = await Notices(db, clock).page(alice)
    assert told.path == f"/studio/{channel.slug}/webhooks/{hook.id}"
    assert URL in told.body
    assert await _announce(db, clock, letterhead, channel) == 0
    with pytest.raises(Conflict):
        await sender.send_test(owner, hook.id)
    on = await webhooks.change(owner, hook.id, is_on=True)
    assert on.failing_since_ms is None


async def test_410_turns_it_off_at_once(
    db: Database,
    clock: FakeClock,
    jobs: Worker,
    sender: Sender,
    webhooks: Webhooks,
    desk: Asker,
    admin: User,
    other_site: OtherSite,
    letterhead: Letterhead,
    channel: Channel,
) -> None:
    made, _ = await webhooks.create(desk, URL, ["channel.follow"])
    other_site.answers = [410]
    await _announce(db, clock, letterhead, channel)
    await jobs.run_due()
    off = await webhooks.get(desk, made.id)
    assert (off.is_on, off.off_reason) == (False, "gone")
    assert (await sender.page(desk, made.id))[0].state == "failed"
    (told,) = await Notices(db, clock).page(admin)
    assert told.path == f"/admin/webhooks/{made.id}"


async def test_turned_off_by_hand_means_nothing_more_is_sent(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    channel: Channel,
    hook: Webhook,
    jobs: Worker,
    sender: Sender,
    webhooks: Webhooks,
    owner: Asker,
    other_site: OtherSite,
) -> None:
    await _announce(db, clock, letterhead, channel)
    await webhooks.change(owner, hook.id, is_on=False)
    await jobs.run_due()
    assert other_site.taken == []
    (failed,) = await sender.page(owner, hook.id)
    assert (failed.state, failed.last_error) == ("failed", "The webhook was turned off.")


async def test_an_attempt_counts_once_however_often_its_job_runs(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    channel: Channel,
    hook: Webhook,
    sender: Sender,
    owner: Asker,
) -> None:
    """At least once: a job that died after sending is run again."""
    await _announce(db, clock, letterhead, channel)
    (tried,) = await sender.page(owner, hook.id)
    for _ in range(2):
        outcome = deliveries.Outcome(500, "")
        await db.write(deliveries.record, letterhead, tried, outcome, clock.wall_ms())
    (waiting,) = await sender.page(owner, hook.id)
    assert waiting.attempts == 1
    await sender.handle({"delivery_id": "dlv_gone"})


async def test_what_the_log_keeps_of_an_answer(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    channel: Channel,
    hook: Webhook,
    jobs: Worker,
    sender: Sender,
    owner: Asker,
    other_site: OtherSite,
) -> None:
    other_site.answers = [Answer(500, b"\0\xff<b>no</b>" + b"x" * 5000)]
    await _announce(db, clock, letterhead, channel)
    await jobs.run_due()
    (waiting,) = await sender.page(owner, hook.id)
    assert waiting.response_excerpt is not None
    assert waiting.response_excerpt.startswith("\ufffd\ufffd<b>no</b>x")
    assert len(waiting.response_excerpt) == limits.WEBHOOK_ANSWER_CHARS_MAX


async def test_too_many_that_wait_are_not_added_to(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    channel: Channel,
    hook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "WEBHOOK_WAITING_MAX", 3)
    told = [await _announce(db, clock, letterhead, channel) for _ in range(5)]
    assert told == [1, 1, 1, 0, 0]


async def test_sent_by_hand(
    hook: Webhook,
    jobs: Worker,
    sender: Sender,
    owner: Asker,
    bob: User,
    other_site: OtherSite,
    clock: FakeClock,
) -> None:
    test = await sender.send_test(owner, hook.id)
    assert test.event is EventType.TEST
    with pytest.raises(Conflict) as refused:
        await sender.send_again(owner, hook.id, test.id)
    assert refused.value.code == "still_waiting"
    await jobs.run_due()
    clock.advance(1)
    again = await sender.send_again(owner, hook.id, test.id)
    assert (again.id, again.event_id) != (test.id, test.event_id)
    assert again.event_id == test.event_id
    await jobs.run_due()
    assert other_site.taken[0][1] == other_site.taken[1][1]
    assert [one.id for one in await sender.page(owner, hook.id)] == [again.id, test.id]
    assert [one.id for one in await sender.page(owner, hook.id, after=again.id)] == [test.id]
    assert await sender.page(owner, hook.id, after="dlv_\0") == []

    stranger = Asker(bob, "alice-tv")
    for deed in (
        sender.send_test(stranger, hook.id),
        sender.send_again(stranger, hook.id, test.id),
        sender.page(stranger, hook.id),
    ):
        with pytest.raises(Forbidden):
            await deed
    with pytest.raises(NotFound):
        await sender.send_again(owner, hook.id, "dlv_\0")
    with pytest.raises(RateLimited):
        await _send_tests(sender, owner, hook, limits.WEBHOOK_BY_HAND_BURST)


async def _send_tests(sender: Sender, owner: Asker, hook: Webhook, count: int) -> None:
    for _ in range(count):
        await sender.send_test(owner, hook.id)


async def test_the_log_forgets(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    channel: Channel,
    hook: Webhook,
    jobs: Worker,
    sender: Sender,
    owner: Asker,
    webhooks: Webhooks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "WEBHOOK_DELIVERIES_KEPT_MAX", 2)
    for _ in range(4):
        clock.advance(1)
        await _announce(db, clock, letterhead, channel)
        await jobs.run_due()
    newest = [one.id for one in await sender.page(owner, hook.id)][:2]
    await sender.delete_old()
    assert [one.id for one in await sender.page(owner, hook.id)] == newest
    clock.advance(limits.WEBHOOK_DELIVERY_KEEP_MS + 1)
    await sender.delete_old()
    assert await sender.page(owner, hook.id) == []

    await _announce(db, clock, letterhead, channel)
    await webhooks.remove(owner, hook.id)
    count = select(func.count()).select_from(webhook_delivery)
    assert await db.read(lambda tx: tx.execute(count).scalar_one()) == 0
    await jobs.run_due()

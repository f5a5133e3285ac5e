"""Cases: what admins see of reports, and what they decide."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mediaserver.accounts.users import User, Users
from mediaserver.channels.channels import Channel, Channels
from mediaserver.chat.chat import Chat
from mediaserver.kernel import audit
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import (
    Conflict,
    Invalid,
    NotFound,
)
from mediaserver.kernel.images import ImageFolder
from mediaserver.notifications.notices import Notices
from mediaserver.trust.cases import Cases, Decision
from mediaserver.trust.reports import Reports
from mediaserver.trust.sanctions import Sanctions
from tests.unit.trust.conftest import (
    DAY_MS,
    JPEG,
    FakeLive,
    OnAir,
    Status,
    evidence_files,
    stream_of,
)


async def test_one_decision_for_all_reports_of_a_thing(
    tmp_path: Path,
    db: Database,
    clock: FakeClock,
    channel: Channel,
    bob: User,
    carol: User,
    actor: Actor,
    reports: Reports,
    cases: Cases,
    sanctions: Sanctions,
    on_air: OnAir,
) -> None:
    on_air.statuses["alice-tv"], on_air.pictures["alice-tv"] = Status(), JPEG
    first = await reports.make(bob, "channel", "alice-tv", "hate", "")
    second = await reports.make(carol, "channel", "alice-tv", "spam", "")
    assert [one.id for one in (await cases.case(first.id)).alike] == [second.id]
    decision = Decision("warned", "Thank you.", text="Please mind the rules.")
    decided = await cases.decide(actor, first.id, decision)
    assert (decided.state, decided.outcome, decided.outcome_text) == (
        "decided",
        "warned",
        "Thank you.",
    )
    assert await cases.counts() == {"decided": 2}
    standing = await sanctions.standing("alice")
    assert [(one.reason, one.report_id) for one in standing.warnings] == [("hate", first.id)]
    for user in (bob, carol):
        (notice,) = await Notices(db, clock).page(user)
        assert "It broke the rules, and we have acted." in notice.body
        assert "warn" not in notice.body.lower()
        assert "mind the rules" not in notice.body
    actions_done = [entry.action for entry in await db.read(audit.page)]
    assert actions_done[:2] == ["report.decide", "user.warn"]
    with pytest.raises(Conflict):
        await cases.decide(actor, second.id, Decision("dismissed"))

    await cases.delete_old_evidence()
    assert len(evidence_files(tmp_path)) == 2
    clock.advance(90 * DAY_MS)
    await cases.delete_old_evidence()
    assert evidence_files(tmp_path) == []
    assert (await cases.case(first.id)).evidence is None


async def test_two_admins_decide_at_once(
    users: Users,
    channel: Channel,
    bob: User,
    actor: Actor,
    reports: Reports,
    cases: Cases,
    sanctions: Sanctions,
) -> None:
    made = await reports.make(bob, "channel", "alice-tv", "hate", "")
    other = await users.create("boss", "boss@example.org", "entirely secret", is_admin=True)
    both = (actor, Actor(other.id, other.username))
    results = await asyncio.gather(
        *(cases.decide(one, made.id, Decision("banned", days=1)) for one in both),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Conflict) for one in results) == 1
    assert len((await sanctions.standing("alice")).bans) == 1


async def test_a_decision_happens_whole_or_not_at_all(
    channel: Channel, bob: User, actor: Actor, reports: Reports, cases: Cases, sanctions: Sanctions
) -> None:
    await sanctions.ban(actor, "alice", "spam", "", 1)
    made = await reports.make(bob, "user", "alice", "hate", "")
    for decision in (
        Decision("banned", days=1),  # banned already
        Decision("banned", days=0),
        Decision("warned", reason="because"),
        Decision("stream_ended"),  # a person is no channel
        Decision("deleted"),
        Decision(""),
        Decision("dismissed", answer="x" * 1_001),
    ):
        with pytest.raises((Conflict, Invalid)):
            await cases.decide(actor, made.id, decision)
        assert (await cases.case(made.id)).report.state == "new"
    assert (await sanctions.standing("alice")).warnings == []
    with pytest.raises(NotFound):
        await cases.decide(actor, "rpt_00000000000000000000", Decision("dismissed"))
    with pytest.raises(NotFound):
        await cases.decide(actor, "\0", Decision("dismissed"))


@pytest.mark.parametrize("kind", ["channel", "stream"])
async def test_ending_the_stream(
    db: Database,
    clock: FakeClock,
    channel: Channel,
    alice: User,
    bob: User,
    actor: Actor,
    reports: Reports,
    cases: Cases,
    live: FakeLive,
    sanctions: Sanctions,
    kind: str,
) -> None:
    running = await stream_of(db, alice, channel, clock)
    target_id = running if kind == "stream" else "alice-tv"
    made = await reports.make(bob, kind, target_id, "sexual", "")
    assert (await cases.case(made.id)).is_on_air
    await cases.decide(actor, made.id, Decision("stream_ended", text="Not here."))
    ((slug, reason),) = live.stopped
    assert (slug, reason) == ("alice-tv", "An admin ended this stream: Sexual content. Not here.")
    assert (await sanctions.standing("alice")).bans == []
    (notice,) = await Notices(db, clock).page(alice)
    assert "Not here." in notice.body


async def test_a_viewers_line_ends_nobodys_stream(
    db: Database,
    clock: FakeClock,
    channel: Channel,
    chat: Chat,
    alice: User,
    bob: User,
    carol: User,
    actor: Actor,
    reports: Reports,
    cases: Cases,
    live: FakeLive,
    sanctions: Sanctions,
) -> None:
    await stream_of(db, alice, channel, clock)
    said = await chat.say(carol, channel, "bad", nonce="1")
    assert said.id is not None
    made = await reports.make(bob, "chat_line", said.id, "hate", "")
    with pytest.raises(Conflict):
        await cases.decide(actor, made.id, Decision("stream_ended"))
    assert live.stopped == []


async def test_two_reports_of_a_thing_are_decided_at_once(
    channel: Channel,
    bob: User,
    carol: User,
    actor: Actor,
    reports: Reports,
    cases: Cases,
    sanctions: Sanctions,
) -> None:
    made = [await reports.make(one, "channel", "alice-tv", "spam", "") for one in (bob, carol)]
    results = await asyncio.gather(
        *(cases.decide(actor, one.id, Decision("warned")) for one in made), return_exceptions=True
    )
    assert sum(isinstance(one, Conflict) for one in results) == 1
    assert (await sanctions.standing("alice")).strikes == 1


async def test_an_admin_takes_a_report(
    users: Users, channel: Channel, bob: User, actor: Actor, reports: Reports, cases: Cases
) -> None:
    made = await reports.make(bob, "channel", "alice-tv", "spam", "")
    taken = await cases.take(actor, made.id)
    assert (taken.state, taken.assignee) == ("assigned", "root")
    other = await users.create("boss", "boss@example.org", "entirely secret", is_admin=True)
    boss = Actor(other.id, other.username)
    with pytest.raises(Conflict, match="root is on it"):
        await cases.take(boss, made.id)
    assert (await cases.put_back(boss, made.id)).state == "new"
    assert (await cases.take(boss, made.id)).assignee == "boss"


async def test_pages_of_the_queue(
    clock: FakeClock,
    channels: Channels,
    alice: User,
    channel: Channel,
    users: Users,
    reports: Reports,
    cases: Cases,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    people = [
        await users.create(f"user_{one}", f"u{one}@example.org", "correct horse", is_admin=False)
        for one in range(3)
    ]
    made = []
    for user in people:
        made.append((await reports.make(user, "channel", "alice-tv", "spam", "")).id)
        clock.advance(1)
    assert [one.id for one in await cases.page("new", None)] == made, "oldest first"
    assert [one.id for one in await cases.page("new", None, after=made[0])] == made[1:]
    assert [one.id for one in await cases.page(None, None)] == made[::-1]
    assert [one.id for one in await cases.page(None, None, after=made[1])] == made[:1]
    assert await cases.page("decided", None) == []
    assert await cases.page(None, None, after="' --") == []
    assert [one.id for one in await reports.mine(people[0])] == made[:1]


async def test_a_picture_left_by_a_crash_goes(
    tmp_path: Path,
    channel: Channel,
    bob: User,
    reports: Reports,
    cases: Cases,
    on_air: OnAir,
    folder: ImageFolder,
) -> None:
    on_air.statuses["alice-tv"], on_air.pictures["alice-tv"] = Status(), JPEG
    made = await reports.make(bob, "channel", "alice-tv", "spam", "")
    await folder.put("rpt_00000000000000000000", JPEG)
    await cases.remove_leftovers()
    assert evidence_files(tmp_path) == [f"{made.id}.picture"]

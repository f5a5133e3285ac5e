"""Reports: what can be reported, what is kept of it, what admins do with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mediaserver.accounts.profiles import Link, Profiles
from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User, Users
from mediaserver.channels import streams
from mediaserver.channels.channels import Channel, Channels
from mediaserver.channels.stream_keys import StreamKeys
from mediaserver.chat import actions
from mediaserver.chat.chat import Chat
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import ModerationConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Unauthorized,
)
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.images import ImageFolder
from mediaserver.kernel.mail import Letterhead
from mediaserver.notifications.notices import Notices
from mediaserver.trust import reports as reports_module
from mediaserver.trust.cases import Cases, Decision
from mediaserver.trust.evidence import LiveStatus
from mediaserver.trust.reports import Reports
from mediaserver.trust.sanctions import Sanctions
from tests.unit.trust.conftest import DAY_MS, FakeLive

JPEG = b"\xff\xd8 a picture"


@dataclass
class Status:
    started_at_ms: int = 1_000
    viewers: int = 12
    is_public: bool = True


@dataclass
class OnAir:
    """What is live, and its newest picture."""

    statuses: dict[str, Status] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)

    def status(self, channel: str) -> LiveStatus | None:
        return self.statuses.get(channel)


@pytest.fixture
def on_air() -> OnAir:
    return OnAir()


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    return ImageFolder(tmp_path / "evidence", reports_module.PREFIX, ".picture")


@pytest.fixture
def avatars(tmp_path: Path) -> ImageFolder:
    return ImageFolder(tmp_path / "avatars", "ava")


@pytest.fixture
def reports(
    db: Database,
    clock: FakeClock,
    throttles: Throttles,
    letterhead: Letterhead,
    on_air: OnAir,
    avatars: ImageFolder,
    folder: ImageFolder,
) -> Reports:
    picture = on_air.pictures.get
    return Reports(db, clock, throttles, letterhead, on_air, picture, avatars, folder)


@pytest.fixture
def cases(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    moderation: ModerationConfig,
    folder: ImageFolder,
) -> Cases:
    return Cases(db, clock, letterhead, moderation, folder)


@pytest.fixture
async def chat(db: Database, clock: FakeClock) -> AsyncIterator[Chat]:
    async with Chat(db, clock, batch_ms=0) as running:
        yield running


@pytest.fixture
async def carol(users: Users) -> User:
    return await users.create("carol", "carol@example.org", "carol's secret", is_admin=False)


async def stream_of(db: Database, alice: User, channel: Channel, clock: FakeClock) -> str:
    """The id of a stream that runs from now on, where everybody sees it."""
    broadcast_id = new_id("brc")
    key, _ = await StreamKeys(db, clock).create(alice, channel.slug, "OBS")
    await db.write(streams.begin, channel.id, broadcast_id, key.id, clock.wall_ms())
    await db.write(streams.set_live, broadcast_id, clock.wall_ms())
    return broadcast_id


def evidence_files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "evidence").glob("*"))


async def test_a_report_keeps_how_it_was(
    tmp_path: Path,
    db: Database,
    clock: FakeClock,
    channel: Channel,
    channels: Channels,
    chat: Chat,
    alice: User,
    bob: User,
    admin: User,
    reports: Reports,
    cases: Cases,
    on_air: OnAir,
) -> None:
    on_air.statuses["alice-tv"], on_air.pictures["alice-tv"] = Status(), JPEG
    await chat.say(alice, channel, "long ago", nonce="1")
    clock.advance(limits.EVIDENCE_CHAT_MS + 1)
    said = await chat.say(alice, channel, "something awful", nonce="2")
    assert said.id is not None
    await chat.act(alice, channel, actions.Remove(said.id))
    made = await reports.make(bob, "channel", "alice-tv", "hate", "Listen to it.")
    assert (made.state, made.reporter, made.owner) == ("new", "bob", "alice")
    await channels.update(alice, "alice-tv", title="Nothing to see")

    case = await cases.case(made.id)
    assert case.evidence is not None
    assert case.evidence.facts["Title"] == "Painting"
    assert case.evidence.facts["Viewers"] == 12
    lines = [(line["text"], line["is_removed"]) for line in case.evidence.chat]
    assert lines == [("something awful", True)], "removed lines are evidence too"
    assert await cases.picture(made.id) == JPEG
    assert evidence_files(tmp_path) == [f"{made.id}.picture"]
    (notice,) = await Notices(db, clock).page(admin)
    assert notice.path == f"/admin/reports/{made.id}"


async def test_a_held_stream_is_nobodys_business(
    tmp_path: Path, channel: Channel, bob: User, reports: Reports, cases: Cases, on_air: OnAir
) -> None:
    on_air.statuses["alice-tv"] = Status(is_public=False)
    on_air.pictures["alice-tv"] = JPEG
    made = await reports.make(bob, "channel", "alice-tv", "spam", "")
    case = await cases.case(made.id)
    assert case.evidence is not None
    assert not case.evidence.has_picture
    assert "Viewers" not in case.evidence.facts
    with pytest.raises(NotFound):
        await cases.picture(made.id)


async def test_a_line_of_the_chat(
    channel: Channel,
    chat: Chat,
    clock: FakeClock,
    alice: User,
    bob: User,
    reports: Reports,
    cases: Cases,
) -> None:
    await chat.say(alice, channel, "before", nonce="1")
    said = await chat.say(alice, channel, "bad", nonce="2")
    for number in range(limits.EVIDENCE_LINES_AFTER + 3):
        clock.advance(1_000)
        await chat.say(bob, channel, f"after {number}", nonce=f"after-{number}")
        clock.advance(60_000)
    assert said.id is not None
    made = await reports.make(bob, "chat_line", said.id, "harassment", "")
    assert made.target == "a message of alice in the chat of Alice"
    case = await cases.case(made.id)
    assert case.evidence is not None
    assert [line["text"] for line in case.evidence.chat][:3] == ["before", "bad", "after 0"]
    assert len(case.evidence.chat) == 2 + limits.EVIDENCE_LINES_AFTER
    assert [line["text"] for line in case.evidence.chat if line["is_it"]] == ["bad"]
    with pytest.raises(Conflict, match="your own"):
        await reports.make(alice, "chat_line", said.id, "spam", "")


async def test_somebodys_profile(
    db: Database,
    clock: FakeClock,
    alice: User,
    bob: User,
    reports: Reports,
    cases: Cases,
    avatars: ImageFolder,
) -> None:
    profiles = Profiles(db, clock)
    shown = new_id("ava")
    await avatars.put(shown, b"RIFF a picture")
    await profiles.set_avatar(alice, shown)
    await profiles.change(alice, about="I am Bob.", links=[Link("Mine", "https://bob.example.org")])
    made = await reports.make(bob, "user", "Alice", "impersonation", "")
    assert (made.target, made.owner) == ("alice", "alice")
    await profiles.set_avatar(alice, None)
    await avatars.remove(shown)
    assert await cases.picture(made.id) == b"RIFF a picture"
    kept = (await cases.case(made.id)).evidence
    assert kept is not None
    assert kept.facts["Says of themselves"] == "I am Bob."
    assert kept.facts["Links to"] == "https://bob.example.org"
    with pytest.raises(Conflict):
        await reports.make(bob, "user", "bob", "impersonation", "")


@pytest.mark.parametrize(
    ("kind", "target_id", "error"),
    [
        ("video", "vid_1", Invalid),
        ("", "", Invalid),
        ("channel", "nothing", NotFound),
        ("channel", "../../etc", NotFound),
        ("channel", "alice\0", NotFound),
        ("stream", "brc_none", NotFound),
        ("stream", "\0", NotFound),
        ("chat_line", "msg_00000000000000000000", NotFound),
        ("chat_line", "' OR 1=1", NotFound),
        ("user", "nobody", NotFound),
        ("user", "\0", NotFound),
    ],
)
async def test_what_is_not_there(
    channel: Channel, bob: User, reports: Reports, kind: str, target_id: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await reports.make(bob, kind, target_id, "spam", "")


@pytest.mark.parametrize(
    ("reason", "text", "field"),
    [
        ("", "", "reason"),
        ("because", "", "reason"),
        ("other", "", "text"),
        ("other", " \u202e ", "text"),
        ("spam", "x" * 1_001, "text"),
        ("spam", "a\0b", "text"),
        ("spam", "a\x1b[2Jb", "text"),
        ("spam", "b" + "\u0301" * 9, "text"),
    ],
)
async def test_wrong_words(
    channel: Channel, bob: User, reports: Reports, reason: str, text: str, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await reports.make(bob, "channel", "alice-tv", reason, text)
    assert caught.value.field == field


async def test_the_same_again_within_a_day(
    tmp_path: Path,
    clock: FakeClock,
    channel: Channel,
    bob: User,
    carol: User,
    reports: Reports,
    cases: Cases,
    on_air: OnAir,
) -> None:
    on_air.statuses["alice-tv"], on_air.pictures["alice-tv"] = Status(), JPEG
    made = await asyncio.gather(
        *(reports.make(bob, "channel", "alice-tv", "spam", text) for text in ("a", "b", "c"))
    )
    assert len({one.id for one in made}) == 1
    assert evidence_files(tmp_path) == [f"{made[0].id}.picture"], "no picture without a report"
    assert (await reports.make(carol, "channel", "alice-tv", "spam", "")).id != made[0].id
    assert (await reports.make(bob, "channel", "alice-tv", "minors", "")).id != made[0].id
    clock.advance(DAY_MS)
    assert (await reports.make(bob, "channel", "alice-tv", "spam", "")).id != made[0].id
    assert (await cases.counts()) == {"new": 4}


async def test_the_same_again_after_a_decision(
    channel: Channel, bob: User, actor: Actor, reports: Reports, cases: Cases
) -> None:
    """What was looked at may have changed since."""
    made = await reports.make(bob, "channel", "alice-tv", "spam", "")
    await cases.decide(actor, made.id, Decision("dismissed"))
    assert (await reports.make(bob, "channel", "alice-tv", "spam", "")).id != made.id


async def test_admins_are_told_of_the_first_that_waits_and_of_danger(
    db: Database, clock: FakeClock, channel: Channel, bob: User, admin: User, reports: Reports
) -> None:
    for reason in ("spam", "copyright", "minors"):
        await reports.make(bob, "channel", "alice-tv", reason, "")
        clock.advance(1)
    told = [notice.body for notice in await Notices(db, clock).page(admin)]
    assert told == ["bob says: A child in danger.", "bob says: Spam or fraud."]


async def test_a_stream_that_is_over(
    db: Database,
    clock: FakeClock,
    channel: Channel,
    chat: Chat,
    alice: User,
    bob: User,
    actor: Actor,
    reports: Reports,
    cases: Cases,
    on_air: OnAir,
    live: FakeLive,
    sanctions: Sanctions,
) -> None:
    """Its evidence is its own, not that of the stream that runs now, which goes on."""
    yesterday = await stream_of(db, alice, channel, clock)
    await chat.say(alice, channel, "said yesterday", nonce="1")
    clock.advance(1_000)
    await db.write(streams.set_ended, yesterday, clock.wall_ms(), "Over.")
    clock.advance(1_000)
    await stream_of(db, alice, channel, clock)
    await chat.say(alice, channel, "said today", nonce="2")
    on_air.statuses["alice-tv"], on_air.pictures["alice-tv"] = Status(), JPEG

    made = await reports.make(bob, "stream", yesterday, "hate", "")
    case = await cases.case(made.id)
    assert case.evidence is not None
    assert not case.evidence.has_picture
    assert "Viewers" not in case.evidence.facts
    assert [line["text"] for line in case.evidence.chat] == ["said yesterday"]
    assert not case.is_on_air
    with pytest.raises(Conflict, match="over already"):
        await cases.decide(actor, made.id, Decision("stream_ended"))
    assert live.stopped == []


async def test_a_flood(
    channel: Channel,
    channels: Channels,
    users: Users,
    clock: FakeClock,
    bob: User,
    reports: Reports,
) -> None:
    for _ in range(limits.REPORTS_BURST):
        await reports.make(bob, "channel", "alice-tv", "spam", "")
    with pytest.raises(RateLimited):
        await reports.make(bob, "channel", "alice-tv", "spam", "")
    clock.advance(limits.REPORTS_INTERVAL_MS)
    await reports.make(bob, "channel", "alice-tv", "spam", "")


async def test_somebody_banned_reports_nothing(
    channel: Channel, users: Users, bob: User, actor: Actor, reports: Reports, sanctions: Sanctions
) -> None:
    await sanctions.ban(actor, "bob", "spam", "", 1)
    banned = await users.by_id(bob.id)
    assert banned is not None
    with pytest.raises(Forbidden):
        await reports.make(banned, "channel", "alice-tv", "spam", "")
    with pytest.raises(Unauthorized):
        await reports.make(None, "channel", "alice-tv", "spam", "")  # type: ignore[arg-type]


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


async def test_an_account_that_goes_takes_its_name_out(
    tmp_path: Path,
    db: Database,
    clock: FakeClock,
    channel: Channel,
    alice: User,
    bob: User,
    carol: User,
    actor: Actor,
    reports: Reports,
    cases: Cases,
    on_air: OnAir,
) -> None:
    on_air.statuses["alice-tv"], on_air.pictures["alice-tv"] = Status(), JPEG
    made = await reports.make(bob, "channel", "alice-tv", "spam", "")
    await cases.decide(actor, made.id, Decision("dismissed"))
    waiting = await reports.make(carol, "channel", "alice-tv", "minors", "")
    await db.write(reports_module.erase, alice.id, clock.wall_ms())
    await cases.delete_old_evidence()
    assert "Alice" not in (await cases.case(made.id)).report.target
    assert evidence_files(tmp_path) == [f"{waiting.id}.picture"], "an admin has yet to look at it"
    exported = await db.read(reports_module.export, bob.id)
    assert [one["reason"] for one in exported] == ["spam"]

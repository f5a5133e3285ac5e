"""Reports: what can be reported, and what is kept of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mediaserver.accounts.profiles import Link, Profiles
from mediaserver.accounts.users import User, Users
from mediaserver.channels import streams
from mediaserver.channels.channels import Channel, Channels
from mediaserver.chat import actions
from mediaserver.chat.chat import Chat
from mediaserver.kernel import limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
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
from mediaserver.notifications.notices import Notices
from mediaserver.trust import reports as reports_module
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

"""Notices: who is told what, what is mailed besides, and links that stop such mails."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mediaserver.accounts.users import User
from mediaserver.kernel import jobs, limits, mail
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.events import Events
from mediaserver.kernel.mail import Letterhead
from mediaserver.notifications import notices as rows
from mediaserver.notifications.notices import (
    TOPICS,
    NoticeMade,
    Notices,
    Topic,
    tell_admins,
    topics_for,
)


@pytest.fixture
def notices(db: Database, clock: FakeClock) -> Notices:
    return Notices(db, clock)


async def _tell(
    db: Database, letterhead: Letterhead, user: User, topic: Topic, now_ms: int, **more: Any
) -> None:
    await db.write(
        rows.tell, letterhead, user.id, topic, "A title", "Some words.", "/studio", now_ms, **more
    )


async def _mails(db: Database) -> list[dict[str, Any]]:
    """What is to be sent, oldest first."""
    return [one.payload for one in reversed(await db.read(jobs.page, mail.JOB))]


async def test_told_read_and_forgotten(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    notices: Notices,
    events: Events,
    alice: User,
    bob: User,
) -> None:
    heard: list[NoticeMade] = []
    events.subscribe(NoticeMade, heard.append)
    for _ in range(3):
        await _tell(db, letterhead, alice, Topic.TEAMS, clock.wall_ms())
        clock.advance(1)
    page = await notices.page(alice)
    assert [event.notice for event in reversed(heard)] == page
    assert (page[0].title, page[0].path, page[0].is_read) == ("A title", "/studio", False)
    assert await notices.page(alice, after=page[1].id) == [page[2]]
    assert await notices.page(bob, after=page[1].id) == []
    assert (await notices.count_unread(alice), await notices.count_unread(bob)) == (3, 0)

    await notices.read_some(bob, [page[0].id])
    assert await notices.count_unread(alice) == 3, "nobody else marks them"
    await notices.read_some(alice, [page[0].id, "ntc_unknown"])
    assert [one.is_read for one in await notices.page(alice)] == [True, False, False]
    await notices.read_all(alice)
    assert await notices.count_unread(alice) == 0

    clock.advance(limits.NOTICE_KEEP_MS)
    await notices.delete_old()
    assert await notices.page(alice) == []


async def test_the_bell_counts_no_further_than_it_shows(
    db: Database,
    letterhead: Letterhead,
    notices: Notices,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "NOTICES_COUNTED_MAX", 2)
    for _ in range(4):
        await _tell(db, letterhead, alice, Topic.TEAMS, 1, mails=False)
    assert await notices.count_unread(alice) == 2


async def test_what_is_mailed_is_a_choice(
    db: Database, letterhead: Letterhead, notices: Notices, alice: User
) -> None:
    assert all((await notices.mailed(alice)).values())
    await notices.choose(alice, {Topic.TEAMS: False, Topic.ACCOUNT: False})
    mailed = await notices.mailed(alice)
    assert (mailed[Topic.TEAMS], mailed[Topic.REPORTS], mailed[Topic.ACCOUNT]) == (
        False,
        True,
        True,
    )
    await _tell(db, letterhead, alice, Topic.TEAMS, 1)
    await _tell(db, letterhead, alice, Topic.REPORTS, 2, mails=False)
    assert await _mails(db) == []
    await _tell(db, letterhead, alice, Topic.ACCOUNT, 3)
    (sent,) = await _mails(db)
    assert sent["to"] == alice.email
    assert sent["unsubscribe_url"] == ""
    assert "https://site.example/studio" in sent["body"]
    assert len(await notices.page(alice)) == 3, "all of them stand under the bell"
    await notices.choose(alice, {Topic.TEAMS: True})
    assert (await notices.mailed(alice))[Topic.TEAMS]


async def test_a_link_in_the_mail_stops_it(
    db: Database, letterhead: Letterhead, notices: Notices, alice: User, bob: User
) -> None:
    await _tell(db, letterhead, alice, Topic.TEAMS, 1)
    (sent,) = await _mails(db)
    url = sent["unsubscribe_url"]
    assert url in sent["body"]
    assert url.startswith("https://site.example/unsubscribe?")
    link = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    for wrong in (
        {"who": bob.id},
        {"topic": "reports"},
        {"topic": "account"},
        {"signature": "0" * 64},
        {"signature": ""},
        {"signature": "é"},
        {"topic": "nonsense"},
    ):
        forged = link | wrong
        with pytest.raises(NotFound):
            await notices.unsubscribe(
                letterhead, forged["who"], forged["topic"], forged["signature"]
            )
    assert (await notices.mailed(alice))[Topic.TEAMS]
    for _ in range(2):
        done = await notices.unsubscribe(letterhead, link["who"], link["topic"], link["signature"])
        assert done is Topic.TEAMS
    assert not (await notices.mailed(alice))[Topic.TEAMS]
    assert (await notices.mailed(bob))[Topic.TEAMS]


async def test_a_link_outlives_its_account(
    db: Database, letterhead: Letterhead, notices: Notices
) -> None:
    signature = letterhead.signature("usr_gone/teams", "unsubscribe")
    assert signature is not None
    assert await notices.unsubscribe(letterhead, "usr_gone", "teams", signature) is Topic.TEAMS


async def test_admins_are_told_together_and_nobody_for_nobody(
    db: Database, letterhead: Letterhead, notices: Notices, alice: User, admin: User
) -> None:
    await db.write(tell_admins, letterhead, "A report", "It waits.", "/admin/reports", 1)
    assert len(await notices.page(admin)) == 1
    assert await notices.page(alice) == []
    await db.write(rows.tell, letterhead, "usr_gone", Topic.TEAMS, "x", "y", "/", 1)
    assert await db.read(rows.export, admin.id) == [
        {"title": "A report", "body": "It waits.", "created_at_ms": 1}
    ]


def test_every_topic_is_explained(alice: User, admin: User) -> None:
    assert set(TOPICS) == set(Topic)
    assert Topic.ADMIN in topics_for(admin)
    assert Topic.ADMIN not in topics_for(alice)

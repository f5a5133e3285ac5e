"""What admins do with accounts: two at once, the last one, and what is written down."""

from __future__ import annotations

import asyncio

import pytest

from mediaserver.accounts.administration import Administration
from mediaserver.accounts.user_list import Show
from mediaserver.accounts.users import User, Users, set_member
from mediaserver.kernel import audit, jobs, mail
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault


@pytest.fixture
def desk(db: Database, clock: FakeClock) -> Administration:
    letterhead = Letterhead(lambda: "Lantern", lambda: "https://live.example.org")
    return Administration(db, clock, Vault(bytes(32)), letterhead)


def _actor(user: User) -> Actor:
    return Actor(user.id, user.username, "192.0.2.1")


async def test_two_admins_who_demote_each_other_leave_one(
    desk: Administration, users: Users, admin: User
) -> None:
    other = await users.create("second", "second@example.org", "entirely secret", is_admin=True)
    results = await asyncio.gather(
        desk.set_role(_actor(admin), "second", "normal"),
        desk.set_role(_actor(other), "root", "normal"),
        return_exceptions=True,
    )
    assert [type(one) for one in results if isinstance(one, Exception)] == [Conflict]
    assert len(await desk.page(show=Show.ADMIN)) == 1


async def test_each_change_is_written_down_and_told(
    desk: Administration, db: Database, admin: User, alice: User
) -> None:
    await desk.set_role(_actor(admin), "Alice", "premium")
    await desk.set_role(_actor(admin), "alice", "premium")  # nothing changes
    await desk.end_sessions(_actor(admin), "@alice")
    await desk.send_password_code(_actor(admin), "alice")
    entries = await db.read(audit.page)
    assert [entry.action for entry in entries] == [
        "user.password_code",
        "user.log_out",
        "user.role",
    ]
    assert {entry.target for entry in entries} == {"alice"}
    assert {entry.address for entry in entries} == {"192.0.2.1"}
    mails = await db.read(jobs.page, mail.JOB)
    assert [job.payload["to"] for job in mails] == ["alice@example.org"] * 3
    assert await db.read(audit.verify) is None


async def test_what_is_refused(desk: Administration, admin: User, alice: User) -> None:
    with pytest.raises(NotFound):
        await desk.end_sessions(_actor(admin), "nobody")
    with pytest.raises(NotFound):
        await desk.dossier("a\0b")
    with pytest.raises(Invalid):
        await desk.set_role(_actor(admin), "alice", "visitor")
    with pytest.raises(Conflict):
        await desk.set_role(_actor(admin), "root", "premium")
    with pytest.raises(Conflict):
        await desk.reset_second_factor(_actor(admin), "alice")


async def test_premium_by_hand_is_taken_from_a_member_who_stays_premium(
    desk: Administration, db: Database, admin: User, alice: User
) -> None:
    await desk.set_role(_actor(admin), "alice", "premium")
    await db.write(set_member, alice.id, is_member=True)
    assert (await desk.set_role(_actor(admin), "alice", "normal")).is_premium
    with pytest.raises(Conflict, match="by a membership"):
        await desk.set_role(_actor(admin), "alice", "normal")
    await db.write(set_member, alice.id, is_member=False)
    assert not (await desk.dossier("alice")).user.is_premium

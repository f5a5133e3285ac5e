"""Appeals: once for each ban, against one's own, decided once."""

from __future__ import annotations

import asyncio

import pytest

from mediaserver.accounts.users import User, Users
from mediaserver.kernel import audit
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.mail import Letterhead
from mediaserver.notifications.notices import Notices
from mediaserver.trust import appeals as appeals_module
from mediaserver.trust.appeals import Appeals
from mediaserver.trust.bans import Ban
from mediaserver.trust.sanctions import Sanctions


@pytest.fixture
def appeals(db: Database, clock: FakeClock, letterhead: Letterhead) -> Appeals:
    return Appeals(db, clock, letterhead)


@pytest.fixture
async def ban(alice: User, actor: Actor, sanctions: Sanctions) -> Ban:
    return await sanctions.ban(actor, "alice", "copyright", "", 30)


async def test_an_appeal_that_is_accepted(
    db: Database,
    clock: FakeClock,
    users: Users,
    alice: User,
    admin: User,
    actor: Actor,
    appeals: Appeals,
    ban: Ban,
) -> None:
    made = await appeals.make(alice, ban.id, "The music\r\nwas my own.")
    assert (made.state, made.text, made.ban.id) == ("open", "The music\nwas my own.", ban.id)
    assert await appeals.count_open() == 1
    told = await Notices(db, clock).page(admin)
    assert told[0].path == f"/admin/reports/appeals/{made.id}"
    decided = await appeals.decide(actor, made.id, is_accepted=True, answer="You are right.")
    assert (decided.state, decided.ban.stands) == ("accepted", False)
    found = await users.by_id(alice.id)
    assert found is not None
    assert not found.is_banned
    titles = [notice.title for notice in await Notices(db, clock).page(alice)]
    assert "Your appeal was accepted" in titles
    assert len(titles) == 2, "the ban, and one answer"
    done = [entry.action for entry in await db.read(audit.page)]
    assert done[:2] == ["appeal.accepted", "user.unban"]


async def test_an_appeal_that_is_refused(
    db: Database, clock: FakeClock, alice: User, actor: Actor, appeals: Appeals, ban: Ban
) -> None:
    made = await appeals.make(alice, ban.id, "Please.")
    decided = await appeals.decide(actor, made.id, is_accepted=False, answer="It was not.")
    assert (decided.state, decided.ban.stands, decided.answer) == ("refused", True, "It was not.")
    titles = {notice.title for notice in await Notices(db, clock).page(alice)}
    assert "Your appeal was refused" in titles
    with pytest.raises(Conflict):
        await appeals.make(alice, ban.id, "Once more.")
    exported = await db.read(appeals_module.export, alice.id)
    assert exported[0]["text"] == "Please."


async def test_once_and_for_oneself(
    alice: User, bob: User, actor: Actor, appeals: Appeals, sanctions: Sanctions, ban: Ban
) -> None:
    with pytest.raises(NotFound):
        await appeals.make(bob, ban.id, "Let her go.")
    for wrong in ("", "ban_00000000000000000000", "\0", "x" * 1_000):
        with pytest.raises(NotFound):
            await appeals.make(alice, wrong, "Please.")
    for text in ("", "   ", "x" * 2_001, "a\0b"):
        with pytest.raises(Invalid):
            await appeals.make(alice, ban.id, text)
    results = await asyncio.gather(
        *(appeals.make(alice, ban.id, text) for text in ("a", "b")), return_exceptions=True
    )
    assert sum(isinstance(one, Conflict) for one in results) == 1
    await sanctions.lift(actor, ban.id)
    with pytest.raises(Conflict):
        await appeals.make(alice, ban.id, "Late.")


async def test_two_admins_decide_at_once(
    alice: User, actor: Actor, appeals: Appeals, ban: Ban
) -> None:
    made = await appeals.make(alice, ban.id, "Please.")
    results = await asyncio.gather(
        *(
            appeals.decide(actor, made.id, is_accepted=accepted, answer="")
            for accepted in (True, False)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Conflict) for one in results) == 1
    with pytest.raises(NotFound):
        await appeals.decide(actor, "apl_x", is_accepted=True, answer="")


async def test_accepted_after_the_ban_was_over(
    alice: User, actor: Actor, appeals: Appeals, sanctions: Sanctions, ban: Ban
) -> None:
    made = await appeals.make(alice, ban.id, "Please.")
    await sanctions.lift(actor, ban.id)
    decided = await appeals.decide(actor, made.id, is_accepted=True, answer="")
    assert decided.state == "accepted"


async def test_pages(
    clock: FakeClock,
    alice: User,
    bob: User,
    actor: Actor,
    appeals: Appeals,
    sanctions: Sanctions,
    ban: Ban,
) -> None:
    first = await appeals.make(alice, ban.id, "a")
    clock.advance(1)
    other = await sanctions.ban(actor, "bob", "spam", "", 1)
    second = await appeals.make(bob, other.id, "b")
    assert [one.id for one in await appeals.page("open")] == [first.id, second.id]
    assert [one.id for one in await appeals.page("open", after=first.id)] == [second.id]
    assert [one.id for one in await appeals.page(None)] == [second.id, first.id]
    assert [one.id for one in await appeals.page(None, after=second.id)] == [first.id]
    assert await appeals.page("refused") == []
    assert await appeals.page(None, after="x") == []

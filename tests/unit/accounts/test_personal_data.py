"""What the site knows about somebody: taken along, or deleted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mediaserver.accounts.personal_data import AccountDeleted, PersonalData, Source
from mediaserver.accounts.retired_names import Kind, is_retired
from mediaserver.accounts.sessions import Sessions
from mediaserver.accounts.users import User, Users
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict, NotFound
from mediaserver.kernel.events import Events
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault
from tests.unit.outbox import Outbox


class Feature:
    """Something that knows about people, and notes when it must forget them."""

    def __init__(self) -> None:
        self.erased: list[str] = []

    def export(self, tx: Transaction, user_id: str) -> Any:
        return {"of": user_id}

    def erase(self, tx: Transaction, user_id: str, now_ms: int) -> None:
        self.erased.append(user_id)


@pytest.fixture
def feature() -> Feature:
    return Feature()


@pytest.fixture
def data(
    db: Database, clock: FakeClock, vault: Vault, letterhead: Letterhead, feature: Feature
) -> PersonalData:
    sources = [Source("feature", feature.export, feature.erase)]
    return PersonalData(db, clock, vault, letterhead, sources)


async def test_the_copy(data: PersonalData, db: Database, clock: FakeClock, alice: User) -> None:
    await Sessions(db, clock).start(alice, address="1.1.1.1", user_agent="Firefox", replaces=None)
    copy = await data.export(alice)
    assert copy["account"]["username"] == "alice"
    assert copy["feature"] == {"of": alice.id}
    assert copy["sessions"][0]["user_agent"] == "Firefox"
    assert "hash" not in repr(copy)
    assert "digest" not in repr(copy)


async def test_deletion(
    data: PersonalData,
    users: Users,
    alice: User,
    feature: Feature,
    events: Events,
    outbox: Outbox,
    db: Database,
    clock: FakeClock,
) -> None:
    deleted: list[AccountDeleted] = []
    events.subscribe(AccountDeleted, deleted.append)
    await data.delete(alice)
    assert feature.erased == [alice.id]
    assert await users.by_username("alice") is None
    assert deleted == [AccountDeleted(alice.id, "alice")]
    assert "deleted" in (await outbox.newest(alice.email)).subject
    with pytest.raises(NotFound):
        await data.export(alice)
    await data.delete(alice)
    assert len(deleted) == 1, "there is nothing more to delete"
    with pytest.raises(Conflict):
        await users.create("alice", "other@example.org", "correct horse", is_admin=False)
    clock.advance(limits.RETIRED_NAME_KEEP_MS)
    assert not await db.read(is_retired, Kind.USER, "alice", clock.wall_ms())
    await users.delete_retired_names()
    await users.create("alice", "other@example.org", "correct horse", is_admin=False)


async def test_the_last_admin_stays(data: PersonalData, users: Users, admin: User) -> None:
    with pytest.raises(Conflict):
        await data.delete(admin)
    other = await users.create("other", "other@example.org", "correct horse", is_admin=True)
    results = await asyncio.gather(data.delete(admin), data.delete(other), return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in results) == 1


async def test_what_fails_deletes_nothing(
    db: Database,
    clock: FakeClock,
    vault: Vault,
    letterhead: Letterhead,
    users: Users,
    alice: User,
) -> None:
    def fails(tx: Transaction, user_id: str, now_ms: int) -> None:
        raise Conflict("not now")

    data = PersonalData(db, clock, vault, letterhead, [Source("x", Feature().export, fails)])
    with pytest.raises(Conflict):
        await data.delete(alice)
    assert await users.by_username("alice") == alice

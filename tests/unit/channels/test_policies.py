"""Policies: versions, what somebody has accepted of them, and what waits for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mediaserver.accounts.users import User
from mediaserver.channels import policies as policies_module
from mediaserver.channels.channels import Channels
from mediaserver.channels.policies import Kind, Policies
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, MediaserverError


@pytest.fixture
async def policies(db: Database, clock: FakeClock) -> Policies:
    made = Policies(db, clock)
    await made.begin()
    return made


async def _ids(policies: Policies) -> list[str]:
    return [one.id for one in await policies.current()]


async def test_a_fresh_site_has_some_and_keeps_its_own(policies: Policies, admin: User) -> None:
    first = await policies.current()
    assert [(one.kind, one.version, one.author_id) for one in first] == [
        ("streamers", 1, None),
        ("content", 1, None),
    ]
    actor = Actor(admin.id, admin.username)
    await policies.publish(actor, Kind.CONTENT, "House rules", "Be kind.")
    await policies.begin()
    assert [(one.title, one.version) for one in await policies.current()] == [
        ("Rules for streamers", 1),
        ("House rules", 2),
    ]
    assert [one.version for one in await policies.versions(Kind.CONTENT)] == [2, 1]
    assert (await policies.versions(Kind.CONTENT))[1] == first[1], "what was accepted stays"


async def test_accepting(policies: Policies, alice: User, bob: User, clock: FakeClock) -> None:
    ids = await _ids(policies)
    await policies.accept(alice, ids[:1], "192.0.2.1")
    at_ms = clock.wall_ms()
    clock.advance(60)
    await policies.accept(alice, [ids[0], ids[0], ids[1]], "192.0.2.2")
    assert [one.accepted_at_ms for one in await policies.standing(alice)] == [
        at_ms,
        clock.wall_ms(),
    ]
    assert [one.accepted_at_ms for one in await policies.standing(bob)] == [None, None]


async def test_what_is_not_in_force_is_not_accepted(
    policies: Policies, alice: User, admin: User
) -> None:
    old = await _ids(policies)
    await policies.publish(Actor(admin.id, "root"), Kind.STREAMERS, "Rules", "New ones.")
    for wrong in (old, ["pol_nobody"], [""], ["' OR 1=1"]):
        with pytest.raises(Invalid) as caught:
            await policies.accept(alice, wrong, "")
        assert caught.value.field == "accepted"
    assert all(one.accepted_at_ms is None for one in await policies.standing(alice))


async def test_no_channel_without_accepting_the_current_ones(
    policies: Policies, channels: Channels, alice: User, admin: User
) -> None:
    with pytest.raises(Forbidden) as caught:
        await channels.open(alice, "one", "One")
    assert caught.value.code == "policies_not_accepted"
    ids = await _ids(policies)
    with pytest.raises(Forbidden, match="Content policy"):
        await channels.open(alice, "one", "One", accepting=ids[:1])
    await channels.open(alice, "one", "One", accepting=ids, address="192.0.2.1")
    await channels.open(alice, "two", "Two")
    await policies.publish(Actor(admin.id, "root"), Kind.CONTENT, "Content", "Changed.")
    with pytest.raises(Forbidden):
        await channels.open(alice, "three", "Three")
    await channels.open(admin, "of-an-admin", "Admin")
    await channels.create(alice, "by-the-operator", "CLI")


async def test_a_channel_that_fails_accepts_nothing(
    policies: Policies, channels: Channels, alice: User
) -> None:
    with pytest.raises(Invalid):
        await channels.open(alice, "a b", "x", accepting=await _ids(policies))
    assert all(one.accepted_at_ms is None for one in await policies.standing(alice))


async def test_publishing_is_in_the_audit_log(
    policies: Policies, admin: User, db: Database
) -> None:
    made = await policies.publish(Actor(admin.id, "root", "::1"), Kind.CONTENT, "Content", "Short.")
    (entry,) = await db.read(audit.page)
    assert (entry.actor, entry.action, entry.target_id) == ("root", "policy.publish", made.id)
    assert entry.details == {"version": 2}


@pytest.mark.parametrize(
    ("title", "body", "error"),
    [
        ("", "Text", Invalid),
        ("Title", " \n ", Invalid),
        ("x" * (limits.POLICY_TITLE_CHARS_MAX + 1), "Text", Invalid),
        ("Title", "x" * (limits.POLICY_BODY_CHARS_MAX + 1), Invalid),
        ("two\nlines", "Text", Invalid),
        ("Title", "a bell \x07", Invalid),
        ("Content policy", policies_module.default_policies.CONTENT, Conflict),
    ],
)
async def test_what_is_not_published(
    policies: Policies, admin: User, title: str, body: str, error: type[MediaserverError]
) -> None:
    with pytest.raises(error):
        await policies.publish(Actor(admin.id, "root"), Kind.CONTENT, title, body)
    assert [one.version for one in await policies.current()] == [1, 1]


async def test_two_admins_publish_at_once(policies: Policies, admin: User) -> None:
    done = await asyncio.gather(
        *(
            policies.publish(Actor(admin.id, "root"), Kind.CONTENT, f"Number {n}", "Text")
            for n in range(4)
        ),
        return_exceptions=True,
    )
    assert all(isinstance(one, policies_module.Policy | Conflict) for one in done)
    versions = [one.version for one in await policies.versions(Kind.CONTENT)]
    assert versions == sorted(set(versions), reverse=True)


async def test_export(policies: Policies, alice: User, db: Database, clock: FakeClock) -> None:
    await policies.accept(alice, await _ids(policies), "192.0.2.1")
    exported: list[dict[str, Any]] = await db.read(policies_module.export, alice.id)
    assert [(one["kind"], one["version"], one["address"]) for one in exported] == [
        ("content", 1, "192.0.2.1"),
        ("streamers", 1, "192.0.2.1"),
    ]
    assert exported[0]["accepted_at_ms"] == clock.wall_ms()

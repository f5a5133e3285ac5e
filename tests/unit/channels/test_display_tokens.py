from __future__ import annotations

import pytest

from mediaserver.accounts.credentials import LOGGED_OUT, end_all
from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channels
from mediaserver.channels.display_tokens import DisplayTokenRevoked, DisplayTokens
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound, Unauthorized
from mediaserver.kernel.events import Events
from mediaserver.kernel.worker import Worker


@pytest.fixture
async def tokens(db: Database, clock: FakeClock, alice: User) -> DisplayTokens:
    await Channels(db, clock, AccountsConfig()).create(alice, "alice", "Alice")
    return DisplayTokens(db, clock)


async def test_an_overlay_has_one_readable_secret(
    tokens: DisplayTokens, alice: User, events: Events
) -> None:
    revoked: list[DisplayTokenRevoked] = []
    events.subscribe(DisplayTokenRevoked, revoked.append)
    first = await tokens.overlay(alice, "alice")
    assert await tokens.overlay(alice, "alice") == first
    opened = await tokens.open("overlay", first)
    assert (opened.channel.slug, opened.user) == ("alice", None)
    second = await tokens.regenerate_overlay(alice, "alice")
    assert [one.token_id for one in revoked] == [opened.token_id]
    with pytest.raises(Unauthorized):
        await tokens.open("overlay", first)
    assert (await tokens.open("overlay", second)).channel.slug == "alice"
    await tokens.revoke_overlay(alice, "alice")
    with pytest.raises(Unauthorized):
        await tokens.open("overlay", second)
    assert await tokens.overlay(alice, "alice") not in (first, second)


async def test_a_dock_acts_as_its_maker(
    tokens: DisplayTokens, alice: User, clock: FakeClock
) -> None:
    made, secret = await tokens.create_dock(alice, "alice", " OBS ")
    opened = await tokens.open("dock", secret)
    assert (opened.user, opened.channel.slug) == (alice, "alice")
    (listed,) = await tokens.list_docks(alice, "alice")
    assert (listed.name, listed.made_by) == ("OBS", "alice")
    assert listed.last_used_at_ms == clock.wall_ms()
    await tokens.revoke_dock(alice, "alice", made.id)
    with pytest.raises(Unauthorized):
        await tokens.open("dock", secret)
    assert await tokens.list_docks(alice, "alice") == []
    with pytest.raises(NotFound):
        await tokens.revoke_dock(alice, "alice", made.id)


async def test_a_dock_is_nobodys_admin(tokens: DisplayTokens, admin: User) -> None:
    _, secret = await tokens.create_dock(admin, "alice", "")
    maker = (await tokens.open("dock", secret)).user
    assert maker is not None
    assert (maker.id, maker.is_off_duty) == (admin.id, True)


async def test_docks_end_with_the_log_ins_of_their_maker(
    tokens: DisplayTokens, alice: User, admin: User, db: Database, clock: FakeClock, events: Events
) -> None:
    worker = Worker(db, clock, events)
    worker.register(LOGGED_OUT, tokens.revoke_made)
    overlay = await tokens.overlay(alice, "alice")
    _, mine = await tokens.create_dock(alice, "alice", "")
    _, other = await tokens.create_dock(admin, "alice", "")
    told: list[DisplayTokenRevoked] = []
    events.subscribe(DisplayTokenRevoked, told.append)
    await db.write(end_all, alice.id, clock.wall_ms())
    clock.advance(1)
    _, later = await tokens.create_dock(alice, "alice", "")
    assert await worker.run_due() == 1
    with pytest.raises(Unauthorized):
        await tokens.open("dock", mine)
    assert len(told) == 1, "its connections end"
    for dock in (other, later):
        await tokens.open("dock", dock)
    await tokens.open("overlay", overlay)


async def test_each_kind_opens_its_own_door(tokens: DisplayTokens, alice: User) -> None:
    overlay = await tokens.overlay(alice, "alice")
    _, dock = await tokens.create_dock(alice, "alice", "")
    for kind, token in (
        ("dock", overlay),
        ("overlay", dock),
        ("overlay", ""),
        ("overlay", "ovl_" + "x" * 27),
        ("dock", "dock_' OR 1=1"),
    ):
        with pytest.raises(Unauthorized):
            await tokens.open(kind, token)  # type: ignore[arg-type]


async def test_others_have_no_say(tokens: DisplayTokens, alice: User, bob: User) -> None:
    made, _ = await tokens.create_dock(alice, "alice", "")
    for attempt in (
        tokens.overlay(bob, "alice"),
        tokens.regenerate_overlay(bob, "alice"),
        tokens.revoke_overlay(bob, "alice"),
        tokens.create_dock(bob, "alice", ""),
        tokens.list_docks(bob, "alice"),
        tokens.revoke_dock(bob, "alice", made.id),
    ):
        with pytest.raises(Forbidden):
            await attempt
    with pytest.raises(NotFound):
        await tokens.overlay(bob, "nobody")


async def test_docks_are_bounded(tokens: DisplayTokens, alice: User) -> None:
    for _ in range(limits.DOCK_TOKENS_PER_CHANNEL_MAX):
        made, _ = await tokens.create_dock(alice, "alice", "")
    with pytest.raises(Conflict):
        await tokens.create_dock(alice, "alice", "")
    await tokens.revoke_dock(alice, "alice", made.id)
    await tokens.create_dock(alice, "alice", "")

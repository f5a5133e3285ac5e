"""Where somebody is logged in: browsers and programs in one list."""

from __future__ import annotations

import pytest

from mediaserver.accounts.devices import Devices, is_new
from mediaserver.accounts.personal_data import PersonalData
from mediaserver.accounts.sessions import LoggedIn, SessionEnded, Sessions
from mediaserver.accounts.tokens import TokenPair, Tokens
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import NotFound, Unauthorized
from mediaserver.kernel.events import Events
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault


@pytest.fixture
def devices(db: Database, clock: FakeClock) -> Devices:
    return Devices(db, clock)


@pytest.fixture
def sessions(db: Database, clock: FakeClock) -> Sessions:
    return Sessions(db, clock)


@pytest.fixture
async def tokens(db: Database, clock: FakeClock, vault: Vault) -> Tokens:
    return await Tokens.open(db, clock, vault)


async def _browser(sessions: Sessions, user: User) -> str:
    started = await sessions.start(user, address="1.1.1.1", user_agent="Firefox", replaces=None)
    return started.token


async def _program(tokens: Tokens, user: User, address: str = "2.2.2.2") -> TokenPair:
    return await tokens.issue(user, address=address, user_agent="curl/8")


async def test_programs_are_listed_and_end_one_by_one(
    devices: Devices,
    sessions: Sessions,
    tokens: Tokens,
    alice: User,
    bob: User,
    clock: FakeClock,
    events: Events,
) -> None:
    await _browser(sessions, alice)
    clock.advance(1)
    pair = await _program(tokens, alice)
    found = await devices.list(alice)
    assert [(one.kind, one.address, one.user_agent) for one in found] == [
        ("program", "2.2.2.2", "curl/8"),
        ("browser", "1.1.1.1", "Firefox"),
    ]
    with pytest.raises(NotFound):
        await devices.revoke(bob, found[0].id)
    ended: list[SessionEnded] = []
    events.subscribe(SessionEnded, ended.append)
    await devices.revoke(alice, found[0].id)
    assert ended == [SessionEnded(alice.id)]
    with pytest.raises(Unauthorized):
        await tokens.find(pair.access_token)
    with pytest.raises(Unauthorized):
        await tokens.refresh(pair.refresh_token)
    assert [one.kind for one in await devices.list(alice)] == ["browser"]
    with pytest.raises(NotFound):
        await devices.revoke(alice, found[0].id)


@pytest.mark.parametrize("device_id", ["", "\0", "ses_\0", "fam_x", "usr_" + "0" * 20, "\udcff"])
async def test_what_names_no_device(devices: Devices, alice: User, device_id: str) -> None:
    with pytest.raises(NotFound):
        await devices.revoke(alice, device_id)


async def test_a_program_may_call_itself_by_any_bytes(
    devices: Devices, sessions: Sessions, tokens: Tokens, alice: User
) -> None:
    """aiohttp hands bytes that aren't UTF-8 on as lone surrogates."""
    await sessions.start(alice, address="", user_agent="caf\udce9", replaces=None)
    await tokens.issue(alice, address="", user_agent="caf\udce9")
    assert [one.user_agent for one in await devices.list(alice)] == ["caf?"] * 2


async def test_ending_all_others_ends_programs(
    devices: Devices, sessions: Sessions, tokens: Tokens, alice: User
) -> None:
    here, there = await _browser(sessions, alice), await _browser(sessions, alice)
    pair = await _program(tokens, alice)
    await devices.end_others(alice, keep_session=here)
    assert await sessions.find(here) is not None
    assert await sessions.find(there) is None
    with pytest.raises(Unauthorized):
        await tokens.refresh(pair.refresh_token)


async def test_a_program_is_seen_when_it_calls(
    devices: Devices, tokens: Tokens, alice: User, clock: FakeClock
) -> None:
    pair = await _program(tokens, alice)
    clock.advance(limits.SESSION_TOUCH_MS)
    pair = await tokens.refresh(pair.refresh_token)
    await tokens.find(pair.access_token)
    assert (await devices.list(alice))[0].seen_at_ms == clock.wall_ms()


async def test_the_longest_unused_program_makes_room(
    tokens: Tokens, alice: User, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SESSIONS_PER_USER_MAX", 2)
    pairs = []
    for _ in range(3):
        pairs.append(await _program(tokens, alice))
        clock.advance(1000)
    with pytest.raises(Unauthorized):
        await tokens.find(pairs[0].access_token)
    for pair in pairs[1:]:
        await tokens.find(pair.access_token)


async def test_what_is_new_is_neither_the_address_nor_the_program(
    sessions: Sessions, tokens: Tokens, alice: User, db: Database, events: Events
) -> None:
    told: list[LoggedIn] = []
    events.subscribe(LoggedIn, told.append)
    await _program(tokens, alice, "2.2.2.2")
    assert not await db.read(is_new, told[-1]), "the first of all"
    await _program(tokens, alice, "3.3.3.3")
    assert not await db.read(is_new, told[-1]), "the same program"
    await _browser(sessions, alice)
    assert await db.read(is_new, told[-1])
    await _program(tokens, alice, "1.1.1.1")
    assert not await db.read(is_new, told[-1]), "the same address"


async def test_the_copy_of_ones_data_names_programs(
    db: Database,
    clock: FakeClock,
    vault: Vault,
    letterhead: Letterhead,
    tokens: Tokens,
    alice: User,
) -> None:
    await _program(tokens, alice)
    copy = await PersonalData(db, clock, vault, letterhead, []).export(alice)
    assert [one["user_agent"] for one in copy["programs"]] == ["curl/8"]

"""Browser sessions: how they begin, age and end."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from mediaserver.accounts.sessions import SessionEnded, Sessions, end_all
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Unauthorized
from mediaserver.kernel.events import Events

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def sessions(db: Database, clock: FakeClock) -> Sessions:
    return Sessions(db, clock)


async def _start(sessions: Sessions, user: User, replaces: str | None = None) -> str:
    started = await sessions.start(user, address="1.1.1.1", user_agent="x", replaces=replaces)
    return started.token


async def _user(sessions: Sessions, token: str) -> User | None:
    opened = await sessions.find(token)
    return None if opened is None else opened.user


async def test_start_find_end(sessions: Sessions, alice: User, bob: User) -> None:
    token, other = await _start(sessions, alice), await _start(sessions, bob)
    assert await _user(sessions, token) == alice
    await sessions.end(token)
    assert await _user(sessions, token) is None
    assert await _user(sessions, other) == bob


async def test_only_a_digest_is_stored(sessions: Sessions, alice: User, db: Database) -> None:
    token = await _start(sessions, alice)
    rows = await db.read(lambda tx: str(tx.execute(text("SELECT * FROM session")).all()))
    assert token not in rows


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "x" * 5000, "' OR 1=1 --" * 4])
async def test_other_tokens_open_nothing(sessions: Sessions, alice: User, token: str) -> None:
    await _start(sessions, alice)
    assert await _user(sessions, token) is None


async def test_a_log_in_ends_the_session_it_came_with(sessions: Sessions, alice: User) -> None:
    planted = await _start(sessions, alice)
    fresh = await _start(sessions, alice, replaces=planted)
    assert await _user(sessions, planted) is None
    assert await _user(sessions, fresh) == alice


async def test_idle_sessions_end(sessions: Sessions, alice: User, clock: FakeClock) -> None:
    token = await _start(sessions, alice)
    clock.advance(13 * DAY_MS)
    assert await _user(sessions, token) == alice  # a visit begins the 14 days anew
    clock.advance(13 * DAY_MS)
    assert await _user(sessions, token) == alice
    clock.advance(4 * DAY_MS)  # 30 days in all
    assert await _user(sessions, token) is None


async def test_unused_sessions_end_after_two_weeks(
    sessions: Sessions, alice: User, clock: FakeClock, db: Database
) -> None:
    token = await _start(sessions, alice)
    clock.advance(limits.SESSION_IDLE_MS)
    assert await _user(sessions, token) is None
    await sessions.delete_expired()
    count = await db.read(lambda tx: tx.execute(text("SELECT count(*) FROM session")).scalar())
    assert count == 0


async def test_end_all(sessions: Sessions, alice: User, bob: User, db: Database) -> None:
    tokens = [await _start(sessions, alice) for _ in range(3)]
    other = await _start(sessions, bob)
    await db.write(end_all, alice.id)
    assert [await _user(sessions, token) for token in tokens] == [None] * 3
    assert await _user(sessions, other) == bob


async def test_the_longest_unused_one_makes_room(
    sessions: Sessions,
    alice: User,
    clock: FakeClock,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SESSIONS_PER_USER_MAX", 3)
    ended: list[SessionEnded] = []
    events.subscribe(SessionEnded, ended.append)
    tokens = []
    for _ in range(5):
        tokens.append(await _start(sessions, alice))
        clock.advance(1000)
    found = [await _user(sessions, token) for token in tokens]
    assert found == [None, None, alice, alice, alice]
    assert ended == [SessionEnded(alice.id)] * 2, "what they have open is looked at again"


async def test_confirming_goes_on_under_a_new_token(
    sessions: Sessions, alice: User, clock: FakeClock
) -> None:
    token = await _start(sessions, alice)
    opened = await sessions.find(token)
    assert opened is not None
    clock.advance(DAY_MS)
    renewed = await sessions.confirm(opened)
    assert await sessions.find(token) is None, "a copy of the old one opens nothing"
    again = await sessions.find(renewed.token)
    assert again is not None
    assert (again.id, again.confirmed_at_ms) == (opened.id, clock.wall_ms())
    assert renewed.max_age_s == 29 * DAY_MS // 1000, "it lasts no longer for it"


async def test_a_session_that_ended_is_not_confirmed(sessions: Sessions, alice: User) -> None:
    token = await _start(sessions, alice)
    opened = await sessions.find(token)
    assert opened is not None
    await sessions.end(token)
    with pytest.raises(Unauthorized):
        await sessions.confirm(opened)


async def test_an_admin_who_was_away_has_to_confirm_anew(
    sessions: Sessions, admin: User, alice: User, clock: FakeClock
) -> None:
    desk, other = await _start(sessions, admin), await _start(sessions, alice)
    began_ms = clock.wall_ms()
    for _ in range(3):
        clock.advance(limits.DESK_IDLE_MS - 1)
        opened = await sessions.find(desk)
        assert opened is not None
        assert opened.confirmed_at_ms == began_ms, "still at work"
    clock.advance(limits.DESK_IDLE_MS)
    for _ in range(2):  # and a second visit doesn't make it good
        opened = await sessions.find(desk)
        assert opened is not None
        assert opened.confirmed_at_ms == 0
    opened = await sessions.find(other)
    assert opened is not None
    assert opened.confirmed_at_ms == began_ms, "nobody else is asked"

"""Guessing with many addresses, many accounts or a stop-watch: what it costs, whom it hurts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from mediaserver.accounts.credentials import Credentials
from mediaserver.accounts.passwords import Passwords
from mediaserver.accounts.registrations import Registrations
from mediaserver.accounts.sessions import Sessions
from mediaserver.accounts.tokens import Tokens
from mediaserver.accounts.users import User, Users, user_account
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Invalid, RateLimited, Unauthorized
from mediaserver.kernel.vault import Vault

PASSWORD = "correct horse"


class Work:
    """Counts hashes instead of measuring time."""

    def __init__(self, passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0

        async def hash_once(password: str, *, network: str | None = None) -> str:
            self.count += 1
            return "made"

        async def verify_once(stored: str | None, password: str, *, network: str) -> bool:
            self.count += 1
            return stored is not None and password == PASSWORD

        monkeypatch.setattr(passwords, "hash", hash_once)
        monkeypatch.setattr(passwords, "verify", verify_once)

    async def of(self, call: Callable[[], Awaitable[object]]) -> int:
        before = self.count
        with suppress(Unauthorized):
            await call()
        return self.count - before


@pytest.fixture
def work(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(passwords, monkeypatch)


async def _guess(users: Users, name: str, address: str) -> type[Exception]:
    try:
        await users.log_in(name, "wrong password", address=address)
    except (Unauthorized, RateLimited) as error:
        return type(error)
    raise AssertionError("let in")


async def _from_everywhere(users: Users, name: str) -> None:
    for n in range(limits.LOGIN_ANYWHERE_BURST):
        assert await _guess(users, name, f"6.6.{n}.6") is Unauthorized


async def test_one_account_from_many_addresses_is_slowed_down(
    users: Users, alice: User, work: Work, clock: FakeClock
) -> None:
    await _from_everywhere(users, "alice")
    assert await _guess(users, "alice", "7.7.7.7") is RateLimited
    clock.advance(limits.LOGIN_ANYWHERE_INTERVAL_MS)
    assert await _guess(users, "alice", "7.7.7.7") is Unauthorized
    assert await _guess(users, "alice", "7.7.7.8") is RateLimited, "one at a time"


async def test_the_owner_is_not_locked_out_where_they_were_before(
    users: Users, alice: User, work: Work, clock: FakeClock
) -> None:
    await users.log_in("alice", PASSWORD, address="1.1.1.1")
    await _from_everywhere(users, "alice")
    assert await users.log_in("alice", PASSWORD, address="1.1.1.1") == alice
    with pytest.raises(RateLimited) as caught:
        await users.log_in("alice", PASSWORD, address="2.2.2.2")
    clock.advance(caught.value.retry_after_s * 1000)
    assert await users.log_in("alice", PASSWORD, address="2.2.2.2") == alice, "a delay, no lock"
    assert await users.log_in("alice", PASSWORD, address="2.2.2.2") == alice, "known from now on"


async def test_an_address_is_known_for_a_month(
    users: Users, alice: User, work: Work, clock: FakeClock
) -> None:
    await users.log_in("alice", PASSWORD, address="1.1.1.1")
    clock.advance(limits.LOGIN_KNOWN_MS)
    await _from_everywhere(users, "alice")
    with pytest.raises(RateLimited):
        await users.log_in("alice", PASSWORD, address="1.1.1.1")


async def test_a_known_address_guesses_no_faster_than_another(
    users: Users, alice: User, work: Work
) -> None:
    await users.log_in("alice", PASSWORD, address="1.1.1.1")
    for _ in range(limits.LOGIN_PER_ACCOUNT_BURST):
        assert await _guess(users, "alice", "1.1.1.1") is Unauthorized
    assert await _guess(users, "alice", "1.1.1.1") is RateLimited


async def test_stuffing_many_accounts_from_one_address_is_slowed_down(
    users: Users, alice: User, work: Work
) -> None:
    answers = [
        await _guess(users, f"user{n}", "6.6.6.6") for n in range(limits.LOGIN_PER_ADDRESS_BURST)
    ]
    assert set(answers) == {Unauthorized}
    assert await _guess(users, "alice", "6.6.6.6") is RateLimited
    assert work.count == limits.LOGIN_PER_ADDRESS_BURST, "what is refused costs no hash"
    assert await users.log_in("alice", PASSWORD, address="1.1.1.1") == alice


async def test_a_network_of_ipv6_counts_as_one_address(
    users: Users,
    alice: User,
    work: Work,
    registrations: Registrations,
    credentials: Credentials,
) -> None:
    def address(n: int) -> str:
        return f"2001:db8::{n:x}"

    for n in range(limits.LOGIN_PER_ACCOUNT_BURST):
        assert await _guess(users, "alice", address(n)) is Unauthorized
    assert await _guess(users, "alice", address(999)) is RateLimited
    assert await _guess(users, "alice", "2001:db8:0:1::1") is Unauthorized, "another network"

    for n in range(limits.LOGIN_PER_ADDRESS_BURST - limits.LOGIN_PER_ACCOUNT_BURST):
        assert await _guess(users, f"user{n}", address(n)) is Unauthorized
    assert await _guess(users, "somebody", address(999)) is RateLimited

    async def attempts(most: int, attempt: Callable[[int], Awaitable[object]]) -> None:
        for n in range(most):
            with suppress(Invalid, Unauthorized):
                await attempt(n)
        with pytest.raises(RateLimited):
            await attempt(999)

    def register(n: int) -> Awaitable[object]:
        email = f"x{n}@example.org"
        return registrations.begin(f"visitor{n}", email, "a fine password", address=address(n))

    def forget(n: int) -> Awaitable[object]:
        return credentials.forget_password(f"x{n}@example.com", address=address(n))

    def reset(n: int) -> Awaitable[object]:
        return credentials.reset_password("otc_x", "1", "a fine password", address=address(n))

    await attempts(limits.REGISTER_PER_ADDRESS_BURST, register)
    await attempts(limits.RESET_PER_ADDRESS_BURST, forget)
    await attempts(limits.CODE_TRIES_BURST, reset)


async def test_a_name_that_nobody_has_is_refused_as_soon_as_one_that_somebody_has(
    users: Users, alice: User, work: Work
) -> None:
    for name in ("alice", "nobody_here"):
        await _from_everywhere(users, name)
        assert await _guess(users, name, "7.7.7.7") is RateLimited, name


async def test_no_limit_tells_whose_an_address_is(users: Users, alice: User, work: Work) -> None:
    """Guesses at a public name leave every address as free to guess at as another."""
    await _from_everywhere(users, "alice")
    assert await _guess(users, "alice", "7.7.7.7") is RateLimited
    for email in ("alice@example.org", "nobody@example.org"):
        for _ in range(limits.LOGIN_PER_ACCOUNT_BURST):
            assert await _guess(users, email, "7.7.7.7") is Unauthorized, email
        assert await _guess(users, email, "7.7.7.7") is RateLimited, email


async def test_each_answer_costs_the_same_work_for_known_and_unknown(
    users: Users,
    alice: User,
    work: Work,
    registrations: Registrations,
    credentials: Credentials,
) -> None:
    def log_in(name: str) -> Callable[[], Awaitable[object]]:
        return lambda: users.log_in(name, "wrong password", address="1.1.1.1")

    assert [await work.of(log_in(name)) for name in ("alice", "nobody", "x@example.org")] == [1] * 3

    def register(name: str, email: str) -> Callable[[], Awaitable[object]]:
        return lambda: registrations.begin(name, email, "a fine password", address="1.1.1.1")

    taken = await work.of(register("second", "alice@example.org"))
    assert (taken, await work.of(register("third", "third@example.org"))) == (1, 1)

    def forget(email: str) -> Callable[[], Awaitable[object]]:
        return lambda: credentials.forget_password(email, address="1.1.1.1")

    known = await work.of(forget("alice@example.org"))
    assert (known, await work.of(forget("nobody@example.org"))) == (0, 0)


async def test_nothing_of_a_deleted_user_opens_anything(
    db: Database, clock: FakeClock, vault: Vault, alice: User
) -> None:
    tokens, sessions = await Tokens.open(db, clock, vault), Sessions(db, clock)
    pair = await tokens.issue(alice, address="1.1.1.1", user_agent="x")
    first_step = tokens.issue_first_step(alice)
    opened = await sessions.start(alice, address="1.1.1.1", user_agent="x", replaces=None)
    await db.write(
        lambda tx: tx.execute(user_account.delete().where(user_account.c.id == alice.id))
    )
    with pytest.raises(Unauthorized):
        await tokens.find(pair.access_token)
    with pytest.raises(Unauthorized):
        await tokens.refresh(pair.refresh_token)
    assert await tokens.user_of_first_step(first_step) is None
    assert await sessions.find(opened.token) is None

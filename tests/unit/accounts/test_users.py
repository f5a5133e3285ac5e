"""Who may exist and whether a password is theirs."""

from __future__ import annotations

import asyncio
import unicodedata

import pytest

from mediaserver.accounts.credentials import Credentials
from mediaserver.accounts.passwords import Passwords
from mediaserver.accounts.users import User, Users, check_account, set_password_hash
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Invalid, RateLimited, Unauthorized

GOOD = ("carol", "carol@example.org", "correct horse")


async def test_make_and_log_in(users: Users, clock: FakeClock) -> None:
    made = await users.create(" Carol ", "Carol@Example.ORG ", "correct horse", is_admin=False)
    assert made == User(made.id, "carol", "carol@example.org", False, clock.wall_ms())
    assert await users.log_in("carol", "correct horse", address="1.1.1.1") == made
    assert await users.log_in(" CAROL", "correct horse", address="1.1.1.1") == made
    assert await users.log_in("carol@example.org", "correct horse", address="1.1.1.1") == made


@pytest.mark.parametrize(
    "username",
    ["", "ab", "a" * 25, "with space", "with-dash", "ünïcode", "аlice", "nul\0nul", "line\nline"],
    ids=ascii,
)
def test_wrong_names(username: str) -> None:
    """Letters of other scripts that look like ours (the а of "аlice" is Cyrillic) are no names."""
    with pytest.raises(Invalid) as caught:
        check_account(username, GOOD[1], GOOD[2])
    assert caught.value.field == "username"


@pytest.mark.parametrize(
    "email",
    [
        "",
        "x",
        "x@y",
        "@example.org",
        "x@",
        "x@example.",
        "x@.org",
        "x y@example.org",
        "x@exa mple.org",
        ".x@example.org",
        "x.@example.org",
        "x..y@example.org",
        "x@-example.org",
        "x@example.org\r\nBcc: y@example.org",
        "x@example.org,y@example.org",
        "<x@example.org>",
        "x@example.123",
        "x" * 65 + "@example.org",
        "x@" + "a" * 250 + ".org",
        "x\0@example.org",
        "=?utf-8?q?bob?=@example.org",
    ],
)
def test_wrong_addresses(email: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_account(GOOD[0], email, GOOD[2])
    assert caught.value.field == "email"


@pytest.mark.parametrize(
    "email", ["a@b.co", "first.last+tag@sub.example.co.uk", "x@xn--bcher-kva.de"]
)
def test_right_addresses(email: str) -> None:
    assert check_account(GOOD[0], email, GOOD[2]) == (GOOD[0], email)


async def test_names_and_addresses_are_taken_once(users: Users, alice: User) -> None:
    with pytest.raises(Conflict) as caught:
        await users.create("ALICE", "other@example.org", GOOD[2], is_admin=False)
    assert caught.value.field == "username"
    with pytest.raises(Conflict) as caught:
        await users.create("other", "ALICE@example.org", GOOD[2], is_admin=False)
    assert caught.value.field == "email"


async def test_the_same_name_at_the_same_moment(users: Users) -> None:
    results = await asyncio.gather(
        *(
            users.create("carol", f"carol{n}@example.org", GOOD[2], is_admin=False)
            for n in range(4)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, User) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 3


async def test_wrong_password_and_unknown_user_answer_alike(users: Users, alice: User) -> None:
    answers = []
    for name in ("alice", "nobody_here", "nobody@example.org", "\0", "x" * 5000):
        with pytest.raises(Unauthorized) as caught:
            await users.log_in(name, "wrong password", address="1.1.1.1")
        answers.append((caught.value.message, caught.value.code))
    assert len(set(answers)) == 1


async def test_unknown_user_costs_a_hash_too(
    users: Users, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str | None] = []
    verify = passwords.verify

    async def counting(stored: str | None, password: str, *, network: str | None) -> bool:
        verified.append(stored)
        return await verify(stored, password, network=network)

    monkeypatch.setattr(passwords, "verify", counting)
    with pytest.raises(Unauthorized):
        await users.log_in("nobody_here", "wrong password", address="1.1.1.1")
    assert verified == [None]


async def test_guessing_one_account_is_slowed_down(
    users: Users, alice: User, clock: FakeClock
) -> None:
    for _ in range(limits.LOGIN_PER_ACCOUNT_BURST):
        with pytest.raises(Unauthorized):
            await users.log_in("alice", "wrong password", address="6.6.6.6")
    with pytest.raises(RateLimited) as caught:
        await users.log_in("alice", "correct horse", address="6.6.6.6")
    assert 0 < caught.value.retry_after_s <= 30
    # No lock-out: the owner comes from elsewhere, and the guesser's place opens again.
    assert await users.log_in("alice", "correct horse", address="1.1.1.1") == alice
    clock.advance(caught.value.retry_after_s * 1000)
    assert await users.log_in("alice", "correct horse", address="6.6.6.6") == alice
    for _ in range(limits.LOGIN_PER_ACCOUNT_BURST):  # a right password empties the bucket
        with pytest.raises(Unauthorized):
            await users.log_in("alice", "wrong password", address="6.6.6.6")


async def test_trying_many_accounts_from_one_address_is_slowed_down(
    users: Users, monkeypatch: pytest.MonkeyPatch, passwords: Passwords
) -> None:
    async def never(stored: str | None, password: str, *, network: str) -> bool:
        return False

    monkeypatch.setattr(passwords, "verify", never)
    for n in range(limits.LOGIN_PER_ADDRESS_BURST):
        with pytest.raises(Unauthorized):
            await users.log_in(f"user{n}", "wrong password", address="6.6.6.6")
    with pytest.raises(RateLimited):
        await users.log_in("another", "wrong password", address="6.6.6.6")
    with pytest.raises(Unauthorized):
        await users.log_in("another", "wrong password", address="1.1.1.1")


async def test_guesses_at_once_are_all_counted(users: Users, alice: User) -> None:
    results = await asyncio.gather(
        *(users.log_in("alice", "wrong password", address="6.6.6.6") for _ in range(20)),
        return_exceptions=True,
    )
    unauthorized = sum(isinstance(result, Unauthorized) for result in results)
    limited = sum(isinstance(result, RateLimited) for result in results)
    assert (unauthorized, limited) == (limits.LOGIN_PER_ACCOUNT_BURST, 20 - unauthorized)


async def test_right_log_ins_are_never_slowed_down(users: Users, alice: User) -> None:
    for _ in range(limits.LOGIN_PER_ACCOUNT_BURST * 3):
        await users.log_in("alice", "correct horse", address="1.1.1.1")


async def test_an_old_hash_is_renewed_at_log_in(
    users: Users, passwords: Passwords, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []
    make = passwords.hash

    async def counting(password: str, *, network: str | None) -> str:
        hashed.append(password)
        return await make(password, network=network)

    monkeypatch.setattr(passwords, "hash", counting)
    await users.log_in("alice", "correct horse", address="1.1.1.1")
    assert hashed == []
    with monkeypatch.context() as patch:
        patch.setattr(passwords, "is_outdated", lambda stored: True)
        await users.log_in("alice", "correct horse", address="1.1.1.1")
    assert hashed == ["correct horse"]
    assert await users.log_in("alice", "correct horse", address="1.1.1.1") == alice


async def test_a_password_typed_in_other_pieces(users: Users, credentials: Credentials) -> None:
    """Some keyboards send an accent as a character of its own, so that 129 letters are 258."""
    password = unicodedata.normalize("NFD", "éàü" * 43)
    assert len(password) > limits.PASSWORD_CHARS_MAX
    dave = await users.create("dave", "dave@example.org", password, is_admin=False)
    assert await users.log_in("dave", password, address="1.1.1.1") == dave
    await credentials.confirm_password(dave, password, log_in="ses_1", address="1.1.1.1")


async def test_renewing_a_hash_brings_no_old_password_back(
    users: Users,
    passwords: Passwords,
    alice: User,
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = passwords.hash

    async def changed_meanwhile(password: str, *, network: str = "") -> str:
        await db.write(set_password_hash, alice.id, await real("an even better one"))
        return await real(password)

    with monkeypatch.context() as patch:
        patch.setattr(passwords, "is_outdated", lambda stored: True)
        patch.setattr(passwords, "hash", changed_meanwhile)
        with pytest.raises(Unauthorized):
            await users.log_in("alice", "correct horse", address="1.1.1.1")
    assert await users.log_in("alice", "an even better one", address="1.1.1.1") == alice

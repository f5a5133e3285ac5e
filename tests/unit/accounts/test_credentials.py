"""Changing what opens an account."""

from __future__ import annotations

import pytest

from mediaserver.accounts.credentials import Credentials
from mediaserver.accounts.personal_tokens import PersonalTokens, Scope
from mediaserver.accounts.registrations import Registrations
from mediaserver.accounts.sessions import Sessions
from mediaserver.accounts.tokens import Tokens
from mediaserver.accounts.users import User, Users
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Invalid, RateLimited, Unauthorized
from mediaserver.kernel.vault import Vault
from tests.unit.outbox import Outbox

OLD, NEW = "correct horse", "an even better one"
HERE = "1.1.1.1"


async def opened(db: Database, clock: FakeClock, user: User) -> tuple[Sessions, str, str, str]:
    """Sessions, the tokens of two devices, and a personal token's secret."""
    sessions = Sessions(db, clock)
    here = await sessions.start(user, address=HERE, user_agent="here", replaces=None)
    there = await sessions.start(user, address=HERE, user_agent="there", replaces=None)
    made = await PersonalTokens(db, clock).create(user, "script", [Scope.READ], days=None)
    return sessions, here.token, there.token, made.secret


async def test_change_of_password(
    credentials: Credentials,
    users: Users,
    alice: User,
    db: Database,
    clock: FakeClock,
    vault: Vault,
    outbox: Outbox,
) -> None:
    sessions, here, there, secret = await opened(db, clock, alice)
    tokens = await Tokens.open(db, clock, vault)
    pair = await tokens.issue(alice, address="1.1.1.1", user_agent="x")
    await credentials.change_password(
        alice, OLD, NEW, log_in="ses_1", address=HERE, keep_session=here
    )
    assert await users.log_in("alice", NEW, address=HERE) == alice
    with pytest.raises(Unauthorized):
        await users.log_in("alice", OLD, address=HERE)
    assert await sessions.find(here) is not None
    assert await sessions.find(there) is None
    with pytest.raises(Unauthorized):
        await PersonalTokens(db, clock).find(secret)
    with pytest.raises(Unauthorized):
        await tokens.refresh(pair.refresh_token)
    assert "password" in (await outbox.newest(alice.email)).subject.lower()


async def test_the_current_password_is_needed(credentials: Credentials, alice: User) -> None:
    with pytest.raises(Unauthorized):
        await credentials.change_password(
            alice, "wrong password", NEW, log_in="ses_1", address=HERE, keep_session=None
        )
    for weak in ("short", "password1", "alice@example.org"):
        with pytest.raises(Invalid):
            await credentials.change_password(
                alice, OLD, weak, log_in="ses_1", address=HERE, keep_session=None
            )


async def test_guessing_the_current_password_is_slowed_down(
    credentials: Credentials, alice: User
) -> None:
    """In one log-in, so that who stole one doesn't hold its owner off; and generously in all."""
    for _ in range(limits.CONFIRM_BURST):
        with pytest.raises(Unauthorized):
            await credentials.confirm_password(
                alice, "wrong password", log_in="ses_thief", address=HERE
            )
    with pytest.raises(RateLimited):
        await credentials.confirm_password(alice, OLD, log_in="ses_thief", address=HERE)
    await credentials.confirm_password(alice, OLD, log_in="ses_owner", address=HERE)
    for number in range(limits.CONFIRM_ANYWHERE_BURST - limits.CONFIRM_BURST):
        with pytest.raises(Unauthorized):
            await credentials.confirm_password(
                alice, "x" * 300, log_in=f"ses_{number}", address=HERE
            )
    with pytest.raises(RateLimited):
        await credentials.confirm_password(alice, OLD, log_in="ses_owner", address=HERE)


async def test_a_forgotten_password(
    credentials: Credentials,
    users: Users,
    alice: User,
    db: Database,
    clock: FakeClock,
    outbox: Outbox,
) -> None:
    sessions, here, there, _ = await opened(db, clock, alice)
    sent = await credentials.forget_password(" Alice@example.org", address=HERE)
    code = (await outbox.newest(alice.email)).code
    with pytest.raises(Invalid) as caught:
        await credentials.reset_password(sent.handle, code, "short", address=HERE)
    assert caught.value.field == "password"
    assert await credentials.reset_password(sent.handle, code, NEW, address=HERE) == alice
    assert await users.log_in("alice", NEW, address=HERE) == alice
    assert await sessions.find(here) is None
    assert await sessions.find(there) is None
    with pytest.raises(Invalid):
        await credentials.reset_password(sent.handle, code, NEW, address=HERE)


async def test_a_log_in_under_way_ends_with_the_password(
    credentials: Credentials,
    users: Users,
    alice: User,
    db: Database,
    clock: FakeClock,
    vault: Vault,
    outbox: Outbox,
) -> None:
    """The thief's password was right; before their session begins, its owner sets another."""
    tokens = await Tokens.open(db, clock, vault)
    thief = await users.log_in("alice", OLD, address="6.6.6.6")
    first_step = tokens.issue_first_step(thief)
    assert await tokens.user_of_first_step(first_step) == alice
    sent = await credentials.forget_password(alice.email, address=HERE)
    code = (await outbox.newest(alice.email)).code
    await credentials.reset_password(sent.handle, code, NEW, address=HERE)
    with pytest.raises(Unauthorized):
        await Sessions(db, clock).start(thief, address=HERE, user_agent="", replaces=None)
    with pytest.raises(Unauthorized):
        await tokens.issue(thief, address=HERE, user_agent="")
    assert await tokens.user_of_first_step(first_step) is None
    owner = await users.log_in("alice", NEW, address=HERE)
    await tokens.issue(owner, address=HERE, user_agent="")


async def test_an_unknown_address_is_answered_alike(
    credentials: Credentials, alice: User, outbox: Outbox
) -> None:
    known = await credentials.forget_password(alice.email, address=HERE)
    unknown = await credentials.forget_password("nobody@example.org", address=HERE)
    assert known.expires_in_s == unknown.expires_in_s
    assert known.handle[:4] == unknown.handle[:4]
    assert await outbox.letters("nobody@example.org") == []
    answers = []
    for handle in (known.handle, unknown.handle):
        with pytest.raises(Invalid) as caught:
            await credentials.reset_password(handle, "00000000", NEW, address=HERE)
        answers.append((caught.value.message, caught.value.code))
    assert answers[0] == answers[1]


async def test_a_code_belongs_to_who_asked_for_it(
    credentials: Credentials, alice: User, bob: User, outbox: Outbox
) -> None:
    """Knowing an address is not enough to try codes for it, and codes don't cross over."""
    await credentials.forget_password(alice.email, address=HERE)
    code = (await outbox.newest(alice.email)).code
    other = await credentials.forget_password(bob.email, address=HERE)
    with pytest.raises(Invalid):
        await credentials.reset_password(other.handle, code, NEW, address=HERE)


async def test_a_code_for_one_thing_opens_no_other(
    credentials: Credentials, alice: User, outbox: Outbox
) -> None:
    sent = await credentials.begin_email_change(alice, "new@example.org")
    code = (await outbox.newest("new@example.org")).code
    with pytest.raises(Invalid):
        await credentials.reset_password(sent.handle, code, NEW, address=HERE)


async def test_asking_for_codes_is_slowed_down(credentials: Credentials, alice: User) -> None:
    for _ in range(limits.CODES_PER_ASKER_BURST):
        await credentials.forget_password(alice.email, address=HERE)
    with pytest.raises(RateLimited):
        await credentials.forget_password(alice.email, address=HERE)
    for number in range(limits.RESET_PER_ADDRESS_BURST - limits.CODES_PER_ASKER_BURST):
        await credentials.forget_password(f"x{number}@example.org", address=HERE)
    with pytest.raises(RateLimited):
        await credentials.forget_password("y@example.org", address=HERE)


async def test_all_mails_with_codes_to_one_address_are_bounded(
    credentials: Credentials, alice: User
) -> None:
    for number in range(limits.CODES_PER_EMAIL_BURST):
        await credentials.forget_password(alice.email, address=f"6.6.6.{number}")
    with pytest.raises(RateLimited):
        await credentials.forget_password(alice.email, address=HERE)


async def test_nobody_keeps_the_owner_from_a_new_password(
    credentials: Credentials,
    registrations: Registrations,
    alice: User,
    clock: FakeClock,
    outbox: Outbox,
) -> None:
    """Others ask for codes for the same address, before and after the owner does."""

    async def pester(address: str) -> None:
        for number in range(limits.CODES_PER_ASKER_BURST):
            name = f"thief{address[0]}{number}"
            await registrations.begin(name, alice.email, "a fine password", address=address)
        with pytest.raises(RateLimited):
            await credentials.forget_password(alice.email, address=address)

    await pester("6.6.6.6")
    clock.advance(1000)
    sent = await credentials.forget_password(alice.email, address=HERE)
    code = (await outbox.newest(alice.email)).code
    await pester("7.7.7.7")
    clock.advance(1000)
    others = await credentials.forget_password(alice.email, address="8.8.8.8")
    later = (await outbox.newest(alice.email)).code
    assert await credentials.reset_password(sent.handle, code, NEW, address=HERE) == alice
    with pytest.raises(Invalid):
        await credentials.reset_password(others.handle, later, NEW, address="8.8.8.8")


async def test_change_of_address(
    credentials: Credentials, users: Users, alice: User, outbox: Outbox
) -> None:
    sent = await credentials.begin_email_change(alice, " New@Example.org")
    assert sent.email == "new@example.org"
    code = (await outbox.newest("new@example.org")).code
    changed = await credentials.confirm_email_change(alice, sent.handle, code)
    assert changed.email == "new@example.org"
    assert await users.log_in("new@example.org", OLD, address=HERE) == changed
    told = await outbox.newest("alice@example.org")
    assert "address" in told.subject.lower()


async def test_anothers_address_is_answered_alike(
    credentials: Credentials, alice: User, bob: User, outbox: Outbox
) -> None:
    sent = await credentials.begin_email_change(alice, bob.email)
    told = await outbox.newest(bob.email)
    assert "already" in told.subject
    assert "register" not in told.body
    with pytest.raises(Invalid) as caught:
        await credentials.confirm_email_change(alice, sent.handle, "00000000")
    assert caught.value.code == "wrong_code"


async def test_an_address_taken_meanwhile(
    credentials: Credentials, users: Users, alice: User, outbox: Outbox
) -> None:
    sent = await credentials.begin_email_change(alice, "new@example.org")
    code = (await outbox.newest("new@example.org")).code
    await users.create("faster", "new@example.org", OLD, is_admin=False)
    with pytest.raises(Invalid):
        await credentials.confirm_email_change(alice, sent.handle, code)


async def test_a_code_for_somebody_elses_address_change(
    credentials: Credentials, alice: User, bob: User, outbox: Outbox
) -> None:
    sent = await credentials.begin_email_change(alice, "new@example.org")
    code = (await outbox.newest("new@example.org")).code
    with pytest.raises(Invalid):
        await credentials.confirm_email_change(bob, sent.handle, code)

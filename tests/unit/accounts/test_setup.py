"""The one-time link of a new site."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from mediaserver.accounts.passwords import Passwords
from mediaserver.accounts.setup import Setup
from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User, Users
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict, Invalid, RateLimited, Unauthorized

ADMIN = ("boss", "boss@example.org", "correct horse")


@pytest.fixture
def setup(db: Database, clock: FakeClock, passwords: Passwords, throttles: Throttles) -> Setup:
    return Setup(db, clock, passwords, throttles)


def _nothing(tx: Transaction, user: User) -> None:
    pass


async def test_the_link_makes_one_admin(setup: Setup, users: Users) -> None:
    token = await setup.open()
    assert token is not None
    assert await setup.is_needed()
    user, seen = await setup.complete(
        token, *ADMIN, address="1.1.1.1", then=lambda tx, user: user.username
    )
    assert (user.is_admin, seen) == (True, "boss")
    assert not await setup.is_needed()
    with pytest.raises(Conflict):
        await setup.complete(
            token, "thief", "t@example.org", "correct horse", address="6.6.6.6", then=_nothing
        )
    assert await setup.open() is None
    assert await users.log_in("boss", "correct horse", address="1.1.1.1") == user


async def test_a_wrong_token(setup: Setup) -> None:
    await setup.open()
    for wrong in ("", "x", "x" * 43):
        with pytest.raises(Unauthorized):
            await setup.check(wrong, address="6.6.6.6")
        with pytest.raises(Unauthorized):
            await setup.complete(wrong, *ADMIN, address="1.1.1.1", then=_nothing)


async def test_wrong_tokens_are_slowed_down(setup: Setup) -> None:
    token = await setup.open()
    assert token is not None
    for number in range(limits.SETUP_PER_ADDRESS_BURST):
        with pytest.raises(Unauthorized):
            await setup.check("x" * 43, address=f"2001:db8::{number}")
    with pytest.raises(RateLimited):
        await setup.check(token, address="2001:db8::6:6:6")
    await setup.check(token, address="1.1.1.1")


async def test_the_next_start_makes_another_token(setup: Setup) -> None:
    old, new = await setup.open(), await setup.open()
    assert old is not None
    assert new is not None
    with pytest.raises(Unauthorized):
        await setup.check(old, address="1.1.1.1")
    await setup.check(new, address="1.1.1.1")


async def test_only_a_digest_is_stored(setup: Setup, db: Database) -> None:
    token = await setup.open()
    rows = await db.read(lambda tx: str(tx.execute(text("SELECT * FROM site_value")).all()))
    assert token
    assert token not in rows


async def test_an_error_later_in_the_form_uses_nothing_up(setup: Setup) -> None:
    token = await setup.open()
    assert token is not None

    def fail(tx: Transaction, user: User) -> None:
        raise Invalid("wrong", field="slug")

    with pytest.raises(Invalid):
        await setup.complete(token, *ADMIN, address="1.1.1.1", then=fail)
    with pytest.raises(Invalid):
        await setup.complete(
            token, "boss", "boss@example.org", "short", address="1.1.1.1", then=_nothing
        )
    assert await setup.is_needed()
    await setup.complete(token, *ADMIN, address="1.1.1.1", then=_nothing)


async def test_two_at_once_make_one_admin(setup: Setup) -> None:
    token = await setup.open()
    assert token is not None
    results = await asyncio.gather(
        *(
            setup.complete(
                token,
                f"boss{n}",
                f"b{n}@example.org",
                "correct horse",
                address="1.1.1.1",
                then=_nothing,
            )
            for n in range(3)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, tuple) for result in results) == 1


async def test_an_admin_from_the_command_line_ends_it(setup: Setup, users: Users) -> None:
    token = await setup.open()
    assert token is not None
    await users.create(*ADMIN, is_admin=True)
    assert not await setup.is_needed()
    with pytest.raises(Conflict):
        await setup.complete(
            token, "thief", "t@example.org", "correct horse", address="6.6.6.6", then=_nothing
        )

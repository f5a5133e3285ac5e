"""Fixtures of the unit tests: every test that asks for `db` runs on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediaserver.accounts.passwords import Passwords
from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User, Users
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.events import Events
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault
from tests.databases import PostgresqlServer


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)],
)
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'site.db'}"
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return await server.new_database()


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def db(database_url: str, events: Events) -> AsyncIterator[Database]:
    async with Database(database_url, events) as database:
        yield database


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    hasher = Passwords()
    yield hasher
    await hasher.aclose()


@pytest.fixture
def throttles(db: Database, clock: FakeClock) -> Throttles:
    return Throttles(db, clock)


@pytest.fixture
def vault() -> Vault:
    return Vault(bytes(32))


@pytest.fixture
def letterhead(vault: Vault) -> Letterhead:
    return Letterhead(lambda: "Test Site", lambda: "https://site.example", vault.mac)


@pytest.fixture
def users(db: Database, clock: FakeClock, passwords: Passwords, throttles: Throttles) -> Users:
    return Users(db, clock, passwords, throttles)


@pytest.fixture
async def alice(users: Users) -> User:
    return await users.create("alice", "alice@example.org", "correct horse", is_admin=False)


@pytest.fixture
async def bob(users: Users) -> User:
    return await users.create("bob", "bob@example.org", "battery staple", is_admin=False)


@pytest.fixture
async def admin(users: Users) -> User:
    return await users.create("root", "root@example.org", "entirely secret", is_admin=True)

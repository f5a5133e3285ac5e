"""Fixtures for teams: three streamers with a channel each, and a team that alice's leads."""

from __future__ import annotations

import pytest

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User, Users
from mediaserver.channels.channels import Channel, Channels
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.mail import Letterhead
from mediaserver.teams.invitations import Invitations
from mediaserver.teams.teams import Team, Teams


@pytest.fixture
def channels(db: Database, clock: FakeClock) -> Channels:
    return Channels(db, clock, AccountsConfig(channels_per_user_max=20))


@pytest.fixture
def teams(db: Database, clock: FakeClock) -> Teams:
    return Teams(db, clock, Letterhead(lambda: "Site", lambda: "https://site.example"))


@pytest.fixture
def invitations(db: Database, clock: FakeClock, throttles: Throttles, teams: Teams) -> Invitations:
    return Invitations(db, clock, throttles, teams)


@pytest.fixture
async def carol(users: Users) -> User:
    return await users.create("carol", "carol@example.org", "staple horse", is_admin=False)


@pytest.fixture
async def alices(channels: Channels, alice: User) -> Channel:
    return await channels.create(alice, "alice-tv", "Alice")


@pytest.fixture
async def bobs(channels: Channels, bob: User) -> Channel:
    return await channels.create(bob, "bob-tv", "Bob")


@pytest.fixture
async def carols(channels: Channels, carol: User) -> Channel:
    return await channels.create(carol, "carol-tv", "Carol")


@pytest.fixture
async def owls(teams: Teams, alice: User, alices: Channel) -> Team:
    return await teams.form(alice, "alice-tv", "night-owls", "Night Owls")

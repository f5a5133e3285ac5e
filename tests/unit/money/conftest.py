"""Fixtures of money: alice's channel, to which people give."""

from __future__ import annotations

import pytest

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel, Channels
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database


@pytest.fixture
async def channel(db: Database, clock: FakeClock, alice: User) -> Channel:
    return await Channels(db, clock, AccountsConfig()).create(alice, "alice-tv", "Alice")

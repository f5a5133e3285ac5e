"""Fixtures for channels: one of alice's with one key."""

from __future__ import annotations

import pytest

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel, Channels
from mediaserver.channels.stream_keys import StreamKeys
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database


@pytest.fixture
def channels(db: Database, clock: FakeClock) -> Channels:
    return Channels(db, clock, AccountsConfig(channels_per_user_max=3))


@pytest.fixture
def stream_keys(db: Database, clock: FakeClock) -> StreamKeys:
    return StreamKeys(db, clock)


@pytest.fixture
async def channel(channels: Channels, alice: User) -> Channel:
    return await channels.create(alice, "alice-tv", "Alice", title="Painting")

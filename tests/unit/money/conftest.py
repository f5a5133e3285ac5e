"""Fixtures for money: alice's verified channel and what is given to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel, Channels
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig, MoneyConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.images import Images
from mediaserver.money.alert_desk import AlertDesk
from tests.unit.money.given import Giving, verified


@pytest.fixture
async def channel(db: Database, clock: FakeClock, alice: User) -> Channel:
    made = await Channels(db, clock, AccountsConfig()).create(alice, "alice-tv", "Alice")
    return await verified(db, made)


@pytest.fixture
def giving(db: Database, clock: FakeClock, channel: Channel) -> Giving:
    return Giving(db, clock, channel)


@pytest.fixture
def desk(db: Database, clock: FakeClock, throttles: Throttles, tmp_path: Path) -> AlertDesk:
    return AlertDesk(db, clock, throttles, Images(), tmp_path / "alerts", MoneyConfig())

"""Fixtures of money: alice's verified channel, what is paid and what is given to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.images import Images
from mediaserver.kernel.mail import Letterhead
from mediaserver.money.alert_desk import AlertDesk
from tests.unit.money.books import Books
from tests.unit.money.given import Giving
from tests.unit.money.paying import Paying, verified_channel
from tests.unit.outbox import Outbox


@pytest.fixture
async def channel(db: Database, clock: FakeClock, alice: User) -> Channel:
    """Of alice, who is verified."""
    return await verified_channel(db, clock, alice, "alice-tv")


@pytest.fixture
async def paying(
    db: Database, clock: FakeClock, throttles: Throttles, letterhead: Letterhead
) -> AsyncIterator[Paying]:
    parts = Paying(db, clock, throttles, letterhead)
    yield parts
    await parts.checks.aclose()


@pytest.fixture
def giving(db: Database, clock: FakeClock, channel: Channel) -> Giving:
    return Giving(db, clock, channel)


@pytest.fixture
def desk(db: Database, clock: FakeClock, throttles: Throttles, tmp_path: Path) -> AlertDesk:
    return AlertDesk(db, clock, throttles, Images(), tmp_path / "alerts", MoneyConfig())


@pytest.fixture
def outbox(db: Database) -> Outbox:
    return Outbox(db)


@pytest.fixture
def books(db: Database, clock: FakeClock) -> Books:
    return Books(db, clock)


@pytest.fixture
async def bobs(books: Books, bob: User) -> Channel:
    """A channel of bob, who is verified."""
    return await books.streamer(bob)

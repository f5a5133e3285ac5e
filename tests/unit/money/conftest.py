"""Fixtures of payments."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.mail import Letterhead
from tests.unit.money.paying import Paying, verified_channel
from tests.unit.outbox import Outbox


@pytest.fixture
async def paying(
    db: Database, clock: FakeClock, throttles: Throttles, letterhead: Letterhead
) -> AsyncIterator[Paying]:
    parts = Paying(db, clock, throttles, letterhead)
    yield parts
    await parts.checks.aclose()


@pytest.fixture
async def channel(db: Database, clock: FakeClock, alice: User) -> Channel:
    """Of alice, who is verified."""
    return await verified_channel(db, clock, alice, "painter")


@pytest.fixture
def outbox(db: Database) -> Outbox:
    return Outbox(db)

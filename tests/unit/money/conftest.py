"""Fixtures of the tests of money."""

from __future__ import annotations

import pytest

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from tests.unit.money.books import Books


@pytest.fixture
def books(db: Database, clock: FakeClock) -> Books:
    return Books(db, clock)


@pytest.fixture
async def channel(books: Books, bob: User) -> Channel:
    """Bob's, who is verified."""
    return await books.streamer(bob)

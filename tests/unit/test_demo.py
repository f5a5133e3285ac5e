"""The demo's channels beside those of real people."""

from __future__ import annotations

import structlog

from mediaserver.accounts.passwords import Passwords
from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import Users
from mediaserver.channels.channels import Channels
from mediaserver.channels.stream_keys import StreamKeys
from mediaserver.demo import DEMO_CHANNELS, Demo
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database


async def test_an_address_that_somebody_has_is_left_alone(db: Database, clock: FakeClock) -> None:
    passwords = Passwords()
    users = Users(db, clock, passwords, Throttles(db, clock), "open")
    channels, stream_keys = Channels(db, clock, 5), StreamKeys(db, clock)
    taken, free = DEMO_CHANNELS
    owner = await users.create("mira", "mira@example.org", "a quiet river bank", is_admin=False)
    await channels.create(owner, taken.slug, "Mira's aurora")
    with structlog.testing.capture_logs() as lines:
        async with Demo(users, channels, stream_keys, "127.0.0.1", 9):
            assert (await channels.get(taken.slug)).owner == "mira"
            assert (await channels.get(free.slug)).owner == "demo"
    assert [line["slug"] for line in lines if "left out" in line["event"]] == [taken.slug]
    await passwords.aclose()

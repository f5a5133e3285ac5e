"""The demo's channels beside those of real people."""

from __future__ import annotations

import structlog

from mediaserver.accounts.passwords import Passwords
from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import Users
from mediaserver.channels.channels import Channels
from mediaserver.channels.follows import Follows
from mediaserver.channels.schedule import Schedule
from mediaserver.channels.stream_keys import StreamKeys
from mediaserver.demo import DEMO_CHANNELS, DEMO_VIEWERS, Demo
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database

HOUR_MS = 3_600_000


async def test_an_address_that_somebody_has_is_left_alone(db: Database, clock: FakeClock) -> None:
    passwords = Passwords()
    users = Users(db, clock, passwords, Throttles(db, clock), "open")
    channels, stream_keys = Channels(db, clock, 5), StreamKeys(db, clock)
    schedule, follows = Schedule(db, clock), Follows(db, clock, Throttles(db, clock))
    taken, free = DEMO_CHANNELS
    owner = await users.create("mira", "mira@example.org", "a quiet river bank", is_admin=False)
    await channels.create(owner, taken.slug, "Mira's aurora")
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):  # a second start changes nothing
            demo = Demo(users, channels, stream_keys, schedule, follows, clock, "127.0.0.1", 9)
            async with demo:
                assert (await channels.get(taken.slug)).owner == "mira"
                made = await channels.get(free.slug)
                assert (made.owner, made.category_slug) == ("demo", free.category)
                assert made.tags == free.tags
                (entry,) = await schedule.entries(made.id)
                assert (entry.title, entry.repeat) == (free.announced, "weekly")
                assert await follows.count(made.id) == len(DEMO_VIEWERS)
            clock.advance(HOUR_MS)
    mine = await channels.get(taken.slug)
    assert (mine.category, await follows.count(mine.id)) == (None, 0)
    assert await schedule.entries(mine.id) == []
    assert [line["slug"] for line in lines if "left out" in line["event"]] == [taken.slug] * 2
    await passwords.aclose()

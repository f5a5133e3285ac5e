"""Fixtures for reports, sanctions and appeals: an admin who acts, and streams that can be ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel, Channels
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig, ModerationConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.events import Events
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.worker import Worker
from mediaserver.trust import bans
from mediaserver.trust.sanctions import Sanctions

DAY_MS = 24 * 3600 * 1000


@dataclass
class FakeLive:
    """An engine's registry that only notes what it is told to end."""

    stopped: list[tuple[str, str]] = field(default_factory=list)

    def withdraw(self, channel: str, reason: str) -> bool:
        self.stopped.append((channel, reason))
        return True


@pytest.fixture
def live() -> FakeLive:
    return FakeLive()


@pytest.fixture
def letterhead() -> Letterhead:
    return Letterhead(lambda: "Our Site", lambda: "https://live.example.org")


@pytest.fixture
def moderation() -> ModerationConfig:
    return ModerationConfig(strikes_max=3, strike_days=90, strike_ban_days=7)


@pytest.fixture
def actor(admin: User) -> Actor:
    return Actor(admin.id, admin.username, "1.1.1.1")


@pytest.fixture
def channels(db: Database, clock: FakeClock) -> Channels:
    return Channels(db, clock, AccountsConfig())


@pytest.fixture
async def channel(channels: Channels, alice: User) -> Channel:
    return await channels.create(alice, "alice-tv", "Alice", title="Painting")


@pytest.fixture
async def sanctions(
    db: Database,
    clock: FakeClock,
    events: Events,
    letterhead: Letterhead,
    moderation: ModerationConfig,
    live: FakeLive,
) -> AsyncIterator[Sanctions]:
    async with Sanctions(db, clock, events, letterhead, moderation, live) as made:
        yield made


@pytest.fixture
def jobs(db: Database, clock: FakeClock, events: Events, sanctions: Sanctions) -> Worker:
    """Nothing runs by itself: a test calls `run_due`."""
    made = Worker(db, clock, events)
    made.register(bans.LIFT, sanctions.lift_due)
    return made

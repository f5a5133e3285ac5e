"""Fixtures for reports, sanctions and appeals: an admin who acts, and streams that can be ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User, Users
from mediaserver.channels import streams
from mediaserver.channels.channels import Channel, Channels
from mediaserver.channels.stream_keys import StreamKeys
from mediaserver.chat.chat import Chat
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig, ModerationConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.events import Events
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.images import ImageFolder
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.worker import Worker
from mediaserver.trust import bans
from mediaserver.trust import reports as reports_module
from mediaserver.trust.cases import Cases
from mediaserver.trust.evidence import LiveStatus
from mediaserver.trust.reports import Reports
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


JPEG = b"\xff\xd8 a picture"


@dataclass
class Status:
    started_at_ms: int = 1_000
    viewers: int = 12
    is_public: bool = True


@dataclass
class OnAir:
    """What is live, and its newest picture."""

    statuses: dict[str, Status] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)

    def status(self, channel: str) -> LiveStatus | None:
        return self.statuses.get(channel)


@pytest.fixture
def on_air() -> OnAir:
    return OnAir()


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    return ImageFolder(tmp_path / "evidence", reports_module.PREFIX, ".picture")


@pytest.fixture
def avatars(tmp_path: Path) -> ImageFolder:
    return ImageFolder(tmp_path / "avatars", "ava")


@pytest.fixture
def reports(
    db: Database,
    clock: FakeClock,
    throttles: Throttles,
    letterhead: Letterhead,
    on_air: OnAir,
    avatars: ImageFolder,
    folder: ImageFolder,
) -> Reports:
    picture = on_air.pictures.get
    return Reports(db, clock, throttles, letterhead, on_air, picture, avatars, folder)


@pytest.fixture
def cases(
    db: Database,
    clock: FakeClock,
    letterhead: Letterhead,
    moderation: ModerationConfig,
    folder: ImageFolder,
) -> Cases:
    return Cases(db, clock, letterhead, moderation, folder)


@pytest.fixture
async def chat(db: Database, clock: FakeClock) -> AsyncIterator[Chat]:
    async with Chat(db, clock, batch_ms=0) as running:
        yield running


@pytest.fixture
async def carol(users: Users) -> User:
    return await users.create("carol", "carol@example.org", "carol's secret", is_admin=False)


async def stream_of(db: Database, alice: User, channel: Channel, clock: FakeClock) -> str:
    """The id of a stream that runs from now on, where everybody sees it."""
    broadcast_id = new_id("brc")
    key, _ = await StreamKeys(db, clock).create(alice, channel.slug, "OBS")
    await db.write(streams.begin, channel.id, broadcast_id, key.id, clock.wall_ms())
    await db.write(streams.set_live, broadcast_id, clock.wall_ms())
    return broadcast_id


def evidence_files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "evidence").glob("*"))

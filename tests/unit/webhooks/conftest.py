"""Fixtures for webhooks: a channel of alice's, another site that only exists in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel, Channels
from mediaserver.kernel.addresses import AddressList
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import MediaserverError
from mediaserver.kernel.events import Events
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.outbound import Answer, Outbound
from mediaserver.kernel.vault import Vault
from mediaserver.kernel.worker import Worker
from mediaserver.webhooks import deliveries
from mediaserver.webhooks.sender import Sender
from mediaserver.webhooks.webhooks import Asker, Webhooks

URL = "https://site.example/hook"


@dataclass
class OtherSite:
    """What was sent to it, and what it answers next: a status, an answer, or an error."""

    clock: FakeClock
    answers: list[int | Answer | MediaserverError] = field(default_factory=lambda: [204])
    takes_ms: int = 0
    taken: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.taken.append((url, body, headers))
        self.clock.advance(self.takes_ms)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, MediaserverError):
            raise answer
        return answer if isinstance(answer, Answer) else Answer(answer, b"")


@pytest.fixture
def vault() -> Vault:
    return Vault(b"k" * 32)


@pytest.fixture
def letterhead() -> Letterhead:
    return Letterhead(lambda: "Our Site", lambda: "https://live.example.org")


@pytest.fixture
def other_site(clock: FakeClock) -> OtherSite:
    return OtherSite(clock)


@pytest.fixture
def webhooks(db: Database, clock: FakeClock, vault: Vault) -> Webhooks:
    return Webhooks(db, clock, vault, Outbound(AddressList(()), user_agent="test"))


@pytest.fixture
def sender(
    db: Database,
    clock: FakeClock,
    vault: Vault,
    other_site: OtherSite,
    throttles: Throttles,
    letterhead: Letterhead,
) -> Sender:
    return Sender(db, clock, vault, other_site, throttles, letterhead)


@pytest.fixture
def jobs(db: Database, clock: FakeClock, events: Events, sender: Sender) -> Worker:
    """Run by hand: `await jobs.run_due()`."""
    made = Worker(db, clock, events)
    made.register(deliveries.JOB, sender.handle)
    return made


@pytest.fixture
async def channel(db: Database, clock: FakeClock, alice: User) -> Channel:
    return await Channels(db, clock, AccountsConfig()).create(
        alice, "alice-tv", "Alice", title="Painting"
    )


@pytest.fixture
def owner(channel: Channel, alice: User) -> Asker:
    return Asker(alice, channel.slug)


@pytest.fixture
def desk(admin: User) -> Asker:
    """An admin at the webhooks of the site."""
    return Asker(admin, address="192.0.2.1")

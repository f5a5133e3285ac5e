"""The parts of accounts, and the mail that they write."""

from __future__ import annotations

import pytest

from mediaserver.accounts.credentials import Credentials
from mediaserver.accounts.passwords import Passwords
from mediaserver.accounts.registrations import Registrations
from mediaserver.accounts.second_factor import SecondFactor
from mediaserver.accounts.throttles import Throttles
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault
from tests.unit.outbox import Outbox


@pytest.fixture
def config() -> AccountsConfig:
    return AccountsConfig()


@pytest.fixture
def outbox(db: Database) -> Outbox:
    return Outbox(db)


@pytest.fixture
def registrations(
    db: Database,
    clock: FakeClock,
    vault: Vault,
    passwords: Passwords,
    throttles: Throttles,
    letterhead: Letterhead,
    config: AccountsConfig,
) -> Registrations:
    return Registrations(db, clock, vault, passwords, throttles, letterhead, config)


@pytest.fixture
def credentials(
    db: Database,
    clock: FakeClock,
    vault: Vault,
    passwords: Passwords,
    throttles: Throttles,
    letterhead: Letterhead,
) -> Credentials:
    return Credentials(db, clock, vault, passwords, throttles, letterhead)


@pytest.fixture
def second_factor(
    db: Database, clock: FakeClock, vault: Vault, throttles: Throttles, letterhead: Letterhead
) -> SecondFactor:
    return SecondFactor(db, clock, vault, throttles, letterhead)

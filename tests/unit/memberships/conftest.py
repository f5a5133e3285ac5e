"""A site that sells memberships: plans, people with money, and time that a test moves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from mediaserver.accounts.permissions import role_of
from mediaserver.accounts.users import User, Users
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.events import Events
from mediaserver.kernel.mail import JOB, Letterhead, Mail, handler
from mediaserver.kernel.worker import Worker
from mediaserver.memberships.memberships import RENEW, Membership
from mediaserver.memberships.plans import TELL, Plan, Plans
from mediaserver.memberships.renewals import Renewals
from mediaserver.memberships.subscriptions import Subscriptions
from mediaserver.money import ledger
from mediaserver.money.ledger import Kind, Posting, Transfer

BOSS = Actor(None, "boss")


def at(year: int, month: int, day: int, hour: int = 12) -> int:
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp() * 1000)


class Letters:
    """A transport that keeps every mail, in the order in which they were sent."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []

    async def deliver(self, mail: Mail) -> None:
        self.sent.append(mail)


@dataclass
class Club:
    """All of it, with short words for tests."""

    db: Database
    clock: FakeClock
    plans: Plans
    subscriptions: Subscriptions
    renewals: Renewals
    jobs: Worker
    letters: Letters
    users: Users

    async def top_up(self, user: User, amount_minor: int) -> None:
        transfer = Transfer(
            ledger.clearing_of("sandbox", "USD"), ledger.wallet_of(user.id, "USD"), amount_minor
        )
        key = f"payment:{user.id}:{self.clock.wall_ms()}:{amount_minor}"
        await self.db.write(ledger.post, Posting("topup", key, (transfer,)), 1)

    async def wallet(self, user: User) -> int:
        found = await self.db.read(ledger.balance, ledger.wallet_of(user.id, "USD"))
        return found.amount_minor

    async def income(self) -> int:
        account = ledger.site_account(Kind.COMMISSION, "USD")
        return (await self.db.read(ledger.balance, account)).amount_minor

    async def go_to(self, at_ms: int) -> None:
        """Do what is due, let time pass, and do what is due then."""
        await self.work()
        self.clock.advance(at_ms - self.clock.wall_ms())
        await self.work()

    async def work(self) -> None:
        for _ in range(50):
            if not await self.jobs.run_due():
                return
        raise AssertionError("jobs without end")

    async def of(self, user: User) -> Membership | None:
        return (await self.subscriptions.standing(user)).membership

    async def role(self, user: User) -> str:
        found = await self.users.by_id(user.id)
        assert found is not None
        return role_of(found).label

    async def subjects(self, user: User) -> list[str]:
        """What they were mailed, oldest first."""
        await self.work()
        found = [one for one in self.letters.sent if one.to == user.email]
        return [one.subject.split(" · ")[0] for one in found]


@pytest.fixture
def club(
    db: Database, clock: FakeClock, events: Events, letterhead: Letterhead, users: Users
) -> Club:
    clock.set_wall(at(2030, 1, 31) - clock.wall_ms())
    config = MoneyConfig()
    renewals, jobs = Renewals(db, clock, letterhead), Worker(db, clock, events)
    letters = Letters()
    jobs.register(RENEW, renewals.renew, keeps_done=False)
    jobs.register(TELL, renewals.tell)
    jobs.register(JOB, handler(letters))
    subscriptions = Subscriptions(db, clock, letterhead, config)
    plans = Plans(db, clock, config)
    return Club(db, clock, plans, subscriptions, renewals, jobs, letters, users)


MakePlan = Callable[..., Awaitable[Plan]]


@pytest.fixture
def make_plan(club: Club) -> MakePlan:
    async def make(name: str = "Gold", price_minor: int = 500, period: str = "month") -> Plan:
        return await club.plans.make(BOSS, name, "", price_minor, period)

    return make


@pytest.fixture
async def gold(make_plan: MakePlan) -> Plan:
    return await make_plan()

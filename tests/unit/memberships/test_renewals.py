"""What time does to memberships: renewals on time and late, grace, ends, new prices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import func, select, update

from mediaserver.accounts.administration import Administration
from mediaserver.accounts.personal_data import PersonalData, Source
from mediaserver.accounts.users import User, set_banned_until, user_account
from mediaserver.kernel import limits
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import Conflict
from mediaserver.kernel.jobs import job
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault
from mediaserver.memberships import memberships, renewals
from mediaserver.memberships.letters import Letters
from mediaserver.memberships.memberships import RENEW, membership, membership_charge
from mediaserver.memberships.plans import Plan, Wanted
from mediaserver.money import ledger
from tests.unit.memberships.conftest import BOSS, Club, MakePlan, at

HOUR_MS = 3_600_000


@pytest.fixture
async def member(club: Club, gold: Plan, alice: User) -> User:
    """Alice, who has Gold since 31 January, and ten more months in her wallet."""
    await club.top_up(alice, 5500)
    await club.subscriptions.subscribe(alice, gold.id, None)
    return alice


async def empty(club: Club, user: User) -> None:
    """Spend all that is in the wallet."""
    wallet = ledger.wallet_of(user.id, "USD")
    amount = await club.wallet(user)
    transfer = ledger.Transfer(wallet, ledger.clearing_of("sandbox", "USD"), amount)
    posting = ledger.Posting("refund", f"refund:{user.id}", (transfer,))
    await club.db.write(ledger.post, posting, club.clock.wall_ms())


async def test_renewed_on_the_day_it_began(club: Club, member: User) -> None:
    await club.go_to(at(2030, 2, 28) - 1)
    assert await club.wallet(member) == 5000
    for month, day, left in ((2, 28, 4500), (3, 31, 4000), (4, 30, 3500), (5, 31, 3000)):
        await club.go_to(at(2030, month, day))
        assert await club.wallet(member) == left
        assert await club.role(member) == "premium"
    charges = await club.subscriptions.charges(member)
    assert [one.number for one in charges] == [5, 4, 3, 2, 1]
    for later, earlier in pairwise(charges):
        assert later.starts_at_ms == earlier.ends_at_ms, "no gap and no overlap"
    assert (await club.subjects(member))[1:] == ["Your membership goes on"] * 4


async def test_years(club: Club, alice: User, make_plan: MakePlan) -> None:
    plan = await make_plan("Whole year", 5000, "year")
    await club.top_up(alice, 10_000)
    await club.subscriptions.subscribe(alice, plan.id, None)
    await club.go_to(at(2031, 1, 31) - 1)
    assert await club.wallet(alice) == 5000
    await club.go_to(at(2031, 1, 31))
    found = await club.of(alice)
    assert found is not None
    assert found.ends_at_ms == at(2032, 1, 31)
    assert await club.wallet(alice) == 0


async def test_a_site_that_was_off_for_some_days_renews_without_a_gap(
    club: Club, member: User
) -> None:
    await club.go_to(at(2030, 3, 9))
    found = await club.of(member)
    assert found is not None
    assert (found.starts_at_ms, found.ends_at_ms) == (at(2030, 2, 28), at(2030, 3, 31))
    assert await club.wallet(member) == 4500


async def test_nothing_is_charged_for_months_in_which_the_site_was_off(
    club: Club, member: User
) -> None:
    await club.go_to(at(2030, 8, 5))
    found = await club.of(member)
    assert found is not None
    assert (found.starts_at_ms, found.ends_at_ms) == (at(2030, 8, 5), at(2030, 9, 5))
    assert await club.wallet(member) == 4500, "one period, not six"
    await club.go_to(at(2030, 9, 5))
    assert await club.wallet(member) == 4000


async def test_a_clock_that_was_set_back_charges_nothing(club: Club, member: User) -> None:
    club.clock.advance(at(2030, 2, 28) - club.clock.wall_ms())
    claimed = await club.jobs._claim()
    club.clock.set_wall(-HOUR_MS)
    await asyncio.gather(*(club.jobs._do(work) for work in claimed))
    assert await club.wallet(member) == 5000
    await club.go_to(at(2030, 2, 28))
    assert await club.wallet(member) == 4500


async def test_two_renewals_at_once_charge_once(
    club: Club, member: User, letterhead: Letterhead
) -> None:
    found = await club.of(member)
    assert found is not None
    now_ms = at(2030, 2, 28)
    letters = Letters(letterhead)
    await asyncio.gather(
        *(club.db.write(renewals.renew, letters, found.id, 1, now_ms) for _ in range(4))
    )
    assert await club.wallet(member) == 4500
    renewed = await club.of(member)
    assert renewed is not None
    assert renewed.number == 2


async def test_killed_before_the_commit_nothing_was_paid_and_behind_it_once(
    club: Club, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = club.db.write

    class Killed(Exception):
        pass

    def dying(fn: Callable[..., Any]) -> Callable[..., Any]:
        def run(tx: Transaction, *args: Any) -> Any:
            fn(tx, *args)
            raise Killed

        return run

    async def die_before(fn: Callable[..., Any], *args: Any) -> Any:
        return await write(dying(fn) if fn is renewals.renew else fn, *args)

    async def die_behind(fn: Callable[..., Any], *args: Any) -> Any:
        done = await write(fn, *args)
        if fn is renewals.renew:
            raise Killed
        return done

    monkeypatch.setattr(club.db, "write", die_before)
    await club.go_to(at(2030, 2, 28))
    assert await club.wallet(member) == 5000
    monkeypatch.setattr(club.db, "write", die_behind)
    await club.go_to(at(2030, 2, 28) + HOUR_MS)
    assert await club.wallet(member) == 4500
    monkeypatch.undo()
    await club.go_to(at(2030, 2, 28) + 2 * HOUR_MS)
    assert await club.wallet(member) == 4500
    assert await club.db.read(_count, membership_charge) == 2


def _count(tx: Transaction, table: Any) -> int:
    return int(tx.execute(select(func.count()).select_from(table)).scalar_one())


async def test_what_can_not_be_paid_has_some_days(club: Club, member: User) -> None:
    await empty(club, member)
    await club.go_to(at(2030, 2, 28))
    found = await club.of(member)
    assert found is not None
    assert found.state == "grace"
    assert found.grace_until_ms == at(2030, 2, 28) + limits.MEMBERSHIP_GRACE_MS
    await club.go_to(found.grace_until_ms - 1)
    assert await club.role(member) == "premium"
    await club.go_to(found.grace_until_ms)
    assert await club.role(member) == "normal"
    assert (await club.of(member), await club.wallet(member)) == (None, 0)
    assert (await club.subjects(member))[1:] == [
        "Your membership couldn't be paid",
        "Your membership has ended",
    ]
    assert await club.db.read(_count, membership_charge) == 1, "no debt"


async def test_money_that_comes_in_those_days_is_taken_soon(club: Club, member: User) -> None:
    await empty(club, member)
    await club.go_to(at(2030, 2, 28))
    await club.go_to(at(2030, 3, 1))
    await club.top_up(member, 700)
    await club.go_to(at(2030, 3, 1) + limits.MEMBERSHIP_RETRY_MS)
    found = await club.of(member)
    assert found is not None
    assert (found.state, found.number) == ("active", 2)
    assert (found.starts_at_ms, found.ends_at_ms) == (at(2030, 2, 28), at(2030, 3, 31))
    assert await club.wallet(member) == 200
    assert (await club.subjects(member))[-1] == "Your membership goes on"


async def test_a_frozen_wallet_is_not_touched(club: Club, member: User) -> None:
    wallet = ledger.wallet_of(member.id, "USD")
    await club.db.write(ledger.freeze, wallet, "dispute", 1)
    await club.go_to(at(2030, 2, 28))
    found = await club.of(member)
    assert found is not None
    assert found.state == "grace"
    await club.db.write(ledger.unfreeze, wallet)
    await club.go_to(at(2030, 3, 1))
    assert await club.wallet(member) == 4500


async def test_the_wallet_of_a_banned_account_is_not_touched(club: Club, member: User) -> None:
    await club.db.write(set_banned_until, member.id, limits.BAN_FOREVER_MS)
    await club.go_to(at(2030, 2, 28))
    assert (await club.of(member), await club.wallet(member)) == (None, 5000)
    assert await club.role(member) == "normal"


@pytest.fixture
def desk(club: Club, vault: Vault, letterhead: Letterhead) -> Administration:
    return Administration(club.db, club.clock, vault, letterhead)


async def test_what_an_admin_gave_stays_when_a_membership_ends(
    club: Club, member: User, desk: Administration
) -> None:
    await desk.set_role(BOSS, "alice", "premium")
    await club.subscriptions.cancel(member)
    await club.go_to(at(2030, 2, 28))
    assert await club.of(member) is None
    assert await club.role(member) == "premium"
    await desk.set_role(BOSS, "alice", "normal")
    assert await club.role(member) == "normal"


async def test_an_admin_can_not_take_what_was_paid(
    club: Club, member: User, desk: Administration
) -> None:
    with pytest.raises(Conflict) as caught:
        await desk.set_role(BOSS, "alice", "normal")
    assert caught.value.code == "member"
    await desk.set_role(BOSS, "alice", "admin")
    assert await club.role(member) == "admin"
    await club.users.create("root", "root@example.org", "entirely secret", is_admin=True)
    await desk.set_role(BOSS, "alice", "normal")
    assert await club.role(member) == "premium", "still a member"


async def test_a_higher_price_comes_later_and_is_told(club: Club, gold: Plan, member: User) -> None:
    await club.go_to(at(2030, 2, 20))
    await club.plans.change(BOSS, gold.id, Wanted(price_minor=900))
    assert (await club.subjects(member))[-1] == "The price of your membership changes"
    await club.go_to(at(2030, 2, 28))
    assert await club.wallet(member) == 4500, "told eight days before: too late for this one"
    await club.go_to(at(2030, 3, 31))
    assert await club.wallet(member) == 3600
    await club.go_to(at(2030, 4, 30))
    assert await club.wallet(member) == 2700
    told = [one for one in await club.subjects(member) if "price" in one]
    assert len(told) == 1


async def test_a_lower_price_counts_from_the_next_period(
    club: Club, gold: Plan, member: User
) -> None:
    await club.plans.change(BOSS, gold.id, Wanted(price_minor=400))
    await club.go_to(at(2030, 2, 28))
    assert await club.wallet(member) == 4600


async def test_a_price_that_is_taken_back_is_told_too(club: Club, gold: Plan, member: User) -> None:
    await club.plans.change(BOSS, gold.id, Wanted(price_minor=900))
    await club.work()
    await club.plans.change(BOSS, gold.id, Wanted(price_minor=500))
    assert (await club.subjects(member))[-1] == "The price of your membership stays"
    await club.go_to(at(2030, 2, 28))
    assert await club.wallet(member) == 4500


async def test_whoever_has_a_plan_that_is_off_sale_keeps_it(
    club: Club, gold: Plan, member: User
) -> None:
    await club.plans.change(BOSS, gold.id, Wanted(state="off_sale"))
    await club.go_to(at(2030, 2, 28))
    assert await club.wallet(member) == 4500


async def test_a_withdrawn_plan_ends_with_the_period(club: Club, gold: Plan, member: User) -> None:
    await club.plans.change(BOSS, gold.id, Wanted(state="withdrawn"))
    assert (await club.subjects(member))[-1] == "Your membership will end"
    with pytest.raises(Conflict):
        await club.subscriptions.resume(member)
    assert await club.role(member) == "premium"
    await club.go_to(at(2030, 2, 28))
    assert (await club.of(member), await club.wallet(member)) == (None, 5000)
    assert await club.role(member) == "normal"
    with pytest.raises(Conflict) as caught:
        await club.plans.change(BOSS, gold.id, Wanted(state="on_sale"))
    assert caught.value.code == "plan_withdrawn"


async def test_whoever_waits_for_a_withdrawn_plan_keeps_what_they_have(
    club: Club, gold: Plan, member: User, make_plan: MakePlan
) -> None:
    silver = await make_plan("Silver", 300)
    await club.subscriptions.change(member, silver.id, None)
    await club.plans.change(BOSS, silver.id, Wanted(state="withdrawn"))
    await club.go_to(at(2030, 2, 28))
    found = await club.of(member)
    assert found is not None
    assert (found.plan_id, await club.wallet(member)) == (gold.id, 4500)


async def test_a_job_that_is_gone_is_made_up_for(club: Club, member: User, db: Database) -> None:
    gone = update(job).where(job.c.kind == RENEW).values(state="dead", ended_at_ms=1)
    await db.write(lambda tx: tx.execute(gone))
    await club.go_to(at(2030, 2, 28) + 2 * HOUR_MS)
    assert await club.wallet(member) == 5000
    await club.renewals.catch_up()
    assert await club.wallet(member) == 4500
    await club.go_to(at(2030, 3, 31))
    assert await club.wallet(member) == 4000


async def test_a_deleted_account_leaves_sums_without_a_name(
    club: Club, member: User, vault: Vault, letterhead: Letterhead
) -> None:
    data = PersonalData(
        club.db,
        club.clock,
        vault,
        letterhead,
        [Source("memberships", memberships.export, memberships.erase)],
    )
    taken = await data.export(member)
    (paid,) = taken["memberships"]
    assert (paid["plan"], paid["price_minor"], paid["state"]) == ("Gold", 500, "active")
    await data.delete(member)
    (row,) = await club.db.read(lambda tx: tx.execute(select(membership)).all())
    assert (row.state, row.ended_for, row.user_id) == ("ended", "deleted", None)
    assert await club.db.read(_count, user_account) == 0
    await club.go_to(at(2030, 2, 28))
    assert await club.db.read(_count, membership_charge) == 1


async def test_what_admins_see_of_a_plan(club: Club, gold: Plan, member: User, bob: User) -> None:
    await club.top_up(bob, 500)
    await club.subscriptions.subscribe(bob, gold.id, None)
    await club.subscriptions.cancel(bob)
    (seen,) = await club.subscriptions.selling()
    assert (seen.members, seen.leaving) == (2, 1)
    assert (seen.this_month_minor, seen.last_month_minor) == (1000, 0)
    await club.go_to(at(2030, 2, 28))
    (seen,) = await club.subscriptions.selling()
    assert (seen.members, seen.leaving) == (1, 0)
    assert (seen.this_month_minor, seen.last_month_minor) == (500, 1000)

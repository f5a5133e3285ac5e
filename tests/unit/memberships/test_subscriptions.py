"""What people do with their memberships, and what it costs them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound
from mediaserver.memberships.plans import Plan, Wanted
from tests.unit.memberships.conftest import BOSS, Club, MakePlan, at


async def test_the_first_period_is_paid_at_once(club: Club, gold: Plan, alice: User) -> None:
    await club.top_up(alice, 800)
    assert await club.role(alice) == "normal"
    made = await club.subscriptions.subscribe(alice, gold.id, 500)
    assert (made.starts_at_ms, made.ends_at_ms) == (at(2030, 1, 31), at(2030, 2, 28))
    assert (await club.wallet(alice), await club.income()) == (300, 500)
    assert await club.role(alice) == "premium"
    assert await club.subjects(alice) == ["You have the membership Gold"]
    (charge,) = await club.subscriptions.charges(alice)
    assert (charge.number, charge.amount_minor, charge.plan_name) == (1, 500, "Gold")


async def test_without_the_money_nothing_happens(club: Club, gold: Plan, alice: User) -> None:
    await club.top_up(alice, 499)
    with pytest.raises(Conflict) as caught:
        await club.subscriptions.subscribe(alice, gold.id, None)
    assert caught.value.code == "insufficient_funds"
    assert (await club.of(alice), await club.wallet(alice)) == (None, 499)
    assert await club.role(alice) == "normal"
    assert await club.subjects(alice) == []


async def test_two_tabs_take_one_membership(club: Club, gold: Plan, alice: User) -> None:
    await club.top_up(alice, 2000)
    results = await asyncio.gather(
        *(club.subscriptions.subscribe(alice, gold.id, None) for _ in range(5)),
        return_exceptions=True,
    )
    refused = [one for one in results if isinstance(one, Conflict)]
    assert [one.code for one in refused] == ["member"] * 4
    assert await club.wallet(alice) == 1500


async def test_the_same_request_again_is_the_same_membership(
    club: Club, gold: Plan, alice: User, make_plan: MakePlan
) -> None:
    await club.top_up(alice, 2000)
    first = await club.subscriptions.subscribe(alice, gold.id, None, "key-1")
    assert await club.subscriptions.subscribe(alice, gold.id, None, "key-1") == first
    other = await make_plan("Silver", 300)
    with pytest.raises(Conflict) as caught:
        await club.subscriptions.subscribe(alice, other.id, None, "key-1")
    assert caught.value.code == "idempotency_key"
    assert await club.wallet(alice) == 1500


async def test_a_price_that_was_not_seen_is_not_paid(club: Club, gold: Plan, alice: User) -> None:
    await club.top_up(alice, 9000)
    await club.plans.change(BOSS, gold.id, Wanted(price_minor=5000))
    with pytest.raises(Conflict) as caught:
        await club.subscriptions.subscribe(alice, gold.id, 500)
    assert caught.value.code == "price_changed"
    assert await club.wallet(alice) == 9000


async def test_what_is_not_sold_can_not_be_had(club: Club, gold: Plan, alice: User) -> None:
    await club.top_up(alice, 900)
    with pytest.raises(NotFound):
        await club.subscriptions.subscribe(alice, "pln_nothing", None)
    for state in ("off_sale", "withdrawn"):
        await club.plans.change(BOSS, gold.id, Wanted(state=state))
        with pytest.raises(Conflict) as caught:
            await club.subscriptions.subscribe(alice, gold.id, None)
        assert caught.value.code == "not_on_sale"
    assert await club.plans.on_sale() == []


async def test_the_banned_take_none_out(club: Club, gold: Plan, alice: User) -> None:
    with pytest.raises(Forbidden):
        await club.subscriptions.subscribe(replace(alice, is_banned=True), gold.id, None)


async def test_a_dearer_plan_comes_at_once_less_what_was_unused(
    club: Club, gold: Plan, alice: User, make_plan: MakePlan
) -> None:
    platinum = await make_plan("Platinum", 2000)
    await club.top_up(alice, 5000)
    first = await club.subscriptions.subscribe(alice, gold.id, None)
    await club.go_to(at(2030, 2, 10))  # 10 of 28 days
    changed = await club.subscriptions.change(alice, platinum.id, 2000)
    unused = 500 * 18 // 28
    assert await club.wallet(alice) == 5000 - 500 - (2000 - unused)
    assert (changed.plan_id, changed.starts_at_ms) == (platinum.id, at(2030, 2, 10))
    assert changed.ends_at_ms == at(2030, 3, 10)
    assert changed.number == first.number + 1
    newest, _ = await club.subscriptions.charges(alice)
    assert (newest.price_minor, newest.credit_minor) == (2000, unused)
    # The job of the period that was given up does nothing; the new one goes on.
    await club.go_to(at(2030, 2, 28, 13))
    assert await club.wallet(alice) == 5000 - 500 - (2000 - unused)
    await club.go_to(at(2030, 3, 10))
    assert await club.wallet(alice) == 5000 - 500 - (2000 - unused) - 2000
    assert "Your membership is Platinum now" in await club.subjects(alice)


async def test_an_upgrade_that_can_not_be_paid_changes_nothing(
    club: Club, gold: Plan, alice: User, make_plan: MakePlan
) -> None:
    platinum = await make_plan("Platinum", 2000)
    await club.top_up(alice, 600)
    before = await club.subscriptions.subscribe(alice, gold.id, None)
    with pytest.raises(Conflict) as caught:
        await club.subscriptions.change(alice, platinum.id, None)
    assert caught.value.code == "insufficient_funds"
    assert (await club.of(alice), await club.wallet(alice)) == (before, 100)


async def test_a_cheaper_plan_comes_when_the_period_ends(
    club: Club, gold: Plan, alice: User, make_plan: MakePlan
) -> None:
    silver = await make_plan("Silver", 300)
    await club.top_up(alice, 2000)
    await club.subscriptions.subscribe(alice, gold.id, None)
    await club.subscriptions.change(alice, silver.id, 300)
    standing = await club.subscriptions.standing(alice)
    assert standing.plan == gold
    assert standing.next_plan == silver
    assert await club.wallet(alice) == 1500
    await club.go_to(at(2030, 2, 28))
    found = await club.of(alice)
    assert found is not None
    assert (found.plan_id, found.next_plan_id, found.price_minor) == (silver.id, None, 300)
    assert found.ends_at_ms == at(2030, 3, 31), "the day it began on is kept"
    assert await club.wallet(alice) == 1200


async def test_such_a_wish_can_be_taken_back(
    club: Club, gold: Plan, alice: User, make_plan: MakePlan
) -> None:
    silver = await make_plan("Silver", 300)
    await club.top_up(alice, 2000)
    first = await club.subscriptions.subscribe(alice, gold.id, None)
    await club.subscriptions.change(alice, silver.id, None)
    assert await club.subscriptions.change(alice, gold.id, None) == first


async def test_cancelled_is_kept_to_the_end_of_what_is_paid(
    club: Club, gold: Plan, alice: User
) -> None:
    await club.top_up(alice, 2000)
    await club.subscriptions.subscribe(alice, gold.id, None)
    await club.work()
    await club.subscriptions.cancel(alice)
    await club.subscriptions.cancel(alice)  # twice is as good as once
    await club.go_to(at(2030, 2, 28) - 1)
    assert await club.role(alice) == "premium"
    await club.go_to(at(2030, 2, 28))
    assert await club.role(alice) == "normal"
    assert (await club.of(alice), await club.wallet(alice)) == (None, 1500)
    assert await club.subjects(alice) == [
        "You have the membership Gold",
        "Your membership is cancelled",
        "Your membership has ended",
    ]
    again = await club.subscriptions.subscribe(alice, gold.id, None)
    assert again.starts_at_ms == at(2030, 2, 28)
    assert await club.role(alice) == "premium"


async def test_cancelling_can_be_taken_back(club: Club, gold: Plan, alice: User) -> None:
    await club.top_up(alice, 2000)
    await club.subscriptions.subscribe(alice, gold.id, None)
    await club.subscriptions.cancel(alice)
    await club.plans.change(BOSS, gold.id, Wanted(price_minor=700))
    await club.work()
    resumed = await club.subscriptions.resume(alice)
    assert not resumed.is_cancelled
    assert "The price of your membership changes" in await club.subjects(alice)
    await club.go_to(at(2030, 2, 28))
    assert await club.wallet(alice) == 1500 - 700, "told 28 days before"


async def test_without_a_membership_there_is_nothing_to_change(
    club: Club, gold: Plan, alice: User
) -> None:
    actions = (
        club.subscriptions.cancel(alice),
        club.subscriptions.resume(alice),
        club.subscriptions.change(alice, gold.id, None),
    )
    for action in actions:
        with pytest.raises(Conflict) as caught:
            await action
        assert caught.value.code == "no_membership"


async def test_a_cheaper_plan_helps_in_the_days_of_grace(
    club: Club, gold: Plan, alice: User, make_plan: MakePlan
) -> None:
    silver = await make_plan("Silver", 300)
    await club.top_up(alice, 800)
    await club.subscriptions.subscribe(alice, gold.id, None)
    await club.go_to(at(2030, 2, 28))
    changed = await club.subscriptions.change(alice, silver.id, 300)
    assert (changed.state, changed.plan_id, changed.number) == ("active", silver.id, 2)
    assert await club.wallet(alice) == 0
    assert changed.ends_at_ms == at(2030, 3, 31)


async def test_cancelling_in_the_days_of_grace_ends_it(club: Club, gold: Plan, alice: User) -> None:
    await club.top_up(alice, 500)
    await club.subscriptions.subscribe(alice, gold.id, None)
    await club.go_to(at(2030, 2, 28))
    ended = await club.subscriptions.cancel(alice)
    assert (ended.state, ended.ended_for) == ("ended", "cancelled")
    assert await club.role(alice) == "normal"
    await club.go_to(at(2030, 2, 28) + 2 * limits.MEMBERSHIP_GRACE_MS)
    assert (await club.wallet(alice), await club.of(alice)) == (0, None)

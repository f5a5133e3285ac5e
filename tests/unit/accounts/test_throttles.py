"""Leaky buckets in the database."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import RateLimited

RULE = Rule("test", burst=3, interval_ms=10_000)
A, B = (RULE, RULE.key("a")), (RULE, RULE.key("b"))


async def test_a_burst_then_a_trickle(throttles: Throttles, clock: FakeClock) -> None:
    for _ in range(3):
        await throttles.charge(A)
    with pytest.raises(RateLimited) as caught:
        await throttles.charge(A)
    assert caught.value.retry_after_s == 10
    await throttles.charge(B)
    clock.advance(9_999)
    with pytest.raises(RateLimited) as caught:
        await throttles.charge(A)
    assert caught.value.retry_after_s == 1
    clock.advance(1)
    await throttles.charge(A)
    with pytest.raises(RateLimited):
        await throttles.charge(A)
    clock.advance(3_600_000)  # a long rest fills no more than the burst
    for _ in range(3):
        await throttles.charge(A)
    with pytest.raises(RateLimited):
        await throttles.charge(A)


async def test_a_clock_that_was_set_back_costs_the_burst_at_most(
    throttles: Throttles, clock: FakeClock
) -> None:
    await throttles.charge(A)
    clock.set_wall(-3_600_000)
    await throttles.check(A)
    await throttles.charge(A)
    with pytest.raises(RateLimited) as caught:
        await throttles.charge(A)
    assert caught.value.retry_after_s == 10
    clock.advance(10_000)
    await throttles.charge(A)


async def test_refused_attempts_cost_nothing(throttles: Throttles, clock: FakeClock) -> None:
    for _ in range(3):
        await throttles.charge(A)
    for _ in range(50):
        with pytest.raises(RateLimited):
            await throttles.charge(A, B)
    clock.advance(10_000)
    await throttles.charge(A)
    for _ in range(3):
        await throttles.charge(B)


async def test_check_refund_forget(throttles: Throttles) -> None:
    for _ in range(3):
        await throttles.check(A)
        await throttles.charge(A)
    with pytest.raises(RateLimited):
        await throttles.check(A)
    await throttles.refund(A)
    await throttles.charge(A)
    await throttles.forget(A)
    for _ in range(3):
        await throttles.charge(A)


async def test_first_attempts_at_once(throttles: Throttles) -> None:
    results = await asyncio.gather(*(throttles.charge(A) for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(result, RateLimited) for result in results) == 3


async def test_empty_buckets_are_removed(
    throttles: Throttles, clock: FakeClock, db: Database
) -> None:
    await throttles.charge(A)
    clock.advance(5_000)
    await throttles.charge(B)
    clock.advance(5_001)
    await throttles.delete_empty()
    keys = await db.read(lambda tx: tx.execute(text("SELECT key FROM throttle")).scalars().all())
    assert keys == [B[1]]


def test_keys_hide_what_was_typed() -> None:
    key = RULE.key("my password in the name field", "1.1.1.1")
    assert "password" not in key
    assert RULE.key("a", "bc") != RULE.key("ab", "c")

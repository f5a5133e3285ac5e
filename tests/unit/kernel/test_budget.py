from __future__ import annotations

from mediaserver.kernel.budget import Budget
from mediaserver.kernel.clock import FakeClock


def test_a_burst_and_then_one_at_a_time() -> None:
    clock = FakeClock()
    budget = Budget(clock, burst=3, per_s=2)
    assert [budget.take() for _ in range(4)] == [True, True, True, False]
    assert budget.retry_after_s() == 1
    clock.advance(499)
    assert not budget.take()
    clock.advance(1)
    assert budget.take()
    assert not budget.take()


def test_it_fills_up_to_the_burst_and_no_further() -> None:
    clock = FakeClock()
    budget = Budget(clock, burst=2, per_s=1)
    clock.advance(3_600_000)
    assert [budget.take() for _ in range(3)] == [True, True, False]


def test_what_is_refused_costs_nothing() -> None:
    clock = FakeClock()
    budget = Budget(clock, burst=1, per_s=0.1)
    assert budget.take()
    for _ in range(100):
        assert not budget.take()
    assert budget.retry_after_s() == 10
    clock.advance(10_000)
    assert budget.take()

"""Calendar months, and what of a period is unused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mediaserver.memberships.periods import month_of, months_after, unused
from tests.unit.memberships.conftest import at


def test_the_31st_stays_the_31st() -> None:
    anchor = at(2030, 1, 31)
    ends = [months_after(anchor, months) for months in range(1, 5)]
    assert ends == [at(2030, 2, 28), at(2030, 3, 31), at(2030, 4, 30), at(2030, 5, 31)]


def test_leap_days_and_years() -> None:
    leap_day = at(2028, 2, 29)
    assert months_after(leap_day, 12) == at(2029, 2, 28)
    assert months_after(leap_day, 48) == at(2032, 2, 29)
    assert months_after(at(2030, 12, 15), 1) == at(2031, 1, 15)


def test_calendar_months() -> None:
    assert month_of(at(2030, 3, 31)) == (at(2030, 3, 1, 0), at(2030, 4, 1, 0))
    assert month_of(at(2030, 1, 1, 0), 1) == (at(2029, 12, 1, 0), at(2030, 1, 1, 0))


@given(st.integers(0, 4_000_000_000_000), st.integers(1, 400))
def test_months_only_go_forward(anchor: int, months: int) -> None:
    assert months_after(anchor, months) > months_after(anchor, months - 1) >= anchor


@given(st.integers(1, 10**12), st.integers(1, 10**11), st.integers(-(10**11), 2 * 10**11))
def test_what_is_unused_is_no_more_than_was_paid(price: int, length: int, now: int) -> None:
    left = unused(price, 0, length, now)
    assert 0 <= left <= price
    assert unused(price, 0, length, 0) == price
    assert unused(price, 0, length, length) == 0
    assert unused(price, 0, length, now + 1) <= left

"""Amounts: what is typed, what is shown, and that nothing is ever rounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid
from mediaserver.money.commission import Split, fee_of_part, percent
from mediaserver.money.currencies import (
    CURRENCIES,
    checked_amount,
    currency_of,
    formatted,
    money,
    parsed_amount,
    plain,
)


@pytest.mark.parametrize(
    ("typed", "code", "minor"),
    [
        ("5", "USD", 500),
        ("12.5", "USD", 1250),
        ("12.50", "USD", 1250),
        (" 0.01 ", "EUR", 1),
        ("5", "JPY", 5),
        ("5.0", "JPY", 5),
        ("1.234", "KWD", 1234),
        ("150000", "IDR", 15_000_000),
    ],
)
def test_what_is_typed(typed: str, code: str, minor: int) -> None:
    assert parsed_amount(typed, currency_of(code)) == minor


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "USD"),
        ("-5", "USD"),
        ("1.001", "USD"),
        ("5.5", "JPY"),
        ("1,50", "EUR"),
        ("1e3", "USD"),
        ("١٢", "USD"),
        ("NaN", "USD"),
        ("99999999999999", "USD"),
    ],
)
def test_what_is_no_amount(typed: str, code: str) -> None:
    with pytest.raises(Invalid):
        parsed_amount(typed, currency_of(code))


@pytest.mark.parametrize("amount", [0, -1, limits.AMOUNT_MINOR_MAX + 1, 2**63])
def test_what_the_ledger_does_not_take(amount: int) -> None:
    with pytest.raises(Invalid):
        checked_amount(amount)


def test_how_amounts_read() -> None:
    assert money(123_450, "USD") == "$1,234.50"
    assert money(-5, "EUR") == "-€0.05"
    assert money(1_234, "JPY") == "¥1,234"
    assert money(1_234, "KWD") == "KWD\u00a01.234"
    assert plain(123_450, currency_of("USD")) == "1234.50"
    with pytest.raises(Invalid):
        currency_of("XXX")


@given(st.integers(0, limits.AMOUNT_MINOR_MAX), st.sampled_from(sorted(CURRENCIES)))
def test_what_is_written_reads_back(amount: int, code: str) -> None:
    currency = currency_of(code)
    assert parsed_amount(plain(amount, currency), currency) == amount
    assert formatted(amount, currency).replace(",", "").endswith(plain(amount, currency))


@given(st.integers(1, limits.AMOUNT_MINOR_MAX), st.integers(0, 10_000))
def test_a_split_adds_up(amount: int, bps: int) -> None:
    split = Split(amount, bps)
    assert split.fee_minor + split.net_minor == amount
    assert split.fee_minor >= 0
    assert split.net_minor >= 0
    assert split.fee_minor * 10_000 <= amount * bps < (split.fee_minor + 1) * 10_000


@pytest.mark.parametrize(
    ("amount", "bps", "fee"),
    [
        (1, 2200, 0),
        (4, 2200, 0),
        (5, 2200, 1),
        (100, 2200, 22),
        (100, 0, 0),
        (100, 10_000, 100),
        (99, 9_999, 98),
        (10_000, 1, 1),
        (9_999, 1, 0),
    ],
)
def test_fractions_stay_with_the_streamer(amount: int, bps: int, fee: int) -> None:
    assert Split(amount, bps).fee_minor == fee


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=12), st.integers(0, 10_000))
def test_parts_of_a_commission_make_the_whole(parts: list[int], bps: int) -> None:
    amount = sum(parts)
    fee = Split(amount, bps).fee_minor
    taken = [fee_of_part(fee, amount, sum(parts[:place]), part) for place, part in enumerate(parts)]
    assert sum(taken) == fee
    assert all(0 <= one <= part for one, part in zip(taken, parts, strict=True))


def test_how_a_rate_reads() -> None:
    assert [percent(bps) for bps in (0, 2200, 250, 5, 10_000)] == [
        "0 %",
        "22 %",
        "2.5 %",
        "0.05 %",
        "100 %",
    ]

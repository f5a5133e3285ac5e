"""Lengths of time as people write them."""

from __future__ import annotations

import pytest

from mediaserver.kernel.errors import Invalid
from mediaserver.moderation.durations import in_words, seconds_of


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90", 90), ("30s", 30), ("10m", 600), (" 1H30M ", 5400), ("7d", 604_800), ("1w", 604_800)],
)
def test_seconds(written: str, seconds: int) -> None:
    assert seconds_of(written, "text") == seconds


def test_a_number_alone_counts_the_unit() -> None:
    assert seconds_of("10", "text", unit_s=60) == 600
    assert seconds_of("10s", "text", unit_s=60) == 10


@pytest.mark.parametrize("written", ["", "m", "10x", "-5", "1.5h", "9" * 20, "1m" * 6, "٣m", "1 m"])
def test_wrong_ones(written: str) -> None:
    with pytest.raises(Invalid) as caught:
        seconds_of(written, "text")
    assert caught.value.field == "text"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (600, "10 min"),
        (5400, "1 h 30 min"),
        (86_400, "1 day"),
        (604_861, "7 days 1 min"),
    ],
)
def test_words(seconds: int, words: str) -> None:
    assert in_words(seconds) == words

"""The site's commission: how an amount is split, exactly.

Pure. Basis points: 2200 are 22 %. What doesn't divide stays with the streamer.
"""

from __future__ import annotations

from dataclasses import dataclass

BPS = 10_000
"""Basis points in the whole."""


@dataclass(frozen=True, slots=True)
class Split:
    """`fee_minor` for the site and `net_minor` for the streamer make `amount_minor`."""

    amount_minor: int
    bps: int

    @property
    def fee_minor(self) -> int:
        return self.amount_minor * self.bps // BPS

    @property
    def net_minor(self) -> int:
        return self.amount_minor - self.fee_minor


def fee_of_part(fee_minor: int, amount_minor: int, before_minor: int, part_minor: int) -> int:
    """The commission in `part_minor` more of an amount of which `before_minor` were taken back
    already: all parts of the whole make exactly `fee_minor`.
    """
    assert before_minor >= 0
    assert before_minor + part_minor <= amount_minor
    upto = fee_minor * (before_minor + part_minor) // amount_minor
    return upto - fee_minor * before_minor // amount_minor


def percent(bps: int) -> str:
    """For people: "22 %", "2.5 %"."""
    whole, part = divmod(bps, 100)
    return f"{whole}{f'.{part:02}'.rstrip('0') if part else ''} %"

"""Funding: which top-up paid for what.

Pure. What comes into a wallet is a lot; what goes out takes the oldest lots first, as nobody says
which of their coins they give. Two things know better: what is taken back of a payment comes out of
that payment's own lot, and what is given back (a tip reversed, an unused month) returns to the lots
that paid for it. Used by take_back.py, which says whose money it is when a payment is refunded or
disputed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Movement:
    """`amount_minor` into a wallet, or out of it where it is negative. `subject` is the document
    that it was for, such as a payment or a contribution.
    """

    subject: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Spent:
    """A part of a lot, and what it went to."""

    subject: str
    amount_minor: int


@dataclass(slots=True)
class Lot:
    """What came in for one subject: how much of it is left, and where the rest went, in order."""

    unspent_minor: int = 0
    spent: list[Spent] = field(default_factory=list)

    def spend(self, subject: str, most_minor: int) -> int:
        """Take at most so much for `subject`; how much there was."""
        part = min(self.unspent_minor, most_minor)
        if part:
            self.unspent_minor -= part
            self.spent.append(Spent(subject, part))
        return part

    def get_back(self, subject: str, most_minor: int) -> int:
        """Undo what was spent for `subject`, the newest first; how much that was."""
        left = most_minor
        for place in range(len(self.spent) - 1, -1, -1):
            one = self.spent[place]
            if one.subject != subject or not left:
                continue
            part = min(one.amount_minor, left)
            left -= part
            self.spent[place] = Spent(subject, one.amount_minor - part)
        self.spent = [one for one in self.spent if one.amount_minor]
        self.unspent_minor += most_minor - left
        return most_minor - left


def lots_of(movements: Iterable[Movement]) -> dict[str, Lot]:
    """The lots of a wallet by what they came for, oldest first, after all movements in order.

    Movements of the same moment may come in a wrong order: what goes out before its money came in
    waits for it.
    """
    lots: dict[str, Lot] = {}
    waiting: list[Spent] = []
    for one in movements:
        if one.amount_minor > 0:
            _come_in(lots, one)
            waiting = [late for due in waiting if (late := _go_out(lots, due))]
        elif late := _go_out(lots, Spent(one.subject, -one.amount_minor)):
            waiting.append(late)
    return lots


def _come_in(lots: dict[str, Lot], one: Movement) -> None:
    left = one.amount_minor
    if one.subject not in lots:
        for lot in reversed(lots.values()):
            left -= lot.get_back(one.subject, left)
    if left:
        lots.setdefault(one.subject, Lot()).unspent_minor += left


def _go_out(lots: dict[str, Lot], one: Spent) -> Spent | None:
    """Take it from the lots; what they didn't have, or None."""
    left = one.amount_minor
    own = lots.get(one.subject)
    if own is not None:
        taken = min(own.unspent_minor, left)
        own.unspent_minor -= taken
        left -= taken
    for lot in lots.values():
        left -= lot.spend(one.subject, left)
        if not left:
            return None
    return Spent(one.subject, left) if left else None

"""Which top-up paid for what: by example, and whatever comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mediaserver.money.funding import Lot, Movement, Spent, lots_of


def test_the_oldest_lots_go_first() -> None:
    lots = lots_of(
        [
            Movement("pay_1", 100),
            Movement("pay_2", 50),
            Movement("ctb_1", -30),
            Movement("ctb_2", -90),
        ]
    )
    assert lots == {
        "pay_1": Lot(0, [Spent("ctb_1", 30), Spent("ctb_2", 70)]),
        "pay_2": Lot(30, [Spent("ctb_2", 20)]),
    }


def test_what_is_taken_back_comes_out_of_its_own_lot() -> None:
    lots = lots_of([Movement("pay_1", 100), Movement("pay_2", 50), Movement("pay_2", -40)])
    assert lots == {"pay_1": Lot(100), "pay_2": Lot(10)}


def test_what_is_put_back_returns_to_its_own_lot() -> None:
    lots = lots_of(
        [
            Movement("pay_1", 100),
            Movement("pay_2", 50),
            Movement("pay_2", -50),
            Movement("ctb_1", -20),
            Movement("pay_2", 50),
        ]
    )
    assert lots == {"pay_1": Lot(80, [Spent("ctb_1", 20)]), "pay_2": Lot(50)}


def test_what_is_given_back_returns_to_the_lots_that_paid() -> None:
    lots = lots_of(
        [
            Movement("pay_1", 100),
            Movement("pay_2", 50),
            Movement("mem_1", -120),
            Movement("mem_1", 40),
        ]
    )
    assert lots == {"pay_1": Lot(20, [Spent("mem_1", 80)]), "pay_2": Lot(50)}


def test_what_goes_out_before_it_came_in_waits_for_it() -> None:
    lots = lots_of([Movement("ctb_1", -30), Movement("pay_1", 20), Movement("pay_2", 20)])
    assert lots == {"pay_1": Lot(0, [Spent("ctb_1", 20)]), "pay_2": Lot(10, [Spent("ctb_1", 10)])}


@st.composite
def histories(draw: st.DrawFn) -> list[Movement]:
    """What a wallet can see: it never holds less than nothing."""
    held, movements, spent = 0, [], {}
    for number in range(draw(st.integers(0, 25))):
        kind = draw(st.sampled_from(["in", "out", "out", "back"]))
        if kind == "in":
            amount = draw(st.integers(1, 500))
            movements.append(Movement(f"pay_{number}", amount))
            held += amount
        elif kind == "out" and held:
            amount = draw(st.integers(1, held))
            movements.append(Movement(f"ctb_{number}", -amount))
            spent[f"ctb_{number}"] = amount
            held -= amount
        elif kind == "back" and spent:
            subject = draw(st.sampled_from(sorted(spent)))
            amount = draw(st.integers(1, spent[subject]))
            movements.append(Movement(subject, amount))
            held += amount
            spent[subject] -= amount
            if not spent[subject]:
                del spent[subject]
    return movements


@given(histories())
def test_every_coin_is_somewhere_once(movements: list[Movement]) -> None:
    lots = lots_of(movements)
    came = {one.subject: one.amount_minor for one in movements if one.subject.startswith("pay_")}
    assert lots.keys() == came.keys()
    for subject, lot in lots.items():
        assert lot.unspent_minor >= 0
        assert lot.unspent_minor + sum(one.amount_minor for one in lot.spent) == came[subject]
        assert all(one.amount_minor > 0 for one in lot.spent)
    held = sum(one.amount_minor for one in movements)
    assert sum(lot.unspent_minor for lot in lots.values()) == held
    went: dict[str, int] = {}
    for one in movements:
        if one.subject.startswith("ctb_"):
            went[one.subject] = went.get(one.subject, 0) - one.amount_minor
    paid: dict[str, int] = {}
    for lot in lots.values():
        for part in lot.spent:
            paid[part.subject] = paid.get(part.subject, 0) + part.amount_minor
    assert paid == {subject: amount for subject, amount in went.items() if amount}

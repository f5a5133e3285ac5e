"""Tables for spreadsheets: nothing in them runs."""

from __future__ import annotations

import pytest

from mediaserver.routes.csv import csv_lines


def test_plain_rows() -> None:
    rows = [("name", "count"), ('a "b", c', 3), ("two\nlines", None)]
    assert csv_lines(rows) == 'name,count\r\n"a ""b"", c",3\r\n"two\nlines",\r\n'


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_formulas_are_texts(start: str) -> None:
    assert csv_lines([(f"{start}1+1",)]).strip('"').startswith("'")


def test_numbers_stay_numbers() -> None:
    assert csv_lines([(-5,)]) == "-5\r\n"

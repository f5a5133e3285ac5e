"""Tables as CSV (RFC 4180), safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How cells begin that a spreadsheet would run (OWASP, "CSV injection")."""


def csv_lines(rows: Iterable[Iterable[object]]) -> str:
    """The rows as text. A text that looks like a formula gets an apostrophe before it."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(
        [_harmless(cell) for cell in row] for row in rows
    )
    return written.getvalue()


def _harmless(cell: object) -> object:
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return "" if cell is None else cell

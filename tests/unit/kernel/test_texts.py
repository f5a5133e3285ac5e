"""Lines that people type: what of them is seen counts."""

from __future__ import annotations

import pytest

from mediaserver.kernel.errors import Invalid
from mediaserver.kernel.texts import checked_line

INVISIBLE = ["\u200b\u200b", "\u00a0\u2003", "\u2060", "\u0301", "\u3164", "\u200d\ufe0f", "\u00ad"]


@pytest.mark.parametrize("value", INVISIBLE, ids=ascii)
def test_a_line_of_which_nothing_is_seen_is_empty(value: str) -> None:
    assert checked_line(value, "title", 40) == ""
    with pytest.raises(Invalid, match="can't be empty"):
        checked_line(value, "name", 40, is_required=True)


@pytest.mark.parametrize("value", ["نام‌ها", "👩‍👩‍👧", "é", "."], ids=ascii)
def test_what_is_seen_stays(value: str) -> None:
    assert checked_line(value, "name", 40, is_required=True) == value

"""What a site with money refuses to start with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mediaserver.kernel.errors import Conflict, Invalid
from tests.functional.giving import running_till
from tests.functional.platform_site import running_site


async def test_an_amount_with_too_many_digits_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"money\.tip_min: The smallest amount of JPY is 1\."):
        async with running_site(tmp_path, money={"currency": "JPY", "tip_min": "0.5"}):
            pass


@pytest.mark.parametrize(
    ("other", "says"),
    [({"production": True}, "the books hold test money"), ({"currency": "EUR"}, "hold USD")],
)
async def test_what_was_booked_stays_what_it_is(
    tmp_path: Path, other: dict[str, Any], says: str
) -> None:
    async with running_site(tmp_path, money=other):
        pass  # nothing is booked: it may still be changed
    async with running_till(tmp_path) as till:
        await till.streamer()
        await till.site.member("bob")
        await till.tip("bob", "alice", 500)
    with pytest.raises(Conflict, match=says):
        async with running_site(tmp_path, money=other):
            pass
    async with running_till(tmp_path):
        pass


async def test_real_money_never_becomes_test_money(tmp_path: Path) -> None:
    async with running_till(tmp_path, money={"production": True}) as till:
        await till.streamer()
        await till.site.member("bob")
        await till.tip("bob", "alice", 500)
    with pytest.raises(Conflict, match="the books hold real money"):
        async with running_site(tmp_path):
            pass

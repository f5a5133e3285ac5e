"""A site that is killed while people tip loses no tip that it said yes to, and no cent."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.killing_money import MoneyVictim


@pytest.mark.alone
async def test_no_promised_tip_is_lost(tmp_path: Path) -> None:
    victim = MoneyVictim(tmp_path / "storage", random.Random(1))
    await victim.prepare()
    for _ in range(3):
        await victim.round(longest_s=1.0)
    await victim.finish()
    assert victim.faults == []
    assert victim.kills["while people wrote"] == 3
    assert victim.tips, "the test is of no use when nothing was given"

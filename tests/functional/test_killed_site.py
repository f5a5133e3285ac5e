"""A site that is killed while people write keeps everything that it said yes to."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.killing import Victim


@pytest.mark.alone
async def test_nothing_promised_is_lost(tmp_path: Path) -> None:
    victim = Victim(tmp_path / "storage", random.Random(1))
    await victim.prepare()
    for _ in range(3):
        await victim.round(longest_s=1.0)
    await victim.finish()
    assert victim.faults == []
    assert victim.kills["while people wrote"] == 3
    promised = victim.promised
    assert promised.lines, "the test is of no use when nothing was written"
    assert promised.registrations
    assert promised.follows
    assert promised.roles
